/**
 * The built command on cell files: what it prints and how it exits.
 *
 * The idea: the command as a user runs it, on files in a temporary folder. It refuses cells that
 * run.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const cli = join(process.cwd(), "dist", "services", "cli", "main.js");
const dir = mkdtempSync(join(tmpdir(), "servocell-cli-"));
cpSync(join(process.cwd(), "examples", "pick-and-place"), dir, { recursive: true });
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function servocell(...args: readonly string[]) {
  const done = spawnSync(process.execPath, [cli, ...args], {
    cwd: dir,
    encoding: "utf8",
    env: { ...process.env, TMPDIR: dir },
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

function edited(name: string, ...edits: readonly (readonly [string, string])[]): string {
  let text = readFileSync(join(dir, "cell.yaml"), "utf8");
  for (const [from, to] of edits) {
    expect(text).toContain(from);
    text = text.replace(from, to);
  }
  writeFileSync(join(dir, name), text);
  return name;
}

test("check: the demo cell is shown with its effective values, and nothing is made", () => {
  const { code, out, err } = servocell("check", "cell.yaml");
  expect(err).toBe("");
  expect(code).toBe(0);
  for (const words of [
    "pick-and-place (demo/lab/cell), simulated",
    "embedded, 127.0.0.1:18830",
    "cycle ",
    "when off it falls",
    "operator's stop: controlled, fast",
    "lease: ends 1000 ms",
    "guardian: ",
    "drive watchdog: ",
    "runs on x 240 mm, y 240 mm of a margin of 250",
    "saga pick-place",
  ]) {
    expect(out).toContain(words);
  }
  expect(existsSync(join(dir, "data"))).toBe(false);
});

test("check, up: six different mistakes are six errors with line and column, exit 1", () => {
  const file = edited(
    "six.yaml",
    ["unit: 2", "unit: 1"],
    ["velocityMax: 300 mm/s", "velocityMax: 300 ms"],
    ["      whenOff: falls\n", ""],
    ["bus: tool\n    unit: 9", "bus: tol\n    unit: 9"],
    ["profile: abb/drives-profile", "profile: abb/drive-profile"],
    ["simulation: true", "simulaton: true"],
  );
  for (const command of ["check", "up"]) {
    const { code, out, err } = servocell(command, file);
    expect(code).toBe(1);
    expect(out).toBe("");
    const lines = err.trim().split("\n");
    expect(lines.at(-1)).toBe("6 errors; nothing was started.");
    const errors = lines.slice(0, -1).filter((line) => line.includes(": error: "));
    expect(errors).toHaveLength(6);
    for (const line of errors) expect(line).toMatch(/^six\.yaml:\d+:\d+: error: /);
  }
  expect(existsSync(join(dir, "data"))).toBe(false);
});

test("CF-03: a bad profile in one of five devices refuses the start and names the place", () => {
  const file = edited("bad.yaml", ["profile: robotiq/2f", "profile: robotiq/3f"]);
  const { code, err } = servocell("up", file, "--once", "pick-place");
  expect(code).toBe(1);
  expect(err).toMatch(/bad\.yaml:\d+:\d+: error: devices\.gripper\.profile: there is no profile/);
});

test.each<[string, readonly string[], string]>([
  ["no cell file", ["check", "none.yaml"], "there is no such file"],
  ["no such saga", ["up", "cell.yaml", "--once", "nope"], "There is no saga nope"],
  [
    "no such step",
    ["up", "cell.yaml", "--once", "pick-place", "--fault", "z=stuck@nope"],
    "has no step nope",
  ],
  ["a fault misspelt", ["up", "cell.yaml", "--fault", "z"], "is not a fault"],
  ["a step without a saga", ["up", "cell.yaml", "--fault", "z=stuck@lift"], "--once"],
  ["no such driver", ["driver", "q", "--cell", "cell.yaml"], "has no driver q"],
  ["a gateway that is not there", ["status", "--api", "http://127.0.0.1:9/api/v1"], "OFFLINE"],
])("failures are one sentence and exit 1: %s", (_, args, words) => {
  const { code, err } = servocell(...args);
  expect(code).toBe(1);
  expect(err).toContain(words);
  expect(err).not.toMatch(/\n\s+at /);
});

test("faults and the tap are refused for a cell with real devices", () => {
  const file = edited("real.yaml", ["simulation: true", "simulation: false"]);
  const { code, err } = servocell("up", file, "--tap", "tap.jsonl");
  expect(code).toBe(1);
  expect(err).toContain("real devices");
});

test("stop: reaching nobody is said as such, exit 1", () => {
  const { code, err } = servocell("stop", "--api", "http://127.0.0.1:9/api/v1");
  expect(code).toBe(1);
  expect(err).toContain("NOT_DELIVERED");
  expect(err).toContain("hardware stop");
});
