/**
 * The judge of stops: every stop that a living driver was given begins, and ends, in time.
 *
 * The idea: a stop has begun when a stop frame has reached the device since the motion began, or
 * when the axis stands. Where the way to the device was cut, the time counts from when it was whole
 * again; a dead driver is no excuse for standstill, because the bus stops its axes. It refuses to
 * judge what would have happened after the end of the trace.
 */
import type { Finding, Judge, JudgedDevice, JudgeFacts } from "./judge.js";
import { outagesOf } from "./outages.js";
import { sortedFrames } from "./sorted-frames.js";
import { byDevice, motionAt, motionsOf, ms, someWithin } from "./timeline.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

export const stopBegins: Judge = {
  name: "stop-begins",
  promise: "Every stop has begun at the device, and ended in standstill, within its bounds.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const outages = outagesOf(trace, facts);
    const motions = motionsOf(trace, facts);
    const stops = byDevice(linesOf(trace, "stopDelivered"));
    const frames = sortedFrames(trace, facts);
    return facts.devices.flatMap((device) => {
      const own = frames.get(device.id);
      const canTell = device.kind === "axis" && (own?.all.length ?? 0) > 0;
      return firsts(stops.get(device.id) ?? []).flatMap((stop): Found[] => {
        const motion = motionAt(motions.get(device.id), stop.at);
        if (motion === undefined || motion.settles) return [];
        const say = (at: number, text: string): Found[] => {
          return at > facts.endMs
            ? []
            : [{ at, device: device.id, text: textOf(device, stop, text) }];
        };
        const begun = outages.deadline(device, "driverAndBus", stop.at, facts.stopBeginMs);
        if (canTell && motion.to > begun && !someWithin(own?.stops, motion.from, begun)) {
          return say(begun, "has not begun");
        }
        const still = outages.deadline(device, "bus", stop.at, facts.standstillMs);
        return motion.to > still ? say(still, "has not ended in standstill") : [];
      });
    });
  },
};

function textOf({ id }: JudgedDevice, stop: LineOf<"stopDelivered">, text: string): string {
  return `${id}: the stop ${stop.id} of ${ms(stop.at)} (${stop.road}) ${text}`;
}

/** Repeats of an order join the stop that it began. */
function firsts(stops: readonly LineOf<"stopDelivered">[]): readonly LineOf<"stopDelivered">[] {
  const known = new Set<string>();
  return stops.filter(({ id, boot }) => {
    const key = `${id} ${boot}`;
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}
