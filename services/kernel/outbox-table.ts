/**
 * The outbox of a service on its disk: two tables, and the statements over them.
 *
 * The idea: drivers and coordinator keep their events the same way. A row is one page of the log,
 * at the end of a table without any index; what is acknowledged goes by one statement for all.
 * Numbers are taken from the disk in blocks before they are given, so that one that was published
 * is never given again, whatever a power cut takes. It refuses to know who reads.
 */
import { type CloudEvent, eventSchema } from "./contract/payloads.js";
import { type Heap, heapMax, heapMsMax } from "./outbox-book.js";
import type { Row, Statement } from "./ports.js";
import { readJson } from "./stop-order.js";

/** One event that has its number. */
export interface KeptEvent {
  readonly seq: number;
  /** Without the number, which is the row's. */
  readonly event: CloudEvent;
}

/** To stand at the end of a service's schema; the first table is the one that it replaces. */
export const outboxTables: readonly string[] = [
  "CREATE TABLE outgoing (seq INTEGER PRIMARY KEY, at REAL NOT NULL, event TEXT NOT NULL)",
  "INSERT INTO outgoing (seq, at, event) SELECT seq, unixepoch() * 1000.0, event FROM outbox",
  "DROP TABLE outbox",
  "CREATE TABLE numbered (one INTEGER PRIMARY KEY, up_to INTEGER NOT NULL)",
];

export const readNumbered: Statement = { sql: "SELECT up_to FROM numbered" };

/** What was claimed; where it cannot be read, the clock is above it (event-numbers.ts). */
export function numberedOf(rows: readonly Row[] | undefined): number {
  const upTo = rows?.[0]?.up_to;
  return typeof upTo === "number" && Number.isSafeInteger(upTo) && upTo >= 0 ? upTo : 0;
}

export function putNumbered(upTo: number): Statement {
  const sql = `INSERT INTO numbered (one, up_to) VALUES (1, ?)
    ON CONFLICT (one) DO UPDATE SET up_to = max(up_to, excluded.up_to)`;
  return { sql, params: [upTo] };
}

export function putEvent(seq: number, at: number, text: string): Statement {
  return {
    sql: "INSERT INTO outgoing (seq, at, event) VALUES (?, ?, ?)",
    params: [seq, at, text],
  };
}

export function dropEvents(upTo: number): Statement {
  return { sql: "DELETE FROM outgoing WHERE seq <= ?", params: [upTo] };
}

export function readEvents(after: number, upTo: number, limit: number): Statement {
  return {
    sql: "SELECT seq, event FROM outgoing WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
    params: [after, upTo, limit],
  };
}

/** Rows that are no events are told by their numbers, and left out. */
export function eventsOf(rows: readonly Row[], onSpoiled: (seq: number) => void): KeptEvent[] {
  return rows.flatMap((row) => {
    const seq = Number(row.seq);
    const read = eventSchema.safeParse(readJson(String(row.event)));
    if (read.success) return [{ seq, event: read.data }];
    onSpoiled(seq);
    return [];
  });
}

/** What is kept up to a number, counted. */
export function readHeaps(upTo: number): Statement {
  const sql = `SELECT min(seq) AS first, max(seq) AS last, count(*) AS count,
      sum(length(event)) AS bytes, min(at) AS at
    FROM (SELECT seq, at, event, row_number() OVER (ORDER BY seq) - 1 AS n,
        CAST(max(at) OVER (ORDER BY seq) / ${heapMsMax} AS INTEGER) AS span
      FROM outgoing WHERE seq <= ?)
    GROUP BY n / ${heapMax}, span ORDER BY last`;
  return { sql, params: [upTo] };
}

export function heapsOf(rows: readonly Row[] | undefined): Heap[] {
  return (rows ?? []).map(({ last, count, bytes, at }) => ({
    last: Number(last),
    count: Number(count),
    bytes: Number(bytes),
    at: Number(at),
  }));
}

/** Moves the numbers up to `upTo` beyond any that stands there. */
export function shiftEvents(by: number, upTo: number): Statement {
  return { sql: "UPDATE outgoing SET seq = seq + ? WHERE seq <= ?", params: [by, upTo] };
}
