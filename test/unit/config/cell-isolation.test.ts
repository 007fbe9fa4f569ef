/**
 * Which drivers share a process, by the cell file and by the plan made of it.
 * The idea: one cell of three devices with each way to write `isolation`. It refuses to start any.
 */
import { expect, test } from "vitest";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { parseCell } from "#kernel/config/cell-file.js";
import { planCell } from "../../../services/supervisor/plan.js";

const cell = `servocell: 1
cell: { name: demo, prefix: plant/line }
broker: embedded
buses:
  rail: { tcp: "127.0.0.1:15021" }
devices:
  a: { profile: robotiq/2f, bus: rail, unit: 9 }
  b: { profile: robotiq/2f, bus: rail, unit: 10 }
  c: { profile: robotiq/2f, bus: rail, unit: 11 }
`;

function checked(isolation: string) {
  const sources = { readText: () => ({ why: "none" }), loadProfile, profileIds };
  const written = isolation === "" ? cell : `${cell}isolation: ${isolation}\n`;
  return parseCell(written, "/cells/cell.yaml", sources, { dataDir: "/data" });
}

test.each<[string, string, readonly string[]]>([
  ["not written", "", ["driver-a a", "driver-b b", "driver-c c"]],
  ["together", "together", ["drivers-a a,b,c"]],
  ["one group, the others alone", "[[b, c]]", ["drivers-b b,c", "driver-a a"]],
  ["a group of one is no group", "[[a], [b, c]]", ["drivers-b b,c", "driver-a a"]],
])("isolation: %s", (_what, isolation, wanted) => {
  const result = checked(isolation);
  if (!result.ok) throw new Error(result.problems.map((one) => one.message).join("; "));
  const drivers = planCell(result.value).filter(({ script }) => script.includes("/driver/"));
  expect(drivers.map(({ service, args }) => `${service} ${args.at(-1)}`)).toEqual(wanted);
});

test.each([
  ["a device that the cell does not have", "[[a, d]]", "8:1 the cell has no device d"],
  ["a device in two groups", "[[a, b], [b, c]]", "b is in a group already"],
  ["another word", "alone", "isolation"],
])("isolation: %s is refused", (_what, isolation, wanted) => {
  const result = checked(isolation);
  const words = result.ok ? [] : result.problems.map((one) => `${one.path} ${one.message}`);
  expect(words.join("; ")).toContain(wanted.replace("8:1 ", ""));
});
