/**
 * One trace of a round: the tap, what was heard, what was harmed and what was pressed.
 *
 * The idea: all four have the one monotonic clock, so a trace is their sum in order. A stop counts
 * as delivered when its acknowledgement was heard, or when its first frame came, if that was
 * before: the wire is quicker than the word. It refuses to judge.
 */
import type { JudgeFacts } from "#simulators/judges/judge.js";
import type { TraceLine } from "#simulators/judges/trace.js";
import type { Harm } from "./harm.js";
import { heardLines, type StopAckHeard } from "./heard-lines.js";
import type { Heard } from "./observer.js";
import type { TapLines } from "./tap-lines.js";
import { WallTimes } from "./wall-times.js";

export interface RoundSources {
  readonly tap: TapLines;
  readonly heard: readonly Heard[];
  readonly harm: Pick<Harm, "notes" | "clocks">;
  /** Births, deaths, presses, and what was looked at in the end. */
  readonly others: readonly TraceLine[];
  readonly facts: JudgeFacts;
  /** The trace counts its time from here. */
  readonly fromMs: number;
}

export function traceOf({ tap, heard, harm, others, facts, fromMs }: RoundSources): TraceLine[] {
  const times = new WallTimes(harm.clocks);
  const said = heardLines(heard, times, (...what) => tap.plantAt(...what));
  const lines = [...tap.lines, ...said.lines, ...harm.notes, ...others];
  const stops = said.acks.map((ack) => stopLine(ack, tap.lines, facts));
  // The order of equal moments stays: the tap has them in the order of the wire.
  const ordered = [...lines, ...stops].sort((a, b) => a.at - b.at);
  return ordered.map((line) => ({ ...line, at: line.at - fromMs }));
}

function stopLine(
  { device, id, boot, orderedAt, ackedAt }: StopAckHeard,
  tap: readonly TraceLine[],
  facts: JudgeFacts,
): TraceLine {
  const isStop = facts.devices.find((one) => one.id === device)?.isStop;
  const first = tap.find((line) => {
    return (
      line.kind === "frame" &&
      line.device === device &&
      line.at >= orderedAt &&
      line.at <= ackedAt &&
      isStop?.(line.pdu) === true
    );
  });
  return { kind: "stopDelivered", at: first?.at ?? ackedAt, device, id, road: "mqtt", boot };
}
