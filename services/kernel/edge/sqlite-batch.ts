/**
 * Runs requests on one SQLite connection: the part that worker and in-memory store share.
 *
 * The idea: requests that wait together share one BEGIN IMMEDIATE … COMMIT, each inside its own
 * savepoint, so each keeps its own success or failure; one alone needs none. Synchronous from begin
 * to end, so no transaction can span an await. It refuses statements that would end or leave the
 * transaction.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import Database from "better-sqlite3";
import type { ErrorCode } from "../errors.js";
import type { Row, Statement } from "../ports.js";

export interface StoreRequest {
  readonly id: number;
  readonly statements: readonly Statement[];
  readonly durable: boolean;
}

/** Plain data, because it crosses a thread border. */
export type StoreOutcome =
  | { readonly id: number; readonly ok: true; readonly rows: Row[][] }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: ErrorCode;
      readonly text: string;
      readonly sqlite: string;
    };

/** Prepared statements kept per connection; the oldest is let go. */
const preparedMax = 256;
const forbidden =
  /^\s*(begin|commit|end|rollback|savepoint|release|attach|detach|vacuum|pragma)\b/i;

/** A statement gave or changed another number of rows than it had to. */
class OtherRows extends Error {}

/**
 * `pack(text)` and `unpack(blob)` in SQL: old rows are put away and read within the database, and
 * nothing of them crosses the thread's border. Nothing is nothing.
 */
function addPacking(db: Database.Database): void {
  const options = { deterministic: true, directOnly: true };
  db.function("pack", options, (text: unknown) => {
    return typeof text === "string" ? deflateRawSync(text) : null;
  });
  db.function("unpack", options, (blob: unknown) => {
    return Buffer.isBuffer(blob) ? inflateRawSync(blob).toString("utf8") : null;
  });
}

/** What SQLite said, as a code of ours and a sentence. */
export function storeFailure(
  thrown: unknown,
  file: string,
): { readonly code: ErrorCode; readonly text: string; readonly sqlite: string } {
  const sqlite = thrown instanceof Database.SqliteError ? thrown.code : "";
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof OtherRows) {
    return { code: "STORE_FENCED", text: `${file} was taken over: ${said}.`, sqlite };
  }
  if (sqlite === "SQLITE_FULL" || sqlite === "SQLITE_IOERR_WRITE") {
    return { code: "STORE_FULL", text: `No space left for ${file}; free disk space.`, sqlite };
  }
  if (sqlite.startsWith("SQLITE_BUSY") || sqlite === "SQLITE_LOCKED") {
    return { code: "STORE_LOCKED", text: `${file} is used by another process.`, sqlite };
  }
  if (sqlite.startsWith("SQLITE_CORRUPT") || sqlite === "SQLITE_NOTADB") {
    return { code: "STORE_DAMAGED", text: `The database ${file} is damaged: ${said}.`, sqlite };
  }
  return { code: "STORE_FAILED", text: `The database ${file} failed: ${said}.`, sqlite };
}

function expectRows(wanted: number | undefined, got: number): void {
  if (wanted === undefined || wanted === got) return;
  throw new OtherRows(`a statement met ${got} rows and not ${wanted}`);
}

export class SqliteConnection {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #flush: (() => void) | undefined;
  readonly #prepared = new Map<string, Database.Statement<unknown[]>>();
  readonly #begin: Database.Statement<unknown[]>;
  readonly #end: Database.Statement<unknown[]>;
  #full: boolean | undefined;

  /** `flush` brings the log to the disk; without it SQLite does, in its own way. */
  constructor(db: Database.Database, file: string, flush?: () => void) {
    this.#db = db;
    this.#file = file;
    this.#flush = flush;
    addPacking(db);
    if (flush !== undefined) db.pragma("synchronous = NORMAL");
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#end = db.prepare("COMMIT");
  }

