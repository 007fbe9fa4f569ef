/**
 * A second instance of a service beside a living cell: it stands by and drives nothing.
 *
 * The idea: interleaving 6 with processes. The second coordinator and the second driver say who
 * holds what, take over only when the first has gone, and the tap shows no write of theirs. It
 * refuses to end anything that it did not start.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CellProcess, isWrite, makeCellFolder, sleep, until } from "../fixtures/cell-process.js";

let cell: CellProcess;
const started: ChildProcess[] = [];

beforeAll(async () => {
  cell = new CellProcess(await makeCellFolder());
  await cell.ready();
}, 60_000);

afterAll(async () => {
  for (const child of started) if (child.exitCode === null) child.kill("SIGTERM");
  await cell.close();
}, 30_000);

function second(service: string, ...more: readonly string[]) {
  const script = join(process.cwd(), "dist", "services", service, "main.js");
  const { cellFile, dataDir } = cell.folder;
  const args = [script, "--cell", cellFile, "--data", dataDir, ...more];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  const told = { text: "", child };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data) => {
      told.text += data;
    });
  }
  return told;
}

test.each([
  ["coordinator", []],
  ["driver", ["--device", "x"]],
])(
  "interleaving 6: a second %s stands by and drives nothing",
  async (service, more) => {
    const writes = cell.tap().filter(isWrite).length;
    const other = second(service, ...more);
    await until("the second one said that it stands by", () => /Standing by: /.test(other.text));
    expect(other.text).toMatch(/Another instance/);
    await sleep(1500);
    expect(other.child.exitCode).toBe(null);
    expect(other.text).not.toMatch(/^ready$/m);
    expect(cell.tap().filter(isWrite).length).toBe(writes);
    expect((await cell.run("home-cell")).state).toBe("completed");
    other.child.kill("SIGTERM");
    await until("the second one ended", () => {
      return other.child.exitCode !== null || other.child.signalCode !== null;
    });
  },
  90_000,
);

test("a second driver takes over when the first has ended in order", async () => {
  const other = second("driver", "--device", "x");
  await until("the second one said that it stands by", () => /Standing by: /.test(other.text));
  // The supervisor would start the first again: it is held for as long as the change takes.
  cell.kill("SIGSTOP");
  cell.kill("SIGTERM", "driver/main.js", "x");
  await until("the second one is ready", () => /^ready$/m.test(other.text), 20_000);
  other.child.kill("SIGTERM");
  await until("the second one ended", () => other.child.exitCode !== null, 15_000);
  cell.kill("SIGCONT");
}, 60_000);
