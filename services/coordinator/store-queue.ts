/**
 * The one way to the coordinator's store: in order, several decisions to a transaction.
 *
 * The idea: what waits while a transaction is under way goes into the next one together, so the
 * order on the disk is the order of the decisions and a burst costs one wait for the disk. When
 * the disk is full nothing is lost and nothing overtakes: the same writes are tried again until
 * there is space, and only writes that may fail (the start of a run) are given back at once. It
 * refuses to grow without bound: then the process ends and the leases with it.
 */
import { codeOf, type ErrorCode, ServocellError, textOf } from "#kernel/errors.js";
import type { Log, Row, Statement, Store } from "#kernel/ports.js";

/** Statements in one transaction. */
const batchMax = 256;
/** Writes that may wait while the disk is full. */
export const waitingMax = 20_000;
/** Pause before a failed transaction is tried again. */
export const againMs = 250;
/** A database that fails for another reason than space does not come back by itself. */
const failuresMax = 40;

interface Entry {
  readonly statements: readonly Statement[];
  readonly durable: boolean;
  readonly mayFail: boolean;
  readonly resolve: () => void;
  readonly reject: (thrown: unknown) => void;
}

export class StoreQueue {
  readonly #store: Store;
  readonly #log: Log;
  #waiting: Entry[] = [];
  #pumping: Promise<void> | undefined;
  #trouble: ErrorCode | undefined;
  #failures = 0;
  #closed = false;
  /** Told when the store stops taking writes, and when it takes them again. */
  onTrouble: (code: ErrorCode | undefined) => void = () => undefined;

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

  read(statements: readonly Statement[]): Promise<Row[][]> {
    return this.#store.tx(statements, { durable: false });
  }

  /** Resolves when it is on the disk; rejects only where it may fail. */
  write(
    statements: readonly Statement[],
    how: { readonly durable: boolean; readonly mayFail?: boolean },
  ): Promise<void> {
    if (this.#waiting.length >= waitingMax) {
      throw new ServocellError("INTERNAL", `${waitingMax} writes wait for the disk`);
    }
    const { durable, mayFail = false } = how;
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ statements, durable, mayFail, resolve, reject });
    });
    this.#pumping ??= this.#pump();
    return done;
  }

  /** Waits for what is under way; what cannot be written stays behind. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pumping;
    await this.#store.close();
  }

  async #pump(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        const statements = batch.flatMap((entry) => entry.statements);
        const durable = batch.some((entry) => entry.durable);
        await this.#store.tx(statements, { durable });
      } catch (thrown) {
        if (this.#closed) break;
        await this.#failed(batch, thrown);
        continue;
      }
      this.#succeeded();
      for (const entry of batch) entry.resolve();
    }
    this.#pumping = undefined;
  }

  #take(): Entry[] {
    const batch: Entry[] = [];
    let size = 0;
    for (const entry of this.#waiting) {
      size += entry.statements.length;
      if (batch.length > 0 && size > batchMax) break;
      batch.push(entry);
    }
    this.#waiting = this.#waiting.slice(batch.length);
    return batch;
  }

  async #failed(batch: readonly Entry[], thrown: unknown): Promise<void> {
    const code = codeOf(thrown);
    this.#failures += 1;
    if (code !== "STORE_FULL" && code !== "STORE_LOCKED" && this.#failures > failuresMax) {
      throw thrown;
    }
    const kept = batch.filter((entry) => !entry.mayFail);
    for (const entry of batch) if (entry.mayFail) entry.reject(thrown);
    this.#waiting = [...kept, ...this.#waiting];
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
