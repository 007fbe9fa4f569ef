/**
 * The tables of the coordinator's own database, and nothing else.
 *
 * The idea: one list of statements that may run at every start. A run's saga stands beside it in
 * the text it was started with, so that another saga file never changes a run that is open. It
 * refuses updates of `run_events`: the journal only grows, and leaves with its run.
 */
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
];
