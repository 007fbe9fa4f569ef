/**
 * A journal with a long past: how long a start takes to find what is open in it.
 *
 * The idea: one real run is copied within the database until a million events stand there, beside
 * one open run that is long, and then the file is opened as a start does. It
 * refuses to make up rows of its own.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { SagaDefinition } from "#kernel/config/cell.js";
import { openStore } from "#kernel/edge/sqlite-store.js";
import { Journal } from "../../services/coordinator/journal.js";
import { coordinatorSchema } from "../../services/coordinator/schema.js";
import { StoreQueue } from "../../services/coordinator/store-queue.js";
import { BenchDesk, noopSaga, quiet } from "./saga-desk.js";

export interface OpenTimes {
  readonly events: number;
  readonly openMs: number;
}

/** Opens a journal of some `events` events: `openMs` until its open runs are whole. */
export async function openLongJournal(events: number): Promise<OpenTimes> {
  const dir = mkdtempSync(join(tmpdir(), "servocell-history-"));
  try {
    const file = join(dir, "saga.db");
    await oneOfEach(dir, 200);
    fill(file, events);
    const fromMs = performance.now();
    const store = await openStore(file, coordinatorSchema);
    const queue = new StoreQueue(store, quiet);
    const { runs } = await new Journal(queue, "bench").load("again");
    const openMs = performance.now() - fromMs;
    const [rows] = await store.tx([{ sql: "SELECT count(*) AS n FROM run_events" }], {
      durable: false,
    });
    await queue.close();
    const [open] = runs;
    if (runs.length !== 1 || open?.trusted !== true) throw new Error("the open run is not whole");
    return { events: Number(rows?.[0]?.n), openMs };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A run that has ended and one that is under way, whose process then dies. */
async function oneOfEach(dir: string, steps: number): Promise<void> {
  const desk = await BenchDesk.open(dir);
  await desk.run(noopSaga("a", 3));
  let sent = 0;
  const halfway = new Promise<void>((resolve) => {
    desk.takes = () => {
      sent += 1;
      if (sent < steps) return true;
      resolve();
      return false;
    };
  });
  const saga: SagaDefinition = noopSaga("b", steps + 1);
  void desk.run(saga).catch(() => undefined);
  await halfway;
  await desk.leave();
}

/** Copies the ended run under other names until there are enough rows. */
export function fill(file: string, events: number): void {
  const db = new Database(file);
  db.pragma("synchronous = OFF");
  const ended = db.prepare("SELECT run FROM runs WHERE ended_ts IS NOT NULL LIMIT 1").pluck().get();
  const rows = Number(
    db.prepare("SELECT count(*) FROM run_events WHERE run = ?").pluck().get(ended),
  );
  const copies = Math.ceil(events / rows);
  const many = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${copies})`;
  db.exec("BEGIN");
  const run = "'00' || printf('%024d', n.i)";
  db.prepare(
    `INSERT INTO runs (run, key, saga, by, started_ts, started_ms, state, ended_ts, inputs, claim)
      ${many} SELECT ${run}, key || n.i, saga, by, started_ts, started_ms, state,
        ended_ts - 1 - n.i, inputs, claim FROM n, runs WHERE run = ?`,
  ).run(ended);
  db.prepare(
    `INSERT INTO run_events (run, seq, type, data, at)
      ${many} SELECT ${run}, e.seq, e.type, e.data, e.at FROM n, run_events e WHERE e.run = ?`,
  ).run(ended);
  db.exec("COMMIT");
  db.close();
}
