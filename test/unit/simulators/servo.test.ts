/**
 * The servo plant: bounds of speed and ramp, the end at the target, stops, friction, limits.
 *
 * The idea: properties over many paths instead of examples. It refuses exact trajectories.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ServoCommand,
  type ServoMotion,
  type ServoPlant,
  servoAt,
  servoStill,
  stepServo,
} from "#simulators/plants/servo.js";

const plant: ServoPlant = { lagMs: 8, velocityMax: 1e9 };

function run(
  command: ServoCommand,
  from: ServoMotion,
  options: { readonly ms: number; readonly stuck?: boolean; readonly plant?: ServoPlant },
) {
  const trace: ServoMotion[] = [from];
  let motion = from;
  for (let t = 0; t < options.ms; t += 1) {
    motion = stepServo(options.plant ?? plant, motion, command, {
      dtMs: 1,
      stuck: options.stuck ?? false,
    });
    trace.push(motion);
  }
  return trace;
}

/** Greatest speed, and greatest change of speed in a millisecond, of path and shaft. */
function greatest(trace: readonly ServoMotion[]) {
  let speed = 0;
  let change = 0;
  for (const [i, now] of trace.entries()) {
    const before = trace[i - 1] ?? now;
    speed = Math.max(speed, Math.abs(now.demandVelocity), Math.abs(now.velocity));
    const path = Math.abs(now.demandVelocity - before.demandVelocity);
    change = Math.max(change, path, Math.abs(now.velocity - before.velocity));
  }
  return { speed, change };
}

const ramps = fc.record({
  velocity: fc.integer({ min: 1000, max: 2_000_000 }),
  acceleration: fc.integer({ min: 20_000, max: 20_000_000 }),
  deceleration: fc.integer({ min: 20_000, max: 20_000_000 }),
});

function longestMs(
  distance: number,
  r: { velocity: number; acceleration: number; deceleration: number },
) {
  const ramp = r.velocity / r.acceleration + r.velocity / r.deceleration;
  const slow = 2 * Math.sqrt(distance / r.acceleration + distance / r.deceleration);
  return Math.ceil((distance / r.velocity + ramp + slow) * 1000) + 300;
}

