/**
 * Traces of jogs that break their promise, and their neighbours that keep it.
 *
 * The idea: a nonce every 100 ms and its echo 20 ms later, and one thing beside them. It refuses to
 * be a world.
 */
import type { TraceLine } from "#simulators/judges/trace.js";
import {
  at,
  command,
  ended,
  frame,
  granted,
  handed,
  moves,
  node,
  rests,
  stop,
  stopFrame,
  trigger,
} from "./hand-made.js";
import type { Case } from "./motion-cases.js";

const hold = "h1";
const about = { device: "x", hold, epoch: 1 } as const;
const said = (moment: number, nonce: string): TraceLine => {
  return { at: moment, kind: "holdSaid", ...about, state: "pressed", nonce };
};
const over = (moment: number): TraceLine => {
  return { at: moment, kind: "holdSaid", ...about, state: "ended", reason: "lapsed" };
};
const echo = (moment: number, nonce?: string): TraceLine => {
  const word = nonce === undefined ? {} : { nonce };
  return { at: moment, kind: "echo", ...about, ttlMs: 200, ...word };
};
const lifted = (moment: number): TraceLine => {
  return { at: moment, kind: "lifted", device: "x", hold, how: "numb" };
};
const sorted = (lines: readonly TraceLine[]) => lines.toSorted((a, b) => a.at - b.at);
/** Nonces n0 to n{count - 1}, a hundred milliseconds apart, and their echoes. */
const held = (count: number): TraceLine[] =>
  Array.from({ length: count }, (_, i) => [
    said(100 * i, `n${i}`),
    echo(100 * i + 20, `n${i}`),
  ]).flat();
const jog = (velocity: number, bypass: readonly string[] = []) =>
  command(0, hold, "jog", { velocity, bypass });

/** Two proofs: it is over at 400. */
const two = [granted(0), ...held(2)];
const judge = "hold-to-run";
const name = (what: string, trace: readonly TraceLine[], found: number, by = judge): Case => {
  return [by, what, sorted(trace), found];
};

export const holdCases: readonly Case[] = [
  name("stopped when it lapses", [...two, moves(30), frame(420, stopFrame), rests(600)], 0),
  name("no stop when it lapses", [...two, frame(30, trigger), moves(31), rests(2400)], 1),
  name("moves on", [...two, frame(30, trigger), moves(31), frame(420, stopFrame)], 1),
  name("a trigger after the first proof", [...two, handed(21, trigger)], 0),
  name("a trigger before the first proof", [...two, handed(19, trigger)], 1),
  name("a trigger, and nobody ever echoed", [granted(0), said(0, "n0"), handed(300, trigger)], 1),
  name("a trigger in time", [...two, handed(399, trigger)], 0),
  name("a trigger after the end", [...two, handed(402, trigger)], 1),
  name("a trigger of the next lease", [...two, granted(450, 2), handed(460, trigger)], 0),
  name("an old nonce said again", [...two, echo(310, "n1"), handed(450, trigger)], 1),
  name(
    "a late echo within its time",
    [...two, said(200, "n2"), echo(399, "n2"), handed(450, trigger)],
    0,
  ),
  name("let go", [...two, echo(150), handed(160, trigger)], 1),
  name("stopped by a person", [...two, stop(150), handed(160, trigger)], 1),
  name("its lease has ended", [...two, ended(150), handed(160, trigger)], 1),
  name(
    "its driver was killed",
    [...two, node(150, "killed", "driver-x#1"), handed(160, trigger)],
    1,
  ),
  name("held on", [granted(0), ...held(6), handed(650, trigger)], 0),
  name("echoes without a finger", [granted(0), ...held(6), lifted(110), handed(650, trigger)], 2),
  name(
    "a finger that has just left",
    [granted(0), ...held(6), lifted(510), handed(650, trigger)],
    0,
  ),
  name("said to be over", [...two, over(410)], 0),
  name("lives again", [...two, over(410), said(500, "n5")], 1),
  name("as fast as asked for", [jog(10), ...two, at(300, "x", 5)], 0),
  name("faster than asked for", [jog(5), ...two, at(300, "x", 5)], 1),
  name("fast after the end, while it brakes", [jog(5), ...two, at(410, "x", 5)], 0),
  name("past an interlock, slowly", [jog(40, ["z-up"]), ...two, at(300, "x", 5)], 0),
  name(
    "through an interlock that it leaves out of account",
    [jog(40, ["z-up"]), at(0, "z", 10), granted(0), ...held(40), moves(30), rests(3990)],
    0,
    "limits",
  ),
  name(
    "through another interlock",
    [jog(40, ["door"]), at(0, "z", 10), granted(0), ...held(40), moves(30), rests(3990)],
    1,
    "limits",
  ),
  name(
    "a hold that lives without beats",
    [granted(0), ...held(40), moves(3000), rests(3990)],
    0,
    "motion-under-lease",
  ),
  name("a hold that has lapsed", [...two, moves(500), rests(600)], 1, "motion-under-lease"),
];
