/**
 * A run as a tree on the screen: every step with its mark, its time and how far its move has come.
 *
 * The idea: fed with records of the run and states of the axes, it gives the lines of now, cut to
 * the screen; what does not fit is counted. Pure. It refuses to write and to know what time it is.
 */
import type { RunRecord, RunStep } from "#kernel/contract/payloads.js";
import { hasEnded, seconds } from "./run-report.js";

export interface TreeAxis {
  readonly axis: string;
  readonly unit: string;
  readonly position?: number | undefined;
  /** Where its running step sends it. */
  readonly target?: number | undefined;
}
export interface TreeView {
  readonly nowTs: number;
  readonly columns: number;
  readonly rows: number;
  /** Escape codes for colours. */
  readonly colours: boolean;
}

interface Move {
  readonly of: string;
  readonly from: number;
}
interface Line {
  readonly text: string;
  readonly colour?: keyof typeof colours;
}

const colours = { good: "32", bad: "31", now: "36", asks: "33", quiet: "2" } as const;

const marks: { readonly [S in RunStep["status"]]: string } = {
  pending: "·",
  running: "▶",
  done: "✔",
  refused: "✘",
  faulted: "✘",
  unknown: "✘",
  skipped: "–",
};

export class RunTree {
  readonly #axes = new Map<string, TreeAxis>();
  readonly #moves = new Map<string, Move>();
  #run: RunRecord | undefined;

  get run(): RunRecord | undefined {
    return this.#run;
  }

  take(run: RunRecord): void {
    this.#run = run;
  }

  see(axis: TreeAxis): void {
    this.#axes.set(axis.axis, axis);
  }

  /** At most `rows` lines of at most `columns` characters. */
  lines(view: TreeView): readonly string[] {
    const run = this.#run;
    if (run === undefined) return ["waiting for the run …"];
    const head = headOf(run, view.nowTs);
    const foot = footOf(run);
    const tree = run.steps.map((step, i) => this.#stepLine(run, step, i, view.nowTs));
    const room = Math.max(3, view.rows - foot.length - 1);
    const focus = focusOf(run);
    const shown = [head, ...windowed(tree, focus, room), ...foot];
    return shown.slice(0, view.rows).map((line) => painted(line, view));
  }

  #stepLine(run: RunRecord, step: RunStep, index: number, nowTs: number): Line {
    const depths = run.steps.map((one) => depthOf(run.steps, one));
    const width = Math.max(...run.steps.map(({ name }, i) => name.length + 2 * (depths[i] ?? 0)));
    const name = `${"  ".repeat(depths[index] ?? 0)}${step.name}`.padEnd(width);
    const time = timeOf(step, nowTs);
    const counts = [
      ...(step.times === undefined ? [] : [`${step.times} times`]),
      ...(step.attempts === undefined ? [] : [`attempt ${step.attempts}`]),
    ];
    const parts = [
      `${marks[step.status]} ${name}`,
      time.padStart(8),
      step.text,
      ...(counts.length === 0 ? [] : [`(${counts.join(", ")})`]),
      ...this.#progress(step),
      ...(step.error === undefined ? [] : [`${step.error.text} (${step.error.code})`]),
      ...safeOf(step, run),
    ];
    return { text: ` ${parts.join("  ")}`, ...colourOf(step) };
  }

  /** Known where the axis has a target, and says where it is. */
  #progress(step: RunStep): readonly string[] {
    const device = /^([a-z0-9][a-z0-9_-]*)\.move/.exec(step.text)?.[1];
    const axis = device === undefined ? undefined : this.#axes.get(device);
    if (step.status !== "running" || axis === undefined) return [];
    const { position, target, unit } = axis;
    if (position === undefined || target === undefined) return [];
    const of = `${step.name} ${step.times ?? 1} ${step.attempts ?? 1} ${target}`;
    const known = this.#moves.get(axis.axis);
    const move = known?.of === of ? known : { of, from: position };
    this.#moves.set(axis.axis, move);
    const way = Math.abs(target - move.from);
    const gone = way === 0 ? 1 : 1 - Math.abs(target - position) / way;
    const percent = Math.round(100 * Math.min(1, Math.max(0, gone)));
    return [`${bar(percent)} ${percent} %, ${position.toFixed(1)} of ${target.toFixed(1)} ${unit}`];
  }
}

function bar(percent: number): string {
  const full = Math.round(percent / 10);
  return `${"█".repeat(full)}${"░".repeat(10 - full)}`;
}

interface Nested {
  readonly parent?: number | undefined;
}

