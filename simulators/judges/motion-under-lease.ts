/**
 * The judge of loans: an axis moves only on loan, on fresh readings, and not long after.
 *
 * The idea: a start needs a lease that lives, by the driver's word and by the beats that came; a
 * trigger needs a status that the device has just given; an end of the lease needs a stop frame
 * soon and standstill in bounded time. It refuses to say who should have had the lease.
 */
import type { Finding, Judge, JudgeFacts } from "./judge.js";
import { lateEnd, type MotionFacts } from "./late-ends.js";
import { type LeasePeriod, leasePeriods } from "./lease-periods.js";
import { outagesOf } from "./outages.js";
import { sortedFrames } from "./sorted-frames.js";
import {
  exchangeMsOf,
  indexUpTo,
  isAnswered,
  type Motion,
  motionAt,
  motionsOf,
  ms,
} from "./timeline.js";
import type { TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

interface Seen extends MotionFacts {
  readonly motions: readonly Motion[];
  readonly periods: readonly LeasePeriod[];
}

export const motionUnderLease: Judge = {
  name: "motion-under-lease",
  promise: "An axis starts only on loan and on a fresh status, and stops when the loan is over.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const motions = motionsOf(trace, facts);
    const periods = leasePeriods(trace, facts);
    const frames = sortedFrames(trace, facts);
    const outages = outagesOf(trace, facts);
    return facts.devices.flatMap((device) => {
      const seen: Seen = {
        device,
        facts,
        outages,
        motions: motions.get(device.id) ?? [],
        periods: periods.get(device.id) ?? [],
        frames: frames.get(device.id),
      };
      return [...starts(seen), ...triggers(seen), ...ends(seen)];
    });
  },
};

function starts({ device, facts, motions, periods }: Seen): Found[] {
  const found: Found[] = [];
  for (const { from, settles } of motions) {
    if (settles) continue;
    const last = periods[indexUpTo(periods, from, (period) => period.from)];
    // A frame may be on the wire when the lease ends: one exchange of slack.
    if (last !== undefined && from <= last.to + exchangeMsOf(facts)) continue;
    const lease = last === undefined ? "there was none" : `the last ended at ${ms(last.to)}`;
    const why = last === undefined ? "" : `, ${last.why}`;
    const text = `${device.id} started to move without a lease; ${lease}${why}`;
    found.push({ at: from, device: device.id, text });
  }
  return found;
}

function triggers({ device, outages, frames }: Seen): Found[] {
  const reads = frames?.reads.filter(({ reply }) => isAnswered(reply)) ?? [];
  const freshMs = 3 * device.pollMs + 100;
  return (frames?.triggers ?? []).flatMap(({ at, pdu, readAgoMs }): Found[] => {
    // A trace of written frames that say nothing of reads cannot tell.
    if (readAgoMs === undefined && frames?.reads.length === 0) return [];
    const read = reads[indexUpTo(reads, at, (line) => line.at)];
    const readAt = readAgoMs === undefined ? read?.at : at - readAgoMs;
    if (readAt !== undefined && at <= outages.deadline(device, "bus", readAt, freshMs)) return [];
    const since = readAt === undefined ? "ever" : `since ${ms(readAt)}`;
    const text = `${device.id} was given ${pdu}, and had answered no read ${since}`;
    return [{ at, device: device.id, text }];
  });
}

function ends(seen: Seen): Found[] {
  const { device, facts, motions, periods } = seen;
  const found: Found[] = [];
  for (const [i, { to, why }] of periods.entries()) {
    const motion = motionAt(motions, to);
    if (motion === undefined || motion.settles) continue;
    const nextAt = periods[i + 1]?.from ?? Number.POSITIVE_INFINITY;
    const late = lateEnd(seen, motion, to);
    if (late === undefined || nextAt < late.at || late.at > facts.endMs) continue;
    const text = `${device.id} ${late.text} after its lease was over (${ms(to)}, ${why})`;
    found.push({ at: late.at, device: device.id, text });
  }
  return found;
}
