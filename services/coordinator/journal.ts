/**
 * The journal of the runs: every event that changed one, in order, and nothing else.
 *
 * The idea: an event of the run machine is one row, and the commands that it lets leave stand
 * beside it as `intent` rows in the same transaction: verdict n and intent n+1 are one commit.
 * A restart feeds the rows through the same machine and compares the intents; a journal that
 * gives other intents than it names is not trusted with motion. It refuses to be edited.
 */
import type { Ms } from "#drivers/reading.js";
import type { SagaDefinition } from "#kernel/config/cell.js";
import type { By, CloudEvent } from "#kernel/contract/payloads.js";
import type { Row, Statement } from "#kernel/ports.js";
import { begin } from "./run-leasing.js";
import type { NewRun, Run, RunEffect, RunEvent, RunTurn } from "./run-state.js";
import { isEnded } from "./run-state.js";
import { publishedState } from "./run-view.js";
import { next } from "./saga.machine.js";
import type { StoreQueue } from "./store-queue.js";

/** Ended runs that are kept. */
export const endedRunsMax = 1000;
/** Ended runs that are shown, and so loaded at a start. */
export const endedShownMax = 20;
/** Old runs are cleared away once for this many that end. */
const pruneEvery = 50;

interface Intent {
  readonly id: string;
  readonly step: string;
  readonly part: string;
  readonly device: string;
  readonly verb: string;
}

export interface LoadedRun {
  readonly run: Run;
  readonly seq: number;
  /** False: the rows and the machine disagree; nothing of it may move by itself. */
  readonly trusted: boolean;
}

export interface Loaded {
  readonly runs: readonly LoadedRun[];
  readonly outbox: readonly { readonly id: string; readonly event: CloudEvent }[];
  readonly rows: {
    readonly requests: readonly Row[];
    readonly latches: readonly Row[];
    readonly facts: readonly Row[];
  };
}

export class Journal {
  readonly #queue: StoreQueue;
  readonly #seqs = new Map<string, number>();
  #ended = 0;

  constructor(queue: StoreQueue) {
    this.#queue = queue;
  }

