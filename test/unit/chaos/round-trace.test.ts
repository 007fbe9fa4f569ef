/**
 * What chaos makes of a tap and of what was heard, and whether the judges then bite.
 *
 * The idea: a few lines written by hand, as the simulator and the services write them, with one
 * thing wrong; a harness that cannot see what is wrong would praise anything. It refuses
 * processes.
 */
import { expect, test } from "vitest";
import { judge } from "#simulators/judges/all.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import { judgeFacts } from "#simulators/world/judge-facts.js";
import { heardLines } from "../../chaos/heard-lines.js";
import type { Heard } from "../../chaos/observer.js";
import { traceOf } from "../../chaos/round-trace.js";
import { TapLines, type TapRecord } from "../../chaos/tap-lines.js";
import { WallTimes, wallOffsetMs } from "../../chaos/wall-times.js";
import { monotonicMs } from "../../fixtures/cell-process.js";
import { demoCell } from "../../fixtures/world-cell.js";

const cell = demoCell();
const facts = judgeFacts(cell, { endMs: 10_000 });
const base = monotonicMs();
const wall = (at: number) => wallOffsetMs() + base + at;

const status = { pdu: "0332000002", reply: "0304803700000000".slice(0, 12) };
function tapOf(records: readonly Omit<TapRecord, "device">[]): TapLines {
  const tap = new TapLines(cell);
  for (const record of records) tap.read({ ...record, tMs: base + record.tMs, device: "x" });
  return tap;
}
function lease(at: number, change: "granted" | "ended", sentAt = at): Heard {
  return {
    at: base + at,
    topic: `event/axis/x/lease.${change}`,
    retained: false,
    payload: {
      id: `${change} ${sentAt}`,
      source: "driver-x",
      time: new Date(wall(sentAt)).toISOString(),
      data: { holder: "coordinator", epoch: 1, reason: "released" },
    },
  };
}
function judged(tap: TapLines, heard: readonly Heard[], others: readonly TraceLine[] = []) {
  const harm = { notes: [], clocks: [] };
  const trace = traceOf({ tap, heard, harm, others, facts, fromMs: base });
  return { trace, found: judge(trace, facts).map(({ judge: by, text }) => `${by}: ${text}`) };
}
const moves = [
  { tMs: 100, ...status },
  { tMs: 110, kind: "motion", moving: true, position: 0 },
  { tMs: 400, kind: "motion", moving: false, position: 327_680 },
];

test("a motion on loan is in order, and the same one without a lease is not", () => {
  const granted = [lease(50, "granted"), lease(900, "ended")];
  expect(judged(tapOf(moves), granted).found).toEqual([]);
  expect(judged(tapOf(moves), []).found).toEqual([
    expect.stringContaining("motion-under-lease: x started to move without a lease"),
  ]);
});

test("an event that the broker held back stands where it was sent", () => {
  const { trace, found } = judged(tapOf(moves), [lease(3000, "granted", 50)]);
  expect(found).toEqual([]);
  expect(trace[0]?.kind).toBe("lease");
  expect(trace[0]?.at).toBeCloseTo(50, -1);
});

test("places are told in user units, and only of an axis that is homed", () => {
  const at = [{ tMs: 200, kind: "truth", moving: true, position: 65_536, velocity: 0 }];
  expect(tapOf(at).lines.filter(({ kind }) => kind === "truth")).toEqual([]);
  expect(tapOf([...moves.slice(0, 1), ...at]).lines.at(-1)).toMatchObject({
    kind: "truth",
    position: 20,
  });
});

test("a stop counts from its first frame, where that was quicker than its acknowledgement", () => {
  const heard = [
    { at: base + 200, topic: "cmd/cell/stop", retained: false, payload: { id: "S" } },
    {
      at: base + 260,
      topic: "res/stop/x",
      retained: false,
      payload: { id: "S", bootId: "B", status: "received", ts: wall(206) },
    },
  ];
  const frame = { tMs: 207, pdu: "063100000b", reply: "063100000b" };
  const at = (tap: TapLines) =>
    judged(tap, heard).trace.find(({ kind }) => kind === "stopDelivered")?.at;
  expect(at(tapOf([frame]))).toBeCloseTo(207);
  expect(at(tapOf([]))).toBeCloseTo(260);
});

test("a verdict that the plant gives the lie is found", () => {
  const command = (position: number): Heard[] => [
    {
      at: base + 60,
      topic: "cmd/axis/x/moveTo",
      retained: false,
      payload: { id: "C", ts: wall(60), replyTo: "coordinator", args: { position } },
    },
    {
      at: base + 500,
      topic: "res/coordinator",
      retained: false,
      payload: { id: "C", ts: wall(499), source: "driver-x", verdict: { verdict: "done" } },
    },
  ];
  const granted = lease(50, "granted");
  expect(judged(tapOf(moves), [granted, ...command(100)]).found).toEqual([]);
  expect(judged(tapOf(moves), [granted, ...command(300)]).found).toEqual([
    expect.stringContaining("honest-verdicts: C is done at 100; it was sent to 300"),
  ]);
});

test("a stamp of a clock that was set is read by the shift under which it is possible", () => {
  const hour = 3_600_000;
  const times = new WallTimes([
    { at: base + 1000, service: "driver-x", shiftMs: hour },
    { at: base + 5000, service: "driver-x", shiftMs: 0 },
  ]);
  const read = (stamp: number, heardAt: number) =>
    (times.monotonic("driver-x", wall(stamp), base + heardAt) ?? 0) - base;
  expect(read(500, 510)).toBeCloseTo(500, -1);
  expect(read(2000 + hour, 2050)).toBeCloseTo(2000, -1);
  expect(read(6000, 6010)).toBeCloseTo(6000, -1);
  expect(times.monotonic("driver-x", wall(2000 + 2 * hour), base + 2050)).toBeUndefined();
});

test("a repeated event and a repeated answer are one", () => {
  const heard = [lease(50, "granted"), { ...lease(50, "granted"), at: base + 80 }];
  const { lines } = heardLines(heard, new WallTimes([]), () => ({ position: 0, moving: false }));
  expect(lines.length).toBe(1);
});
