/**
 * The journal of the runs: every event that changed one, in order, and nothing else.
 *
 * The idea: an event of the run machine is one row, and the commands that it lets leave stand
 * beside it as `intent` rows in the same transaction: verdict n and intent n+1 are one commit, and
 * so are the devices a run takes or frees. A restart takes the newest snapshot and feeds the rows
 * after it through the same machine; a journal that gives other intents than it names is not
 * trusted with motion. It refuses to be edited.
 */
import { createHash } from "node:crypto";
import type { Ms } from "#drivers/reading.js";
import type { SagaDefinition } from "#kernel/config/cell.js";
import type { By } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import { numberedOf, readNumbered } from "#kernel/outbox-table.js";
import type { Row, Statement } from "#kernel/ports.js";
import { storedJson } from "#kernel/stored-json.js";
import { readHeard } from "./event-intake.js";
import { engineVersion, type LoadedRun, Replay, rowsOf, snapshotOf } from "./journal-replay.js";
import type { NewRun, RunEvent, RunTurn } from "./run-events.js";
import { isEnded, type Run } from "./run-state.js";
import { heldDevices, publishedState } from "./run-view.js";
import type { StoreQueue } from "./store-queue.js";

/** Ended runs that are shown, and so loaded at a start. */
export const endedShownMax = 20;
/** A snapshot is written after so many rows, and not more often than a long saga is worth. */
export const snapshotEvery = 128;
/** Rows read at a time. */
const pageRows = 512;
/** Events that one packed row of the archive holds. */
export const portionMax = 128;

export interface Loaded {
  readonly runs: readonly LoadedRun[];
  /** Numbers of events that earlier starts have claimed. */
  readonly numbered: number;
  readonly rows: {
    readonly requests: readonly Row[];
    readonly latches: readonly Row[];
    readonly facts: readonly Row[];
    readonly heard: readonly Row[];
  };
}

/** One row of a run's history, for people. */
export interface HistoryRow {
  readonly seq: number;
  readonly type: string;
  readonly data: string;
  readonly at: number;
}

/** What is kept of a run whether or not it is in memory. */
export interface StoredRun {
  readonly run: string;
  readonly saga: string;
  readonly version: string;
  readonly by: By;
  readonly inputs: { readonly [name: string]: number | boolean | string };
  readonly state: string;
  readonly startedTs: number;
  readonly endedTs?: number;
}

interface Tail {
  seq: number;
  snapshotSeq: number;
  state: string;
  /** The devices whose locks are on the disk. */
  held: string;
}

const openColumns = `SELECT r.*, s.seq AS snapshot_seq, s.engine, s.state AS snapshot,
  g.definition FROM runs r LEFT JOIN snapshots s ON s.run = r.run
  LEFT JOIN sagas g ON g.key = r.saga`;

export class Journal {
  readonly #queue: StoreQueue;
  readonly #tails = new Map<string, Tail>();
  readonly #sagas = new WeakMap<SagaDefinition, { readonly key: string; readonly text: string }>();
  readonly #known = new Set<string>();
  readonly #engine: string;
  /** Told of a run whose end is on the disk. */
  onEnded: (run: string) => void = () => undefined;

  /** `version`: of the product; snapshots of another one are passed over. */
  constructor(queue: StoreQueue, version: string) {
    this.#queue = queue;
    this.#engine = `${engineVersion}/${version}`;
  }

