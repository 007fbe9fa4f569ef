/**
 * From a living bus to a device that answers like it: bus process, `servocell tap`, `sim --from`.
 *
 * The idea: each link of the chain is its real process; the device is first the simulator's and
 * then the recording's, and one read must bring the same bytes from both. It refuses a broker.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import type { Exchange, Log, WireResult } from "#kernel/ports.js";
import { startSim } from "#simulators/simulation.js";
import { freePort } from "../../fixtures/brokers.js";
import { until } from "../../fixtures/kept-log.js";

const dist = (path: string) => fileURLToPath(new URL(`../../../dist/${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tap-"));
const runDir = join(folder, "run");
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  readonly child: ChildProcess;
  out: string;
  err: string;
  readonly exit: Promise<number | null>;
}

function run(script: string, ...args: string[]): Running {
  const env = { ...process.env, SERVOCELL_RUN_DIR: runDir };
  const child = spawn(process.execPath, [dist(script), ...args], { stdio: "pipe", env });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const running: Running = { child, out: "", err: "", exit };
  child.stdout.on("data", (chunk) => {
    running.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    running.err += chunk;
  });
  closers.push(async () => {
    child.kill("SIGTERM");
    await exit;
  });
  return running;
}

async function cannotWrite(code: string, ...args: string[]): Promise<void> {
  const tap = run("services/cli/main.js", "tap", ...args);
  expect(await tap.exit).toBe(1);
  const sentence = `error: ${args.at(-1)} cannot be written: `;
  expect(tap.err.trim().split("\n").at(-1)).toMatch(new RegExp(`^${sentence}.* \\(${code}\\)$`));
  expect(tap.err).not.toMatch(/^ +at /m);
}

function bytes(result: Exchange | WireResult): string {
  return result.kind === "reply" ? Buffer.from(result.pdu).toString("hex") : result.why;
}

it("tap of a bus process to a file, sim --from that file: the same reply to the same read", async () => {
  const cellFile = join(folder, "cell.yaml");
  const devicePort = await freePort();
  const noBroker = await freePort();
  writeFileSync(
    cellFile,
    `
servocell: 1
cell: { name: tapped, prefix: test }
simulation: true
broker: mqtt://127.0.0.1:${noBroker}
buses:
  gantry: { tcp: "127.0.0.1:${devicePort}" }
devices:
  claw: { profile: robotiq/2f, bus: gantry, unit: 9 }
`,
  );
  const sim = await startSim({ cellFile, rateMatters: true });
  closers.push(() => sim.close());
  run("services/bus/main.js", "--cell", cellFile, "--data", join(folder, "data"));
  const link = openFieldLink({ runDir, bus: "gantry", unit: 9, device: "claw", log });
  closers.push(() => link.close());
  await until(() => link.connected, 30_000);

  const file = join(folder, "records.jsonl");
  const tap = run("services/cli/main.js", "tap", "gantry", "--cell", cellFile, "--file", file);
  await until(() => tap.err.includes("listening to gantry"), 30_000);
  const nowhere = join(folder, "none", "records.jsonl");
  await cannotWrite("STORE_FAILED", "gantry", "--cell", cellFile, "--file", nowhere);
  const read = Uint8Array.of(3, 0x07, 0xd0, 0, 3);
  let first = "";
  // The wire of the bus process may not stand yet.
  for (let i = 0; i < 100 && !first.startsWith("03"); i += 1) {
    first = bytes(await link.exchange("poll", read));
    if (!first.startsWith("03")) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(first).toMatch(/^0306[0-9a-f]{12}$/);
  await until(() => tap.out.includes("claw"), 10_000);
  tap.child.kill("SIGINT");
  expect(await tap.exit).toBe(0);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ kind: "head", bus: "gantry" });
  expect(lines.slice(1).join()).toContain(first);

  await cannotWrite("STORE_FAILED", "--from", file, "--file", nowhere);
  await cannotWrite("STORE_FULL", "--from", file, "--file", "/dev/full");

  const port = await freePort();
  const from = run("simulators/main.js", "--from", file, "--tcp", `127.0.0.1:${port}`);
  await until(() => from.out.includes("ready"), 30_000);
  const wire = openModbusWire({ host: "127.0.0.1", port, log });
  closers.push(() => wire.close());
  await until(() => wire.connected, 10_000);
  expect(bytes(await wire.exchange(9, read, { timeoutMs: 5000 }))).toBe(first);
}, 120_000);
