/**
 * The one way to the coordinator's store: in order, several decisions to a transaction.
 *
 * The idea: what waits while a transaction is under way goes into the next one together, so the
 * order on the disk is the order of the decisions and a burst costs one wait for the disk. Every
 * transaction proves first that this start still holds the claim on the database: a second
 * coordinator, or what is left of an old one, can never write [SG-06]. When the disk is full
 * nothing is lost and nothing overtakes: the same writes are tried again until there is space, and
 * only writes that may fail (the start of a run) are given back at once. It refuses to grow
 * without bound: then the process ends and the leases with it.
 */
import { codeOf, type ErrorCode, ServocellError, textOf } from "#kernel/errors.js";
import type { Log, Row, Statement, Store } from "#kernel/ports.js";
import { crashPoint } from "./crash-points.js";

/** Statements in one transaction. */
const batchMax = 256;
/** Writes that may wait while the disk is full. */
export const waitingMax = 20_000;
/** Pause before a failed transaction is tried again. */
export const againMs = 250;
/** A database that fails for another reason than space does not come back by itself. */
const failuresMax = 40;
/** A write that nobody waits for goes with the next one, or after this time. */
export const lazyMsMax = 20;

const claimName = "coordinator";

export interface WriteHow {
  /** Waits for the disk. */
  readonly durable: boolean;
  /** Given back when it cannot be written now. */
  readonly mayFail?: boolean;
  /** Nobody waits for it: it may share the transaction of the next write. */
  readonly lazy?: boolean;
  /** What dies here in a test; see crash-points.ts. */
  readonly point?: CommitPoint;
}
export type CommitPoint = "start" | "intent" | "decision" | "makeSafe" | "end" | "archive";

interface Entry extends WriteHow {
  readonly statements: readonly Statement[];
  readonly resolve: () => void;
  readonly reject: (thrown: unknown) => void;
}

