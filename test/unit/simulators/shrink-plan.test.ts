/**
 * Shrinking of failing plans: whatever is needed stays, whatever is not goes, within a bound.
 *
 * The idea: the question "does it still fail" is a pure function here, so every plan can be tried. It
 * refuses to play worlds.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Fault } from "#simulators/world/fault-plan.js";
import { shrinkPlan } from "#simulators/world/shrink.js";

const fault = (atMs: number, after = false): Fault => ({
  atMs,
  ...(after && { after: { moment: "command", plusMs: 1 } }),
  action: { kind: "brokerLoss", forMs: 100 },
});
const times = (plan: readonly Fault[]) => plan.map(({ atMs }) => atMs);

test("shrink: of any plan exactly the faults that are needed are left", () => {
  const plans = fc.uniqueArray(fc.nat(10_000), { minLength: 1, maxLength: 30 });
  const property = fc.property(plans, fc.infiniteStream(fc.boolean()), (all, chosen) => {
    const needed = all.filter(() => chosen.next().value);
    const plan = all.map((atMs) => fault(atMs));
    const fails = (part: readonly Fault[]) => needed.every((atMs) => times(part).includes(atMs));
    const left = shrinkPlan(plan, { fails, attemptsMax: 100_000 });
    expect(times(left)).toEqual(needed);
  });
  fc.assert(property, { numRuns: 200, seed: 5 });
});

test("shrink: what waits for a moment strikes at its time where that fails, too", () => {
  const left = shrinkPlan([fault(1, true), fault(2, true)], { fails: (part) => part.length > 1 });
  expect(left).toEqual([fault(1), fault(2)]);
});

test.each([0, 1, 7])("shrink: no more than %i worlds are played", (attemptsMax) => {
  let played = 0;
  const plan = Array.from({ length: 40 }, (_, i) => fault(i));
  const fails = () => {
    played += 1;
    return true;
  };
  shrinkPlan(plan, { fails, attemptsMax });
  expect(played).toBeLessThanOrEqual(attemptsMax);
});
