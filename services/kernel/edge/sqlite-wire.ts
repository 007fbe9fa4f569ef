/**
 * How requests cross the border between a service and its database thread.
 *
 * The idea: one text per request. Cloning a decision's dozen small objects costs the loop that
 * moves axes some 100 µs, writing them as JSON a tenth of it; and an SQL text crosses once, after
 * that its number does. It refuses values that JSON would change.
 */
import type { Statement } from "../ports.js";
import type { StoreRequest } from "./sqlite-batch.js";

/** SQL texts that are known by number; others are sent whole. */
const knownMax = 512;

type Value = string | number | null;
/** The number of the SQL text, or the text itself; its parameters; how many rows it must meet. */
type Packed = readonly [number | string, readonly Value[], number?];

export class RequestWriter {
  readonly #known = new Map<string, number>();

  /** @throws RangeError on a number that is none. */
  write(request: StoreRequest): string {
    // All of it first: a text that gets a number has to cross.
    for (const statement of request.statements) checkValues(statement);
    const packed = request.statements.map((statement) => this.#pack(statement));
    return JSON.stringify([request.id, request.durable ? 1 : 0, packed]);
  }

  #pack({ sql, params = [], rows }: Statement): Packed {
    const text = this.#numberOf(sql);
    return rows === undefined ? [text, params] : [text, params, rows];
  }

  /** The first time the text itself goes, and counts from then on as the next number. */
  #numberOf(sql: string): number | string {
    const known = this.#known.get(sql);
    if (known !== undefined) return known;
    if (this.#known.size < knownMax) this.#known.set(sql, this.#known.size);
    return sql;
  }
}

function checkValues({ sql, params = [] }: Statement): void {
  for (const value of params) {
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new RangeError(`${value} is no value of a database, in: ${sql}`);
    }
  }
}

export class RequestReader {
  readonly #known: string[] = [];

  read(text: string): StoreRequest {
    const [id, durable, packed] = JSON.parse(text) as [number, number, Packed[]];
    return { id, durable: durable === 1, statements: packed.map((one) => this.#unpack(one)) };
  }

  #unpack([text, params, rows]: Packed): Statement {
    if (typeof text === "string" && this.#known.length < knownMax) this.#known.push(text);
    const sql = typeof text === "string" ? text : this.#known[text];
    if (sql === undefined) throw new RangeError(`no SQL text has the number ${text}`);
    return rows === undefined ? { sql, params } : { sql, params, rows };
  }
}
