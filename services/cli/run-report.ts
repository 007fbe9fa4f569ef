/**
 * A run in words: one line a step, the lines of its making safe, its end.
 *
 * The idea: fed with one record of a run after another, it says each thing once, in the order in
 * which it became true. Pure but for the lines it returns. It refuses to ask for records.
 */
import type { RunRecord, RunStep } from "#kernel/contract/payloads.js";

export const endStates = ["completed", "madeSafe", "stopped", "needsOperator"] as const;

/** Exit codes of `run` and `--once`. */
const exitCodes: { readonly [state: string]: number } = {
  completed: 0,
  madeSafe: 2,
  needsOperator: 3,
  stopped: 4,
};

export function hasEnded(run: RunRecord): boolean {
  return endStates.some((state) => state === run.state);
}

export function exitCodeOf(run: RunRecord): number {
  return exitCodes[run.state] ?? 1;
}

export class RunReport {
  readonly #said = new Set<string>();
  #nameWidth = 0;
  #waiting: readonly string[] = [];

  /** The lines that are new in this record. */
  take(run: RunRecord): readonly string[] {
    this.#nameWidth = Math.max(...run.steps.map((step) => step.name.length), 4);
    // A step of a loop is told each time that it ends.
    const lines = run.steps.flatMap((step, i) =>
      this.#once(`step ${i} ${step.times ?? 1}`, this.#stepLine(step)),
    );
    // Made safe in reverse order of the steps, so it is told in that order too.
    const safe = [...run.steps.entries()]
      .reverse()
      .flatMap(([i, step]) => this.#once(`safe ${i}`, this.#safeLine(step)));
    const end = hasEnded(run) ? this.#once(`end ${run.state}`, endLines(run).join("\n")) : [];
    return [...lines, ...this.#waits(run), ...safe, ...end];
  }

  /** Questions, and why it stands still: each again when it has gone and come back. */
  #waits({ run, steps, waits, asks = [] }: RunRecord): readonly string[] {
    const now = new Map<string, string>();
    if (waits !== undefined && asks.length === 0) now.set(`waits ${waits}`, `… ${waits}`);
    for (const { step, text, choices } of asks) {
      const times = steps.find((one) => one.name === step)?.times ?? 1;
      const how = `servocell runs answer ${run} ${step} ${choices.join("|")}`;
      now.set(`ask ${step} ${times}`, `? ${step}: ${text}  (${how})`);
    }
    for (const key of this.#waiting) if (!now.has(key)) this.#said.delete(key);
    this.#waiting = [...now.keys()];
    return [...now].flatMap(([key, line]) => this.#once(key, line));
  }

  #once(key: string, line: string | undefined): readonly string[] {
    if (line === undefined || this.#said.has(key)) return [];
    this.#said.add(key);
    return [line];
  }

  #stepLine(step: RunStep): string | undefined {
    const name = step.name.padEnd(this.#nameWidth);
    const tries = step.attempts === undefined ? "" : `  attempt ${step.attempts}`;
    const took = step.durationMs === undefined ? "" : `  ${seconds(step.durationMs)}${tries}`;
    switch (step.status) {
      case "done":
        return `✔ ${name}  ${step.text}${took}`;
      case "refused":
      case "faulted":
      case "unknown": {
        const why = step.error === undefined ? "" : `: ${step.error.text} (${step.error.code})`;
        return `✘ ${name}  ${step.text}${took}  ${step.status}${why}`;
      }
      default:
        return undefined;
    }
  }

  #safeLine(step: RunStep): string | undefined {
    const name = step.name.padEnd(this.#nameWidth);
    const text = step.safeText ?? "still";
    if (step.safe === "done") return `↩ ${name}  made safe: ${text}`;
    if (step.safe !== "failed") return undefined;
    const why = step.safeError;
    return `✘ ${name}  not made safe: ${text}${why ? `: ${why.text} (${why.code})` : ""}`;
  }
}

function endLines(run: RunRecord): readonly string[] {
  const took = run.endedAt === undefined ? "" : ` after ${seconds(run.endedAt - run.startedAt)}`;
  const cause = run.state === "completed" ? "" : `: ${run.cause.text} (${run.cause.code})`;
  const mark = run.state === "completed" ? "✔" : "■";
  return [
    `${mark} ${run.saga}: ${run.state}${took}${cause}`,
    ...run.unknowns.map((unknown) => `  not known: ${unknown.device}: ${unknown.text}`),
    ...(run.choices.length === 0
      ? []
      : [`  to choose: ${run.choices.join(", ")} (run ${run.run})`]),
  ];
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
