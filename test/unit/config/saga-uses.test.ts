/**
 * Which devices of a saga may be missing: those whose every command has a backup plan.
 * The idea: a table of steps. It refuses runs.
 */
import { expect, test } from "vitest";
import { parseSagas } from "#kernel/config/saga-file.js";
import { problemLine, sagaDevices } from "../../fixtures/config/saga-devices.js";

const grip = (name: string, id: string, more = "") =>
  `{ name: ${name}, do: ${id}.grip, makeSafe: still${more} }`;
test.each<[string, string, readonly string[] | undefined]>([
  ["a plan for each", grip("a", "left", `, orElse: [${grip("b", "right")}]`), ["left", "right"]],
  ["no plan", grip("a", "left"), undefined],
  [
    "a plan for one of two commands",
    `${grip("a", "left", `, orElse: [${grip("b", "right")}]`)}, ${grip("c", "left")}`,
    ["right"],
  ],
  [
    "a plan around both commands",
    `{ name: a, repeat: { times: 1, steps: [${grip("b", "left")}, ${grip("c", "left")}] }, ` +
      `orElse: [${grip("d", "right")}] }`,
    ["left", "right"],
  ],
  [
    "another device moves before it inside the plan's container",
    `{ name: a, repeat: { times: 1, steps: [${grip("b", "right")}, ${grip("c", "left")}] }, ` +
      `orElse: [{ name: d, dwell: 1 s }] }`,
    ["right"],
  ],
  [
    "a makeSafe of another device's step needs it",
    `${grip("a", "left", `, orElse: [${grip("b", "right")}]`)}, ` +
      "{ name: c, do: z.enable, makeSafe: [{ do: left.release }] }",
    ["right"],
  ],
])("devices that a saga can do without: %s", (_, steps, spare) => {
  const text = `saga: s\nsteps: [${steps}]\n`;
  const [draft] = parseSagas([{ file: "s.yaml", text }], sagaDevices);
  expect(draft?.problems().map(problemLine)).toEqual([]);
  expect(draft?.definition?.spare).toEqual(spare);
});
