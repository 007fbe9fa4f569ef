/**
 * What a run may be started with.
 * The idea: a table of starts over one set of inputs. It refuses runs.
 */
import { expect, test } from "vitest";
import { startInputs } from "#kernel/config/saga-inputs.js";

const inputs = {
  depth: { kind: "number", unit: "mm", min: 0, max: 40, default: 20 },
  count: { kind: "number", min: 1 },
  fast: { kind: "boolean", default: false },
  side: { kind: "text", choices: ["left", "right"], default: "left" },
} as const;

test.each<[string, unknown, object]>([
  ["what is needed", { count: 2 }, { depth: 20, count: 2, fast: false, side: "left" }],
  ["all of it", { depth: 5, count: 1, fast: true, side: "right" }, { depth: 5, side: "right" }],
  ["a number with a unit", { depth: "3 cm", count: "4" }, { depth: 30, count: 4 }],
])("inputs of a start: %s", (_, given, values) => {
  const judged = startInputs({ inputs }, given);
  expect(judged).toMatchObject({ ok: true, inputs: values });
});

test.each<[string, unknown, string]>([
  ["nothing where one is needed", undefined, "the input count: it has to be given"],
  ["an unknown name", { count: 1, dept: 3 }, "there is no input dept; did you mean depth?"],
  ["beyond its limit", { count: 1, depth: 41 }, "the input depth: it must be at most 40 mm"],
  ["below its limit", { count: 0 }, "the input count: it must be at least 1"],
  ["a wrong unit", { count: 1, depth: "3 s" }, "the input depth: it must be a number in mm"],
  ["no number", { count: "two" }, "the input count: it must be a plain number"],
  ["no truth", { count: 1, fast: "yes" }, "the input fast: it must be true or false"],
  ["no choice", { count: 1, side: "up" }, "the input side: it must be one of left, right"],
  ["not a number", { count: Number.NaN }, "the input count: it must be a finite number"],
  ["a list", [1], "there is no input 0"],
  ["a text", "count=1", "inputs are names with values"],
])("inputs of a start: refused: %s", (_, given, words) => {
  const judged = startInputs({ inputs }, given);
  expect(judged.ok ? "" : judged.problems.join()).toContain(words);
});

test("inputs of a start: a saga without any takes none", () => {
  expect(startInputs({}, undefined)).toEqual({ ok: true, inputs: {} });
  expect(startInputs({}, { x: 1 }).ok).toBe(false);
});
