/**
 * Whether a motion that must be over ends in time: a stop frame soon, and standstill.
 *
 * The idea: whatever a motion rested on (a lease, a finger), its end is asked for in the same way:
 * a stop frame within the bound of the wire, rest within that of the ladder, both counted from
 * when the way was whole. It refuses to say what was over.
 */
import type { JudgedDevice, JudgeFacts } from "./judge.js";
import type { outagesOf } from "./outages.js";
import type { SortedFrames } from "./sorted-frames.js";
import { exchangeMsOf, type Motion, someWithin } from "./timeline.js";

export interface MotionFacts {
  readonly device: JudgedDevice;
  readonly facts: JudgeFacts;
  readonly outages: ReturnType<typeof outagesOf>;
  readonly frames: SortedFrames | undefined;
}

/** What is too late of a motion that nothing carries since `over`; undefined: it ends in time. */
export function lateEnd(
  { device, facts, outages, frames }: MotionFacts,
  motion: Motion,
  over: number,
): { readonly at: number; readonly text: string } | undefined {
  const from = over + exchangeMsOf(facts);
  const begun = outages.deadline(device, "driverAndBus", from, facts.stopBeginMs);
  const isTold = device.kind === "axis" && (frames?.all.length ?? 0) > 0;
  if (isTold && motion.to > begun && !someWithin(frames?.stops, motion.from, begun)) {
    return { at: begun, text: "was sent no stop frame" };
  }
  const still = outages.deadline(device, "bus", from, facts.standstillMs);
  return motion.to > still ? { at: still, text: "moves on" } : undefined;
}
