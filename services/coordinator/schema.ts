/**
 * The tables of the coordinator's own database, and nothing else.
 *
 * The idea: one list of statements, each run once. The saga of a run is kept in the text it was
 * started with, so that another saga file never changes a run that is open. Who holds a device is
 * a row as well, written with the run's start and gone with its end. It refuses updates of
 * `run_events`: the journal only grows, and what has ended moves to `archive` as it is.
 */
import { outboxTables } from "#kernel/outbox-table.js";

/** Element n is run once, when the file is at schema n: the list only grows at its end. */
export const coordinatorSchema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS runs (
      run TEXT PRIMARY KEY, key TEXT NOT NULL, saga TEXT NOT NULL, by TEXT NOT NULL,
      started_ts REAL NOT NULL, started_ms REAL NOT NULL, state TEXT NOT NULL, ended_ts REAL)`,
  "CREATE INDEX IF NOT EXISTS runs_ended ON runs (ended_ts)",
  `CREATE TABLE IF NOT EXISTS run_events (
      run TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL,
      at REAL NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS outbox (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS requests (
      id TEXT PRIMARY KEY, body TEXT NOT NULL, answer TEXT NOT NULL, at REAL NOT NULL)`,
  "CREATE TABLE IF NOT EXISTS latches (id TEXT PRIMARY KEY, latch TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
  "ALTER TABLE runs ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}'",
  // The start of the coordinator that began the run.
  "ALTER TABLE runs ADD COLUMN claim INTEGER NOT NULL DEFAULT 0",
  // 1: its events stand in the archive.
  "ALTER TABLE runs ADD COLUMN archived INTEGER NOT NULL DEFAULT 0",
  "CREATE INDEX runs_ripe ON runs (ended_ts) WHERE archived = 0 AND ended_ts IS NOT NULL",
  "ALTER TABLE runs ADD COLUMN events INTEGER NOT NULL DEFAULT 0",
  "CREATE INDEX runs_archived ON runs (ended_ts, events) WHERE archived = 1",
  // `runs.saga` is the key of a text here, or (from before) the text itself.
  "CREATE TABLE sagas (key TEXT PRIMARY KEY, definition TEXT NOT NULL)",
  "CREATE INDEX runs_saga ON runs (saga)",
  `CREATE TABLE claims (
      name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, holder TEXT NOT NULL, at REAL NOT NULL)`,
  "CREATE TABLE locks (device TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID",
  "CREATE INDEX locks_run ON locks (run)",
  `CREATE TABLE snapshots (
      run TEXT PRIMARY KEY, seq INTEGER NOT NULL, engine TEXT NOT NULL, state TEXT NOT NULL)`,
  // Up to `portionMax` events of one run, packed: [[seq, type, data, at], …].
  `CREATE TABLE archive (
      run TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, events BLOB NOT NULL,
      PRIMARY KEY (run, first)) WITHOUT ROWID`,
  // 1: begun as one that waits for devices of other runs.
  "ALTER TABLE runs ADD COLUMN waits INTEGER NOT NULL DEFAULT 0",
  ...outboxTables,
  // Up to which number the events of a source have been dealt with.
  "CREATE TABLE heard (source TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
];
