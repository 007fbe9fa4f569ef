/**
 * Opens the file of a store: for one process alone, with a write-ahead log.
 *
 * The idea: how a file is opened decides what a crash can take from it, so it stands in one place,
 * for the thread of a service and for a world that kills services over real files. It refuses to
 * wait long for a file that another process has.
 */
import Database from "better-sqlite3";

/** How long an ending predecessor may still hold the file. */
const lockWaitMs = 250;

/** @throws SqliteError when the file is locked, damaged or not to be written. */
export function openDatabase(file: string): Database.Database {
  const db = new Database(file, { timeout: lockWaitMs });
  try {
    // Before anything else: then WAL keeps its index in memory and nobody else can join.
    db.pragma("locking_mode = EXCLUSIVE");
    db.pragma("journal_mode = WAL");
    // 1000 pages: checkpoints stay short and the log some 4 MB; the file is cut back to 8 MB.
    db.pragma("wal_autocheckpoint = 1000");
    db.pragma("journal_size_limit = 8388608");
    db.pragma("cache_size = -512");
    db.exec("BEGIN IMMEDIATE; COMMIT");
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}
