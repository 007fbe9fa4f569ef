/**
 * The frames at each device, sorted by what they are.
 *
 * The idea: most frames are the same few reads, so each text is asked once what it is, and judges
 * get short lists. It refuses to say which command a frame belongs to; that is triggers.ts.
 */
import type { JudgedDevice, JudgeFacts } from "./judge.js";
import { byDevice, isRead, oncePerTrace } from "./timeline.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

type Frame = LineOf<"frame">;

export interface SortedFrames {
  readonly all: readonly Frame[];
  readonly reads: readonly Frame[];
  readonly triggers: readonly Frame[];
  readonly stops: readonly Frame[];
  readonly isTrigger: (pdu: string) => boolean;
}

/** The frames of each device of the facts. */
export const sortedFrames: (
  trace: readonly TraceLine[],
  facts: JudgeFacts,
) => ReadonlyMap<string, SortedFrames> = oncePerTrace((trace, facts) => {
  const frames = byDevice(linesOf(trace, "frame"));
  return new Map(facts.devices.map((device) => [device.id, sort(device, frames.get(device.id))]));
});

function sort(device: JudgedDevice, all: readonly Frame[] = []): SortedFrames {
  const isTrigger = asked((pdu) => !isRead(pdu) && device.isTrigger(pdu));
  const isStop = asked((pdu) => !isRead(pdu) && device.isStop(pdu));
  return {
    all,
    reads: all.filter(({ pdu }) => isRead(pdu)),
    triggers: all.filter(({ pdu }) => isTrigger(pdu)),
    stops: all.filter(({ pdu }) => isStop(pdu)),
    isTrigger,
  };
}

/** The same question about the same text is asked once. */
function asked(question: (pdu: string) => boolean): (pdu: string) => boolean {
  const answers = new Map<string, boolean>();
  return (pdu) => {
    const known = answers.get(pdu);
    if (known !== undefined) return known;
    const answer = question(pdu);
    answers.set(pdu, answer);
    return answer;
  };
}
