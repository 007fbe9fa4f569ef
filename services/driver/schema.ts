/**
 * The tables of a driver's own database, and nothing else.
 *
 * The idea: a list of changes that only ever grows at its end; the store runs each once. Commands
 * keep their whole body, so that "same id, other body" is seen for certain. It refuses changes
 * that lose an epoch.
 */
import { outboxTables } from "#kernel/outbox-table.js";

export const driverSchema: readonly string[] = [
  "CREATE TABLE fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
  "CREATE TABLE latch (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
  "CREATE TABLE latch_reset (seq INTEGER PRIMARY KEY, id TEXT NOT NULL)",
  `CREATE TABLE inbox (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, verb TEXT NOT NULL, epoch INTEGER NOT NULL,
    status TEXT NOT NULL, verdict TEXT, target REAL, at REAL NOT NULL)`,
  `CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL)`,
  "CREATE TABLE axis_frame (one INTEGER PRIMARY KEY, wraps INTEGER, position REAL, lost TEXT)",
  ...outboxTables,
];
