/**
 * `servocell dry-run` and inputs as they are typed.
 * The idea: the demo's cell file and texts in, lines and exit codes out. It refuses devices.
 */
import { expect, test } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { type DryRunFlags, dryRun } from "../../../services/cli/dry-run.js";
import { type InputSpecs, parseInputs } from "../../../services/cli/run-inputs.js";

function demo(): CellConfig {
  const loaded = loadCell("examples/pick-and-place/cell.yaml", {});
  if (!loaded.ok) throw new Error(loaded.problems[0]?.message);
  return loaded.value;
}

function told(saga: string, flags: Partial<DryRunFlags> = {}) {
  const lines: string[] = [];
  const all = { input: [], at: [], from: "middle", ...flags } as const;
  const code = dryRun(demo(), saga, all, (line) => lines.push(line));
  return { code, lines, text: lines.join("\n") };
}

test("dry-run: the demo's saga from named and assumed places: times, the way to make safe, the sum", () => {
  const { code, lines, text } = told("pick-place", { at: ["x=120", "z=10 cm"] });
  expect(code).toBe(0);
  expect(lines[1]).toBe("  starts with x 120 mm, y 200 mm (assumed), z 100 mm");
  // 30 mm at 2500 mm/s²: a triangle of 2 × √(30 / 2500) s.
  expect(lines.find((line) => line.includes("above-pick-x"))).toMatch(/^ +0\.22 s {2}above-pick-x/);
  expect(text).toContain("depends on the stroke and speed of gripper");
  expect(text).toMatch(/↩ if it fails: stop, then gripper\.release velocity 50 \(grip\), then z/);
  expect(text).toMatch(/in all 4\.\d\d … 38\.\d\d s at best: without the bus/);
});

test("dry-run: an interlock that the saga must break is named, and the exit code says so (z=0)", () => {
  const config = demo();
  const [saga] = config.sagas;
  if (saga === undefined) throw new Error("no saga");
  const steps = saga.steps.filter((step) => step.name !== "raise");
  const broken = { ...config, sagas: [{ ...saga, steps }] };
  const lines: string[] = [];
  const flags = { input: [], at: ["z=0"], from: "middle" } as const;
  expect(dryRun(broken, "pick-place", flags, (line) => lines.push(line))).toBe(1);
  const at = lines.findIndex((line) => line.startsWith("✘") && line.includes("above-pick-x"));
  expect(lines[at + 1]).toBe(
    `${" ".repeat(17)}refused: z-up-before-xy: z.position is 0, not >= 50 (INTERLOCKED)`,
  );
  expect(lines.at(-1)).toBe("  would fail: above-pick-x, above-pick-y");
});

test("dry-run: --json is the whole forecast, with one entry for each step", () => {
  const { text } = told("home-cell", { json: true, from: "home" });
  const { at, forecast } = JSON.parse(text);
  expect(at).toEqual({ x: 0, y: 0, z: 0 });
  expect(forecast.steps.map((step: { name: string }) => step.name).slice(0, 2)).toEqual([
    "enable-z",
    "home-z",
  ]);
});

test.each([
  [{ at: ["q=1"] }, /--at q=1: write axis=position; the axes are x, y, z, conveyor/],
  [{ at: ["x=900"] }, /x cannot stand outside of 0 … 800/],
  [{ at: ["x=12 deg"] }, /not in mm/],
  [{ input: ["part=3"] }, /the saga has no input part; it has none/],
])("dry-run: what is typed wrong is told before anything is reckoned (%j)", (flags, text) => {
  expect(() => told("pick-place", flags)).toThrow(text);
});

test("dry-run: a saga that the cell does not have, with those that it has", () => {
  expect(() => told("pick")).toThrow("There is no saga pick; there are pick-place, home-cell.");
});

const specs: InputSpecs = {
  height: { kind: "number", unit: "mm", min: 0, max: 100 },
  count: { kind: "number" },
  fast: { kind: "boolean" },
  part: { kind: "text", choices: ["cup", "lid"] },
};

test("inputs: numbers with or without their unit, truth values and texts", () => {
  expect(parseInputs(["height=1.2 cm", "count=3", "fast=true", "part=lid"], specs)).toEqual({
    height: 12,
    count: 3,
    fast: true,
    part: "lid",
  });
  expect(parseInputs(["height=12"], specs)).toEqual({ height: 12 });
  expect(parseInputs(["note=a=b"], { note: { kind: "text" } })).toEqual({ note: "a=b" });
});

test("inputs: every mistake at once: no value, unknown name, unit, word and choice", () => {
  const typed = ["height", "hight=1", "height=2 s", "fast=yes", "part=box", "count="];
  expect(() => parseInputs(typed, specs)).toThrow(
    [
      '"height" is not name=value',
      "the saga has no input hight; did you mean height?",
      'height: "2 s" is not in mm; write a value in mm',
      'fast: "yes" is neither true nor false',
      'part: "box" is none of cup, lid',
      'count: "" is not a plain number.',
    ].join("; "),
  );
});
