/**
 * The journal: what it writes of a decision, and that reading it gives the same run again.
 *
 * The idea: a run is fed to the machine and to the journal, then rebuilt from the rows. It
 * refuses drivers and brokers.
 */
import { expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/cell.js";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import type { Log, Row, Statement } from "#kernel/ports.js";
import { endedShownMax, Journal, snapshotEvery } from "../../../services/coordinator/journal.js";
import { JournalArchive } from "../../../services/coordinator/journal-archive.js";
import type { LoadedRun } from "../../../services/coordinator/journal-replay.js";
import type { RunNews } from "../../../services/coordinator/run-desk.js";
import type { NewRun, RunEvent } from "../../../services/coordinator/run-events.js";
import { flightsOf } from "../../../services/coordinator/run-flights.js";
import { begin } from "../../../services/coordinator/run-leasing.js";
import type { Run } from "../../../services/coordinator/run-state.js";
import { next } from "../../../services/coordinator/saga.machine.js";
import { coordinatorSchema } from "../../../services/coordinator/schema.js";
import { StoreQueue } from "../../../services/coordinator/store-queue.js";
import { saga, step } from "../../fixtures/coordinator/coordinator-cell.js";
import { demo, done, faulted, Walk } from "../../fixtures/coordinator/saga-states.js";

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const by = { user: "ann", role: "operator" };

class Book {
  readonly store = openMemoryStore(coordinatorSchema);
  readonly queue = new StoreQueue(this.store, quiet);
  readonly journal = new Journal(this.queue, "0");
  readonly walk = new Walk();

  async create(): Promise<void> {
    const input = { run: "r", key: "K", saga: demo, by, ts: 5000 };
    await this.journal.create(input, begin(input, 1000), 1000, []);
  }

  async feed(news: RunNews): Promise<void> {
    const { walk } = this;
    walk.nowMs += 1;
    const event = { ...news, ts: 6000 } as RunEvent;
    const turn = next(walk.run, event, walk.nowMs);
    if (turn === undefined) throw new RangeError(news.kind);
    walk.run = turn.state;
    walk.effects = turn.effects;
    await this.journal.append(event, turn, walk.nowMs, []);
  }

  async edit(sql: string, params: Statement["params"] = []): Promise<void> {
    await this.store.tx([{ sql, params }], { durable: false });
  }

  /** As the next start of the coordinator reads it. */
  async again(version = "0"): Promise<LoadedRun> {
    const queue = new StoreQueue(this.store, quiet);
    // The start before it, still at hand in these tests, is fenced off from now on.
    queue.onFenced = () => undefined;
    const [loaded] = (await new Journal(queue, version).load("next")).runs;
    if (loaded === undefined) throw new RangeError("no open run");
    return loaded;
  }

  async rows(sql: string): Promise<Row[]> {
    const [rows] = await this.store.tx([{ sql }], { durable: false });
    return rows ?? [];
  }
}

async function inMakeSafe(): Promise<Book> {
  const book = new Book();
  await book.create();
  const { walk } = book;
  await book.feed({ kind: "leased", id: walk.asked, device: "x", epoch: 1 });
  await book.feed({ kind: "leased", id: walk.asked, device: "z", epoch: 1 });
  await book.feed({ kind: "accepted", id: walk.asked });
  const id = flightsOf(walk.run)[0]?.id ?? "";
  await book.feed({ kind: "verdict", id, verdict: done });
  await book.feed({ kind: "verdict", id: walk.asked, verdict: faulted });
  for (const device of ["x", "z"]) await book.feed({ kind: "still", order: walk.order, device });
  await book.feed({ kind: "leased", id: walk.asked, device: "z", epoch: 2 });
  return book;
}

test("reading the journal gives the same run: phase, records, ids, counters", async () => {
  const book = await inMakeSafe();
  const loaded = await book.again();
  expect(loaded.trusted).toBe(true);
  expect(loaded.run).toEqual(book.walk.run);
});

test("verdict n and intent n+1 stand beside each other, step by name", async () => {
  const book = await inMakeSafe();
  const rows = await book.rows("SELECT type, data FROM run_events ORDER BY seq");
  expect(rows.map(({ type }) => type)).toEqual([
    "leased",
    "leased",
    "intent",
    "accepted",
    "verdict",
    "intent",
    "verdict",
    "still",
    "still",
    "leased",
    "intent",
  ]);
  const intents = rows.filter(({ type }) => type === "intent").map(({ data }) => String(data));
  expect(intents.map((data) => JSON.parse(data))).toMatchObject([
    { step: "go", part: "run", device: "x" },
    { step: "lift", part: "run", device: "z" },
    { step: "lift", part: "makeSafe", device: "z" },
  ]);
});

test("SQ-01: a decision is one transaction: a failing statement leaves nothing of it", async () => {
  const book = new Book();
  await book.create();
  const before = await book.rows("SELECT * FROM run_events");
  const bad: Statement = { sql: "INSERT INTO nowhere VALUES (1)" };
  const input = { run: "s", key: "L", saga: demo, by, ts: 5000 };
  const made = book.journal.create(input, begin(input, 1000), 1000, [bad]);
  await expect(made).rejects.toMatchObject({ code: "STORE_FAILED" });
  expect(await book.rows("SELECT * FROM run_events")).toEqual(before);
  expect(await book.rows("SELECT run FROM runs")).toEqual([{ run: "r" }]);
});

test.each([
  ["another step name", "step", "lift", "hoist"],
  ["another id", "id", "K-", "Q-"],
])("a journal whose intents are not the machine's is not trusted (%s)", async (_name, ...how) => {
  const [, from, to] = how;
  const book = await inMakeSafe();
  expect((await book.again()).trusted).toBe(true);
  const sql = "UPDATE run_events SET data = replace(data, ?, ?) WHERE type = 'intent'";
  await book.edit(sql, [`"${from}`, `"${to}`]);
  expect((await book.again()).trusted).toBe(false);
});

test.each([
  ["ends before the intent of its last event", "seq = (SELECT max(seq) FROM run_events)"],
  ["lacks a row in its middle", "seq = 4"],
  ["lacks its beginning", "seq < 3"],
])("a journal that %s is not trusted", async (_name, where) => {
  const book = await inMakeSafe();
  await book.edit(`DELETE FROM run_events WHERE ${where}`);
  expect((await book.again()).trusted).toBe(false);
});

/** A run of dwells: each tick is one row. Stopped in its midst after `rows` rows. */
class LongRun {
  readonly book = new Book();
  run: Run;
  nowMs = 1000;

  constructor(
    readonly saga: SagaDefinition,
    readonly name = "long",
  ) {
    this.run = begin(this.input, this.nowMs).state;
  }

  get input(): NewRun {
    return { run: this.name, key: `K${this.name}`, saga: this.saga, by, ts: 5000 };
  }

  create(journal = this.book.journal): Promise<void> {
    return journal.create(this.input, begin(this.input, 1000), 1000, []);
  }

  async feed(news: RunNews, journal = this.book.journal): Promise<void> {
    const event = { ...news, ts: 6000 } as RunEvent;
    const turn = next(this.run, event, this.nowMs);
    if (turn === undefined) throw new RangeError(news.kind);
    this.run = turn.state;
    await journal.append(event, turn, this.nowMs, []);
  }

  async ticks(count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      this.nowMs += 100;
      await this.feed({ kind: "tick" });
    }
  }
}

