/**
 * Lint of the step that sets outputs.
 *
 * The idea: one good profile, one edit each. It refuses to look into the lint.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseProfile } from "#drivers/profile-loader.js";

const file = new URL("../../../drivers/profiles/generic/io.yaml", import.meta.url);
const good = readFileSync(file, "utf8");

function problemsOf(from: string, to: string): string {
  expect(good).toContain(from);
  const checked = parseProfile(good.replace(from, to), "p.yaml");
  const problems = checked.ok ? checked.warnings : checked.problems;
  return problems
    .filter(({ severity }) => severity === "error")
    .map(({ message, value }) => `${message} ${value ?? ""}`)
    .join("\n");
}

it.each([
  ["a point that does not exist", "points: [output1,", "points: [output9,", /point/],
  ["an input among the outputs", "points: [output1,", "points: [input1,", /cannot be written/],
  ["an argument that is not one", "number: output,", "number: outputs,", /argument/],
  [
    "a value without a point",
    "output: { quantity: number,",
    "output: { quantity: force,",
    /its point/,
  ],
  ["two leading keys", "      - output:", "      - hold: 5\n        output:", /exactly one of/],
  [
    "no points",
    "points: [output1, output2, output3, output4, output5, output6, output7, output8]",
    "points: []",
    /./,
  ],
])("%s is an error", (_what, from, to, pattern) => {
  expect(problemsOf(from, to)).toMatch(pattern);
});

it("as delivered it has none", () => {
  expect(problemsOf("kind: io", "kind: io")).toBe("");
});
