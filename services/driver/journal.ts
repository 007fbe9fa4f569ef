/**
 * What a driver remembers across restarts: epoch, latches, commands; its events are outbox.ts'.
 *
 * The idea: everything is read once at start and mirrored in memory, so that no decision waits
 * for the disk; writes go out in order and only the epoch waits for it [PROTOCOL 10]. Commands are
 * kept for the life of their epoch and ten minutes, at most 1000; of those that leave before their
 * epoch has ended the id stays, for with it they would run again. It refuses to decide: it stores
 * what the machines say.
 */
import type { Verdict } from "#drivers/reading.js";
import { verdictSchema } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import { numberedOf, readNumbered } from "#kernel/outbox-table.js";
import type { Row, Statement, Store } from "#kernel/ports.js";
import { readJson } from "#kernel/stop-order.js";
import type { StoredFrame } from "./axis-frame.machine.js";

/** Rows of the inbox, at most. */
export const inboxMax = 1000;
/** Ids of the present epoch without their rows, at most; a start has no lease, so none on disk. */
export const spentMax = 100_000;
/** How long an id outlives its epoch. */
export const idKeptMs = 10 * 60_000;

export interface InboxEntry {
  readonly id: string;
  readonly body: string;
  readonly verb: string;
  readonly epoch: number;
  readonly status: "received" | "started" | "ended";
  readonly verdict?: Verdict;
  readonly target?: number;
  /** Wall clock. */
  readonly at: number;
}

export interface Remembered {
  readonly epoch: number;
  readonly latches: readonly string[];
  readonly resets: readonly string[];
  readonly inbox: readonly InboxEntry[];
  /** Numbers of events that earlier starts have claimed. */
  readonly numbered: number;
  readonly frame: StoredFrame | undefined;
}

const lazily = { durable: false } as const;