const dwells = Array.from({ length: 2 * snapshotEvery }, (_, i) => step(`s${i}`, {}));
const long = saga("long", [], dwells);

test("a run of many rows is read from its newest snapshot: same run, fewer rows", async () => {
  const at = new LongRun(long);
  await at.create();
  await at.ticks(snapshotEvery + 20);
  const loaded = await at.book.again();
  expect(loaded.snapshotSeq).toBe(snapshotEvery);
  expect(loaded).toMatchObject({ trusted: true, seq: snapshotEvery + 20 });
  expect(loaded.run).toEqual(at.run);
  // Nothing before the snapshot is needed, everything after it is.
  await at.book.edit("DELETE FROM run_events WHERE seq < ?", [snapshotEvery]);
  expect((await at.book.again()).run).toEqual(at.run);
  await at.book.edit("DELETE FROM run_events WHERE seq = ?", [snapshotEvery + 1]);
  expect((await at.book.again()).trusted).toBe(false);
});

test("a long saga is written whole only where as many rows stand for it", async () => {
  const steps = Array.from({ length: 4 * snapshotEvery }, (_, i) => step(`s${i}`, {}));
  const at = new LongRun(saga("longer", [], steps));
  await at.create();
  await at.ticks(2 * snapshotEvery - 1);
  expect((await at.book.again()).snapshotSeq).toBe(0);
  const again = new LongRun(saga("longer", [], steps));
  await again.create();
  await again.ticks(3 * snapshotEvery);
  const loaded = await again.book.again();
  expect(loaded).toMatchObject({ trusted: true, snapshotSeq: 2 * snapshotEvery });
  expect(loaded.run).toEqual(again.run);
});

