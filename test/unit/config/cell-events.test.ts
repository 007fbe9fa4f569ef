/**
 * Who has to have every event of a cell.
 * The idea: one small cell with each way to write `events`. It refuses to start any.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { eventConsumers } from "#kernel/config/cell-events.js";
import { loadCell, parseCell, readText } from "#kernel/config/cell-file.js";

const file = join(process.cwd(), "test", "fixtures", "small-cell", "cell.yaml");
const text = readFileSync(file, "utf8").replace(/^rules:\n(?: .*\n)+/m, "");
const rules =
  "rules:\n  - { name: r, on: device.x.rebooted, start: home, loop: it is only read here }\n";

function checked(more: string) {
  return parseCell(text + more, file, { readText, loadProfile, profileIds });
}

it.each([
  ["nothing", "", []],
  ["rules", rules, ["rules"]],
  ["a historian", "events: { consumers: [historian] }\n", ["historian"]],
  [
    "rules and two others",
    `${rules}events: { consumers: [historian, bridge] }\n`,
    ["rules", "historian", "bridge"],
  ],
])("consumers of events: %s", (_what, more, wanted) => {
  const cell = checked(more);
  expect(cell.ok && eventConsumers(cell.value)).toEqual(wanted);
});

it.each([
  ["the rules", "rules", "by themselves"],
  ["the broker", "broker", "no custody"],
  ["one twice", "historian, historian", "named twice"],
])("consumers of events: %s cannot be named", (_what, names, why) => {
  const cell = checked(`events: { consumers: [${names}] }\n`);
  expect(cell.ok ? [] : cell.problems.map(({ message }) => message).join()).toContain(why);
});

it("consumers of events: the example cells have those that they had", () => {
  const cell = loadCell(join(process.cwd(), "examples", "choreography", "cell.yaml"));
  expect(cell.ok && eventConsumers(cell.value)).toEqual(["rules"]);
});
