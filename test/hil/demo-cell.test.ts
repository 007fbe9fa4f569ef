/**
 * The demo cell as a user meets it: processes, sockets, the broker, HTTP, vendor tools.
 *
 * The idea: independent peers (mosquitto_sub, mbpoll) look at the running cell from outside.
 * It refuses to assert how long a move takes.
 */
// needs: mosquitto_sub, mbpoll
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CellProcess, cliFile, isWrite, makeCellFolder, until } from "../fixtures/cell-process.js";

const execute = promisify(execFile);

let cell: CellProcess;
beforeAll(async () => {
  cell = new CellProcess(await makeCellFolder());
  await cell.ready();
}, 60_000);
afterAll(async () => cell.close(), 30_000);

test("topics: mosquitto_sub sees avail, meta, state, telemetry, event and permit (saga=home-cell)", async () => {
  const port = String(cell.folder.brokerPort);
  const seen = execute("mosquitto_sub", ["-p", port, "-v", "-t", "#", "-W", "6"], {
    maxBuffer: 1 << 26,
  }).catch((error: { stdout: string }) => ({ stdout: error.stdout }));
  const run = await cell.run("home-cell");
  expect(run.state).toBe("completed");
  const { stdout } = await seen;
  const classes = new Set(stdout.split("\n").map((line) => line.split("/")[4]));
  for (const name of ["avail", "meta", "state", "telemetry", "event", "permit"]) {
    expect([...classes]).toContain(name);
  }
}, 60_000);

test("run: started and read back over HTTP, ends completed (saga=pick-place)", async () => {
  const run = await cell.run("pick-place");
  expect(run.state).toBe("completed");
  const record = await cell.get<{ steps: { status: string; durationMs?: number }[] }>(
    `/runs/${run.run}`,
  );
  expect(record?.steps.length).toBeGreaterThan(5);
  for (const step of record?.steps ?? []) {
    expect(step.status).toBe("done");
    expect(step.durationMs).toBeGreaterThanOrEqual(0);
  }
}, 90_000);

test("start: the same run id and body again starts nothing, another body is refused", async () => {
  const first = await cell.post("/runs", { saga: "home-cell", run: "twice" });
  expect(first.status).toBe(202);
  const again = await cell.post("/runs", { saga: "home-cell", run: "twice" });
  expect(again.status).toBe(202);
  const other = await cell.post("/runs", { saga: "pick-place", run: "twice" });
  expect(other.status).toBe(409);
  expect((other.body as { code: string }).code).toBe("DUPLICATE_ID");
  expect((await cell.ended("twice")).state).toBe("completed");
}, 60_000);

test("poll lane: mbpoll reads x's status word, and its write never reaches the drive", async () => {
  const port = String(cell.folder.pollPort);
  const target = ["-m", "tcp", "-p", port, "-a", "1", "-0", "-r", String(0x3200), "-1"];
  const read = spawnSync("mbpoll", [...target, "-c", "1", "127.0.0.1"], { encoding: "utf8" });
  expect(read.stdout).toMatch(/\[12800\]:\s*\d+/);
  const before = cell.tap().filter(isWrite).length;
  const control = ["-m", "tcp", "-p", port, "-a", "1", "-0", "-r", String(0x3100)];
  const write = spawnSync("mbpoll", [...control, "127.0.0.1", "15"], { encoding: "utf8" });
  expect(write.status).not.toBe(0);
  expect(write.stdout + write.stderr).toMatch(/illegal function/i);
  expect(cell.tap().filter(isWrite).length).toBe(before);
});

test("status, runs: the command shows axes and runs in words", async () => {
  const at = ["--api", cell.folder.api];
  const status = await execute(process.execPath, [cliFile, "status", ...at]);
  for (const axis of ["x", "y", "z", "gripper", "conveyor"]) expect(status.stdout).toContain(axis);
  const runs = await execute(process.execPath, [cliFile, "runs", ...at]);
  expect(runs.stdout).toContain("completed");
});

test("CB-01, CB-03: one device silenced: its breaker opens, the others' polls keep their pace", async () => {
  const polls = (device: string, sinceMs: number) =>
    cell.tap().filter((l) => l.device === device && l.pdu !== undefined && l.tMs > sinceMs);
  const last = cell.tap().at(-1)?.tMs ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const quiet = polls("y", last).length;
  const control = await import("../fixtures/sim-control.js");
  await control.simControl(cell.folder, { kind: "fault", device: "x", fault: "drop" });
  await until("x's breaker is open", async () => {
    const device = await cell.get<{ breaker?: string }>("/devices/x");
    return device?.breaker === "open";
  });
  const from = cell.tap().at(-1)?.tMs ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(polls("y", from).length).toBeGreaterThan(quiet * 0.85);
  // At most a probe per two seconds goes to the silent unit.
  expect(polls("x", from).length).toBeLessThanOrEqual(3);
  await control.simControl(cell.folder, { kind: "clear", device: "x" });
  await until("x's breaker is closed", async () => {
    const device = await cell.get<{ breaker?: string }>("/devices/x");
    return device?.breaker === "closed";
  });
}, 60_000);
