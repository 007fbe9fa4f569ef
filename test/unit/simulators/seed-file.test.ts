/**
 * Plans of faults as data: the same for the same seed, and unharmed by a file.
 *
 * The idea: a plan is what a failing world is kept as, so a plan that changes on its way would
 * replay another world. It refuses to play worlds.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readSeedFile, seedFileText } from "#simulators/campaign/seed-file.js";
import { type PlanFacts, planFaults } from "#simulators/world/fault-plan.js";

const facts: PlanFacts = {
  nodes: ["bus", "driver-x", "coordinator"],
  buses: ["gantry"],
  devices: [
    { id: "x", kind: "servo" },
    { id: "gripper", kind: "gripper" },
  ],
  sagas: ["pick-place"],
};
const options = { forMs: 60_000, faults: 20, presses: 20 };

test("a plan: the same seed draws the same faults, in the order of time, within the time", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const plan = planFaults(facts, { ...options, seed });
      expect(planFaults(facts, { ...options, seed })).toEqual(plan);
      const times = plan.map(({ atMs }) => atMs);
      expect(times.toSorted((a, b) => a - b)).toEqual(times);
      expect(times.every((at) => at >= 0 && at <= options.forMs)).toBe(true);
    }),
    { numRuns: 100, seed: 6 },
  );
});

test("a plan: over some seeds every kind of fault is drawn", () => {
  const plans = Array.from({ length: 40 }, (_, seed) => planFaults(facts, { ...options, seed }));
  const kinds = new Set(plans.flat().map(({ action }) => action.kind));
  expect([...kinds].sort()).toEqual(
    [
      ...["brokerLoss", "clockJump", "device", "diskFull", "diskSlow", "field", "fieldCut", "kill"],
      ...["killAtEvent", "linkLoss", "messages", "powerLoss", "press", "stall"],
    ].sort(),
  );
});

test("a seed file: what is written is read", () => {
  fc.assert(
    fc.property(fc.nat(), fc.boolean(), (seed, recipes) => {
      const plan = planFaults(facts, { ...options, seed });
      const more = recipes ? { recipes, sagas: ["pick-place"] } : {};
      const found = "once: x moved twice";
      const file = {
        servocellSeed: 1,
        seed,
        found,
        faultsMs: 5,
        work: true,
        ...more,
        plan,
      } as const;
      expect(readSeedFile(seedFileText(file))).toEqual({ ok: true, value: file });
    }),
    { numRuns: 50, seed: 7 },
  );
});

test.each([
  ["no JSON", "{"],
  ["another file", "{}"],
  [
    "an unknown key",
    '{"servocellSeed":1,"seed":1,"found":"","faultsMs":1,"work":true,"plan":[],"x":1}',
  ],
  [
    "a fault of no kind",
    '{"servocellSeed":1,"seed":1,"found":"","faultsMs":1,"work":true,"plan":[{"atMs":1,"action":{"kind":"ray"}}]}',
  ],
])("a seed file: %s is refused with what is wrong", (_what, text) => {
  const read = readSeedFile(text);
  expect(read.ok ? [] : read.problems).not.toEqual([]);
});
