/**
 * Ended runs move out of the way: their events are packed into the archive, the oldest leave.
 *
 * The idea: what is no longer shown is moved in small portions, each one transaction that inserts
 * the pack and deletes what it holds, so a crash between two portions loses nothing and a decision
 * waits at most for one portion. All of it is done inside the database. It refuses to hurry: a run
 * under way always goes first, and it refuses to keep history without a bound.
 */
import { textOf } from "#kernel/errors.js";
import type { Log, Statement } from "#kernel/ports.js";
import { endedShownMax, portionMax } from "./journal.js";
import type { StoreQueue } from "./store-queue.js";

/** Ended runs, and their events, that are kept in the archive. */
export const archivedRunsMax = 10_000;
export const archivedEventsMax = 2_000_000;
/** From the end of a run to the first portion, and between two portions. */
export const archiveAfterMs = 1000;
export const archivePauseMs = 50;
/** Runs of one portion, moved or leaving. */
const runsMax = 8;
/** Packs of a leaving run that are deleted in one portion. */
const packsMax = 4;

export interface ArchiveParts {
  readonly queue: StoreQueue;
  readonly log: Log;
  readonly runsKept?: number;
  readonly eventsKept?: number;
}

export class JournalArchive {
  readonly #parts: ArchiveParts;
  readonly #runsKept: number;
  readonly #eventsKept: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(parts: ArchiveParts) {
    this.#parts = parts;
    this.#runsKept = parts.runsKept ?? archivedRunsMax;
    this.#eventsKept = parts.eventsKept ?? archivedEventsMax;
  }

  /** A run has ended, or the coordinator has started: there may be something to move. */
  nudge(): void {
    this.#later(archiveAfterMs);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** One portion of each kind; true: there may be more. */
  async portion(): Promise<boolean> {
    const { queue } = this.#parts;
    const [ripe, kept, old] = await queue.read([
      {
        sql: `SELECT run FROM runs WHERE archived = 0 AND ended_ts IS NOT NULL
          ORDER BY ended_ts DESC LIMIT ? OFFSET ?`,
        params: [runsMax, endedShownMax],
      },
      { sql: "SELECT count(*) AS runs, total(events) AS events FROM runs WHERE archived = 1" },
      {
        sql: "SELECT run, events FROM runs WHERE archived = 1 ORDER BY ended_ts LIMIT ?",
        params: [runsMax],
      },
    ]);
    let runs = Number(kept?.[0]?.runs) - this.#runsKept;
    let events = Number(kept?.[0]?.events) - this.#eventsKept;
    const statements = (ripe ?? []).flatMap(({ run }) => packing(String(run)));
    for (const row of old ?? []) {
      if (runs <= 0 && events <= 0) break;
      statements.push(...leaving(String(row.run)));
      runs -= 1;
      events -= Number(row.events);
    }
    if (statements.length === 0) return false;
    await queue.write(statements, { durable: false, lazy: true, point: "archive" });
    return true;
  }

  #later(ms: number): void {
    if (this.#closed || this.#working !== undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#working = this.#work();
    }, ms);
  }

  async #work(): Promise<void> {
    const { queue, log } = this.#parts;
    let more = false;
    try {
      // With a full disk nothing is moved; the next end of a run asks again.
      if (queue.trouble === undefined) more = await this.portion();
    } catch (thrown) {
      log.warn({ error: textOf(thrown) }, "The archive was not written; it is tried again later.");
    }
    this.#working = undefined;
    if (more) this.#later(archivePauseMs);
  }
}

/** Packs the first events of a run; with the last of them the run counts as archived. */
function packing(run: string): Statement[] {
  return [
    {
      sql: `INSERT INTO archive (run, first, last, events)
        SELECT ?, min(seq), max(seq), pack(json_group_array(json_array(seq, type, data, at)))
        FROM (SELECT * FROM run_events WHERE run = ? ORDER BY seq LIMIT ?) HAVING count(*) > 0`,
      params: [run, run, portionMax],
    },
    {
      sql: `DELETE FROM run_events WHERE run = ?
        AND seq <= (SELECT max(last) FROM archive WHERE run = ?)`,
      params: [run, run],
    },
    {
      sql: `UPDATE runs SET archived = 1,
          events = (SELECT total(last - first + 1) FROM archive WHERE run = ?)
        WHERE run = ? AND NOT EXISTS (SELECT 1 FROM run_events WHERE run = ?)`,
      params: [run, run, run],
    },
    {
      sql: `DELETE FROM snapshots WHERE run = ?
        AND EXISTS (SELECT 1 FROM runs WHERE run = ? AND archived = 1)`,
      params: [run, run],
    },
  ];
}

/** A run leaves pack by pack, and its row with the last of them. */
function leaving(run: string): Statement[] {
  return [
    {
      sql: `DELETE FROM archive WHERE run = ? AND first IN
        (SELECT first FROM archive WHERE run = ? ORDER BY first LIMIT ?)`,
      params: [run, run, packsMax],
    },
    {
      sql: "DELETE FROM runs WHERE run = ? AND NOT EXISTS (SELECT 1 FROM archive WHERE run = ?)",
      params: [run, run],
    },
  ];
}
