/**
 * scan on serial lines: five mixed devices on two pseudo-terminals at different rates.
 *
 * The idea: the command as a person runs it, without being told rate or format; a line at another
 * rate hears nothing, as a real one. It refuses to know which rate is tried first.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Simulation, startSim } from "#simulators/simulation.js";

const script = fileURLToPath(new URL("../../../dist/services/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "scan-"));
const slow = join(folder, "slow.tty");
const fast = join(folder, "fast.tty");
let sim: Simulation;

function scan(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const all = [script, "scan", ...args];
    const env = { ...process.env, TMPDIR: folder };
    const child = execFile(process.execPath, all, { timeout: 100_000, env }, (_error, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err });
    });
  });
}

beforeAll(async () => {
  const inverter = "axis: { unit: percent, velocityMax: 100 %, accelerationMax: 100 %/s }";
  const cell = `
servocell: 1
cell: { name: lines, prefix: test }
simulation: true
buses:
  slow: { serial: ${slow}, baud: 19200, format: 8E1 }
  fast: { serial: ${fast}, baud: 115200, format: 8N1 }
devices:
  x: { profile: kinco/fd5p, bus: slow, unit: 1, axis: { kind: linear, countsPerRev: 10000,
       pitch: 5 mm, travel: [0 mm, 400 mm], velocityMax: 200 mm/s, accelerationMax: 2 m/s2 } }
  belt: { profile: siemens/v20, bus: slow, unit: 3, ${inverter} }
  pump: { profile: schneider/atv320, bus: slow, unit: 4, ${inverter} }
  claw: { profile: dh/ag-95, bus: fast, unit: 1 }
  gripper: { profile: robotiq/2f, bus: fast, unit: 9 }
`.replace("2 m/s2", "2000 mm/s2");
  const cellFile = join(folder, "cell.yaml");
  writeFileSync(cellFile, cell);
  sim = await startSim({ cellFile, rateMatters: true });
});
afterAll(async () => sim.close());

test("five mixed devices (19200 8E1: 3, 115200 8N1: 2): all found and named, rates found out", async () => {
  const one = await scan(slow, "--units", "1-10");
  const two = await scan(fast, "--units", "1-10");
  expect(one.out, one.err).toMatch(/^# .*slow\.tty 19200 8E1: 3 units$/m);
  expect(one.out).toMatch(/^# unit 1: .*kinco\/fd5p.*\(possible/m);
  expect(one.out).toMatch(/^# unit 3: .*siemens\/v20/m);
  expect(one.out).toMatch(/^# unit 4: .*schneider\/atv320.*\(possible/m);
  expect(two.out, two.err).toMatch(/^# .*fast\.tty 115200 8N1: 2 units$/m);
  expect(two.out).toMatch(/^# unit 1: dh\/ag-95 \(possible/m);
  expect(two.out).toMatch(/^# unit 9: robotiq\/2f \(possible/m);
  expect(two.out).toMatch(/\{ profile: robotiq\/2f, bus: line, unit: 9 \}/);
  expect([one.code, two.code]).toEqual([0, 0]);
}, 120_000);

test("the lines got reads only, none to unit 0, and no frame before the silence was over", () => {
  const lines = Object.values(sim.lines());
  expect(lines.length).toBe(2);
  for (const line of lines) expect(line).toMatchObject({ violations: 0, collisions: 0 });
  for (const device of Object.values(sim.state())) expect(device.moving).toBe(false);
});
