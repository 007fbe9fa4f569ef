/**
 * The history of runs as the coordinator hands it out: open, ended, and archived long ago.
 *
 * The idea: real runs against scripted drivers, then questions for their pages. It refuses real
 * time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type RunHistory, runHistorySchema } from "#kernel/contract/run-history.js";
import { pageCharactersMax } from "../../../services/coordinator/history-desk.js";
import { archiveAfterMs } from "../../../services/coordinator/journal-archive.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const pick = saga(
  "pick",
  ["x", "z"],
  [move("over", "x", 100), step("rest", {}), move("down", "z", 50)],
);

async function cell(): Promise<CoordinatorCell> {
  const made = new CoordinatorCell(cellConfig(["x", "z"], [pick]));
  await made.start();
  return made;
}

async function page(c: CoordinatorCell, run: string, after?: number): Promise<RunHistory> {
  const args = after === undefined ? { run } : { run, after };
  const answer = await c.ask("runCommand", "history", args);
  expect(answer?.status).toBe("succeeded");
  return runHistorySchema.parse(answer?.result);
}

async function ended(c: CoordinatorCell, run: string): Promise<void> {
  await c.startRun("pick", run);
  await c.run(1000);
  expect(c.record(run).state).toBe("completed");
  await c.ask("cellCommand", "reset", { stops: [] });
}

test("history: an ended run: rows without gaps, its intents and verdicts, its record and its head", async () => {
  const c = await cell();
  await ended(c, "r1");
  const told = await page(c, "r1");
  expect(told).toMatchObject({ run: "r1", saga: "pick", state: "completed", by: { user: "ann" } });
  expect(told.endedAt).toBeGreaterThan(told.startedAt);
  expect(told.next).toBeUndefined();
  expect(told.rows.map(({ seq }) => seq)).toEqual(told.rows.map((_, i) => i + 1));
  const intents = told.rows.filter(({ type }) => type === "intent").map(({ data }) => data);
  expect(intents).toMatchObject([
    { step: "over", part: "run", device: "x", verb: "moveTo" },
    { step: "down", part: "run", device: "z", verb: "moveTo" },
  ]);
  const verdicts = told.rows.filter(({ type }) => type === "verdict").map(({ data }) => data.id);
  expect(verdicts).toEqual(intents.map(({ id }) => id));
  expect(told.record?.steps.map(({ name, status }) => [name, status])).toEqual([
    ["over", "done"],
    ["rest", "done"],
    ["down", "done"],
  ]);
});

test("history: pages from `after` join to the whole; only the first has the record", async () => {
  const c = await cell();
  await ended(c, "r1");
  const { rows } = await page(c, "r1");
  const rest = await page(c, "r1", 3);
  expect(rest.rows).toEqual(rows.slice(3));
  expect(rest.record).toBeUndefined();
  expect((await page(c, "r1", rows.length)).rows).toEqual([]);
});

test("history: a run of long ago is told from the archive, with its record", async () => {
  const c = await cell();
  await ended(c, "old");
  const before = await page(c, "old");
  for (let i = 0; i < 21; i += 1) await ended(c, `r${i}`);
  await c.run(archiveAfterMs * 3);
  const count = { sql: "SELECT archived FROM runs WHERE run = 'old'" };
  const [row] = (await c.store.inner.tx([count], { durable: false })).flat();
  expect(row?.archived).toBe(1);
  expect(() => c.record("old")).toThrow();
  expect(await page(c, "old")).toEqual(before);
  // A row that this engine would not have written: the rows are told, a record is not made up.
  const [{ seq = 0 } = {}] = before.rows.slice(-1);
  const sql = "INSERT INTO run_events (run, seq, type, data, at) VALUES ('old', ?, 'odd', '{}', 1)";
  await c.store.inner.tx([{ sql, params: [seq + 1] }], { durable: false });
  const odd = await page(c, "old");
  expect(odd.rows).toHaveLength(before.rows.length + 1);
  expect(odd.record).toBeUndefined();
});

test("history: a page ends at 200 rows, or where its rows are too long to be carried", async () => {
  const c = await cell();
  await ended(c, "r1");
  const [{ seq = 0 } = {}] = (await page(c, "r1")).rows.slice(-1);
  const insert = "INSERT INTO run_events (run, seq, type, data, at) VALUES ('r1', ?, 'tick', ?, 1)";
  const add = (n: number, data: string) => ({ sql: insert, params: [seq + n, data] });
  const many = Array.from({ length: 300 }, (_, i) => add(i + 1, "{}"));
  await c.store.inner.tx(many, { durable: false });
  const first = await page(c, "r1", seq);
  expect(first.rows).toHaveLength(200);
  expect(first.next).toBe(seq + 200);
  const second = await page(c, "r1", first.next);
  expect(second.rows.map((row) => row.seq)).toEqual(
    Array.from({ length: 100 }, (_, i) => seq + 201 + i),
  );
  expect(second.next).toBeUndefined();
  const long = JSON.stringify({ text: "x".repeat(pageCharactersMax - 100) });
  await c.store.inner.tx([add(301, long), add(302, long)], { durable: false });
  const cut = await page(c, "r1", seq + 300);
  expect(cut.rows).toHaveLength(1);
  expect(cut.next).toBe(seq + 301);
});

test("history: a run that nobody knows, a bad `after`, too many questions at once", async () => {
  const c = await cell();
  const unknown = await c.ask("runCommand", "history", { run: "nobody" });
  expect(unknown?.error?.code).toBe("NOT_FOUND");
  const bad = await c.ask("runCommand", "history", { run: "nobody", after: -1 });
  expect(bad?.error?.code).toBe("VALIDATION_FAILED");
  c.store.stallMs = 50;
  const ids = Array.from({ length: 20 }, (_, i) => `Q${i}`);
  for (const id of ids) c.send("runCommand", "history", { run: "nobody" }, id);
  await c.run(1500);
  const codes = ids.map((id) => c.responses.find((one) => one.id === id)?.error?.code);
  expect(codes.filter((code) => code === "BUSY")).toHaveLength(4);
  expect(codes.filter((code) => code === "NOT_FOUND")).toHaveLength(16);
});

test("history: asked while a run moves, its steps go on as before (rows are read beside them)", async () => {
  const c = await cell();
  await c.startRun("pick", "r1");
  for (let i = 0; i < 10; i += 1) {
    c.send("runCommand", "history", { run: "r1" });
    await c.run(50);
  }
  await c.run(500);
  expect(c.record("r1").state).toBe("completed");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
  const told = c.responses.filter((one) => one.result?.saga === "pick");
  expect(told).toHaveLength(10);
});