/** How many containers a step stands in. */
export function depthOf(steps: readonly Nested[], step: Nested): number {
  let depth = 0;
  let inside = step.parent;
  while (inside !== undefined && depth < steps.length) {
    depth += 1;
    inside = steps[inside]?.parent;
  }
  return depth;
}

function timeOf({ status, startedAt, durationMs }: RunStep, nowTs: number): string {
  if (durationMs !== undefined && status !== "running") return seconds(durationMs);
  // Another PC's clock may be ahead of this one's.
  if (status !== "running" || startedAt === undefined) return "";
  return `${(Math.max(0, nowTs - startedAt) / 1000).toFixed(1)} s`;
}

function safeOf(step: RunStep, run: RunRecord): readonly string[] {
  const text = step.safeText ?? "still";
  switch (step.safe) {
    case "done":
      return [`↩ made safe: ${text}`];
    case "running":
      return [`↩ being made safe: ${text}`];
    case "failed": {
      const why = step.safeError;
      return [`✘ not made safe: ${text}${why === undefined ? "" : `: ${why.text} (${why.code})`}`];
    }
    case "pending":
      return run.state === "makingSafe" ? [`↩ next: ${text}`] : [];
    case "none":
      return [];
    default:
      return step.safe satisfies never;
  }
}

function colourOf({ status, safe }: RunStep): Pick<Line, "colour"> {
  if (safe === "failed") return { colour: "bad" };
  if (safe === "running" || status === "running") return { colour: "now" };
  if (status === "done") return { colour: "good" };
  return status === "pending" || status === "skipped" ? { colour: "quiet" } : { colour: "bad" };
}

function headOf(run: RunRecord, nowTs: number): Line {
  const toTs = run.endedAt ?? nowTs;
  const took = `${(Math.max(0, toTs - run.startedAt) / 1000).toFixed(1)} s`;
  const waits = run.waits === undefined ? "" : `  ${run.waits}`;
  return { text: `${run.saga}  ${run.state}  ${took}${waits}  run ${run.run}` };
}

function footOf(run: RunRecord): readonly Line[] {
  const asks = (run.asks ?? []).map(({ step, text, choices }, i): Line => {
    const keys = choices.map((choice, n) => (i === 0 ? `[${n + 1}] ${choice}` : choice));
    return { text: `? ${step}: ${text}  ${keys.join("  ")}`, colour: "asks" };
  });
  const cause = hasEnded(run) && run.state !== "completed" ? `: ${run.cause.text}` : "";
  const code = cause === "" ? "" : ` (${run.cause.code})`;
  const end: readonly Line[] = hasEnded(run)
    ? [
        {
          text: `${run.state === "completed" ? "✔" : "■"} ${run.saga}: ${run.state}${cause}${code}`,
          colour: run.state === "completed" ? "good" : "bad",
        },
      ]
    : [];
  return [
    ...asks,
    ...end,
    ...run.unknowns.map(({ device, text }): Line => {
      return { text: `  not known: ${device}: ${text}`, colour: "bad" };
    }),
    ...(run.choices.length === 0
      ? []
      : [{ text: `  to choose: ${run.choices.join(", ")}`, colour: "asks" } as const]),
  ];
}

/** The newest step that is under way, else the first that failed, else the last that ended. */
function focusOf({ steps }: RunRecord): number {
  const running = steps.findLastIndex((one) => one.status === "running" || one.safe === "running");
  if (running !== -1) return running;
  const failed = steps.findIndex((one) => ["refused", "faulted", "unknown"].includes(one.status));
  return failed === -1 ? steps.findLastIndex((one) => one.status === "done") : failed;
}

/** The lines around the focus, in `room` lines; what is left out is counted. */
function windowed(lines: readonly Line[], focus: number, room: number): readonly Line[] {
  if (lines.length <= room) return lines;
  const inner = Math.max(1, room - 2);
  const wanted = Math.max(0, focus) - Math.floor(inner / 2);
  const from = Math.min(Math.max(0, wanted), lines.length - inner);
  const to = from + inner;
  const more = (count: number, where: string): readonly Line[] =>
    count === 0 ? [] : [{ text: `   … ${count} ${where}`, colour: "quiet" }];
  return [...more(from, "before"), ...lines.slice(from, to), ...more(lines.length - to, "after")];
}

function painted({ text, colour }: Line, { columns, colours: on }: TreeView): string {
  const letters = [...text];
  // The last column stays free: a full line would wrap on some terminals.
  const width = Math.max(1, columns - 1);
  const cut = letters.length > width ? `${letters.slice(0, width - 1).join("")}…` : text;
  return on && colour !== undefined ? `\u001b[${colours[colour]}m${cut}\u001b[0m` : cut;
}