test("a position command keeps to speed and ramps and ends at its target", () => {
  fc.assert(
    fc.property(fc.integer({ min: -300_000, max: 300_000 }), ramps, (target, r) => {
      const ms = Math.min(20_000, longestMs(Math.abs(target), r));
      fc.pre(longestMs(Math.abs(target), r) <= 20_000);
      const trace = run({ kind: "position", target, ...r }, servoAt(0), { ms });
      const steepest = (Math.max(r.acceleration, r.deceleration) / 1000) * 1.001 + 11;
      const most = greatest(trace);
      expect(most.speed).toBeLessThanOrEqual(r.velocity + 1e-6);
      expect(most.change).toBeLessThanOrEqual(steepest);
      const last = trace.at(-1) ?? servoAt(0);
      expect(last.position).toBe(target);
      expect(servoStill(last)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test("a path from rest never passes its target", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300_000 }), ramps, (target, r) => {
      fc.pre(longestMs(target, r) <= 10_000);
      const trace = run({ kind: "position", target, ...r }, servoAt(0), {
        ms: longestMs(target, r),
      });
      const farthest = Math.max(...trace.map(({ demand }) => demand));
      expect(farthest).toBeLessThanOrEqual(target + 1e-6);
    }),
    { numRuns: 60 },
  );
});

test("a stop only slows down, and stands after v/a", () => {
  fc.assert(
    fc.property(fc.integer({ min: -2_000_000, max: 2_000_000 }), ramps, (speed, r) => {
      const from: ServoMotion = { ...servoAt(0), demandVelocity: speed, velocity: speed };
      const ms = Math.ceil((Math.abs(speed) / r.deceleration) * 1000);
      fc.pre(ms <= 10_000);
      const trace = run({ kind: "stop", deceleration: r.deceleration }, from, { ms: ms + 1 });
      const speeds = trace.map(({ demandVelocity }) => Math.abs(demandVelocity));
      expect(speeds.every((now, i) => now <= (speeds[i - 1] ?? now))).toBe(true);
      expect(trace.at(-1)?.demandVelocity).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test("the result does not hang on how the time is cut up (dt=20 ms once, 20 times 1 ms)", () => {
  const command: ServoCommand = {
    kind: "position",
    target: 50_000,
    velocity: 200_000,
    acceleration: 2_000_000,
    deceleration: 1_000_000,
  };
  let whole = servoAt(0);
  for (let i = 0; i < 30; i += 1) whole = stepServo(plant, whole, command, { dtMs: 20 });
  const fine = run(command, servoAt(0), { ms: 600 }).at(-1);
  expect(whole.position).toBeCloseTo(fine?.position ?? 0, 6);
});

test("stuck: the shaft stands, the error grows; freed, it catches up within bounds", () => {
  const command: ServoCommand = {
    kind: "velocity",
    velocity: 100_000,
    acceleration: 1e6,
    deceleration: 1e6,
  };
  const limited = { ...plant, velocityMax: 150_000 };
  const stuck = run(command, servoAt(0), { ms: 500, stuck: true, plant: limited });
  const held = stuck.at(-1) ?? servoAt(0);
  expect(held.position).toBe(0);
  expect(held.velocity).toBe(0);
  expect(held.demand).toBeGreaterThan(40_000);
  const freed = run(command, held, { ms: 1500, plant: limited });
  for (const { velocity } of freed) expect(Math.abs(velocity)).toBeLessThanOrEqual(150_000 + 1e-6);
  const end = freed.at(-1) ?? held;
  expect(Math.abs(end.demand - end.position)).toBeLessThan(2000);
});

test("software limits: a path ends there and says so; speed mode stops there", () => {
  const walled = { ...plant, softMin: -1000, softMax: 20_000 };
  const r = { acceleration: 1e6, deceleration: 1e6 };
  const path: ServoCommand = { kind: "position", target: 90_000, velocity: 100_000, ...r };
  const end = run(path, servoAt(0), { ms: 1000, plant: walled }).at(-1);
  expect(end).toMatchObject({ position: 20_000, velocity: 0, limited: true });
  const turn: ServoCommand = { kind: "velocity", velocity: -100_000, ...r };
  for (const { demand } of run(turn, servoAt(0), { ms: 1000, plant: walled })) {
    expect(demand).toBeGreaterThanOrEqual(-1000 - 1e-6);
  }
});

test("hard stops: the shaft never leaves them, the demand does", () => {
  const walled = { ...plant, hardMax: 5000 };
  const turn: ServoCommand = {
    kind: "velocity",
    velocity: 100_000,
    acceleration: 1e6,
    deceleration: 1e6,
  };
  const trace = run(turn, servoAt(0), { ms: 500, plant: walled });
  for (const { position } of trace) expect(position).toBeLessThanOrEqual(5000);
  expect(trace.at(-1)?.demand).toBeGreaterThan(30_000);
});

test("without power the shaft runs down by friction and the demand is where the shaft is", () => {
  const rolling: ServoMotion = { ...servoAt(0), demandVelocity: 50_000, velocity: 50_000 };
  const trace = run({ kind: "free", friction: 500_000 }, rolling, { ms: 101 });
  expect(trace.at(-1)?.velocity).toBe(0);
  for (const { demand, position } of trace.slice(1)) expect(demand).toBe(position);
});

test("a long time in one step is what its milliseconds are, to the last bit, also where it rests", () => {
  fc.assert(
    fc.property(fc.integer({ min: -20_000, max: 20_000 }), ramps, (target, r) => {
      const command: ServoCommand = { kind: "position", target, ...r };
      const ms = 4 * longestMs(Math.abs(target), r);
      fc.pre(ms <= 10_000);
      const once = stepServo(plant, servoAt(0), command, { dtMs: ms });
      expect(once).toEqual(run(command, servoAt(0), { ms }).at(-1));
    }),
    { numRuns: 40 },
  );
});
