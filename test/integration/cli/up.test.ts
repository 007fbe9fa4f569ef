/**
 * `servocell up` as processes: signals, a supervisor that is killed, a port or a place that is taken.
 *
 * The idea: a copy of the demo cell on free ports, judged by its processes. It refuses to look at
 * axes; test/hil does.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { loadCell } from "#kernel/config/cell-file.js";
import { snapshotPath } from "#kernel/config/cell-snapshot.js";
import { makeRunDir } from "#kernel/edge/run-dir-maker.js";
import { ownTmpdir } from "../../fixtures/cabinet.js";
import { CellProcess, makeCellFolder, until } from "../../fixtures/cell-process.js";

// Other users look through it, too.
beforeAll(() => chmodSync(ownTmpdir(), 0o755));
afterAll(() => vi.unstubAllEnvs());

const started: CellProcess[] = [];
afterEach(async () => {
  for (const cell of started.splice(0)) await cell.close();
}, 60_000);

async function cellUp(): Promise<CellProcess> {
  const cell = new CellProcess(await makeCellFolder());
  started.push(cell);
  await until("the cell is up", () => cell.output.includes(" is up after "), 60_000);
  return cell;
}

/** Processes that name the folder of this cell, the command itself left out. */
function servicesOf(cell: CellProcess): readonly number[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry) || Number(entry) === cell.pid) return [];
    try {
      const line = readFileSync(`/proc/${entry}/cmdline`, "utf8");
      return line.includes(cell.folder.dir) ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}

test("up, SIGTERM: ten services are there, and none is left behind; exit 0", async () => {
  const cell = await cellUp();
  expect(servicesOf(cell)).toHaveLength(10);
  expect(cell.output).toContain(cell.folder.api.replace("/api/v1", "/"));
  cell.child.kill("SIGTERM");
  expect(await cell.exit()).toBe(0);
  expect(servicesOf(cell)).toEqual([]);
}, 120_000);

const runningCells = fileURLToPath(
  new URL("../../../dist/services/cli/running-cells.js", import.meta.url),
);

/** What a user without rights of any kind finds out about the wire of the cell. */
function seenByOthers(): string {
  const link = JSON.stringify({ kind: "tcp", host: "127.0.0.1", port: 9 });
  const code = `import { runningBus } from ${JSON.stringify(runningCells)};
    process.setgroups([]);
    process.setgid(65534);
    process.setuid(65534);
    const found = await runningBus({ name: "a wire", link: ${link} }).catch(({ code }) => code);
    console.log(String(found));`;
  const args = ["--input-type=module", "--eval", code];
  return execFileSync(process.execPath, args, { encoding: "utf8" }).trim();
}

test("up, SIGTERM: afterwards others see that nobody is there; the next start closes it", async () => {
  const cell = await cellUp();
  const loaded = loadCell(cell.folder.cellFile, { dataDir: cell.folder.dataDir });
  if (!loaded.ok) throw new Error("the demo cell is faulty");
  const { runDir } = loaded.value;
  const mode = () => statSync(runDir).mode & 0o777;
  expect(mode()).toBe(0o700);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) expect(seenByOthers()).toBe("STATE_CONFLICT");
  cell.child.kill("SIGTERM");
  expect(await cell.exit()).toBe(0);
  expect(mode()).toBe(0o711);
  expect(existsSync(snapshotPath(runDir))).toBe(false);
  if (isRoot) expect(seenByOthers()).toBe("undefined");
  makeRunDir(runDir);
  expect(mode()).toBe(0o700);
}, 120_000);

test("up, supervisor killed by SIGKILL: every service sees it and ends", async () => {
  const cell = await cellUp();
  cell.child.kill("SIGKILL");
  await until("no service is left", () => servicesOf(cell).length === 0, 30_000);
}, 120_000);

test("up: a service that is killed is started again", async () => {
  const cell = await cellUp();
  const before = cell.childPid("services/gateway/main.js") ?? 0;
  process.kill(before, "SIGKILL");
  const after = await until("there is another gateway", () => {
    const pid = cell.childPid("services/gateway/main.js");
    return pid !== before && pid;
  });
  expect(after).not.toBe(before);
  expect(cell.errors).toContain("gateway ended");
}, 120_000);

test("up: a port that is taken ends the start with one sentence, nothing left behind", async () => {
  const folder = await makeCellFolder();
  const taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(folder.brokerPort, "127.0.0.1", resolve));
  const cell = new CellProcess(folder);
  started.push(cell);
  expect(await cell.exit()).toBe(1);
  expect(cell.errors).toMatch(/error: The broker did not start: .*used by another program/);
  expect(servicesOf(cell)).toEqual([]);
  taken.close();
}, 120_000);

test("up, while the cell is up: refused, and what its services go by stays as it was", async () => {
  const { folder } = await cellUp();
  const loaded = loadCell(folder.cellFile, { dataDir: folder.dataDir });
  if (!loaded.ok) throw new Error("the demo cell is faulty");
  const { runDir } = loaded.value;
  const left = () => [readdirSync(runDir).sort(), readFileSync(snapshotPath(runDir), "utf8")];
  const before = left();
  const text = readFileSync(folder.cellFile, "utf8");
  writeFileSync(folder.cellFile, text.replace("velocityMax: 300 mm/s", "velocityMax: 320 mm/s"));
  for (const args of [[], ["--simulated"], ["--once", "home-cell"]]) {
    const second = new CellProcess({ ...folder, tapFile: "" }, args);
    started.push(second);
    expect(await second.exit()).toBe(1);
    expect(second.errors).toContain(`is up already (${runDir}); end it first. (STATE_CONFLICT)`);
    expect(left()).toEqual(before);
  }
}, 180_000);

test("up --tap to a folder that is not there: the file and the reason are told", async () => {
  const folder = await makeCellFolder();
  const cell = new CellProcess({ ...folder, tapFile: join(folder.dir, "none", "tap.jsonl") });
  started.push(cell);
  expect(await cell.exit()).toBe(1);
  expect(cell.errors).toMatch(/simulator did not start: The tap .*tap\.jsonl .* written: ENOENT/);
}, 120_000);