export class StoreQueue {
  readonly #store: Store;
  readonly #log: Log;
  #waiting: Entry[] = [];
  #pumping: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flush = false;
  #trouble: ErrorCode | undefined;
  #failures = 0;
  /** So many of the next writes go one by one, so that one that cannot be harms no other. */
  #alone = 0;
  #closed = false;
  #lost = false;
  #holder: string | undefined;
  #epoch: number | undefined;
  /** The claim is under way: a write beside it would claim once more, and fence this start off. */
  #opening = false;
  /** Told when the store stops taking writes, and when it takes them again. */
  onTrouble: (code: ErrorCode | undefined) => void = () => undefined;
  /** Another start holds the database now. By default this ends the process, and its leases. */
  onFenced: ((thrown: unknown) => void) | undefined;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Why nothing can be written at present. */
  get trouble(): ErrorCode | undefined {
    return this.#trouble;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** The number of this start's claim; undefined before it is on the disk. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /**
   * Takes the database over and reads in the same transaction: whoever had it before writes
   * nothing any more. With a full disk it only reads, and claims with its first write.
   */
  async open(holder: string, statements: readonly Statement[]): Promise<Row[][]> {
    this.#holder = holder;
    this.#opening = true;
    try {
      const [claim, ...rows] = await this.#store.tx([claiming(holder), ...statements], {
        durable: true,
      });
      this.#epoch = Number(claim?.[0]?.epoch);
      return rows;
    } catch (thrown) {
      if (codeOf(thrown) !== "STORE_FULL") throw thrown;
      return await this.read(statements);
    } finally {
      this.#opening = false;
      this.#wake();
    }
  }

  read(statements: readonly Statement[]): Promise<Row[][]> {
    return this.#store.tx(statements, { durable: false });
  }

  /** Resolves when it is on the disk; rejects only where it may fail. */
  write(statements: readonly Statement[], how: WriteHow): Promise<void> {
    if (this.#waiting.length >= waitingMax) {
      throw new ServocellError("INTERNAL", `${waitingMax} writes wait for the disk`);
    }
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ statements, resolve, reject, ...how });
    });
    if (how.lazy !== true) this.#flush = true;
    this.#wake();
    return done;
  }

  /** Waits for what is under way; what cannot be written stays behind. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#flush = true;
    this.#wake();
    await this.#pumping;
    await this.#store.close();
  }

  #wake(): void {
    const isBusy = this.#pumping !== undefined || this.#opening;
    if (isBusy || this.#waiting.length === 0 || this.#lost) return;
    if (this.#flush) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#pumping = this.#pump();
    } else
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#flush = true;
        this.#wake();
      }, lazyMsMax);
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0 && this.#flush) {
      const batch = this.#take();
      try {
        const statements = [...this.#fence(), ...batch.flatMap((entry) => entry.statements)];
        const durable = batch.some((entry) => entry.durable);
        pass(batch, "before-commit");
        const posted = this.#store.tx(statements, { durable });
        pass(batch, "posted");
        const [first] = await posted;
        pass(batch, "after-commit");
        if (this.#holder !== undefined) this.#epoch ??= Number(first?.[0]?.epoch);
      } catch (thrown) {
        if (this.#closed) break;
        if (codeOf(thrown) === "STORE_FENCED") return this.#fenced(thrown);
        await this.#failed(batch, thrown);
        continue;
      }
      this.#succeeded();
      for (const entry of batch) entry.resolve();
    }
    this.#pumping = undefined;
    this.#wake();
  }

  /** What stands first in every transaction: the proof of the claim, or the claim itself. */
  #fence(): Statement[] {
    if (this.#holder === undefined) return [];
    if (this.#epoch === undefined) return [claiming(this.#holder)];
    const sql = "SELECT epoch FROM claims WHERE name = ? AND epoch = ?";
    return [{ sql, params: [claimName, this.#epoch], rows: 1 }];
  }

  #take(): Entry[] {
    const batch: Entry[] = [];
    let size = 0;
    for (const entry of this.#waiting) {
      size += entry.statements.length;
      if (batch.length > 0 && (size > batchMax || this.#alone > 0)) break;
      batch.push(entry);
    }
    if (this.#alone > 0) this.#alone -= 1;
    this.#waiting = this.#waiting.slice(batch.length);
    this.#flush = this.#waiting.some((entry) => entry.lazy !== true) || this.#closed;
    return batch;
  }

  /** Nothing that waits is ever written or carried out: another start decides now. */
  #fenced(thrown: unknown): void {
    this.#lost = true;
    this.#waiting = [];
    this.#log.error({ mark: "store.fenced", error: textOf(thrown) }, "The database is another's.");
    if (this.onFenced === undefined) throw thrown;
    this.onFenced(thrown);
  }

  async #failed(batch: readonly Entry[], thrown: unknown): Promise<void> {
    const code = codeOf(thrown);
    this.#failures += 1;
    const kept = batch.filter((entry) => !entry.mayFail);
    if (code !== "STORE_FULL" && code !== "STORE_LOCKED") {
      // Rows that contradict each other do so again: a broken assumption ends the process.
      const hopeless = batch.length === 1 && kept.length === 1 && isContradiction(thrown);
      if (hopeless || this.#failures > failuresMax) throw thrown;
      if (batch.length > 1) {
        this.#alone = batch.length;
        this.#waiting = [...batch, ...this.#waiting];
        this.#flush = true;
        return;
      }
    }
    for (const entry of batch) if (entry.mayFail) entry.reject(thrown);
    this.#waiting = [...kept, ...this.#waiting];
    this.#flush = true;
    if (kept.length === 0 && isContradiction(thrown)) return;
    if (this.#trouble !== code) {
      this.#log.error({ mark: "store.trouble", code, error: textOf(thrown) }, "No writing now.");
      this.#trouble = code;
      this.onTrouble(code);
    }
    await new Promise<void>((resolve) => setTimeout(resolve, againMs));
  }

  #succeeded(): void {
    this.#failures = 0;
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#log.info({ mark: "store.back" }, "The store takes writes again.");
    this.onTrouble(undefined);
  }
}

function pass(batch: readonly Entry[], at: "before-commit" | "posted" | "after-commit"): void {
  for (const { point } of batch) if (point !== undefined) crashPoint(`${point}.${at}`);
}

function claiming(holder: string): Statement {
  return {
    sql: `INSERT INTO claims (name, epoch, holder, at) VALUES (?, 1, ?, ?)
      ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1, holder = excluded.holder, at = excluded.at
      RETURNING epoch`,
    params: [claimName, holder, Date.now()],
  };
}

function isContradiction(thrown: unknown): boolean {
  if (!(thrown instanceof ServocellError)) return false;
  return String(thrown.detail.sqlite ?? "").startsWith("SQLITE_CONSTRAINT");
}
