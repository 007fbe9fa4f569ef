/**
 * The judge of rest: a healed cell that nobody commands stays where it is.
 *
 * The idea: an axis that moves when it is only switched on has kept the rest of a path or a
 * trigger; an axis that moves long after its lease ended has a command that nobody gave. It refuses
 * worlds that were never healed.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { type LeasePeriod, leasePeriods } from "./lease-periods.js";
import { outagesOf } from "./outages.js";
import { indexUpTo, type Motion, motionsOf } from "./timeline.js";
import { linesOf, type TraceLine } from "./trace.js";
import { movesNothing } from "./triggers.js";

type Found = Omit<Finding, "judge">;

/** `what` of the press from which on axes are only switched off and on. */
export const energyPress = "energy";

export const disarmed: Judge = {
  name: "disarmed",
  promise: "At the end no axis moves by itself, and none when it is only enabled.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    if (!Number.isFinite(facts.healedMs)) return [];
    const armed = linesOf(trace, "leftOver").filter((line) => line.what === "armed");
    const motions = motionsOf(trace, facts);
    const periods = leasePeriods(trace, facts);
    const outages = outagesOf(trace, facts);
    const found: Found[] = [
      ...armed.map(({ at, text }) => ({ at, text: `armed: ${text}` })),
      ...switchedOn(trace, facts),
    ];
    for (const device of facts.devices) {
      const own = periods.get(device.id) ?? [];
      const late = (motion: Motion) => {
        const { from, to } = unlent(own, motion);
        const still = outages.deadline(device, "bus", from, facts.standstillMs);
        const since = Math.max(still, facts.healedMs);
        const isLate = !motion.settles && motion.to > since && since <= Math.min(to, facts.endMs);
        return isLate ? since : undefined;
      };
      const motion = (motions.get(device.id) ?? []).findLast((one) => late(one) !== undefined);
      if (motion === undefined) continue;
      const text = `${device.id} moves, and nobody has had it on loan for long`;
      found.push({ at: Math.max(late(motion) ?? 0, motion.from), device: device.id, text });
    }
    return found;
  },
};

/** The time without a lease before the end of a motion; `from` Infinity: it is on loan then. */
function unlent(periods: readonly LeasePeriod[], motion: Motion) {
  const last = indexUpTo(periods, motion.from, (period) => period.from);
  const to = periods[last + 1]?.from ?? Number.POSITIVE_INFINITY;
  return { from: periods[last]?.to ?? 0, to };
}

/** What moves from the look for energy on, and nobody has asked it to. */
function switchedOn(trace: readonly TraceLine[], facts: JudgeFacts): Found[] {
  const since = linesOf(trace, "pressed").findLast(({ what }) => what === energyPress)?.at;
  if (since === undefined) return [];
  const asked = linesOf(trace, "command").filter(({ verb }) => !movesNothing.has(verb));
  const motions = motionsOf(trace, facts);
  return facts.devices.flatMap(({ id }): Found[] => {
    const firstMs = asked.find(({ device, at }) => device === id && at >= since)?.at;
    const motion = motions.get(id)?.find(({ from, settles }) => from >= since && !settles);
    if (motion === undefined || motion.from >= (firstMs ?? Number.POSITIVE_INFINITY)) return [];
    return [{ at: motion.from, device: id, text: `${id} moves, and was only switched on` }];
  });
}
