/**
 * A store without a thread, with the behaviour of the file store, for worlds and tests.
 *
 * The idea: the same SQL runs on the same engine, synchronously, and the answer comes with the
 * next microtask: no thread, no real time, and in memory no disk. One in memory refuses to survive
 * its process, but a crash in the world keeps it: close it only when the world ends.
 */
import Database from "better-sqlite3";
import { ServocellError } from "../errors.js";
import type { Row, Statement, Store } from "../ports.js";
import { SqliteConnection, storeFailure } from "./sqlite-batch.js";
import { openDatabase } from "./sqlite-open.js";

class SynchronousStore implements Store {
  readonly file: string;
  readonly #connection: SqliteConnection;
  #closed = false;
  #nextId = 0;

  constructor(schema: readonly string[], file: string, open: () => Database.Database) {
    this.file = file;
    try {
      this.#connection = new SqliteConnection(open(), file);
      this.#connection.migrate(schema);
    } catch (thrown) {
      const { code, text, sqlite } = storeFailure(thrown, file);
      throw new ServocellError(code, text, { sqlite }, thrown);
    }
  }

  async tx(statements: readonly Statement[], how: { readonly durable: boolean }): Promise<Row[][]> {
    if (this.#closed) throw new ServocellError("STORE_FAILED", "The database is closed.");
    this.#nextId += 1;
    const request = { id: this.#nextId, statements, durable: how.durable };
    const [outcome] = this.#connection.run([request]);
    if (outcome?.ok) return outcome.rows;
    const { code, text, sqlite } = outcome ?? storeFailure(new Error("no outcome"), this.file);
    throw new ServocellError(code, text, { sqlite });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }
}

/** @throws STORE_FAILED when the schema is faulty. */
export function openMemoryStore(schema: readonly string[]): Store {
  return new SynchronousStore(schema, "memory", () => new Database(":memory:"));
}

/** The same on a file. @throws STORE_LOCKED, STORE_FAILED */
export function openSynchronousStore(schema: readonly string[], file: string): Store {
  return new SynchronousStore(schema, file, () => openDatabase(file));
}
