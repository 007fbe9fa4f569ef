/**
 * A service's SQLite file behind the Store port; the work is done in a worker thread.
 *
 * The idea: the file is opened exclusively, so a second instance of a service is told so, with
 * the pid of the first, and drives nothing [PROTOCOL 18]. One connection serves durable and
 * other transactions: a second one would forbid the exclusive lock. What is durable waits until
 * the log is on the disk (sqlite-log.ts). It refuses more than a bounded number of waiting
 * requests.
 *
 * The worker is `sqlite-worker.js` beside this file. When this runs from TypeScript source (the
 * tests), the worker comes from the build in `dist/`, because Node 20 runs no TypeScript.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { type ErrorCode, ServocellError } from "../errors.js";
import type { Row, Statement, Store } from "../ports.js";
import type { StoreOutcome, StoreRequest } from "./sqlite-batch.js";
import { RequestWriter } from "./sqlite-wire.js";
import type { FromStore, StoreSetup, ToStore } from "./sqlite-worker.js";

/** Requests that may wait for the disk at a time. */
export const waitingMax = 4096;
/** Bound of `close`; then the thread is ended, which loses nothing that was acknowledged. */
const closeMaxMs = 5000;
const workerLimits = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

export interface StoreOptions {
  /**
   * Told once when the thread has ended and nobody asked for that: nothing is read or written any
   * more until the file is opened anew. @default whoever asks is told STORE_FAILED, no more
   */
  readonly onDead?: (failure: ServocellError) => void;
}

interface Waiting {
  resolve(rows: Row[][]): void;
  reject(error: ServocellError): void;
}

function workerUrl(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL("../../../dist/services/kernel/edge/sqlite-worker.js", import.meta.url)
    : new URL("./sqlite-worker.js", import.meta.url);
}

function holderOf(file: string): string {
  try {
    return readFileSync(`${file}.pid`, "utf8").trim() || "unknown";
  } catch {
    return "unknown";
  }
}

function refusal(file: string, failure: { code: ErrorCode; text: string; sqlite: string }) {
  if (failure.code !== "STORE_LOCKED") {
    return new ServocellError(failure.code, failure.text, { file, sqlite: failure.sqlite });
  }
  const pid = holderOf(file);
  return new ServocellError(
    "STORE_LOCKED",
    `Another instance (process ${pid}) holds ${file}; end it first.`,
    { file, pid },
  );
}

class SqliteStore implements Store {
  readonly file: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #requests = new RequestWriter();
  readonly #ended: Promise<void>;
  #nextId = 0;
  #closing = false;
  #dead: ServocellError | undefined;
  readonly #onDead: ((failure: ServocellError) => void) | undefined;

  constructor(file: string, worker: Worker, onDead: StoreOptions["onDead"]) {
    this.file = file;
    this.#onDead = onDead;
    this.#worker = worker;
    worker.on("message", (message: FromStore) => {
      if (message.kind === "outcomes") for (const one of message.outcomes) this.#settle(one);
    });
    worker.on("error", (error) => this.#die(`its thread failed: ${error.message}`));
    this.#ended = new Promise((resolve) => {
      worker.on("exit", () => {
        this.#die("it is closed");
        resolve();
      });
    });
  }

  tx(statements: readonly Statement[], how: { readonly durable: boolean }): Promise<Row[][]> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (this.#closing) return Promise.reject(this.#failed("it is closed"));
    if (this.#waiting.size >= waitingMax) {
      return Promise.reject(this.#failed(`${waitingMax} requests are waiting for the disk`));
    }
    this.#nextId += 1;
    const request: StoreRequest = { id: this.#nextId, statements, durable: how.durable };
    return new Promise((resolve, reject) => {
      const text = this.#requests.write(request);
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.postMessage(text satisfies ToStore);
    });
  }

  /** Everything asked for before is done first. */
  async close(): Promise<void> {
    if (!this.#closing && this.#dead === undefined) {
      this.#closing = true;
      this.#worker.postMessage({ kind: "close" } satisfies ToStore);
    }
    const limit = setTimeout(() => void this.#worker.terminate(), closeMaxMs);
    await this.#ended;
    clearTimeout(limit);
    rmSync(`${this.file}.pid`, { force: true });
  }

  #settle(outcome: StoreOutcome): void {
    const waiting = this.#waiting.get(outcome.id);
    this.#waiting.delete(outcome.id);
    if (outcome.ok) {
      waiting?.resolve(outcome.rows);
      return;
    }
    const { code, text, sqlite } = outcome;
    waiting?.reject(new ServocellError(code, text, { file: this.file, sqlite }));
  }

  #failed(why: string): ServocellError {
    return new ServocellError("STORE_FAILED", `The database ${this.file} failed: ${why}.`, {
      file: this.file,
    });
  }

  #die(why: string): void {
    const isFirst = this.#dead === undefined;
    this.#dead ??= this.#failed(why);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
    if (isFirst && !this.#closing) this.#onDead?.(this.#dead);
  }
}

/**
 * Opens (or makes) the file and brings it to the newest schema; `schema` only grows at its end.
 * @throws STORE_LOCKED naming the holder's pid, STORE_FULL, STORE_FAILED.
 */
export function openStore(
  file: string,
  schema: readonly string[],
  { onDead }: StoreOptions = {},
): Promise<Store> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl(), {
      workerData: { file, schema } satisfies StoreSetup,
      resourceLimits: workerLimits,
      // Flags of the process are not the thread's: it has limits of its own.
      execArgv: [],
    });
    const fail = (text: string) => {
      reject(new ServocellError("STORE_FAILED", `The database ${file} failed: ${text}.`, { file }));
    };
    worker.once("error", (error) => fail(error.message));
    worker.once("exit", () => fail("its thread ended"));
    worker.once("message", (message: FromStore) => {
      if (message.kind === "refused") return reject(refusal(file, message.failure));
      // Only names the holder for a second instance; the lock itself is the database's.
      writeFileSync(`${file}.pid`, `${process.pid}\n`);
      resolve(new SqliteStore(file, worker, onDead));
    });
  });
}
