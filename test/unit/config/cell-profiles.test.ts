/**
 * A cell with profiles of its own beside it, and what it may ask of a drive's watchdog.
 *
 * The idea: real files in a folder of their own, read as `servocell check` reads them. It refuses
 * the package's own profiles where yours are meant.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadCell } from "#kernel/config/cell-file.js";

const made = "test/fixtures/made-up-drive/profiles";

function cell(device: string, more = "", bus = 'tcp: "127.0.0.1:1502"'): string {
  const axis =
    "{ kind: linear, countsPerRev: 10000, pitch: 10 mm, travel: [0 mm, 500 mm], " +
    "velocityMax: 200 mm/s, accelerationMax: 800 mm/s2, whenOff: stays }";
  const one = (id: string, unit: number) =>
    `  ${id}: { profile: velmar/mx2, bus: rail, unit: ${unit}, axis: ${axis}${unit === 1 ? device : ""} }`;
  return [
    "servocell: 1",
    "cell: { name: own, prefix: test/own }",
    `buses: { rail: { ${bus} } }`,
    `devices:\n${one("x", 1)}\n${one("y", 2)}`,
    more,
    "",
  ].join("\n");
}

function folder(text: string, edit: (profile: string) => string = (same) => same): string {
  const dir = mkdtempSync(join(tmpdir(), "sc-own-"));
  cpSync(made, join(dir, "profiles"), { recursive: true });
  const file = join(dir, "profiles", "velmar", "mx2.yaml");
  writeFileSync(file, edit(readFileSync(file, "utf8")));
  writeFileSync(join(dir, "cell.yaml"), text);
  return dir;
}

function problems(dir: string): string {
  const checked = loadCell(join(dir, "cell.yaml"));
  const list = checked.ok ? checked.warnings : checked.problems;
  return list.map((one) => `${one.severity} ${one.path}: ${one.message}`).join("\n");
}

function setups(dir: string) {
  const checked = loadCell(join(dir, "cell.yaml"));
  if (!checked.ok) throw new TypeError(problems(dir));
  return checked.value.devices.map((device) => device.setup);
}

it("profiles/ beside the cell file is found without a word", () => {
  expect(setups(folder(cell(""))).map((setup) => setup.device)).toEqual(["x", "y"]);
});

it("another folder by its name, relative to the cell file; without it there is no profile", () => {
  const dir = folder(cell("", "profiles: ./drives"));
  mkdirSync(join(dir, "drives"));
  expect(problems(dir)).toMatch(/there is no profile velmar\/mx2/);
  renameSync(join(dir, "profiles", "velmar"), join(dir, "drives", "velmar"));
  expect(setups(dir)).toHaveLength(2);
});

it("the time of a watchdog is asked for only where it is allowed to be written", () => {
  const dir = folder(cell(", watchdog: { set: 400 ms, allow: write }"));
  expect(setups(dir).map((setup) => setup.watchdog)).toEqual([{ setMs: 400 }, undefined]);
  expect(problems(folder(cell(", watchdog: { set: 400 ms }")))).toMatch(/must be allowed/);
  const fixed = (text: string) => text.replace("  timeoutPoint: watchdogTime\n", "");
  const without = folder(cell(", watchdog: { set: 400 ms, allow: write }"), (text) =>
    fixed(text)
      .replace("  unitMs: 10\n", "")
      .replace("kind: settable", "kind: unknown")
      .replace("  reactionPoint: watchdogReaction\n  accept: [1, 2]\n", ""),
  );
  expect(problems(without)).toMatch(/no watchdog time that can be written/);
});

it("the time of a watchdog below the profile's least, or between two steps of it, is refused", () => {
  const asked = (set: string, edit?: (text: string) => string) =>
    problems(folder(cell(`, watchdog: { set: ${set}, allow: write }`), edit));
  const least = (text: string) => text.replace("  factory: 0\n", "  minimum: 5\n  factory: 0\n");
  expect(asked("50 ms", least)).toBe("");
  expect(asked("40 ms", least)).toMatch(/^error .*set: .*velmar\/mx2 takes no less than 50 ms/);
  const coarse = (text: string) => text.replace("unitMs: 10\n", "unitMs: 1000\n");
  expect(asked("1 s", coarse)).toBe("");
  expect(asked("500 ms", coarse)).toMatch(/takes no less than 1000 ms/);
  expect(asked("1.5 s", coarse)).toMatch(/^error .*set: .*takes steps of 1000 ms/);
});

it("units of one serial line or of one bridge share it; over TCP each has its own connection", () => {
  const line = 'serial: /dev/ttyUSB7, baud: 115200, format: "8E1"';
  const slower = (text: string) => text.replace("deadlineMs: 200", "deadlineMs: 900");
  const shares = (bus: string) =>
    setups(folder(cell("", "", bus), slower)).map((one) => one.sharesLine);
  expect(shares(line)).toEqual([true, true]);
  expect(shares('tcp: "127.0.0.1:1502", framing: rtu')).toEqual([true, true]);
  expect(shares('tcp: "127.0.0.1:1502"')).toEqual([undefined, undefined]);
});

it("a line slower than a repeated command needs is a warning", () => {
  const line = "serial: /dev/ttyUSB7, baud: 9600";
  const dir = folder(cell("", "", line), (text) =>
    text
      .replace("everyMs: 100\n", "everyMs: 100\n    baudMin: 19200\n")
      .replace(
        /everyMs: 100\n {4}baudMin: 19200\n {4}deadlineMs: 200\n/,
        "everyMs: 100\n    deadlineMs: 200\n    baudMin: 19200\n",
      ),
  );
  expect(problems(dir)).toMatch(/warning .*velocity is repeated each 100 ms, which needs 19200/);
});
