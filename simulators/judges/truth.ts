/**
 * The judge of readings: what is shown of a healed cell is what is true of its plants.
 *
 * The idea: a state that is called good is compared with the plant itself; a state that is not
 * good in a healed world is a finding, because nothing is left that could excuse it. It refuses
 * to compare while things go wrong: a reading is allowed to be bad then.
 */
import type { Finding, Judge, JudgedDevice, JudgeFacts } from "./judge.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

export const truth: Judge = {
  name: "truth",
  promise: "In a healed world every shown state is good, and is what the plant is.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Omit<Finding, "judge">[] {
    const states = new Map(linesOf(trace, "lastState").map((line) => [line.device, line]));
    if (!Number.isFinite(facts.healedMs) || states.size === 0) return [];
    return facts.devices.flatMap((device) => {
      const state = states.get(device.id);
      if (state === undefined && device.kind !== "axis") return [];
      const wrong = state === undefined ? ["nothing is shown"] : wrongsOf(device, state);
      const at = state?.at ?? facts.endMs;
      return wrong.map((what) => ({ at, device: device.id, text: `${device.id}: ${what}` }));
    });
  },
};

function wrongsOf(device: JudgedDevice, state: LineOf<"lastState">): string[] {
  const { q, position, truePosition, moving, trueMoving } = state;
  if (q !== "good") return [`its reading is ${q}`];
  const wrong: string[] = [];
  const off = position === undefined ? 0 : Math.abs(position - truePosition);
  if (off > device.tolerance + (device.lag ?? 0)) {
    wrong.push(`${position} is shown, and it stands at ${truePosition}`);
  }
  if (moving !== undefined && moving !== trueMoving) {
    wrong.push(trueMoving ? "it moves, and is shown as still" : "it is shown as moving");
  }
  return wrong;
}
