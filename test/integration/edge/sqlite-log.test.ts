/**
 * What is durable is on the disk before anybody hears of it, and nothing else waits for the disk.
 *
 * The idea: one connection on a real file, and a log whose way to the disk is counted or cut. It
 * refuses to judge a loss of power.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, it } from "vitest";
import { SqliteConnection } from "#kernel/edge/sqlite-batch.js";
import { LogFile } from "#kernel/edge/sqlite-log.js";
import { openDatabase } from "#kernel/edge/sqlite-open.js";

const dir = mkdtempSync(join(tmpdir(), "servocell-log-"));
const schema = ["CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"];
let files = 0;
const newFile = () => join(dir, `s${++files}.db`);
const insert = (id: number) => ({ sql: "INSERT INTO t (id, text) VALUES (?, 'x')", params: [id] });

afterAll(() => rmSync(dir, { recursive: true, force: true }));

it("durable requests commit with synchronous FULL, others with NORMAL", () => {
  const db = new Database(newFile());
  db.pragma("journal_mode = WAL");
  const connection = new SqliteConnection(db, "test.db");
  connection.migrate(schema);
  const level = () => db.pragma("synchronous", { simple: true });
  for (const [i, how] of [true, false, true].entries()) {
    connection.run([{ id: i, statements: [insert(i)], durable: how }]);
    expect(level()).toBe(how ? 2 : 1);
  }
  connection.run([
    { id: 7, statements: [insert(7)], durable: false },
    { id: 8, statements: [insert(8)], durable: true },
  ]);
  expect(level()).toBe(2);
  connection.close();
});

it("the log goes to the disk once for a group, after its commit and where it has to", () => {
  const db = new Database(newFile());
  db.pragma("journal_mode = WAL");
  const seen: unknown[] = [];
  const connection = new SqliteConnection(db, "test.db", () => {
    seen.push([db.inTransaction, db.prepare("SELECT max(id) FROM t").pluck().get()]);
  });
  connection.migrate(schema);
  const run = (...rows: readonly (readonly [number, boolean])[]) =>
    connection.run(rows.map(([id, how]) => ({ id, statements: [insert(id)], durable: how })));
  run([1, true], [2, true], [3, false]);
  run([4, false]);
  run([4, true]);
  run([4, true], [5, false]);
  expect(seen).toEqual([[false, 3]]);
  run([5, true], [6, true]);
  expect(seen).toEqual([
    [false, 3],
    [false, 6],
  ]);
  expect(db.pragma("synchronous", { simple: true })).toBe(1);
  connection.close();
});

it("a disk that does not take the log is nobody's success", () => {
  const file = newFile();
  const db = openDatabase(file);
  const log = new LogFile(file);
  const connection = new SqliteConnection(db, file, () => log.flush());
  connection.migrate(schema);
  expect(connection.run([{ id: 1, statements: [insert(1)], durable: true }])[0]?.ok).toBe(true);
  log.close();
  const requests = [2, 3].map((id) => ({ id, statements: [insert(id)], durable: true }));
  expect(() => connection.run(requests)).toThrow(/EBADF/);
  connection.close();
});
