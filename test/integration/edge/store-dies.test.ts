/**
 * A real service process whose disk refuses a sync.
 *
 * The idea: the descriptor of its log becomes one that cannot be synced, in the moment of its first
 * durable write, so that the thread of its store ends as after an error of the disk. It runs the
 * build in `dist/` and refuses fixed ports.
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

/**
 * Puts another file in the place of the descriptor by which the log is synced; SQLite's own has
 * the flag O_NOFOLLOW. The place stays taken: the thread closes it at its end, whatever is there.
 */
const breakingText = `
  import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
  import { Worker } from "node:worker_threads";
  const post = Worker.prototype.postMessage;
  const isLog = (fd) => {
    try {
      if (!readlinkSync("/proc/self/fd/" + fd).endsWith("-wal")) return false;
      const [, flags] = /flags:\\s*(\\d+)/.exec(readFileSync("/proc/self/fdinfo/" + fd, "utf8"));
      return (Number.parseInt(flags, 8) & constants.O_NOFOLLOW) === 0;
    } catch { return false; }
  };
  let broken = false;
  Worker.prototype.postMessage = function (message, ...more) {
    if (!broken && typeof message === "string" && /INTO (numbered|claims)/.test(message)) {
      broken = true;
      const fd = Math.max(...readdirSync("/proc/self/fd").map(Number).filter(isLog));
      closeSync(fd);
      while (openSync("/dev/null", "r") < fd);
      process.stderr.write("broken\\n");
    }
    return post.call(this, message, ...more);
  };`;

beforeAll(() => writeFileSync(breaking, breakingText));
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(service: string, args: readonly string[], flags: readonly string[]) {
  const cell = join(dir, `${service}.yaml`);
  const text = readFileSync(join(root, "examples/pick-and-place/cell.yaml"), "utf8")
    .replace(/brokerPort: \d+/, `brokerPort: ${await freePort()}`)
    .replace("name: pick-and-place", `name: d${process.pid}`)
    .replace(/^sagas:.*(\n {2}- .*)*$/m, "");
  writeFileSync(cell, text);
  const main = join(root, `dist/services/${service}/main.js`);
  const all = [...flags, main, "--cell", cell, "--data", join(dir, "data"), ...args];
  const child = spawn(process.execPath, all, {
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

it.each([
  ["driver", "--device x"],
  ["driver", "--device x,z"],
  ["coordinator", ""],
])("the service ends as failed, to be started anew (%s %s)", async (service, given) => {
  const args = given.split(" ").filter((one) => one !== "");
  const broken = await run(service, args, ["--import", pathToFileURL(breaking).href]);
  await until(() => broken.errors().includes("broken"));
  await until(() => broken.child.exitCode !== null);
  expect(broken.child.exitCode).toBe(1);
  expect(broken.errors()).toContain("STORE_FAILED");
  if (service === "coordinator") return; // It waits for the broker.
  const anew = await run(service, args, []);
  await until(() => anew.out().includes("ready"));
});
