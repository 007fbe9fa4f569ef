/**
 * A real driver process whose disk refuses a sync.
 *
 * The idea: the descriptor of its log is closed under it in the moment of its first durable write,
 * so that the thread of its store ends as after an error of the disk. It runs the build in `dist/`
 * and refuses fixed ports.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { freePort } from "../../fixtures/brokers.js";
import { until } from "../../fixtures/kept-log.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "servocell-dies-"));
const breaking = join(dir, "breaking.mjs");
const children: ChildProcess[] = [];

/** Closes the second descriptor of the log, the one that is synced, before a durable write. */
const breakingText = `
  import { closeSync, readdirSync, readlinkSync } from "node:fs";
  import { Worker } from "node:worker_threads";
  const post = Worker.prototype.postMessage;
  const isLog = (fd) => {
    try { return readlinkSync("/proc/self/fd/" + fd).endsWith("-wal"); } catch { return false; }
  };
  let broken = false;
  Worker.prototype.postMessage = function (message, ...more) {
    if (!broken && typeof message === "string" && message.includes("INTO numbered")) {
      broken = true;
      closeSync(Math.max(...readdirSync("/proc/self/fd").map(Number).filter(isLog)));
      process.stderr.write("broken\\n");
    }
    return post.call(this, message, ...more);
  };`;

beforeAll(() => writeFileSync(breaking, breakingText));
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function driver(devices: string, flags: readonly string[]) {
  const cell = join(dir, `${devices}.yaml`);
  const text = readFileSync(join(root, "examples/pick-and-place/cell.yaml"), "utf8")
    .replace(/brokerPort: \d+/, `brokerPort: ${await freePort()}`)
    .replace("name: pick-and-place", `name: d${process.pid}`)
    .replace(/^sagas:.*(\n {2}- .*)*$/m, "");
  writeFileSync(cell, text);
  const main = join(root, "dist/services/driver/main.js");
  const args = ["--cell", cell, "--data", join(dir, "data"), "--device", devices];
  const child = spawn(process.execPath, [...flags, main, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: dir },
  });
  children.push(child);
  let errors = "";
  let out = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  return { child, errors: () => errors, out: () => out };
}

it.each(["x", "x,z"])(
  "the service ends as failed, to be started anew (devices=%s)",
  async (devices) => {
    const broken = await driver(devices, ["--import", pathToFileURL(breaking).href]);
    await until(() => broken.errors().includes("broken"));
    await until(() => broken.child.exitCode !== null);
    expect(broken.child.exitCode).toBe(1);
    expect(broken.errors()).toContain("STORE_FAILED");
    const anew = await driver(devices, []);
    await until(() => anew.out().includes("ready"));
  },
);
