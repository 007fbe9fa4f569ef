/**
 * A run's story as lines: when, what, how long, and who decided.
 *
 * The idea: begins, ends and moments in the order in which they were, each with its distance from
 * the start. Pure. It refuses to leave anything out but details, and those too when asked.
 */
import type { RunHistory } from "#kernel/contract/run-history.js";
import { seconds } from "./run-report.js";
import { type StoryMoment, type StorySpan, storyOf } from "./run-story.js";

interface Line {
  readonly ts: number;
  readonly order: number;
  readonly text: string;
}

const marks: { readonly [K in StoryMoment["kind"]]: string } = {
  stop: "■",
  decision: "☞",
  still: "·",
  event: "·",
  detail: " ",
};

/** `details`: leases, ticks and whatever else only explains. */
export function timelineOf(history: RunHistory, details: boolean): readonly string[] {
  const { spans, moments } = storyOf(history);
  const shown = moments.filter((one) => details || one.kind !== "detail");
  const lines: Line[] = [...spans.flatMap(spanLines), ...shown.map(momentLine)];
  lines.sort((a, b) => a.ts - b.ts || a.order - b.order);
  const { startedAt } = history;
  return [
    ...headOf(history),
    ...lines.map(({ ts, text }) => `  ${offset(ts - startedAt).padStart(10)}  ${text}`),
    endOf(history),
    ...openOf(history),
  ];
}

function offset(ms: number): string {
  return `${ms < 0 ? "-" : "+"}${(Math.abs(ms) / 1000).toFixed(3)} s`;
}

function headOf(history: RunHistory): readonly string[] {
  const { run, saga, version, by, startedAt } = history;
  const inputs = Object.entries(history.inputs).map(([name, value]) => `${name} ${String(value)}`);
  return [
    `run ${run} of ${saga} (${version})`,
    `  started ${new Date(startedAt).toISOString()} by ${by.user} (${by.role})`,
    ...(inputs.length === 0 ? [] : [`  inputs ${inputs.join(", ")}`]),
  ];
}

/** Where a step has no row of its own, it ends before others begin, and begins after they end. */
const lastOrder = Number.MAX_SAFE_INTEGER;

function spanLines(span: StorySpan): readonly Line[] {
  const { step, part, text, attempt, fromTs, toTs, verdict, why, seq = lastOrder } = span;
  const again = attempt > 1 ? `, time ${attempt}` : "";
  const safe = part === "makeSafe";
  const begin = `${safe ? "↩" : "▶"} ${step}${safe ? " is made safe" : ""}${again}  ${text}`;
  const first = { ts: fromTs, order: seq, text: begin };
  if (toTs === undefined) return [first];
  const mark = verdict === "done" ? "✔" : verdict === "skipped" ? "–" : "✘";
  const reason = why === undefined ? "" : `: ${why}`;
  const word = safe && verdict === "done" ? "made safe" : (verdict ?? "ended");
  const end = `${mark} ${step}  ${word} after ${seconds(toTs - fromTs)}${reason}`;
  const order = span.endSeq ?? (toTs === fromTs ? lastOrder : 0);
  return [first, { ts: toTs, order, text: end }];
}

function momentLine({ ts, seq, kind, text, by }: StoryMoment): Line {
  const who = by === undefined || text.includes(`by ${by}`) ? "" : ` by ${by}`;
  return { ts, order: seq, text: `${marks[kind]} ${text}${who}` };
}

function endOf({ state, endedAt, startedAt, record, saga }: RunHistory): string {
  const cause = record === undefined || state === "completed" ? "" : record.cause;
  const why = cause === "" ? "" : `: ${cause.text} (${cause.code})`;
  const took = endedAt === undefined ? "" : ` after ${seconds(endedAt - startedAt)}`;
  return `${state === "completed" ? "✔" : "■"} ${saga}: ${state}${took}${why}`;
}

/** What is still to be decided. */
function openOf({ record, run }: RunHistory): readonly string[] {
  if (record === undefined) return ["  the steps without a command are not told: it is too long"];
  return [
    ...record.unknowns.map(({ device, text }) => `  not known: ${device}: ${text}`),
    ...(record.choices.length === 0
      ? []
      : [`  to choose: ${record.choices.join(", ")} (run ${run})`]),
  ];
}
