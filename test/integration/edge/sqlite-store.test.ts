/**
 * The store of a service: all or nothing, grouped, durable, held by one.
 * The idea: file store and memory store obey one contract, so both run the same tests. It
 * refuses to judge power loss: see the durability tests.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import { logBytes } from "#kernel/edge/sqlite-log.js";
import { openStore } from "#kernel/edge/sqlite-store.js";
import type { Store } from "#kernel/ports.js";

const dir = mkdtempSync(join(tmpdir(), "servocell-store-"));
const schema = ["CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"];
let files = 0;
const newFile = () => join(dir, `s${++files}.db`);
const opened: Store[] = [];
const lazy = { durable: false };
const durable = { durable: true };
const insert = (id: number, text: string | null = "x") => ({
  sql: "INSERT INTO t (id, text) VALUES (?, ?)",
  params: [id, text],
});
const ids = async (store: Store) => {
  const [rows] = await store.tx([{ sql: "SELECT id FROM t ORDER BY id" }], lazy);
  return rows?.map((row) => row.id);
};
async function open(file = newFile(), steps: readonly string[] = schema): Promise<Store> {
  const store = await openStore(file, steps);
  opened.push(store);
  return store;
}

afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.each([
  ["file", () => open()],
  ["memory", async () => openMemoryStore(schema)],
])("%s store", (_name, make) => {
  it("SQ-01: a statement that fails in the middle leaves nothing (at=1, 2, 3 of 3)", async () => {
    const store = await make();
    for (const at of [0, 1, 2]) {
      const statements = [10, 11, 12].map((id, i) => insert(id, i === at ? null : "x"));
      await expect(store.tx(statements, durable)).rejects.toMatchObject({
        code: "STORE_FAILED",
        detail: { sqlite: "SQLITE_CONSTRAINT_NOTNULL" },
      });
    }
    expect(await ids(store)).toEqual([]);
    await store.close();
  });

  it("requests in one breath keep their own success or failure", async () => {
    const store = await make();
    const results = await Promise.allSettled(
      [1, 2, 2, 3, 1, 4].map((id) => store.tx([insert(id), insert(id + 100)], durable)),
    );
    expect(results.map((one) => one.status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await ids(store)).toEqual([1, 2, 3, 4, 101, 102, 103, 104]);
    await store.close();
  });

  it("rows come back for each statement; RETURNING counts as a reader", async () => {
    const store = await make();
    const rows = await store.tx(
      [
        insert(1, "one"),
        { sql: "INSERT INTO t VALUES (2, 'two') RETURNING id" },
        { sql: "SELECT * FROM t WHERE text = ?", params: ["one"] },
      ],
      lazy,
    );
    expect(rows).toEqual([[], [{ id: 2 }], [{ id: 1, text: "one" }]]);
    await store.close();
  });

  it.each(["BEGIN", "commit", " ROLLBACK", "PRAGMA synchronous=OFF", "ATTACH 'x' AS y"])(
    "a statement that would leave the transaction is refused: %s",
    async (sql) => {
      const store = await make();
      await expect(store.tx([insert(1), { sql }], lazy)).rejects.toMatchObject({
        code: "STORE_FAILED",
      });
      expect(await ids(store)).toEqual([]);
      await store.close();
    },
  );

  it("after close every request is refused", async () => {
    const store = await make();
    await store.close();
    await expect(store.tx([insert(1)], lazy)).rejects.toMatchObject({ code: "STORE_FAILED" });
  });
});

it("what was asked for before close is done, and is there at the next opening", async () => {
  const file = newFile();
  const store = await openStore(file, schema);
  const work = Array.from({ length: 300 }, (_, i) => store.tx([insert(i)], lazy));
  await store.close();
  await Promise.all(work);
  expect((await ids(await open(file)))?.length).toBe(300);
});

/** Commits in a write-ahead log: frames of this log's salts that end a transaction. */
function commitsIn(log: Buffer): number {
  const frameBytes = 24 + log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let commits = 0;
  for (let at = 32; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    // The size of the database after the commit; 0 in frames that are not the last of one.
    if (log.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}

it("many durable requests in one breath share commits", async () => {
  const file = newFile();
  const store = await open(file);
  await store.tx([insert(0)], durable);
  const before = commitsIn(readFileSync(`${file}-wal`));
  expect(before).toBeGreaterThan(0);
  await Promise.all(Array.from({ length: 200 }, (_, i) => store.tx([insert(i + 1)], durable)));
  const commits = commitsIn(readFileSync(`${file}-wal`)) - before;
  expect(commits).toBeGreaterThan(0);
  expect(commits).toBeLessThan(100);
});

it("the log has its room on the disk once it was quiet, and a kill in it loses nothing", async () => {
  const file = newFile();
  const script = `
    const { openStore } = await import(${JSON.stringify(
      join(process.cwd(), "dist/services/kernel/edge/sqlite-store.js"),
    )});
    const store = await openStore(${JSON.stringify(file)}, ${JSON.stringify(schema)});
    const put = (id) => store.tx(
      [{ sql: "INSERT INTO t (id, text) VALUES (?, 'x')", params: [id] }], { durable: true });
    await put(1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    await put(2);
    await put(3);
    process.kill(process.pid, "SIGKILL");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  await new Promise((resolve) => child.once("exit", resolve));
  expect(statSync(`${file}-wal`).size).toBeGreaterThanOrEqual(logBytes);
  expect(await ids(await open(file))).toEqual([1, 2, 3]);
});

it("a second opener is told who holds the file, and the first goes on", async () => {
  const file = newFile();
  const store = await open(file);
  await expect(openStore(file, schema)).rejects.toMatchObject({
    code: "STORE_LOCKED",
    detail: { pid: String(process.pid) },
  });
  await store.tx([insert(1)], durable);
  expect(await ids(store)).toEqual([1]);
});

it("another process cannot join either; after the end the file is free", async () => {
  const file = newFile();
  const store = await openStore(file, schema);
  await store.tx([insert(1)], durable);
  const read = () =>
    execFileSync(
      process.execPath,
      [
        "-e",
        `const D=require("better-sqlite3");const d=new D(${JSON.stringify(file)},{timeout:50});
         console.log(d.prepare("SELECT count(*) AS n FROM t").get().n)`,
      ],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    ).trim();
  expect(read).toThrow(/locked/);
  await store.close();
  expect(read()).toBe("1");
  expect(existsSync(`${file}.pid`)).toBe(false);
});

it("a file that was left by a killed holder opens with all that was acknowledged", async () => {
  const file = newFile();
  const worker = new URL("../../../dist/services/kernel/edge/sqlite-store.js", import.meta.url);
  const script = `
    const { openStore } = await import(${JSON.stringify(worker.href)});
    const store = await openStore(${JSON.stringify(file)}, ${JSON.stringify(schema)});
    for (let id = 1; id <= 20; id++) {
      await store.tx([{ sql: "INSERT INTO t VALUES (?, 'x')", params: [id] }], { durable: true });
    }
    process.kill(process.pid, "SIGKILL");`;
  expect(() =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" }),
  ).toThrow();
  expect(readFileSync(`${file}.pid`, "utf8")).not.toBe(`${process.pid}\n`);
  expect((await ids(await open(file)))?.length).toBe(20);
});

it("the schema grows at its end: each step runs once, an older program is refused", async () => {
  const file = newFile();
  const first = await openStore(file, schema);
  await first.tx([insert(1)], lazy);
  await first.close();
  const grown = [...schema, "ALTER TABLE t ADD COLUMN more TEXT"];
  const second = await openStore(file, grown);
  expect(await second.tx([{ sql: "SELECT * FROM t" }], lazy)).toEqual([
    [{ id: 1, text: "x", more: null }],
  ]);
  await second.close();
  await expect(openStore(file, schema)).rejects.toMatchObject({ code: "STORE_FAILED" });
  await expect(openStore(newFile(), ["CREATE TABEL t"])).rejects.toMatchObject({
    code: "STORE_FAILED",
  });
});

it("a full disk is STORE_FULL, nothing is half done, and space makes it well again", async () => {
  const { SqliteConnection } = await import("#kernel/edge/sqlite-batch.js");
  const db = new Database(":memory:");
  const connection = new SqliteConnection(db, "test.db");
  connection.migrate(schema);
  db.pragma("max_page_count = 8");
  const big = (id: number) => insert(id, "x".repeat(60_000));
  const outcomes = connection.run([
    { id: 1, statements: [insert(1), big(2)], durable: true },
    { id: 2, statements: [insert(3)], durable: true },
  ]);
  expect(outcomes[0]).toMatchObject({ ok: false, code: "STORE_FULL" });
  expect(outcomes[1]).toMatchObject({ ok: true });
  db.pragma("max_page_count = 1000");
  const again = [{ id: 3, statements: [insert(1), big(2)], durable: true }];
  expect(connection.run(again)[0]).toMatchObject({ ok: true });
  expect(db.prepare("SELECT id FROM t ORDER BY id").pluck().all()).toEqual([1, 2, 3]);
});

it("more SQL texts than are known by number keep their meaning, first and second time", async () => {
  const store = await open();
  await store.tx([insert(7)], durable);
  for (let turn = 0; turn < 2; turn += 1) {
    for (let from = 0; from < 600; from += 100) {
      const statements = Array.from({ length: 100 }, (_, i) => ({
        sql: `SELECT ${from + i} AS n`,
      }));
      const rows = await store.tx(statements, { durable: false });
      expect(rows.map(([row]) => row?.n)).toEqual(statements.map((_, i) => from + i));
    }
  }
});

it("a number that is none is refused, and harms nothing that comes after", async () => {
  const store = await open();
  const fresh = "SELECT ? AS fresh";
  const bad = [{ sql: fresh, params: [1] }, insert(Number.NaN)];
  await expect(store.tx(bad, durable)).rejects.toThrow(RangeError);
  const [rows] = await store.tx([{ sql: fresh, params: [2] }], durable);
  expect(rows).toEqual([{ fresh: 2 }]);
});

it("a statement that meets another number of rows undoes its transaction (rows=0, 1, 2)", async () => {
  const store = await open();
  await store.tx([insert(1)], durable);
  for (const [rows, ok] of [
    [0, false],
    [1, true],
    [2, false],
  ] as const) {
    const tx = store.tx(
      [insert(10 + rows), { sql: "SELECT 1 FROM t WHERE id = 1", rows }],
      durable,
    );
    if (ok) await tx;
    else await expect(tx).rejects.toMatchObject({ code: "STORE_FENCED" });
  }
  expect(await ids(store)).toEqual([1, 11]);
});

/** Another program that holds the file until told, as a backup tool does; resolves when it does. */
async function holding(file: string): Promise<{ readonly letGo: () => void }> {
  const script = `const D=require("better-sqlite3");const d=new D(${JSON.stringify(file)});
    d.exec("BEGIN IMMEDIATE");console.log("held");
    process.stdin.once("data",()=>{d.exec("COMMIT");d.close();process.exit()})`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "ignore"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return { letGo: () => child.stdin.end("go") };
}

it("SQ-02: a tool that holds the file delays the start, and nothing of it is lost", async () => {
  const file = newFile();
  await (await openStore(file, schema)).close();
  const { letGo } = await holding(file);
  let refusals = 0;
  const patient = async (): Promise<Store> => {
    // As buildOrStandBy does: asked again until the file is free.
    for (;;) {
      try {
        return await openStore(file, schema);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "STORE_LOCKED" });
        refusals += 1;
        if (refusals === 2) letGo();
      }
    }
  };
  const store = await patient();
  opened.push(store);
  expect(refusals).toBeGreaterThanOrEqual(2);
  await Promise.all([1, 2, 3].map((id) => store.tx([insert(id)], durable)));
  expect(await ids(store)).toEqual([1, 2, 3]);
});

it("SQ-02: a tool that comes while the service writes is refused; no write fails for it", async () => {
  const file = newFile();
  const store = await open(file);
  const script = `const D=require("better-sqlite3");let busy=0;
    for(let i=0;i<40;i++){try{const d=new D(${JSON.stringify(file)},{timeout:1});
      d.exec("BEGIN IMMEDIATE");d.exec("COMMIT");d.close()}catch(e){busy+=e.code.startsWith("SQLITE_BUSY")?1:0}}
    console.log(busy)`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  let running = true;
  const ended = new Promise((resolve) => child.once("exit", resolve)).then(() => {
    running = false;
  });
  let count = 0;
  while (running) {
    count += 1;
    await store.tx([insert(count)], durable);
  }
  await ended;
  expect(said.trim()).toBe("40");
  expect((await ids(store))?.length).toBe(count);
});

it("SQ-04: the log stays within its bound under writing and reading, and is short after a pause", async () => {
  const file = newFile();
  const store = await open(file);
  const log = () => statSync(`${file}-wal`).size;
  const text = "x".repeat(1000);
  let longest = 0;
  for (let round = 0; round < 60; round += 1) {
    const rows = Array.from({ length: 100 }, (_, i) => insert(round * 100 + i, text));
    // A reader of the whole table beside every write: no read outlives its request.
    await Promise.all([store.tx(rows, durable), store.tx([{ sql: "SELECT * FROM t" }], lazy)]);
    longest = Math.max(longest, log());
  }
  // 1000 pages and one transaction; some 8 MB were written, twice over.
  expect(longest).toBeLessThan(8 * 1024 * 1024);
  const before = statSync(file).size;
  await Promise.all(
    Array.from({ length: 250 }, (_, i) => store.tx([insert(10_000 + i, text)], lazy)),
  );
  for (let i = 0; i < 250; i += 1) await store.tx([insert(20_000 + i)], lazy);
  // With nobody asking, the log is moved into the file, without a restart.
  await vi.waitFor(() => expect(statSync(file).size).toBeGreaterThan(before), { timeout: 5000 });
});
