/**
 * The judges of the world, judged: each bites on a hand-made trace that breaks its promise, and
 * spares one that keeps it.
 *
 * The idea: a judge that never complains proves nothing. It refuses to build a world.
 */
import { expect, test } from "vitest";
import type { TraceLine } from "#simulators/judges/trace.js";
import { type JudgeFacts, judges } from "./judges.js";

const facts: JudgeFacts = { devices: ["x"], leaseMs: 1000, standstillMs: 8000, endMs: 60_000 };
const boot = "driver-x-1";
const granted = (at: number): TraceLine => lease(at, "granted");
const ended = (at: number): TraceLine => lease(at, "ended");
function lease(at: number, change: "granted" | "ended"): TraceLine {
  return { at, kind: "lease", device: "x", change, epoch: 1 };
}
const beat = (at: number): TraceLine => ({ at, kind: "beat", device: "x", boot });
const stop = (at: number): TraceLine => {
  return { at, kind: "stopDelivered", device: "x", id: "s", road: "mqtt", boot };
};
const frame = (at: number, pdu: string): TraceLine => {
  return { at, kind: "handed", device: "x", lane: "command", pdu, boot };
};
const motion = (at: number, moving: boolean, position: number): TraceLine => {
  return { at, kind: "motion", device: "x", moving, position };
};

type Judge = keyof typeof judges;
const cases: readonly [Judge, string, readonly TraceLine[], number][] = [
  ["noTriggerAfterStop", "a write after a stop", [stop(10), frame(11, "063100003f")], 1],
  ["noTriggerAfterStop", "a read after a stop", [stop(10), frame(11, "0332000002")], 0],
  ["noTriggerAfterStop", "a newer epoch", [stop(10), granted(20), frame(21, "063100003f")], 0],
  ["noMotionWithoutLease", "no lease at all", [beat(5), motion(10, true, 0)], 1],
  [
    "noMotionWithoutLease",
    "beats that ended long ago",
    [granted(1), beat(5), motion(2000, true, 0), motion(2100, false, 900)],
    1,
  ],
  [
    "noMotionWithoutLease",
    "a live lease",
    [granted(1), beat(5), motion(10, true, 0), motion(90, false, 900)],
    0,
  ],
  [
    "noMotionWithoutLease",
    "a set-point that settles",
    [motion(10, true, 5.2), motion(20, false, 5)],
    0,
  ],
  ["everyStopReachesStandstill", "an axis that goes on", [motion(1, true, 0), stop(10)], 1],
  [
    "everyStopReachesStandstill",
    "an axis that comes to rest",
    [motion(1, true, 0), stop(10), motion(300, false, 40)],
    0,
  ],
  ["noMotionAfterLease", "motion without end", [granted(1), motion(5, true, 0), ended(10)], 1],
  [
    "noMotionAfterLease",
    "rest after the lease",
    [granted(1), motion(5, true, 0), ended(10), motion(400, false, 40)],
    0,
  ],
];

test.each(cases)("judge %s: %s", (name, _what, trace, complaints) => {
  expect(judges[name](trace, facts)).toHaveLength(complaints);
});
