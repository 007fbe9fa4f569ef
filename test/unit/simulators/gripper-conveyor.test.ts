/**
 * The gripper's and the conveyor's plants.
 *
 * The idea: what fingers and belts can do, as properties. It refuses bits and bytes.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { conveyorStill, stepConveyor } from "#simulators/plants/conveyor.js";
import { type GripperMotion, gripperAt, stepGripper } from "#simulators/plants/gripper.js";

const plant = { partAt: 140, speedMin: 66, speedMax: 330 };

function close(from: GripperMotion, ms: number, options: { noPart?: boolean; stuck?: boolean }) {
  const command = { kind: "go" as const, target: 255, speed: 255, force: 40 };
  let motion = from;
  for (let t = 0; t < ms; t += 1) {
    motion = stepGripper(plant, motion, command, { dtMs: 1, ...options });
  }
  return motion;
}

test("closing fingers meet the part, stand there and press (force=40 %)", () => {
  expect(close(gripperAt(0), 1000, {})).toEqual({
    position: 140,
    velocity: 0,
    contact: "closing",
    force: 40,
  });
});

test("without a part they go on to where they were sent and touch nothing", () => {
  const end = close(gripperAt(0), 1000, { noPart: true });
  expect(end).toEqual({ position: 255, velocity: 0, contact: "none", force: 0 });
});

test("a part that appears behind the fingers is no contact", () => {
  expect(close(gripperAt(200), 1000, {}).contact).toBe("none");
});

test("stuck fingers stand", () => {
  expect(close(gripperAt(10), 1000, { stuck: true }).position).toBe(10);
});

test("fingers never leave the stroke and never pass the greatest speed", () => {
  const step = fc.record({
    target: fc.integer({ min: -500, max: 800 }),
    speed: fc.integer({ min: 0, max: 255 }),
    dtMs: fc.integer({ min: 0, max: 50 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let motion = gripperAt(3);
      for (const { target, speed, dtMs } of steps) {
        const next = stepGripper(plant, motion, { kind: "go", target, speed, force: 1 }, { dtMs });
        expect(next.position).toBeGreaterThanOrEqual(0);
        expect(next.position).toBeLessThanOrEqual(255);
        const most = (330 * dtMs) / 1000 + 1e-9;
        expect(Math.abs(next.position - motion.position)).toBeLessThanOrEqual(most);
        motion = next;
      }
    }),
  );
});

test("the belt keeps to its ramps, turns only through zero, and reaches its speed", () => {
  const speeds = fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(speeds, (targets) => {
      let motion = conveyorStill;
      for (const target of targets) {
        for (let t = 0; t < 3000; t += 10) {
          const command = { kind: "run" as const, target, rampUp: 100, rampDown: 200 };
          const next = stepConveyor(motion, command, { dtMs: 10 });
          expect(Math.abs(next.speed - motion.speed)).toBeLessThanOrEqual(2 + 1e-9);
          expect(next.speed * motion.speed).toBeGreaterThanOrEqual(0);
          motion = next;
        }
        expect(motion.speed).toBe(target);
      }
    }),
    { numRuns: 20 },
  );
});

test("a belt that coasts slows down by friction only and stands", () => {
  const moving = { speed: 80, travelled: 0 };
  const later = stepConveyor(moving, { kind: "coast", friction: 50 }, { dtMs: 1000 });
  expect(later.speed).toBe(30);
  expect(stepConveyor(later, { kind: "coast", friction: 50 }, { dtMs: 1000 }).speed).toBe(0);
});
