/**
 * What happened in a run, out of its journal: spans of time and single moments.
 *
 * The idea: an intent and its verdict are one span, a step without a command is told by the run's
 * record, everything else is a moment with its words and, where a person decided, who it was.
 * Text and trace are both made of this. Pure. It refuses to drop a row: one that it does not know
 * is told as it stands.
 */
import type { HistoryRow, RunHistory } from "#kernel/contract/run-history.js";

export interface StorySpan {
  readonly step: string;
  readonly part: "run" | "makeSafe";
  /** The device that is commanded; absent: the step commands none. */
  readonly device?: string;
  readonly verb?: string;
  readonly text: string;
  /** Counts the commands of this step and part in the run. */
  readonly attempt: number;
  readonly fromTs: number;
  /** Absent: nobody has heard of its end. */
  readonly toTs?: number;
  readonly verdict?: string;
  readonly why?: string;
  /** Rows of the journal with its begin and its end. */
  readonly seq?: number;
  readonly endSeq?: number;
}

export interface StoryMoment {
  readonly ts: number;
  readonly seq: number;
  /** `detail`: of interest to who looks for a fault only. */
  readonly kind: "stop" | "decision" | "still" | "event" | "detail";
  readonly type: string;
  readonly device?: string;
  readonly text: string;
  readonly by?: string;
}

export interface Story {
  readonly spans: readonly StorySpan[];
  readonly moments: readonly StoryMoment[];
}

type Data = HistoryRow["data"];
type Names = (index: unknown) => string;

/** `history`: all pages joined. */
export function storyOf(history: RunHistory): Story {
  const steps = history.record?.steps ?? [];
  const names: Names = (index) => steps[Number(index)]?.name ?? `step ${String(index)}`;
  const commands = spansOf(history);
  const commanded = new Set(commands.map(({ step }) => step));
  const quiet = steps.flatMap(({ name, text, startedAt, durationMs, status, error }) => {
    if (startedAt === undefined || commanded.has(name)) return [];
    const toTs = durationMs === undefined ? {} : { toTs: startedAt + durationMs };
    const why = error === undefined ? {} : { why: `${error.text} (${error.code})` };
    const head = { step: name, part: "run" as const, text, attempt: 1, fromTs: startedAt };
    return [{ ...head, ...toTs, verdict: status, ...why }];
  });
  const spans = [...commands, ...quiet].sort((a, b) => a.fromTs - b.fromTs);
  return { spans, moments: momentsOf(history.rows, names) };
}

function spansOf({ rows, record }: RunHistory): readonly StorySpan[] {
  const attempts = new Map<string, number>();
  const spans = new Map<string, StorySpan>();
  for (const { type, data, at, seq } of rows) {
    if (type === "intent") {
      const { step, device, verb } = data;
      const part = data.part === "makeSafe" ? "makeSafe" : "run";
      const key = `${part} ${String(step)}`;
      const attempt = (attempts.get(key) ?? 0) + 1;
      attempts.set(key, attempt);
      const known = record?.steps.find((one) => one.name === step);
      const own = part === "run" ? known?.text : known?.safeText;
      const command = `${String(device)}.${String(verb)}`;
      spans.set(String(data.id), {
        step: String(step),
        part,
        device: String(device),
        verb: String(verb),
        text: own ?? command,
        attempt,
        fromTs: at,
        seq,
      });
    } else if (type === "verdict" || type === "queried") {
      const span = spans.get(String(data.id));
      const verdict = data.verdict as Data | undefined;
      if (span === undefined || verdict === undefined) continue;
      const done = verdict.verdict === "done";
      const why = done ? {} : { why: `${String(verdict.text)} (${String(verdict.code)})` };
      spans.set(String(data.id), {
        ...span,
        toTs: at,
        endSeq: seq,
        verdict: String(verdict.verdict),
        ...why,
      });
    }
  }
  return [...spans.values()];
}

function momentsOf(rows: readonly HistoryRow[], names: Names): readonly StoryMoment[] {
  const orders = new Set<string>();
  const moments: StoryMoment[] = [];
  let last: HistoryRow | undefined;
  for (const row of rows) {
    const { type, data } = row;
    if (type === "still" || type === "notStill") {
      const order = String(data.order);
      // The order left with the row before the first answer to it.
      if (!orders.has(order)) moments.push(stopMoment(last ?? row, order));
      orders.add(order);
    } else last = row;
    if (type !== "intent" && type !== "verdict") moments.push(momentOf(row, names));
  }
  return moments.sort((a, b) => a.ts - b.ts || a.seq - b.seq);
}

function stopMoment({ at, seq }: HistoryRow, order: string): StoryMoment {
  return { ts: at, seq, kind: "stop", type: "stop", text: `stop of its axes (${order})` };
}

const kinds: { readonly [type: string]: StoryMoment["kind"] } = {
  leased: "detail",
  leaseRefused: "event",
  leaseLost: "stop",
  tripped: "stop",
  accepted: "detail",
  queried: "event",
  conditionMet: "event",
  failed: "stop",
  cancelled: "decision",
  operatorStop: "stop",
  still: "still",
  notStill: "event",
  restarted: "stop",
  ruled: "event",
  unlatched: "event",
  released: "detail",
  locked: "event",
  evaluated: "detail",
  happened: "event",
  answered: "decision",
  signalled: "decision",
  hold: "decision",
  unhold: "decision",
  makeSafe: "decision",
  retry: "decision",
  skip: "decision",
  resolve: "decision",
  abandon: "decision",
  reconnected: "detail",
  tick: "detail",
};

function momentOf({ seq, at, type, data }: HistoryRow, names: Names): StoryMoment {
  const device = typeof data.device === "string" ? { device: data.device } : {};
  const by = typeof data.user === "string" ? { by: data.user } : {};
  const kind = kinds[type] ?? "event";
  return { ts: at, seq, kind, type, text: wordsOf(type, data, names), ...device, ...by };
}

function wordsOf(type: string, data: Data, names: Names): string {
  const device = String(data.device);
  const text = typeof data.text === "string" ? data.text : "";
  switch (type) {
    case "leased":
      return `lease of ${device}, epoch ${String(data.epoch)}`;
    case "leaseRefused":
      return `no lease of ${device}: ${text} (${String(data.code)})`;
    case "leaseLost":
    case "tripped":
      return `${device}: ${text}`;
    case "still":
      return `${device} stands still`;
    case "notStill":
      return `${device} was not seen to stand still: ${text}`;
    case "conditionMet":
      return `the condition of ${names(data.step)} is met`;
    case "happened":
      return `the event that ${names(data.step)} waits for`;
    case "answered":
      return `${names(data.step)}: ${String(data.choice)}`;
    case "signalled":
      return `signal ${String(data.name)}`;
    case "queried":
      return `asked what became of ${String(data.id)}`;
    case "evaluated":
      return `read ${JSON.stringify(data.readings)}`;
    case "ruled":
      return `after the restart: ${data.makeSafe === true ? "make safe" : "wait"}; ${text}`;
    case "released":
      return "the leases are given back";
    case "locked":
      return "its devices are free now";
    case "unhold":
      return `goes on after ${String(data.how)}`;
    default:
      return text === "" ? restOf(type, data) : `${type}: ${text}`;
  }
}

/** A row that is not known, or has no words of its own: as it stands. */
function restOf(type: string, data: Data): string {
  const { nowMs: _clock, ts: _wall, user: _by, ...rest } = data;
  return Object.keys(rest).length === 0 ? type : `${type} ${JSON.stringify(rest)}`;
}
