/**
 * Traces that break a promise about commands, verdicts, runs, readings and events, and their
 * neighbours that keep it.
 *
 * The idea: each case that bites has one beside it that differs in the one thing that matters. It
 * refuses to be a world.
 */
import type { TraceLine } from "#simulators/judges/trace.js";
import {
  at,
  command,
  event,
  frame,
  granted,
  intent,
  lastState,
  leftOver,
  moves,
  rests,
  run,
  stop,
  trigger,
  verdict,
} from "./hand-made.js";
import type { Case } from "./motion-cases.js";

const move = (moment: number, id: string, position = 500, epoch = 1): TraceLine => {
  return command(moment, id, "moveTo", { position }, epoch);
};

const onceCases: readonly Case[] = [
  ["once", "a trigger for each of two commands", twoMoves(verdict(30, "a", "done")), 0],
  [
    "once",
    "a second trigger for one command",
    [move(1, "a"), frame(5, trigger), frame(9, trigger)],
    1,
  ],
  [
    "once",
    "the device refused the first",
    [move(1, "a"), frame(5, trigger, "8604"), frame(9, trigger)],
    0,
  ],
  [
    "once",
    "the device was silent at the first",
    [move(1, "a"), frame(5, trigger, null), frame(9, trigger)],
    0,
  ],
  [
    "once",
    "it obeyed in silence",
    [move(1, "a"), { ...frame(5, trigger, null), took: true } as TraceLine, frame(9, trigger)],
    1,
  ],
  ["once", "after its verdict", [move(1, "a"), verdict(5, "a", "unknown"), frame(99, trigger)], 1],
  [
    "once",
    "just after its verdict",
    [move(1, "a"), verdict(5, "a", "unknown"), frame(9, trigger)],
    0,
  ],
  ["once", "an epoch that has ended", [move(1, "a"), granted(9, 2), frame(99, trigger)], 1],
  ["once", "a jog triggers again and again", [jog(), frame(5, trigger), frame(9, trigger)], 0],
  ["once", "enabling triggers nothing", [command(1, "a", "enable"), frame(5, trigger)], 1],
  ["once", "no commands in the trace", [frame(5, trigger), frame(9, trigger)], 0],
  ["once", "a copy of a command", [move(1, "a"), move(9, "a")], 0],
  ["once", "an id with two bodies", [move(1, "a"), move(9, "a", 501)], 1],
];

function jog(): TraceLine {
  return command(1, "j", "jog");
}

function twoMoves(between: TraceLine): TraceLine[] {
  return [move(1, "a"), frame(5, trigger), between, move(40, "b"), frame(45, trigger)];
}

const intentCases: readonly Case[] = [
  ["intent-first", "intent, then command", [intent(1, "a"), move(2, "a")], 0],
  ["intent-first", "command, then intent", [move(1, "a"), intent(2, "a")], 1],
  ["intent-first", "another intent", [intent(1, "b"), move(2, "a")], 1],
  ["intent-first", "a request for a lease", [intent(1, "b"), command(2, "a", "lease")], 0],
  ["intent-first", "nobody watches the disk", [move(1, "a")], 0],
];

const runCases: readonly Case[] = [
  ["runs-end", "ended", [run(1, "running", false), run(9, "completed", true)], 0],
  ["runs-end", "still running", [run(1, "running", false)], 1],
  ["runs-end", "a lock is left", [leftOver("lock")], 1],
  ["runs-end", "a lease is left", [leftOver("lease")], 1],
  ["runs-end", "a latch is left", [leftOver("latch")], 1],
  ["runs-end", "an armed axis is another judge's", [leftOver("armed")], 0],
];