test.each([
  ["another version of the engine", "UPDATE snapshots SET engine = 'other'"],
  ["another run of the same name", `UPDATE snapshots SET state = replace(state, '"Klong"', '"Q"')`],
])("a snapshot of %s is passed over: the run is read from its beginning", async (_name, sql) => {
  const at = new LongRun(long);
  await at.create();
  await at.ticks(snapshotEvery + 20);
  await at.book.edit(sql);
  const loaded = await at.book.again();
  expect(loaded).toMatchObject({ trusted: true, snapshotSeq: 0 });
  expect(loaded.run).toEqual(at.run);
});

test("SG-09: a run holds its devices from its row to its end, across a restart", async () => {
  const book = new Book();
  await book.create();
  const locks = "SELECT device, run FROM locks ORDER BY device";
  const both = [
    { device: "x", run: "r" },
    { device: "z", run: "r" },
  ];
  expect(await book.rows(locks)).toEqual(both);
  await book.again();
  expect(await book.rows(locks)).toEqual(both);
  await book.feed({ kind: "cancelled", text: "" });
  expect(await book.rows(locks)).toEqual(both);
  await book.feed({ kind: "released" });
  expect(await book.rows(locks)).toEqual([]);
});

test("SG-09: a second run of a held device is not begun, and the first is not harmed", async () => {
  const book = new Book();
  await book.create();
  const input = { run: "s", key: "L", saga: demo, by, ts: 5000 };
  const made = book.journal.create(input, begin(input, 1000), 1000, []);
  const fed = book.feed({ kind: "cancelled", text: "" });
  await expect(made).rejects.toMatchObject({ code: "STORE_FAILED" });
  await fed;
  expect(book.queue.trouble).toBeUndefined();
  expect(await book.rows("SELECT run FROM runs")).toEqual([{ run: "r" }]);
});

test("a lock that no open run accounts for is gone after the next start", async () => {
  const book = new Book();
  await book.create();
  await book.edit("INSERT INTO locks (device, run) VALUES ('b', 'gone')");
  await book.edit("DELETE FROM locks WHERE device = 'x'");
  const queue = new StoreQueue(book.store, quiet);
  await new Journal(queue, "0").load("next");
  await queue.write([], { durable: false });
  expect(await book.rows("SELECT device FROM locks ORDER BY device")).toEqual([
    { device: "x" },
    { device: "z" },
  ]);
});

test("SG-06: once another start has claimed the journal, the old one writes nothing more", async () => {
  const lines: object[] = [];
  const log: Log = { ...quiet, error: (fields) => lines.push(fields) };
  const store = openMemoryStore(coordinatorSchema);
  const old = new StoreQueue(store, log);
  const fenced: unknown[] = [];
  old.onFenced = (thrown) => fenced.push(thrown);
  const first = new LongRun(long, "first");
  const journal = new Journal(old, "0");
  await journal.load("a");
  await first.create(journal);
  const young = new StoreQueue(store, quiet);
  const second = new Journal(young, "0");
  const { runs } = await second.load("b");
  expect(runs.map(({ run }) => run.run)).toEqual(["first"]);
  expect([old.epoch, young.epoch]).toEqual([1, 2]);
  first.nowMs += 100;
  let carriedOut = false;
  void first.feed({ kind: "tick" }, journal).then(() => {
    carriedOut = true;
  });
  await new LongRun(long, "second").create(second);
  await vi.waitFor(() => expect(fenced).toHaveLength(1), { timeout: 10_000 });
  expect(lines).toMatchObject([{ mark: "store.fenced" }]);
  expect(carriedOut).toBe(false);
  const [rows] = await store.tx([{ sql: "SELECT run, claim FROM runs ORDER BY run" }], {
    durable: false,
  });
  expect(rows).toEqual([
    { run: "first", claim: 1 },
    { run: "second", claim: 2 },
  ]);
});

