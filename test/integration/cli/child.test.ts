/**
 * A child of the supervisor whose log is gone.
 *
 * The idea: a real process that ends by itself, and a folder of logs that somebody takes away
 * meanwhile. It refuses the services: a script of two lines is a child.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ChildProcess, LastWords } from "../../../services/supervisor/app.js";
import { childSpawner } from "../../../services/supervisor/child.js";
import type { ChildSpec } from "../../../services/supervisor/plan.js";

const spec: ChildSpec = {
  service: "driver-x",
  script: "child.mjs",
  args: [],
  nodeFlags: [],
  env: {},
  startRank: 1,
  endRank: 1,
  readyWithinMs: 15_000,
  endWithinMs: 3_000,
  essential: false,
  priority: 0,
};
let root: string;
let logDir: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "servocell-child-"));
  logDir = join(root, "data", "log");
  const child = `process.on("SIGTERM", () => process.exit(3));
    process.stdin.once("end", () => process.exit(4)).resume();
    process.stderr.write("a line of the log\\n");
    process.stdout.write("ready\\n");`;
  writeFileSync(join(root, "child.mjs"), child);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const ready = (child: ChildProcess) => new Promise<void>((resolve) => child.onReady(resolve));
const ended = (child: ChildProcess) =>
  new Promise<LastWords>((resolve) => child.onExit((last) => resolve(last)));

it("the log is there: its newest line is what the child said last", async () => {
  const child = childSpawner({ root, logDir })(spec);
  const last = ended(child);
  await ready(child);
  child.kill();
  expect(await last).toEqual({ text: "a line of the log" });
});

it("the folder of the logs is gone: the end is told all the same, and the next start works", async () => {
  const warned: string[] = [];
  const spawn = childSpawner({ root, logDir, warn: (text) => warned.push(text) });
  const child = spawn(spec);
  const last = ended(child);
  await ready(child);
  rmSync(logDir, { recursive: true });
  child.terminate();
  expect(await last).toEqual({ text: "it ended with code 3." });
  const second = spawn(spec);
  const lastOfSecond = ended(second);
  await ready(second);
  expect(readFileSync(join(logDir, "driver-x.log"), "utf8")).toContain("a line of the log");
  second.kill();
  await lastOfSecond;
  expect(warned).toEqual([]);
});

it("no log can be written: the child runs without, and that is told once", async () => {
  const warned: string[] = [];
  const spawn = childSpawner({ root, logDir, warn: (text) => warned.push(text) });
  rmSync(join(root, "data"), { recursive: true, force: true });
  writeFileSync(join(root, "data"), "no folder");
  for (let start = 0; start < 2; start += 1) {
    const child = spawn(spec);
    const last = ended(child);
    await ready(child);
    child.terminate();
    expect(await last).toEqual({ text: "it ended with code 3." });
  }
  expect(warned).toHaveLength(1);
  expect(warned[0]).toContain(join(logDir, "driver-x.log"));
  expect(existsSync(logDir)).toBe(false);
});
