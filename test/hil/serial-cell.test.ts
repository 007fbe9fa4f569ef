/**
 * A cell on a serial line: drives, gripper and inverter of four makers on one RTU line.
 *
 * The idea: the built command, its bus process and a paced pseudo-terminal; judged at the line:
 * silences kept, frames counted, nothing but stops after a stop. The adapter is pulled out in the
 * middle of a move. It refuses to know how the line is scheduled.
 *
 * needs: mbpoll
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type CellFolder,
  CellProcess,
  freePorts,
  isWrite,
  makeCellFolder,
  monotonicMs,
  type TapLine,
  until,
} from "../fixtures/cell-process.js";
import { simControl } from "../fixtures/sim-control.js";
import { stopFrame, triggerFrame } from "../fixtures/stop-frames.js";

const polls = "poll: { fast: 200 ms, idle: 500 ms }";
const axis = `axis: { kind: linear, countsPerRev: 10000, pitch: 10 mm, travel: [0 mm, 500 mm],
    velocityMax: 200 mm/s, accelerationMax: 1000 mm/s2, whenOff: stays }`;

function cellText(broker: number, gateway: number, pollPort: number): string {
  return `
servocell: 1
cell: { name: serial, prefix: test }
simulation: true
brokerPort: ${broker}
gateway: { host: 127.0.0.1, port: ${gateway} }
buses: { rail: { serial: /dev/ttyUSB7, baud: 115200, format: 8E1, pollPort: ${pollPort} } }
devices:
  x: { profile: kinco/fd5p, bus: rail, unit: 1, ${polls}, ${axis}, simulate: { start: 20 } }
  y: { profile: leadshine/cs2rs, bus: rail, unit: 2, ${polls}, ${axis} }
  conveyor: { profile: siemens/v20, bus: rail, unit: 3, ${polls},
    acceptNoWatchdog: simulated and nobody stands there, axis: { unit: percent,
    velocityMax: 100 %, accelerationMax: 100 %/s, whenOff: coasts } }
  gripper: { profile: robotiq/2f, bus: rail, unit: 9, ${polls} }
sagas: [prepare.yaml, shuttle.yaml]
`;
}
const prepare = `
saga: prepare
title: Power and home
steps:
  - { name: enable-x, do: x.enable, timeout: 10 s, makeSafe: still }
  - { name: home-x, do: x.home, timeout: 60 s, makeSafe: still }
  - { name: enable-gripper, do: gripper.enable, timeout: 20 s, makeSafe: still }
`;
const shuttle = `
saga: shuttle
title: There and back
steps:
  - { name: there, do: x.moveTo, with: { position: 400 mm, velocity: 100 mm/s },
      timeout: 20 s, makeSafe: still }
  - { name: back, do: x.moveTo, with: { position: 20 mm, velocity: 100 mm/s },
      timeout: 20 s, makeSafe: still }
`;

let folder: CellFolder;
let cell: CellProcess;
let pollPort = 0;

interface Line {
  readonly violations: number;
  readonly collisions: number;
  readonly gaps: number;
  readonly plugged: boolean;
}
async function line(): Promise<Line> {
  const state = (await simControl(folder, { kind: "state" })) as { lines: { rail: Line } };
  return state.lines.rail;
}
function moving(tap: readonly TapLine[]): boolean {
  return tap.findLast((l) => l.device === "x" && l.kind === "motion")?.moving === true;
}

beforeAll(async () => {
  const [broker = 0, gateway = 0, poll = 0] = await freePorts(3);
  pollPort = poll;
  const made = await makeCellFolder(() => cellText(broker, gateway, poll));
  folder = { ...made, api: `http://127.0.0.1:${gateway}/api/v1`, brokerPort: broker, pollPort };
  writeFileSync(join(folder.dir, "prepare.yaml"), prepare);
  writeFileSync(join(folder.dir, "shuttle.yaml"), shuttle);
  cell = new CellProcess(folder);
  await cell.ready(4);
}, 90_000);
afterAll(async () => cell.close(), 30_000);

test("one line, four makers (115200 8E1): powered, homed, moved there and back", async () => {
  expect((await cell.run("prepare", 90_000)).state).toBe("completed");
  expect((await cell.run("shuttle")).state).toBe("completed");
  const { gaps, collisions } = await line();
  process.stdout.write(`line: ${gaps} gaps judged, ${(await line()).violations} too short\n`);
  expect(gaps).toBeGreaterThan(100);
  expect(collisions).toBe(0);
}, 180_000);

test("mbpoll joins the poll lane of the line while x moves, and its write never reaches the drive", async () => {
  const started = (await cell.post("/runs", { saga: "shuttle" })).body as { run: string };
  await until("x moves", () => moving(cell.tap()));
  const fromMs = monotonicMs();
  const where = ["-m", "tcp", "-p", String(pollPort), "-a", "1", "-0", "-1", "127.0.0.1"];
  const read = ["-t", "4:hex", "-r", "12800", "-c", "1", ...where];
  const { stdout } = await promisify(execFile)("mbpoll", read);
  expect(stdout).toMatch(/\[12800\]:\s+0x/);
  const write = ["-t", "4", "-r", "12544", ...where, "6"];
  await expect(promisify(execFile)("mbpoll", write)).rejects.toThrow();
  expect((await cell.ended(started.run)).state).toBe("completed");
  const foreign = cell.tap().filter((l) => l.tMs > fromMs && /^063100 ?0006$/.test(l.pdu ?? ""));
  expect(foreign).toEqual([]);
}, 60_000);

test("the adapter is pulled out mid-move: the run fails, and a stop goes first when it is back", async () => {
  const started = (await cell.post("/runs", { saga: "shuttle" })).body as { run: string };
  await until("x moves", () => moving(cell.tap()));
  await simControl(folder, { kind: "unplug", bus: "rail" });
  await until("the line is out", async () => !(await line()).plugged);
  const outMs = monotonicMs();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await simControl(folder, { kind: "replug", bus: "rail" });
  const frames = () => cell.tap().filter((l) => l.device === "x" && l.tMs > outMs && isWrite(l));
  const [first] = await until("x was written to", () => frames().length > 0 && frames(), 15_000);
  expect(stopFrame("x", first?.pdu ?? ""), JSON.stringify(first)).toBe(true);
  const end = await cell.ended(started.run, 30_000);
  expect(["madeSafe", "stopped", "needsOperator"]).toContain(end.state);
  await until("x stands still", () => !moving(cell.tap()), 10_000);
  const again = frames().filter((l) => triggerFrame("x", l.pdu ?? ""));
  expect(again).toEqual([]);
}, 90_000);