const others = [lastState({}, "z")];
const truthCases: readonly Case[] = [
  ["truth", "as it is", [lastState({}), ...others], 0],
  ["truth", "another place", [lastState({ position: 11 }), ...others], 1],
  ["truth", "within the tolerance", [lastState({ position: 10.4 }), ...others], 0],
  ["truth", "a bad reading", [lastState({ q: "stale" }), ...others], 1],
  ["truth", "it moves and is shown as still", [lastState({ trueMoving: true }), ...others], 1],
  ["truth", "it stands and is shown as moving", [lastState({ moving: true }), ...others], 1],
  ["truth", "an axis of which nothing is shown", others, 1],
  ["truth", "nothing was asked", [], 0],
];

const published = [1, 2, 3].map((seq) => event("published", seq));
const heard = (...seqs: number[]) => seqs.map((seq) => event("heard", seq));
const otherSource = { ...event("heard", 1), source: "driver-z" } as TraceLine;
const said = (...seqs: number[]) => seqs.map((seq) => event("published", seq));
const kept = (...seqs: number[]) => seqs.map((seq) => event("kept", seq));
const taken = (seq: number) => event("taken", seq);
const begun: TraceLine = { at: 5, kind: "started", node: "driver-x#2" };
const died: TraceLine = { at: 5, kind: "killed", node: "historian#1" };
const cut: TraceLine = { at: 5, kind: "fault", text: "power", what: "powerLoss" };
const eventCases: readonly Case[] = [
  ["events", "all of them", [...published, ...heard(1, 2, 3)], 0],
  ["events", "repeats", [...published, event("published", 2), ...heard(1, 2, 1, 2, 3)], 0],
  ["events", "a gap when published", [event("published", 1), event("published", 3)], 1],
  ["events", "two ids of one number", [...published, event("published", 2, "other")], 1],
  ["events", "one was never heard", [...published, ...heard(1, 2)], 1],
  ["events", "one was heard before its turn", [...published, ...heard(1, 3, 2)], 1],
  ["events", "and again in its turn", [...published, ...heard(1, 3, 2, 3)], 0],
  ["events", "the first was never heard", [...published, ...heard(2, 3)], 1],
  ["events", "only another source was heard", [...published, otherSource], 1],
  ["events", "no consumer is declared", published, 0],
  ["events", "kept and never published", [...kept(1, 2, 3), ...published.slice(0, 2)], 1],
  ["events", "a number that was never kept", [...kept(1, 3), ...said(1, 3), ...heard(1, 3)], 0],
  ["events", "out of order", [...kept(1, 2, 3), ...said(1, 3, 2)], 1],
  ["events", "left by an earlier start", [...kept(1, 2), begun, ...kept(90), ...said(90, 1, 2)], 0],
  ["events", "a new start goes on far above", [...said(1, 2), begun, ...said(90)], 0],
  [
    "events",
    "what was left by two power cuts",
    [...kept(1, 2), ...said(1), cut, cut, ...kept(90), ...said(90, 2)],
    0,
  ],
  [
    "events",
    "out of order after a power cut",
    [...kept(1), cut, ...kept(90, 91), ...said(91, 90)],
    1,
  ],
  ["events", "taken in turn", [...published, ...heard(1, 2, 3), taken(2), taken(3)], 0],
  ["events", "heard and never taken", [...published, ...heard(1, 2, 3), taken(2)], 1],
  ["events", "taken and never heard", [...published, ...heard(1, 2), taken(3)], 1],
  [
    "events",
    "killed with one not taken, and never told again",
    [...published, ...heard(1, 2, 3), taken(2), died, ...kept(4), ...said(4), ...heard(4)],
    1,
  ],
  [
    "events",
    "killed with one not taken, and told again",
    [...published, ...heard(1, 2, 3), taken(2), died, ...heard(3), taken(3)],
    0,
  ],
  ["events", "lost in a power cut", [...kept(1, 2, 3), ...said(1), ...heard(1), cut], 0],
  ["events", "lost after a power cut", [cut, ...kept(1, 2), ...said(1, 2), ...heard(1)], 1],
];

