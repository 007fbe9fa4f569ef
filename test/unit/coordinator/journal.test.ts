/**
 * The journal: what it writes of a decision, and that reading it gives the same run again.
 *
 * The idea: a run is fed to the machine and to the journal, then rebuilt from the rows. It
 * refuses drivers and brokers.
 */
import { expect, test } from "vitest";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import type { Log, Row, Statement } from "#kernel/ports.js";
import { endedRunsMax, Journal, replay } from "../../../services/coordinator/journal.js";
import type { RunNews } from "../../../services/coordinator/run-desk.js";
import { begin } from "../../../services/coordinator/run-leasing.js";
import type { RunEvent } from "../../../services/coordinator/run-state.js";
import { next } from "../../../services/coordinator/saga.machine.js";
import { coordinatorSchema } from "../../../services/coordinator/schema.js";
import { StoreQueue } from "../../../services/coordinator/store-queue.js";
import { demo, done, faulted, Walk } from "../../fixtures/coordinator/saga-states.js";

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const by = { user: "ann", role: "operator" };

class Book {
  readonly store = openMemoryStore(coordinatorSchema);
  readonly queue = new StoreQueue(this.store, quiet);
  readonly journal = new Journal(this.queue);
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
  const flight = walk.run.phase.at === "running" && walk.run.phase.wait;
  const id = flight !== false && flight.kind === "verdict" ? flight.flight.id : "";
  await book.feed({ kind: "verdict", id, verdict: done });
  await book.feed({ kind: "verdict", id: walk.asked, verdict: faulted });
  for (const device of ["x", "z"]) await book.feed({ kind: "still", order: walk.order, device });
  await book.feed({ kind: "leased", id: walk.asked, device: "z", epoch: 2 });
  return book;
}

test("reading the journal gives the same run: phase, records, ids, counters", async () => {
  const book = await inMakeSafe();
  const again = new Journal(new StoreQueue(book.store, quiet));
  const [loaded] = (await again.load()).runs;
  expect(loaded?.trusted).toBe(true);
  expect(loaded?.run).toEqual(book.walk.run);
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
  ["another step name", (data: string) => data.replace('"step":"lift"', '"step":"hoist"')],
  ["another id", (data: string) => data.replace('"id":"K-', '"id":"Q-')],
])("a journal whose intents are not the machine's is not trusted (%s)", async (_name, forge) => {
  const book = await inMakeSafe();
  const [run] = await book.rows("SELECT * FROM runs");
  const events = await book.rows("SELECT * FROM run_events ORDER BY seq");
  const forged = events.map((row) =>
    row.type === "intent" ? { ...row, data: forge(String(row.data)) } : row,
  );
  expect(replay(run ?? {}, events).trusted).toBe(true);
  expect(replay(run ?? {}, forged).trusted).toBe(false);
});

test("a journal that ends before the intent of its last event is not trusted", async () => {
  const book = await inMakeSafe();
  const [run] = await book.rows("SELECT * FROM runs");
  const events = await book.rows("SELECT * FROM run_events ORDER BY seq");
  expect(replay(run ?? {}, events.slice(0, -1)).trusted).toBe(false);
});

test("of 1100 ended runs about the newest 1000 are kept, with their events", async () => {
  const book = new Book();
  for (let i = 0; i < endedRunsMax + 100; i += 1) {
    const input = { run: `r${i}`, key: `K${i}`, saga: demo, by, ts: i };
    let turn = begin(input, 1000);
    void book.journal.create(input, turn, 1000, []);
    for (const news of [{ kind: "cancelled", text: "" }, { kind: "released" }] as const) {
      const event: RunEvent = { ...news, ts: i };
      const then = next(turn.state, event, 1001);
      if (then === undefined) throw new RangeError(news.kind);
      turn = then;
      await book.journal.append(event, turn, 1001, []);
    }
  }
  const [count] = await book.rows("SELECT count(*) AS n FROM runs");
  expect(Number(count?.n)).toBeGreaterThanOrEqual(endedRunsMax);
  expect(Number(count?.n)).toBeLessThan(endedRunsMax + 100);
  const strays = "SELECT count(*) AS n FROM run_events WHERE run NOT IN (SELECT run FROM runs)";
  expect(await book.rows(strays)).toEqual([{ n: 0 }]);
  expect(await book.rows("SELECT run FROM runs WHERE run = 'r0'")).toEqual([]);
});