/** Ends `count` runs of two rows each, the oldest first. */
async function endRuns(book: Book, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const input = { run: `r${i}`, key: `K${i}`, saga: demo, by, ts: 10_000 + i };
    let turn = begin(input, 1000);
    await book.journal.create(input, turn, 1000, []);
    for (const news of [{ kind: "cancelled", text: "" }, { kind: "released" }] as const) {
      const event: RunEvent = { ...news, ts: 10_000 + i };
      const then = next(turn.state, event, 1001);
      if (then === undefined) throw new RangeError(news.kind);
      turn = then;
      await book.journal.append(event, turn, 1001, []);
    }
  }
}

test("the history of a run is the same before and after its portions were archived", async () => {
  const at = new LongRun(long);
  const { book } = at;
  await at.create();
  await at.ticks(2 * snapshotEvery);
  await at.feed({ kind: "released" });
  await endRuns(book, endedShownMax + 3);
  const before = await book.journal.history("long", 0, 1000);
  expect(before).toHaveLength(2 * snapshotEvery + 1);
  const archive = new JournalArchive({ queue: book.queue, log: quiet });
  let portions = 0;
  while (await archive.portion()) {
    portions += 1;
    const all = await book.journal.history("long", 0, 1000);
    expect(all).toEqual(before);
    const page = await book.journal.history("long", 100, 200);
    expect(page).toEqual(before.slice(100, 300));
  }
  expect(portions).toBe(3);
  const left = "SELECT count(*) AS n FROM run_events WHERE run IN ('long', 'r0', 'r1', 'r2')";
  expect(await book.rows(left)).toEqual([{ n: 0 }]);
  expect(await book.rows("SELECT count(*) AS n FROM snapshots")).toEqual([{ n: 0 }]);
  expect(await book.journal.stored("long")).toMatchObject({ saga: "long", state: "completed" });
  // A start loads what is shown, and nothing else.
  const again = new Journal(new StoreQueue(book.store, quiet), "0");
  expect((await again.load("next")).runs).toEqual([]);
  expect((await again.loadEnded()).map(({ run }) => run)).toHaveLength(endedShownMax);
});

test.each([
  ["runs", { runsKept: 5 }, 5],
  ["events", { eventsKept: 12 }, 6],
])("the archive keeps so many %s; the oldest leave whole", async (_what, bound, kept) => {
  const book = new Book();
  await endRuns(book, endedShownMax + 30);
  const archive = new JournalArchive({ queue: book.queue, log: quiet, ...bound });
  let portions = 0;
  while ((await archive.portion()) && portions < 100) portions += 1;
  const rows = await book.rows("SELECT run FROM runs WHERE archived = 1 ORDER BY ended_ts");
  expect(rows).toHaveLength(kept);
  expect(rows.at(-1)).toEqual({ run: "r29" });
  const strays = "SELECT count(*) AS n FROM archive WHERE run NOT IN (SELECT run FROM runs)";
  expect(await book.rows(strays)).toEqual([{ n: 0 }]);
  expect(await book.journal.stored("r0")).toBeUndefined();
});

test("a run that waits for devices holds none until they are its own, before and after a restart", async () => {
  const book = new Book();
  const input = { run: "w", key: "W", saga: demo, by, ts: 5000, waits: true };
  let turn = begin(input, 1000);
  await book.journal.create(input, turn, 1000, []);
  expect(await book.rows("SELECT * FROM locks")).toEqual([]);
  expect((await book.again()).run).toEqual(turn.state);
  const event: RunEvent = { kind: "locked", ts: 6000 };
  const then = next(turn.state, event, 1001);
  if (then === undefined) throw new RangeError("locked");
  turn = then;
  await book.journal.append(event, turn, 1001, []);
  expect(await book.rows("SELECT device, run FROM locks ORDER BY device")).toEqual([
    { device: "x", run: "w" },
    { device: "z", run: "w" },
  ]);
  expect(await book.again()).toMatchObject({ trusted: true, run: turn.state });
});

test("a write while the journal is being opened does not claim the database once more", async () => {
  const book = new Book();
  const loading = book.journal.load("a");
  const early = book.queue.write([], { durable: false });
  await loading;
  await early;
  expect(await book.rows("SELECT epoch FROM claims")).toEqual([{ epoch: 1 }]);
});