const verdictCases: readonly Case[] = [
  ["honest-verdicts", "done where it was sent", [move(1, "a"), verdict(9, "a", "done", 500.4)], 0],
  ["honest-verdicts", "done elsewhere", [move(1, "a"), verdict(9, "a", "done", 499)], 1],
  ["honest-verdicts", "faulted elsewhere", [move(1, "a"), verdict(9, "a", "faulted", 499)], 0],
  [
    "honest-verdicts",
    "an answer that is repeated later",
    [move(1, "a"), verdict(9, "a", "done", 500), verdict(99, "a", "done", 20)],
    0,
  ],
  [
    "honest-verdicts",
    "done while it settles, and the next move begins at once",
    [
      ...[moves(5), move(6, "a"), verdict(9, "a", "done", 500, true)],
      ...[move(12, "b"), frame(20, trigger), rests(900)],
    ],
    0,
  ],
  [
    "honest-verdicts",
    "done while it moves",
    [moves(5), move(6, "a"), verdict(9, "a", "done", 500, true), rests(900)],
    1,
  ],
  [
    "honest-verdicts",
    "rest is noted a moment later",
    [moves(5), move(6, "a"), verdict(9, "a", "done", 500, true), rests(20)],
    0,
  ],
  ["honest-verdicts", "a relative move", relative(512), 0],
  ["honest-verdicts", "a relative move from nowhere", relative(520), 1],
  [
    "honest-verdicts",
    "a relative move from the place commanded last",
    [
      move(1, "a", 500),
      verdict(5, "a", "done", 500.4),
      at(6, "x", 500.4),
      command(9, "b", "moveBy", { distance: 10 }),
      verdict(20, "b", "done", 509.6),
    ],
    0,
  ],
  [
    "honest-verdicts",
    "refused, and its trigger arrived",
    [move(1, "a"), frame(5, trigger), verdict(9, "a", "refused")],
    1,
  ],
  [
    "honest-verdicts",
    "refused, and another command's trigger arrived",
    [move(1, "a"), move(2, "b"), frame(5, trigger), verdict(9, "a", "refused")],
    0,
  ],
  [
    "honest-verdicts",
    "a stop is confirmed while the axis moves",
    [moves(1), stop(5), verdict(9, "s1", "done", 3, true), rests(900)],
    1,
  ],
  [
    "honest-verdicts",
    "a stop is confirmed at rest",
    [moves(1), stop(5), rests(90), verdict(99, "s1", "done", 3)],
    0,
  ],
];

function relative(end: number): TraceLine[] {
  const by = command(2, "a", "moveBy", { distance: 12 });
  return [at(1, "x", 500), by, verdict(9, "a", "done", end)];
}

const stopHeard = (moment: number): TraceLine => ({ at: moment, kind: "stopHeard", id: "s1" });
const chosen: TraceLine = { at: 60, kind: "chosen", run: "r1", choice: "makeSafe" };
const sent = (moment: number, id: string) => command(moment, id, "moveTo", { position: 5 });

const patience: readonly Case[] = [
  ["stopped-runs", "a command after the stop", [intent(1, "a"), stopHeard(50), sent(55, "a")], 1],
  ["stopped-runs", "a command before the stop", [intent(1, "a"), sent(5, "a"), stopHeard(50)], 0],
  [
    "stopped-runs",
    "a command after a person's choice",
    [intent(1, "a"), stopHeard(50), chosen, stopHeard(70), intent(80, "b"), sent(81, "b")],
    0,
  ],
  [
    "stopped-runs",
    "the next step of the run",
    [intent(1, "a"), stopHeard(50), intent(52, "b"), sent(53, "b")],
    1,
  ],
  ["stopped-runs", "a run that began later", [stopHeard(50), intent(80, "b"), sent(81, "b")], 0],
];

export const wordCases: readonly Case[] = [
  ...patience,
  ...onceCases,
  ...intentCases,
  ...runCases,
  ...truthCases,
  ...eventCases,
  ...verdictCases,
];
