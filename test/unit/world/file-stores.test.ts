/**
 * Stores on files come back from a kill with all that was committed.
 *
 * The idea: nobody closes the file of a killed service, so its next start reads the log. It refuses
 * to know schemas.
 */
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { FileStores } from "#simulators/campaign/edge-stores.js";

const schema = ["CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT"];
const ours = () => readdirSync(tmpdir()).filter((name) => name.startsWith("servocell-world-"));

test("file stores: a kill loses no commit, and nothing stays on the disk (kills=5)", async () => {
  const before = new Set(ours());
  const stores = new FileStores();
  const [folder] = ours().filter((name) => !before.has(name));
  const store = stores.make("driver-x", schema);
  for (let n = 0; n < 5; n += 1) {
    const sql = "INSERT INTO t (n) VALUES (?)";
    await store.tx([{ sql, params: [n] }], { durable: n % 2 === 0 });
    // One that fails leaves nothing.
    const twice = [
      { sql, params: [100] },
      { sql, params: [n] },
    ];
    await expect(store.tx(twice, { durable: true })).rejects.toMatchObject({
      code: "STORE_FAILED",
    });
    stores.reopen("driver-x");
    const [rows] = await store.tx([{ sql: "SELECT n FROM t ORDER BY n" }], { durable: false });
    expect(rows?.map((row) => row.n)).toEqual(Array.from({ length: n + 1 }, (_, i) => i));
  }
  stores.close();
  expect(folder).toBeDefined();
  expect(existsSync(`${tmpdir()}/${folder}`)).toBe(false);
});