  /** Open runs whole, ended ones as far as they are shown. */
  async load(): Promise<Loaded> {
    const shown = `(SELECT run FROM runs WHERE ended_ts IS NULL
      UNION SELECT run FROM (SELECT run FROM runs WHERE ended_ts IS NOT NULL
        ORDER BY ended_ts DESC LIMIT ${endedShownMax}))`;
    const [runs, events, outbox, requests, latches, facts] = await this.#queue.read([
      { sql: `SELECT * FROM runs WHERE run IN ${shown} ORDER BY started_ts, run` },
      { sql: `SELECT * FROM run_events WHERE run IN ${shown} ORDER BY run, seq` },
      { sql: "SELECT id, event FROM outbox ORDER BY seq" },
      { sql: "SELECT id, body, answer, at FROM requests ORDER BY at" },
      { sql: "SELECT id, latch FROM latches" },
      { sql: "SELECT name, value FROM facts" },
    ]);
    const rowsOf = new Map<string, Row[]>();
    for (const row of events ?? []) {
      const rows = rowsOf.get(String(row.run)) ?? [];
      rowsOf.set(String(row.run), rows);
      rows.push(row);
    }
    const loaded = (runs ?? []).map((row) => replay(row, rowsOf.get(String(row.run)) ?? []));
    for (const { run, seq } of loaded) this.#seqs.set(run.run, seq);
    return {
      runs: loaded,
      outbox: (outbox ?? []).map((row) => ({
        id: String(row.id),
        event: JSON.parse(String(row.event)) as CloudEvent,
      })),
      rows: { requests: requests ?? [], latches: latches ?? [], facts: facts ?? [] },
    };
  }

  /** The saga of a run that has left the memory; undefined: there is no such run. */
  async sagaOf(run: string): Promise<string | undefined> {
    const sql = "SELECT saga FROM runs WHERE run = ?";
    const [rows] = await this.#queue.read([{ sql, params: [run] }]);
    const saga = rows?.[0]?.saga;
    return saga === undefined ? undefined : (JSON.parse(String(saga)) as SagaDefinition).name;
  }

  /** A new run, with whatever has to be true together with it. Rejects when the disk is full. */
  create(input: NewRun, turn: RunTurn, nowMs: Ms, beside: readonly Statement[]): Promise<void> {
    const { run, key, saga, by, ts } = input;
    this.#seqs.set(run, 0);
    const row: Statement = {
      sql: `INSERT OR IGNORE INTO runs (run, key, saga, by, started_ts, started_ms, state)
        VALUES (?, ?, ?, ?, ?, ?, ?)`,
      params: [
        run,
        key,
        JSON.stringify(saga),
        JSON.stringify(by),
        ts,
        nowMs,
        publishedState(turn.state),
      ],
    };
    // Left over from a start of the same name that never reached the disk.
    const strays: Statement = { sql: "DELETE FROM run_events WHERE run = ?", params: [run] };
    const intents = this.#rows(run, intentsOf(turn.effects).map(rowOf), ts);
    return this.#queue.write([strays, row, ...intents, ...beside], {
      durable: true,
      mayFail: true,
    });
  }

  /** One decision: the event, the intents it lets leave, and whatever stands beside them. */
  append(event: RunEvent, turn: RunTurn, nowMs: Ms, beside: readonly Statement[]): Promise<void> {
    const { state } = turn;
    const { kind, ...data } = event;
    const first = { type: kind, data: JSON.stringify({ ...data, nowMs }) };
    const rows = [first, ...intentsOf(turn.effects).map(rowOf)];
    const statements = this.#rows(state.run, rows, event.ts);
    // An acceptance changes no decision after a crash: it need not wait for the disk.
    const durable = kind !== "accepted";
    return this.#queue.write([...statements, ...this.#state(state), ...beside], { durable });
  }

  #state(run: Run): Statement[] {
    const { phase } = run;
    const endedTs = "endedTs" in phase ? phase.endedTs : null;
    const update: Statement = {
      sql: "UPDATE runs SET state = ?, ended_ts = ? WHERE run = ?",
      params: [publishedState(run), endedTs, run.run],
    };
    if (!isEnded(run)) return [update];
    this.#seqs.delete(run.run);
    this.#ended += 1;
    return this.#ended % pruneEvery === 1 ? [update, ...prune] : [update];
  }

  #rows(
    run: string,
    rows: readonly { readonly type: string; readonly data: string }[],
    at: number,
  ): Statement[] {
    let seq = this.#seqs.get(run) ?? 0;
    const statements = rows.map(({ type, data }) => {
      seq += 1;
      return {
        sql: "INSERT INTO run_events (run, seq, type, data, at) VALUES (?, ?, ?, ?, ?)",
        params: [run, seq, type, data, at],
      };
    });
    this.#seqs.set(run, seq);
    return statements;
  }
}

const prune: readonly Statement[] = [
  {
    sql: `DELETE FROM runs WHERE run IN (SELECT run FROM runs WHERE ended_ts IS NOT NULL
      ORDER BY ended_ts DESC LIMIT -1 OFFSET ${endedRunsMax})`,
  },
  { sql: "DELETE FROM run_events WHERE run NOT IN (SELECT run FROM runs)" },
];

function intentsOf(effects: readonly RunEffect[]): Intent[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== "send" || effect.intent === undefined) return [];
    const { id, device, verb } = effect.flight;
    return [{ id, ...effect.intent, device, verb }];
  });
}

function rowOf(intent: Intent): { readonly type: string; readonly data: string } {
  return { type: "intent", data: JSON.stringify(intent) };
}

/** The same function that decided then decides now; only the effects are not carried out. */
export function replay(row: Row, events: readonly Row[]): LoadedRun {
  const input: NewRun = {
    run: String(row.run),
    key: String(row.key),
    saga: JSON.parse(String(row.saga)) as SagaDefinition,
    by: JSON.parse(String(row.by)) as By,
    ts: Number(row.started_ts),
  };
  const first = begin(input, Number(row.started_ms));
  let run = first.state;
  let expected = intentsOf(first.effects);
  let trusted = true;
  for (const { type, data } of events) {
    if (type === "intent") {
      const [wanted, ...rest] = expected;
      trusted &&= wanted !== undefined && JSON.stringify(wanted) === data;
      expected = rest;
      continue;
    }
    trusted &&= expected.length === 0;
    const { nowMs, ...body } = JSON.parse(String(data)) as { nowMs: Ms };
    const turn = next(run, { kind: type, ...body } as RunEvent, nowMs);
    trusted &&= turn !== undefined;
    if (turn === undefined) continue;
    run = turn.state;
    expected = intentsOf(turn.effects);
  }
  const seq = Number(events.at(-1)?.seq ?? 0);
  return { run, seq, trusted: trusted && expected.length === 0 };
}
