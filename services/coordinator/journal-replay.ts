/**
 * A run out of its rows: from its beginning, or from a snapshot and what came after it.
 *
 * The idea: the same function that decided then decides now, only the effects are not carried
 * out, and the intents it gives are compared with those in the journal. A snapshot saves the way
 * from the beginning; it counts only where it was written by this very engine. Pure. It refuses
 * to trust rows that are missing, that disagree, or that the machine does not take.
 */
import type { Ms } from "#drivers/reading.js";
import type { SagaDefinition } from "#kernel/config/cell.js";
import type { By } from "#kernel/contract/payloads.js";
import type { Row } from "#kernel/ports.js";
import { storedJson } from "#kernel/stored-json.js";
import type { NewRun, RunEffect, RunEvent, RunTurn } from "./run-events.js";
import { begin } from "./run-leasing.js";
import type { Run } from "./run-state.js";
import { next } from "./saga.machine.js";

/**
 * Raised whenever the machine decides otherwise than before or its state has another shape: then
 * snapshots of before are passed over, and the journal is read from its beginning.
 */
export const engineVersion = 5;

export interface LoadedRun {
  readonly run: Run;
  readonly seq: number;
  /** Where the newest snapshot stands; 0: at the beginning. */
  readonly snapshotSeq: number;
  /** False: the rows and the machine disagree; nothing of it may move by itself. */
  readonly trusted: boolean;
}

interface Intent {
  readonly id: string;
  readonly step: string;
  readonly part: string;
  readonly device: string;
  readonly verb: string;
}

export interface EventRow {
  readonly type: string;
  readonly data: string;
}

export function intentsOf(effects: readonly RunEffect[]): Intent[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== "send" || effect.intent === undefined) return [];
    const { id, device, verb } = effect.flight;
    return [{ id, ...effect.intent, device, verb }];
  });
}

/** What a decision leaves in the journal: the event and the intents that it lets leave. */
export function rowsOf(
  event: (RunEvent & { readonly nowMs: Ms }) | undefined,
  effects: readonly RunEffect[],
): EventRow[] {
  const intents = intentsOf(effects).map((intent) => {
    return { type: "intent", data: JSON.stringify(intent) };
  });
  if (event === undefined) return intents;
  const { kind, ...data } = event;
  return [{ type: kind, data: JSON.stringify(data) }, ...intents];
}

/** A run without its saga, which is kept once for all its runs. */
export function snapshotOf(run: Run): string {
  const { saga: _kept, ...rest } = run;
  return JSON.stringify(rest);
}

/** Undefined: it cannot be read, and the run is read from its beginning. */
function snapshotIn(row: Row): Run | undefined {
  try {
    const run = JSON.parse(String(row.snapshot)) as Run | null;
    const isRun = run?.run === row.run && typeof run?.phase?.at === "string";
    return isRun && Array.isArray(run.steps) ? run : undefined;
  } catch {
    return undefined;
  }
}

/** Feeds the rows of one run, page by page. */
export class Replay {
  #run: Run;
  #seq: number;
  #expected: string[];
  #trusted = true;
  readonly #snapshotSeq: number;

  /** `row`: of `runs`, with its snapshot's columns beside it where it has one. */
  constructor(row: Row, saga: SagaDefinition, engine: string) {
    const key = String(row.key);
    const snapshot = row.engine === engine ? snapshotIn(row) : undefined;
    // Another key: left over from a start of the same name that never reached the disk.
    if (snapshot !== undefined && snapshot.key === key) {
      this.#run = { ...snapshot, saga };
      this.#snapshotSeq = Number(row.snapshot_seq);
      this.#expected = [];
    } else {
      const input: NewRun = {
        run: String(row.run),
        key,
        saga,
        by: storedJson<By>(row.by, `the starter of run ${row.run}`),
        ts: Number(row.started_ts),
        inputs: storedJson<NonNullable<NewRun["inputs"]>>(row.inputs, `inputs of run ${row.run}`),
        waits: row.waits === 1,
      };
      const first = begin(input, Number(row.started_ms));
      this.#run = first.state;
      this.#snapshotSeq = 0;
      this.#expected = rowsOf(undefined, first.effects).map(({ data }) => data);
    }
    this.#seq = this.#snapshotSeq;
  }

  /** The last row that was taken. */
  get seq(): number {
    return this.#seq;
  }

  feed(rows: readonly Row[]): void {
    for (const row of rows) this.#one(row);
  }

  /** The run as the rows leave it; intents that are missing at the end are a disagreement. */
  result(): LoadedRun {
    const trusted = this.#trusted && this.#expected.length === 0;
    return { run: this.#run, seq: this.#seq, snapshotSeq: this.#snapshotSeq, trusted };
  }

  /** Undefined: the machine does not take it, or nobody can read it. */
  #turnOf(type: string, data: string): RunTurn | undefined {
    try {
      const { nowMs, ...body } = JSON.parse(data) as { nowMs: Ms };
      if (!Number.isFinite(nowMs)) return undefined;
      return next(this.#run, { ...body, kind: type } as RunEvent, nowMs);
    } catch {
      return undefined;
    }
  }

  #one({ seq, type, data }: Row): void {
    this.#trusted &&= Number(seq) === this.#seq + 1;
    this.#seq = Number(seq);
    if (type === "intent") {
      const [wanted, ...rest] = this.#expected;
      this.#trusted &&= wanted !== undefined && wanted === data;
      this.#expected = rest;
      return;
    }
    this.#trusted &&= this.#expected.length === 0;
    const turn = this.#turnOf(String(type), String(data));
    this.#trusted &&= turn !== undefined;
    if (turn === undefined) return;
    this.#run = turn.state;
    this.#expected = rowsOf(undefined, turn.effects).map((one) => one.data);
  }
}
