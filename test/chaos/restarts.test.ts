/**
 * A cell whose supervisor dies, and one whose broker remembers the dead.
 *
 * The idea: everything that starts again starts from a stop, and what a broker repeats of services
 * that have died is no sign of life. It refuses to end a process that it did not start.
 */
// needs: mosquitto
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { CellProcess, freePorts, monotonicMs, sleep, until } from "../fixtures/cell-process.js";
import { LivingCell } from "../fixtures/living-cell.js";

let at: LivingCell | undefined;
let broker: ChildProcess | undefined;
afterEach(async () => {
  await at?.close();
  broker?.kill("SIGKILL");
  broker = undefined;
}, 30_000);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function childrenOf(cell: CellProcess): number[] {
  const names = ["bus", "driver", "coordinator", "gateway"];
  const pids = names.map((name) => cell.childPid(`${name}/main.js`));
  pids.push(cell.childPid("simulators/main.js"), cell.childPid("broker/main.js"));
  return pids.filter((pid): pid is number => pid !== undefined);
}

async function killSupervisor(living: LivingCell): Promise<void> {
  const pids = childrenOf(living.cell);
  expect(pids.length).toBeGreaterThan(4);
  living.cell.kill("SIGKILL");
  await until("every process is gone", () => pids.every((pid) => !alive(pid)), 20_000);
}

test("interleaving 23: supervisor killed mid-move: all stop and exit; `up` again moves nothing by itself", async () => {
  at = await LivingCell.start();
  await at.back();
  const { run, fromMs } = await at.shuttling();
  const killedMs = monotonicMs();
  await killSupervisor(at);
  expect(at.firstStop("x", killedMs)).toBeDefined();
  for (const axis of ["x", "y", "z"]) expect(at.moves(axis)).toBe(false);
  expect(at.triggers("x", fromMs)).toBe(2);
  const upMs = monotonicMs();
  at.cell = new CellProcess(at.cell.folder);
  await at.cell.ready();
  const end = await at.ended(run);
  // The simulated drives have lost their power with their process: a person decides.
  expect(["stopped", "needsOperator", "madeSafe"]).toContain(end.state);
  await sleep(1000);
  const since = at.tap.filter((l) => l.tMs > upMs);
  expect(since.length).toBeGreaterThan(0);
  expect(since.filter((l) => l.kind === "motion" && l.moving === true)).toEqual([]);
}, 120_000);

function startBroker(dir: string, port: number): ChildProcess {
  const config = join(dir, "mosquitto.conf");
  const store = join(dir, "mosquitto");
  mkdirSync(store, { recursive: true });
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "user root",
    "set_tcp_nodelay true",
    "persistence true",
    `persistence_location ${store}/`,
    "autosave_on_changes true",
    "autosave_interval 1",
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  return spawn("mosquitto", ["-c", config], { stdio: "ignore" });
}

test("interleaving 4: a persistent broker repeats the words of dead services: nothing is believed", async () => {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no port");
  at = await LivingCell.start(
    (cell) => {
      const own = cell.replace(/^brokerPort:.*\n/m, "");
      return own.replace(/^broker: embedded.*$/m, `broker: mqtt://127.0.0.1:${port}`);
    },
    (dir) => {
      broker = startBroker(dir, port);
    },
  );
  await at.back();
  await at.shuttling();
  await killSupervisor(at);
  broker?.kill("SIGTERM");
  await sleep(500);
  broker = startBroker(at.cell.folder.dir, port);
  await sleep(500);
  // Only the gateway, so that nobody but the broker speaks.
  const { folder } = at.cell;
  const args = ["dist/services/cli/main.js", "gateway", "--cell", folder.cellFile];
  const gateway = spawn(process.execPath, [...args, "--data", folder.dataDir], { stdio: "ignore" });
  try {
    const look = () => at?.cell.get<{ state: string }>("/cell");
    await until("the gateway answers", async () => (await look()) !== undefined, 20_000);
    await sleep(1000);
    expect((await look())?.state).toBe("unknown");
    const axes = await at.cell.get<{ axes: { axis: string; q: string }[] }>("/axes");
    expect((axes?.axes ?? []).filter(({ q }) => q === "good")).toEqual([]);
  } finally {
    gateway.kill("SIGTERM");
    await until("the gateway has ended", () => gateway.exitCode !== null, 10_000);
  }
}, 120_000);