  /**
   * Takes the journal over for this start, and reads the open runs whole. Nothing of an ended
   * run is touched, however long its history is.
   */
  async load(bootId: string): Promise<Loaded> {
    const [runs, numbered, requests, latches, facts, locks, heard = []] = await this.#queue.open(
      bootId,
      [
        { sql: `${openColumns} WHERE r.ended_ts IS NULL ORDER BY r.started_ts, r.run` },
        readNumbered,
        { sql: "SELECT id, body, answer, at FROM requests ORDER BY at" },
        { sql: "SELECT id, latch FROM latches" },
        { sql: "SELECT name, value FROM facts" },
        { sql: "SELECT device, run FROM locks ORDER BY device" },
        readHeard,
      ],
    );
    const loaded = await this.#replayAll(runs ?? []);
    for (const { run, seq, snapshotSeq } of loaded) {
      const held = heldDevices(run).join();
      this.#tails.set(run.run, { seq, snapshotSeq, state: publishedState(run), held });
    }
    this.#mendLocks(loaded, locks ?? []);
    return {
      runs: loaded,
      numbered: numberedOf(numbered),
      rows: { requests: requests ?? [], latches: latches ?? [], facts: facts ?? [], heard },
    };
  }

  /** The newest ended runs, as they are shown; read once whatever may move has been stopped. */
  async loadEnded(): Promise<readonly Run[]> {
    const sql = `${openColumns} WHERE r.ended_ts IS NOT NULL
      ORDER BY r.ended_ts DESC LIMIT ${endedShownMax}`;
    const [rows] = await this.#queue.read([{ sql }]);
    return (await this.#replayAll((rows ?? []).reverse())).map(({ run }) => run);
  }

  /** A run by its id, in memory or not; undefined: there is no such run. */
  async stored(run: string): Promise<StoredRun | undefined> {
    const sql = `SELECT r.*, g.definition FROM runs r LEFT JOIN sagas g ON g.key = r.saga
      WHERE r.run = ?`;
    const [rows] = await this.#queue.read([{ sql, params: [run] }]);
    const row = rows?.[0];
    if (row === undefined) return undefined;
    const { name, version } = definitionOf(row);
    return {
      run,
      saga: name,
      version,
      by: storedJson<By>(row.by, `the starter of run ${run}`),
      inputs: storedJson<StoredRun["inputs"]>(row.inputs, `the inputs of run ${run}`),
      state: String(row.state),
      startedTs: Number(row.started_ts),
      ...(row.ended_ts === null ? {} : { endedTs: Number(row.ended_ts) }),
    };
  }

  /**
   * A run as its rows leave it, whether or not it has ended; undefined: there is none, it has more
   * rows than that, or its rows are not what this engine would have written.
   */
  async replayed(run: string, rowsMax: number): Promise<Run | undefined> {
    const [rows, newest] = await this.#queue.read([
      { sql: `${openColumns} WHERE r.run = ?`, params: [run] },
      {
        sql: `SELECT max(seq) AS seq FROM run_events WHERE run = ?
          UNION ALL SELECT max(last) FROM archive WHERE run = ?`,
        params: [run, run],
      },
    ]);
    if ((newest ?? []).some(({ seq }) => Number(seq ?? 0) > rowsMax)) return undefined;
    const [loaded] = await this.#replayAll(rows ?? []);
    return loaded?.trusted === true ? loaded.run : undefined;
  }

  /** Up to `limit` rows of a run after `after`, from the archive and from the journal. */
  async history(run: string, after: number, limit: number): Promise<readonly HistoryRow[]> {
    const rows = await this.#page(run, after, limit);
    return rows.map(({ seq, type, data, at }) => {
      return { seq: Number(seq), type: String(type), data: String(data), at: Number(at) };
    });
  }

  /** A new run, with whatever has to be true together with it. Rejects when the disk is full. */
  async create(
    input: NewRun,
    turn: RunTurn,
    nowMs: Ms,
    beside: readonly Statement[],
  ): Promise<void> {
    const { run, key, saga, by, ts } = input;
    const { state } = turn;
    const shown = publishedState(state);
    const held = heldDevices(state).join();
    this.#tails.set(run, { seq: 0, snapshotSeq: 0, state: shown, held });
    const kept = this.#sagaText(saga);
    const { inputs = {}, waits = false } = input;
    const row: Statement = {
      sql: `INSERT INTO runs
          (run, key, saga, by, started_ts, started_ms, state, inputs, waits, claim)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      params: [
        run,
        key,
        kept.key,
        JSON.stringify(by),
        ts,
        nowMs,
        shown,
        JSON.stringify(inputs),
        waits ? 1 : 0,
        this.#queue.epoch ?? 0,
      ],
    };
    // Left over from a start of the same name that never reached the disk.
    const strays: Statement = { sql: "DELETE FROM run_events WHERE run = ?", params: [run] };
    const rows = this.#rows(run, rowsOf(undefined, turn.effects), ts);
    const locks = lock(state);
    const statements = [...kept.statements, strays, row, ...locks, ...rows, ...beside];
    try {
      await this.#queue.write(statements, { durable: true, mayFail: true, point: "start" });
    } catch (thrown) {
      this.#tails.delete(run);
      // It may have been granted its devices meanwhile, and that is written whatever happens.
      const sql = "DELETE FROM locks WHERE run = ?";
      void this.#queue.write([{ sql, params: [run] }], { durable: false });
      throw thrown;
    }
    this.#known.add(kept.key);
  }

  /** One decision: the event, the intents it lets leave, and whatever stands beside them. */
  append(event: RunEvent, turn: RunTurn, nowMs: Ms, beside: readonly Statement[]): Promise<void> {
    const { state, effects } = turn;
    const ended = isEnded(state);
    const rows = this.#rows(state.run, rowsOf({ nowMs, ...event }, effects), event.ts);
    const statements = [...rows, ...this.#changes(state), ...beside];
    if (ended) this.#tails.delete(state.run);
    const intent = effects.find((effect) => effect.kind === "send" && effect.intent !== undefined);
    const isSafe = intent?.kind === "send" && intent.intent?.part === "makeSafe";
    const intended = isSafe ? "makeSafe" : intent === undefined ? "decision" : "intent";
    const point = ended ? "end" : intended;
    // An acceptance changes no decision after a crash: it need not wait for the disk. Nor does the
    // return of the leases: after a crash of the PC the run ends again, the same way.
    const lazy = event.kind === "accepted";
    const durable = !lazy && event.kind !== "released";
    const committed = this.#queue.write(statements, { durable, lazy, point });
    if (ended) void committed.then(() => this.onEnded(state.run));
    return committed;
  }

  /** What a decision changes beside the journal: the run's row, its locks, its snapshot. */
  #changes(run: Run): Statement[] {
    const tail = this.#tails.get(run.run);
    if (tail === undefined) return [];
    const { phase } = run;
    const state = publishedState(run);
    const endedTs = "endedTs" in phase ? phase.endedTs : null;
    const changed = state !== tail.state || endedTs !== null;
    const update: Statement = {
      sql: "UPDATE runs SET state = ?, ended_ts = ? WHERE run = ?",
      params: [state, endedTs, run.run],
    };
    const held = heldDevices(run).join();
    const locks = held === tail.held ? [] : [unlock(run), ...lock(run)];
    const waits = changed && (state === "stopped" || state === "needsOperator");
    const snapshot = waits || tail.seq - tail.snapshotSeq >= rowsToSnapshot(run);
    tail.state = state;
    tail.held = held;
    if (snapshot) tail.snapshotSeq = tail.seq;
    return [
      ...(changed ? [update] : []),
      ...locks,
      ...(snapshot ? [this.#snapshot(run, tail.seq)] : []),
    ];
  }

  #snapshot(run: Run, seq: number): Statement {
    const sql = "INSERT OR REPLACE INTO snapshots (run, seq, engine, state) VALUES (?, ?, ?, ?)";
    return { sql, params: [run.run, seq, this.#engine, snapshotOf(run)] };
  }

  #rows(
    run: string,
    rows: readonly { readonly type: string; readonly data: string }[],
    at: number,
  ): Statement[] {
    const tail = this.#tails.get(run);
    return rows.map(({ type, data }) => {
      const seq = (tail?.seq ?? 0) + 1;
      if (tail !== undefined) tail.seq = seq;
      return {
        sql: "INSERT INTO run_events (run, seq, type, data, at) VALUES (?, ?, ?, ?, ?)",
        params: [run, seq, type, data, at],
      };
    });
  }

  /** The saga's text is kept once for all runs of it. */
  #sagaText(saga: SagaDefinition) {
    const text = this.#sagas.get(saga)?.text ?? JSON.stringify(saga);
    const key = this.#sagas.get(saga)?.key ?? keyOf(saga, text);
    this.#sagas.set(saga, { key, text });
    const sql = "INSERT OR IGNORE INTO sagas (key, definition) VALUES (?, ?)";
    return { key, statements: this.#known.has(key) ? [] : [{ sql, params: [key, text] }] };
  }

  async #replayAll(rows: readonly Row[]): Promise<LoadedRun[]> {
    const loaded: LoadedRun[] = [];
    const sagas = new Map<string, SagaDefinition>();
    for (const row of rows) {
      const key = String(row.saga);
      const saga = sagas.get(key) ?? definitionOf(row);
      sagas.set(key, saga);
      const replay = new Replay(row, saga, this.#engine);
      for (;;) {
        const page = await this.#page(String(row.run), replay.seq, pageRows);
        replay.feed(page);
        if (page.length === 0) break;
      }
      loaded.push(replay.result());
    }
    return loaded;
  }

  async #page(run: string, after: number, limit: number): Promise<readonly Row[]> {
    const packs = Math.ceil(limit / portionMax) + 1;
    const [old, hot] = await this.#queue.read([
      {
        sql: `SELECT json_extract(e.value, '$[0]') AS seq, json_extract(e.value, '$[1]') AS type,
            json_extract(e.value, '$[2]') AS data, json_extract(e.value, '$[3]') AS at
          FROM (SELECT events FROM archive WHERE run = ? AND last > ? ORDER BY first LIMIT ?) a,
            json_each(unpack(a.events)) e
          WHERE json_extract(e.value, '$[0]') > ? ORDER BY seq LIMIT ?`,
        params: [run, after, packs, after, limit],
      },
      {
        sql: `SELECT seq, type, data, at FROM run_events WHERE run = ? AND seq > ?
          ORDER BY seq LIMIT ?`,
        params: [run, after, limit],
      },
    ]);
    const last = old?.at(-1);
    if (old === undefined || last === undefined) return hot ?? [];
    const joins = hot?.[0] !== undefined && Number(hot[0].seq) === Number(last.seq) + 1;
    return joins ? [...old, ...(hot ?? [])].slice(0, limit) : old;
  }

  /** Locks are true by construction; a file from before them gets those of its open runs. */
  #mendLocks(loaded: readonly LoadedRun[], locks: readonly Row[]): void {
    const held = loaded.flatMap(({ run }) => heldDevices(run).map((device) => [device, run.run]));
    const said = locks.map(({ device, run }) => `${device} ${run}`);
    const right = held.map((pair) => pair.join(" ")).sort();
    const statements: Statement[] = [
      { sql: "DELETE FROM sagas WHERE key NOT IN (SELECT saga FROM runs)" },
    ];
    if (said.join() !== right.join()) {
      const sql = "INSERT OR IGNORE INTO locks (device, run) VALUES (?, ?)";
      statements.push({ sql: "DELETE FROM locks" }, ...held.map((params) => ({ sql, params })));
    }
    void this.#queue.write(statements, { durable: false, lazy: true });
  }
}

/** A snapshot is as long as its saga: so it never costs more than the rows that it stands for. */
function rowsToSnapshot({ steps }: Run): number {
  return Math.max(snapshotEvery, steps.length / 2);
}

/** The devices a run takes. Two runs that hold one contradict each other: nothing is written. */
function lock(run: Run): Statement[] {
  const sql = "INSERT INTO locks (device, run) VALUES (?, ?)";
  return heldDevices(run).map((device) => ({ sql, params: [device, run.run] }));
}

function unlock(run: Run): Statement {
  return { sql: "DELETE FROM locks WHERE run = ?", params: [run.run] };
}

function keyOf(saga: SagaDefinition, text: string): string {
  return `${saga.name}/${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`;
}

/** Runs from before the table of sagas have the text in their own row. */
function definitionOf(row: Row): SagaDefinition {
  const text = row.definition ?? row.saga;
  const saga = storedJson<SagaDefinition>(text, `the saga of run ${row.run}`);
  const isOne = Array.isArray(saga.steps) && Array.isArray(saga.uses);
  // A digit that has turned would move an axis somewhere else.
  const isSame = row.definition === null || keyOf(saga, String(text)) === row.saga;
  if (isOne && isSame) return saga;
  const what = isOne ? "is not the one that it was started with" : "is none";
  throw new ServocellError("STORE_DAMAGED", `The saga of run ${row.run} in the database ${what}.`);
}
