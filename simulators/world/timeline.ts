/**
 * A trace for a person: what happened around a moment, a line each, in their words.
 *
 * The idea: beats, polls and truths are left out, repeats of a stop are said once, and the findings
 * stand where they belong. It refuses to explain.
 */
import type { Finding } from "../judges/judge.js";
import type { TraceLine } from "../judges/trace.js";

const leftOut: ReadonlySet<string> = new Set(["beat", "truth", "event", "handed", "lastState"]);

export interface TimelineOptions {
  /** Lines at most, the last ones before the finding. @default 60 */
  readonly linesMax?: number;
  /** Only up to here, ms. @default the end */
  readonly untilMs?: number;
}

/** `     1657.2  driver-x  moves: 12.5` and so on. */
export function timeline(
  trace: readonly TraceLine[],
  findings: readonly Finding[],
  options: TimelineOptions = {},
): readonly string[] {
  const { linesMax = 60, untilMs = Number.POSITIVE_INFINITY } = options;
  const stops = new Set<string>();
  const lines = trace.flatMap((line): { at: number; text: string }[] => {
    if (leftOut.has(line.kind) || line.at > untilMs) return [];
    if (line.kind === "stopDelivered") {
      const key = `${line.device} ${line.id}`;
      if (stops.has(key)) return [];
      stops.add(key);
    }
    return [{ at: line.at, text: wordsOf(line) }];
  });
  const said = findings
    .filter(({ at }) => at <= untilMs)
    .map(({ at, judge, device, text }) => {
      return { at, text: `>>> ${judge}: ${device === undefined ? "" : `${device}: `}${text}` };
    });
  const all = [...lines, ...said].sort((a, b) => a.at - b.at).slice(-linesMax);
  return all.map(({ at, text }) => `${at.toFixed(1).padStart(11)}  ${text}`);
}

function wordsOf(line: TraceLine): string {
  switch (line.kind) {
    case "stopDelivered":
      return `stop ${line.id} reaches ${line.device} by ${line.road}`;
    case "frame":
      return `${line.device} takes ${line.pdu}${line.reply === undefined ? ", no reply" : ""}`;
    case "lease":
      return `${line.device}: lease ${line.epoch} ${line.change}${because(line.reason)}`;
    case "killed":
    case "started":
    case "stalled":
    case "resumed":
      return `${line.node} ${line.kind}`;
    case "crashed":
      return `${line.node} crashed: ${line.text.split("\n")[0] ?? ""}`;
    case "motion":
      return `${line.device} ${line.moving ? "begins to move" : "stands"} at ${line.position.toFixed(1)}`;
    case "fault":
      return `fault: ${line.text}`;
    case "holdSaid":
      return `${line.device}: hold ${line.hold} is ${line.state}${because(line.nonce ?? line.reason)}`;
    case "echo":
      return `${line.device} hears of hold ${line.hold}: ${line.nonce ?? "let go"}`;
    case "lifted":
      return `the finger of hold ${line.hold} is lifted (${line.how})`;
    case "stopHeard":
      return `the coordinator hears of the stop ${line.id}`;
    case "chosen":
      return `the coordinator is told to ${line.choice} run ${line.run}`;
    case "pressed":
      return `the operator presses ${line.text}`;
    case "run":
      return `run ${line.run} (${line.saga}): ${line.state}`;
    case "cell":
      return `the cell is ${line.state}`;
    case "command":
      return `${line.from} → ${line.device}: ${line.id} ${line.body}`;
    case "intent":
      return `intent ${line.id}: step ${line.step} (${line.part})`;
    case "said":
      return `${line.device} says: ${line.text}`;
    case "held":
      return `${line.device} ${line.held ? "holds a part" : "holds nothing"}`;
    case "verdict":
      return `${line.device}: ${line.id} ${line.verdict}${because(line.code)}`;
    default:
      return JSON.stringify(line);
  }
}

function because(reason: string | undefined): string {
  return reason === undefined ? "" : ` (${reason})`;
}