  /**
   * Brings the file to the newest schema: element n is run once, when `user_version` is n. So
   * the list only ever grows at its end.
   */
  migrate(schema: readonly string[]): void {
    const at = Number(this.#db.pragma("user_version", { simple: true }));
    if (at > schema.length) {
      throw new Error(`it was written by a newer version of the service (schema ${at})`);
    }
    for (const [i, sql] of schema.entries()) {
      if (i < at) continue;
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        this.#db.exec(sql);
        this.#db.pragma(`user_version = ${i + 1}`);
        this.#db.exec("COMMIT");
      } catch (thrown) {
        if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
        throw thrown;
      }
    }
  }

  /**
   * One commit for all; when that fails as a whole, each is tried alone.
   * @throws when the disk does not take what has been committed: nobody knows what it has then,
   * and asking it again would only be told that all is well.
   */
  run(requests: readonly StoreRequest[]): StoreOutcome[] {
    const outcomes = this.#run(requests);
    const written = outcomes.some(({ ok }, i) => ok && requests[i]?.durable === true);
    if (written) this.#flush?.();
    return outcomes;
  }

  #run(requests: readonly StoreRequest[]): StoreOutcome[] {
    try {
      return this.#commit(requests);
    } catch (thrown) {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      const [only] = requests;
      if (requests.length === 1 && only !== undefined) {
        return [{ id: only.id, ok: false, ...storeFailure(thrown, this.#file) }];
      }
      return requests.flatMap((request) => this.#run([request]));
    }
  }

  /** Moves what the log holds into the file, so that the log starts again at its beginning. */
  checkpoint(): void {
    this.#db.pragma("wal_checkpoint(PASSIVE)");
  }

  close(): void {
    this.#prepared.clear();
    this.#db.close();
  }

  #commit(requests: readonly StoreRequest[]): StoreOutcome[] {
    if (this.#flush === undefined) this.#synchronous(requests.some(({ durable }) => durable));
    this.#begin.run();
    const [only] = requests;
    const outcomes =
      requests.length === 1 && only !== undefined
        ? [this.#alone(only)]
        : requests.map((request) => this.#one(request));
    this.#end.run();
    return outcomes;
  }

  /** What fails takes the transaction with it, and nobody else's work. */
  #alone(request: StoreRequest): StoreOutcome {
    const rows = request.statements.map((statement) => this.#statement(statement));
    return { id: request.id, ok: true, rows };
  }

  /** Some 10 µs a switch, against some 150 µs of an fsync that nobody asked for. */
  #synchronous(full: boolean): void {
    if (this.#full === full) return;
    this.#db.pragma(`synchronous = ${full ? "FULL" : "NORMAL"}`);
    this.#full = full;
  }

  #one(request: StoreRequest): StoreOutcome {
    this.#db.exec("SAVEPOINT request");
    try {
      const rows = request.statements.map((statement) => this.#statement(statement));
      this.#db.exec("RELEASE request");
      return { id: request.id, ok: true, rows };
    } catch (thrown) {
      // A full disk makes SQLite roll everything back by itself: then nobody succeeded.
      if (!this.#db.inTransaction) throw thrown;
      this.#db.exec("ROLLBACK TO request");
      this.#db.exec("RELEASE request");
      return { id: request.id, ok: false, ...storeFailure(thrown, this.#file) };
    }
  }

  #statement({ sql, params, rows }: Statement): Row[] {
    const statement = this.#prepare(sql);
    if (statement.reader) {
      const found = statement.all(...(params ?? [])) as Row[];
      expectRows(rows, found.length);
      return found;
    }
    const { changes } = statement.run(...(params ?? []));
    expectRows(rows, changes);
    return [];
  }

  #prepare(sql: string): Database.Statement<unknown[]> {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    if (forbidden.test(sql)) throw new Error(`"${sql}" has no place in a transaction of a store`);
    const statement = this.#db.prepare<unknown[]>(sql);
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size >= preparedMax && oldest !== undefined) this.#prepared.delete(oldest);
    this.#prepared.set(sql, statement);
    return statement;
  }
}
