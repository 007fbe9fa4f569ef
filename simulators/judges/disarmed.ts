/**
 * The judge of rest: a healed cell that nobody commands stays where it is.
 *
 * The idea: an axis that moves when it is only enabled has kept the rest of a path; an axis that
 * moves after its last lease ended has a command that nobody gave. It refuses worlds that were
 * never healed.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { type LeasePeriod, leasePeriods } from "./lease-periods.js";
import { outagesOf } from "./outages.js";
import { motionsOf } from "./timeline.js";
import { linesOf, type TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

export const disarmed: Judge = {
  name: "disarmed",
  promise: "At the end no axis moves by itself, and none when it is only enabled.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    if (!Number.isFinite(facts.healedMs)) return [];
    const armed = linesOf(trace, "leftOver").filter((line) => line.what === "armed");
    const motions = motionsOf(trace, facts);
    const periods = leasePeriods(trace, facts);
    const outages = outagesOf(trace, facts);
    const found: Found[] = armed.map(({ at, text }) => ({ at, text: `armed: ${text}` }));
    for (const device of facts.devices) {
      const over = lastEnd(periods.get(device.id) ?? []);
      const late = outages.deadline(device, "bus", over, facts.standstillMs);
      const still = Math.max(late, facts.healedMs);
      const motion = (motions.get(device.id) ?? []).findLast((one) => !one.settles);
      if (motion === undefined || motion.to <= still || still > facts.endMs) continue;
      const text = `${device.id} moves, and nobody has had it on loan for long`;
      found.push({ at: Math.max(still, motion.from), device: device.id, text });
    }
    return found;
  },
};

/** Infinity: a lease lives at the end. */
function lastEnd(periods: readonly LeasePeriod[]): number {
  return periods.at(-1)?.to ?? 0;
}
