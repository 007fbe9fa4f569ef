/**
 * The judges, judged: each bites on a hand-made trace that breaks its promise, and spares one that
 * keeps it.
 *
 * The idea: a judge that never complains proves nothing, and one that always complains is soon not
 * heard. It refuses to build a world.
 */
import { expect, test } from "vitest";
import { judge, judges } from "#simulators/judges/all.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import { beat, command, facts as common, frame, moves, read, rests, trigger } from "./hand-made.js";
import { holdCases } from "./hold-cases.js";
import { motionCases } from "./motion-cases.js";
import { recipeCases, sagas } from "./recipe-cases.js";
import { wordCases } from "./word-cases.js";

const facts = { ...common, sagas };
const cases = [...motionCases, ...holdCases, ...wordCases, ...recipeCases];

test.each(cases)("judge %s: %s", (name, _what, trace, complaints) => {
  const found = judge(trace, facts).filter((finding) => finding.judge === name);
  expect(found.map(({ at, text }) => `${at}: ${text}`)).toHaveLength(complaints);
});

test.each(judges.map(({ name }) => name))("judge %s bites and spares", (name) => {
  const own = cases.filter(([judged]) => judged === name);
  expect(own.filter(([, , , complaints]) => complaints > 0).length).toBeGreaterThan(0);
  expect(own.filter(([, , , complaints]) => complaints === 0).length).toBeGreaterThan(0);
});

test("judges: what only a healed world must keep is not asked of another", () => {
  const late = ["runs-end", "truth", "disarmed"];
  const never = { ...facts, healedMs: Number.POSITIVE_INFINITY };
  const bites = cases.filter(([name, , , complaints]) => late.includes(name) && complaints > 0);
  for (const [name, what, trace] of bites) {
    const found = judge(trace, never).filter((finding) => finding.judge === name);
    expect(found, what).toEqual([]);
  }
  expect(bites.length).toBeGreaterThan(5);
});

test("judges: findings come in the order of time", () => {
  const found = judge([moves(5), frame(9, trigger), rests(90), moves(99)], facts);
  expect(found.length).toBeGreaterThan(1);
  expect(found.map(({ at }) => at)).toEqual(found.map(({ at }) => at).sort((a, b) => a - b));
});

/** Lines of a cell that moves, stops and is leased again all the time. */
function longTrace(lines: number): TraceLine[] {
  const trace: TraceLine[] = [];
  for (let i = 0; trace.length < lines; i += 1) {
    const at = 100 * i;
    trace.push({ at, kind: "lease", device: "x", change: "granted", epoch: i });
    trace.push(beat(at), frame(at, read, "03"), command(at, `c${i}`, "moveTo", { position: 1 }, i));
    trace.push(frame(at + 1, trigger), moves(at + 2), rests(at + 50));
    trace.push({
      at: at + 51,
      kind: "truth",
      device: "z",
      moving: false,
      position: i % 60,
      velocity: 0,
    });
    trace.push({ at: at + 60, kind: "lease", device: "x", change: "ended", epoch: i });
    trace.push({
      at: at + 60,
      kind: "fault",
      text: "cut",
      reach: { devices: ["x"], ok: i % 2 === 0 },
    });
  }
  return trace;
}

test("judges: ten times the lines take about ten times as long", () => {
  // The processor's time, not the wall's: others may work on this machine.
  const work = (lines: number) => {
    const trace = longTrace(lines);
    const from = process.cpuUsage().user;
    judge(trace, { ...facts, endMs: 10 * lines });
    return (process.cpuUsage().user - from) / 1000;
  };
  // What the runtime does beside it, as collecting garbage, is not in all of them.
  const short = Math.max(...[1, 2, 3, 4].map(() => work(3000)).slice(1), 5);
  expect(Math.min(work(30_000), work(30_000))).toBeLessThan(40 * short);
}, 120_000);
