/**
 * The judge of jogs: an axis moves while a finger is proved to be on the button, and no longer.
 *
 * The idea: what a hold may do follows from its nonces and their echoes (hold-spans.ts); before
 * the first proof and after the last one no trigger leaves the driver, a moving axis is stopped at
 * once, and what has ended stays ended until somebody presses anew. It refuses to ask who may
 * press.
 */
import { type HoldSpan, holdSpans } from "./hold-spans.js";
import type { Finding, Judge, JudgedDevice, JudgeFacts } from "./judge.js";
import { lateEnd, type MotionFacts } from "./late-ends.js";
import { type LeasePeriod, leasePeriods } from "./lease-periods.js";
import { outagesOf } from "./outages.js";
import { sortedFrames } from "./sorted-frames.js";
import { byDevice, type Motion, motionAt, motionsOf, ms } from "./timeline.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

/** What a plant may be faster than asked for, as a share and in units per second. */
const fasterShare = 0.1;
const fasterUnits = 1;
/** Of an axis' speed, for a hold that leaves an interlock out of account [PROTOCOL 8]. */
const bypassShare = 0.1;
/** Two clocks of one moment. */
const sameMs = 1;

interface Seen {
  readonly about: MotionFacts;
  readonly motions: readonly Motion[];
  readonly periods: readonly LeasePeriod[];
  /** Triggers that the driver has handed to its lane. */
  readonly handed: readonly LineOf<"handed">[];
  readonly truths: readonly LineOf<"truth">[];
  readonly asked: ReadonlyMap<string, Asked>;
}

interface Asked {
  readonly velocity: number;
  readonly bypass: readonly string[];
}

export const holdToRun: Judge = {
  name: "hold-to-run",
  promise: "A jog moves only while its button is proved to be held, and never resumes.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const spans = holdSpans(trace, facts);
    if (spans.size === 0) return [];
    const motions = motionsOf(trace, facts);
    const periods = leasePeriods(trace, facts);
    const frames = sortedFrames(trace, facts);
    const outages = outagesOf(trace, facts);
    const handed = byDevice(linesOf(trace, "handed"));
    const truths = byDevice(linesOf(trace, "truth"));
    const asked = jogsAsked(trace);
    return facts.devices.flatMap((device) => {
      const own = spans.get(device.id) ?? [];
      const sorted = frames.get(device.id);
      const isTrigger = ({ pdu, lane }: LineOf<"handed">) =>
        lane === "command" && sorted?.isTrigger(pdu) === true;
      const seen: Seen = {
        about: { device, facts, outages, frames: sorted },
        motions: motions.get(device.id) ?? [],
        periods: periods.get(device.id) ?? [],
        handed: own.length === 0 ? [] : (handed.get(device.id) ?? []).filter(isTrigger),
        truths: truths.get(device.id) ?? [],
        asked,
      };
      return own.flatMap((span) => judged(seen, span, device));
    });
  },
};

/** What each press asks for, by its id. */
export function jogsAsked(trace: readonly TraceLine[]): ReadonlyMap<string, Asked> {
  const asked = new Map<string, Asked>();
  for (const { verb, id, body } of linesOf(trace, "command")) {
    if (verb !== "jog") continue;
    const { args } = JSON.parse(body) as { args: { velocity?: number; bypass?: string[] } };
    asked.set(id, { velocity: Math.abs(args.velocity ?? 0), bypass: args.bypass ?? [] });
  }
  return asked;
}

function judged(seen: Seen, span: HoldSpan, device: JudgedDevice): Found[] {
  const { hold, from, provedAt, over, why, revivedAt } = span;
  const found: Found[] = [];
  const say = (at: number, what: string) => {
    found.push({ at, device: device.id, text: `${device.id}: ${what} (hold ${hold})` });
  };
  if (revivedAt !== undefined && revivedAt > over + sameMs) {
    say(revivedAt, `a hold that was over at ${ms(over)} (${why}) lives again`);
  }
  const early = seen.handed.find(({ at }) => at >= from && at < (provedAt ?? over));
  if (early !== undefined) say(early.at, `${early.pdu} left before anybody had proved to press`);
  const late = seen.handed.find(({ at }) => at > over + sameMs && at < nextGrant(seen, over));
  if (late !== undefined) say(late.at, `${late.pdu} left after the end at ${ms(over)} (${why})`);
  const motion = motionAt(seen.motions, over);
  if (provedAt !== undefined && motion !== undefined && !motion.settles) {
    const end = lateEnd(seen.about, motion, over);
    if (end !== undefined && end.at <= seen.about.facts.endMs) {
      say(end.at, `it ${end.text} after the end at ${ms(over)} (${why})`);
    }
  }
  const fast = tooFast(seen, span);
  if (fast !== undefined) say(fast.at, `it moves at ${fast.velocity}, which nobody asked for`);
  return found;
}

/** When the axis was lent to somebody else. */
function nextGrant({ periods }: Seen, after: number): number {
  return periods.find(({ from }) => from > after)?.from ?? Number.POSITIVE_INFINITY;
}

function tooFast(seen: Seen, { hold, provedAt, over }: HoldSpan): LineOf<"truth"> | undefined {
  const asked = seen.asked.get(hold);
  const { velocityMax } = seen.about.device;
  if (provedAt === undefined || asked === undefined || velocityMax === undefined) return undefined;
  const most = asked.bypass.length === 0 ? velocityMax : velocityMax * bypassShare;
  const limit = Math.min(asked.velocity, most) * (1 + fasterShare) + fasterUnits;
  return seen.truths.find(({ at, velocity }) => {
    return at >= provedAt && at <= over && Math.abs(velocity) > limit;
  });
}