export class Journal {
  readonly #store: Store;
  readonly #inbox = new Map<string, InboxEntry>();
  readonly #spent = new Set<string>();
  #epoch = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async load(): Promise<Remembered> {
    const [facts, latches, resets, inbox, numbered, frame] = await this.#store.tx(
      [
        { sql: "SELECT value FROM fact WHERE name = 'epoch'" },
        { sql: "SELECT id FROM latch ORDER BY seq" },
        { sql: "SELECT id FROM latch_reset ORDER BY seq" },
        { sql: "SELECT * FROM inbox ORDER BY at" },
        readNumbered,
        { sql: "SELECT wraps, position, lost FROM axis_frame" },
      ],
      lazily,
    );
    this.#epoch = epochOf(facts?.[0]);
    const entries = (inbox ?? []).map(entryOf);
    for (const entry of entries) this.#inbox.set(entry.id, entry);
    return {
      epoch: this.#epoch,
      latches: (latches ?? []).map((row) => String(row.id)),
      resets: (resets ?? []).map((row) => String(row.id)),
      inbox: entries,
      numbered: numberedOf(numbered),
      frame: frameOf(frame?.[0]),
    };
  }

  known(id: string): InboxEntry | undefined {
    return this.#inbox.get(id);
  }

  /** It has had its verdict in the present epoch, and nobody knows any more which. */
  isSpent(id: string): boolean {
    return this.#spent.has(id);
  }

  /** The one write that waits for the disk: a number that is handed out never comes back. */
  async saveEpoch(epoch: number): Promise<void> {
    const sql = "INSERT OR REPLACE INTO fact (name, value) VALUES ('epoch', ?)";
    await this.#store.tx([{ sql, params: [epoch] }], { durable: true });
    this.#epoch = epoch;
    this.#spent.clear();
  }

  async saveLatches(latches: readonly string[], resets: readonly string[]): Promise<void> {
    const rows = (table: string, ids: readonly string[]): Statement[] => [
      { sql: `DELETE FROM ${table}` },
      ...ids.map((id, seq) => ({
        sql: `INSERT INTO ${table} (seq, id) VALUES (?, ?)`,
        params: [seq, id],
      })),
    ];
    await this.#store.tx([...rows("latch", latches), ...rows("latch_reset", resets)], lazily);
  }

  /** The mirror at once, the row in order; a repeat is known from this moment on. */
  async save(entry: InboxEntry): Promise<void> {
    this.#inbox.set(entry.id, entry);
    const statements = [...this.#prune(entry.at), put(entry)];
    await this.#store.tx(statements, lazily);
  }

  /** For a command whose row could not be written: as if it had never come. */
  forget(id: string): void {
    this.#inbox.delete(id);
  }

  async saveFrame({ wraps, position, lost }: StoredFrame): Promise<void> {
    const sql =
      "INSERT OR REPLACE INTO axis_frame (one, wraps, position, lost) VALUES (1, ?, ?, ?)";
    await this.#store.tx([{ sql, params: [wraps, position, lost ?? null] }], lazily);
  }

  #spend(id: string): void {
    this.#spent.add(id);
    const oldest = this.#spent.values().next().value;
    if (this.#spent.size > spentMax && oldest !== undefined) this.#spent.delete(oldest);
  }

  #prune(nowWallMs: number): Statement[] {
    if (this.#inbox.size <= inboxMax) return [];
    const old = [...this.#inbox.values()].filter((entry) => {
      const ended = entry.status === "ended" && entry.epoch < this.#epoch;
      return ended && nowWallMs - entry.at > idKeptMs;
    });
    const over = this.#inbox.size - inboxMax;
    // Nothing is old enough: the bound holds all the same. Ids of ended epochs leave first, for
    // their commands are refused by the epoch alone.
    const ended = [...this.#inbox.values()].filter((entry) => entry.status === "ended");
    const past = ended.filter((entry) => entry.epoch < this.#epoch);
    const present = ended.filter((entry) => entry.epoch >= this.#epoch);
    const leaving = old.length > 0 ? old : [...past, ...present].slice(0, over);
    for (const entry of leaving) {
      this.#inbox.delete(entry.id);
      if (entry.epoch >= this.#epoch) this.#spend(entry.id);
    }
    return leaving.map(({ id }) => ({ sql: "DELETE FROM inbox WHERE id = ?", params: [id] }));
  }
}

function put(entry: InboxEntry): Statement {
  const { id, body, verb, epoch, status, verdict, target, at } = entry;
  return {
    sql: `INSERT OR REPLACE INTO inbox (id, body, verb, epoch, status, verdict, target, at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    params: [
      ...[id, body, verb, epoch, status],
      verdict === undefined ? null : JSON.stringify(verdict),
      target ?? null,
      at,
    ],
  };
}

function entryOf(row: Row): InboxEntry {
  const status = row.status === "received" || row.status === "started" ? row.status : "ended";
  const verdict = typeof row.verdict === "string" ? verdictOf(row.verdict) : undefined;
  return {
    id: String(row.id),
    body: String(row.body),
    verb: String(row.verb),
    epoch: Number(row.epoch),
    status,
    at: Number(row.at),
    ...(verdict === undefined ? {} : { verdict }),
    ...(typeof row.target === "number" ? { target: row.target } : {}),
  };
}

function frameOf(row: Row | undefined): StoredFrame | undefined {
  if (row === undefined) return undefined;
  const base = { wraps: Number(row.wraps), position: Number(row.position) };
  if (!Number.isSafeInteger(base.wraps) || !Number.isFinite(base.position)) {
    return { wraps: 0, position: 0, lost: "what the database keeps of it cannot be read" };
  }
  return typeof row.lost === "string" ? { ...base, lost: row.lost } : base;
}

/** A number that may have been handed out before must not be handed out again. */
function epochOf(row: Row | undefined): number {
  const epoch = row === undefined ? 0 : row.value;
  if (typeof epoch === "number" && Number.isSafeInteger(epoch) && epoch >= 0) return epoch;
  throw new ServocellError(
    "STORE_DAMAGED",
    "The epoch in the database of the driver is no number.",
  );
}

/** Undefined: nobody can read it, so the outcome is not known any more. */
function verdictOf(text: string): Verdict | undefined {
  const { data: verdict } = verdictSchema.safeParse(readJson(text));
  if (verdict === undefined) return undefined;
  if (verdict.verdict === "done") return verdict;
  const { detail, ...rest } = verdict;
  return detail === undefined ? rest : { ...rest, detail };
}
