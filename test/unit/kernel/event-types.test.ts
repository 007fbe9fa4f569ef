/**
 * The listed types of events against the code that sends them, both ways.
 * The idea: the sources are searched for what they send. It refuses to run services.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { eventTypes } from "#kernel/contract/event-types.js";

const files = (folder: string) =>
  readdirSync(`services/${folder}`)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(`services/${folder}/${name}`, "utf8"));

function found(texts: readonly string[], pattern: RegExp): readonly string[] {
  return texts.flatMap((text) => [...text.matchAll(pattern)].map(([, type]) => type ?? ""));
}
const driver = files("driver");
const coordinator = files("coordinator");
/** Types that are put together where they are sent. */
const madeUp = ["breaker.opened", "breaker.half-open", "breaker.closed", "link.up", "link.down"];

test.each<[keyof typeof eventTypes, readonly string[]]>([
  [
    "axis",
    [
      ...found(driver, /\.emit\(\s*"axis",\s*"([\w.]+)"/g),
      ...found(coordinator, /\.emit\(\s*"axis",\s*device,\s*"([\w.]+)"/g),
    ],
  ],
  ["device", [...found(driver, /\.emit\(\s*"device",\s*"([\w.]+)"/g), ...madeUp]],
  [
    "run",
    [
      ...found(coordinator, /\.tell\(\s*"([\w.]+)"/g),
      ...found(coordinator, /kind: "event", type: "([\w.]+)"/g),
    ],
  ],
  [
    "cell",
    [
      ...found(coordinator, /\.emit\(\s*"cell",\s*config\.cell,\s*"([\w.]+)"/g),
      "device.excluded",
      "device.included",
    ],
  ],
])("event types: those of kind %s are those that the code sends", (kind, sent) => {
  expect([...eventTypes[kind]].sort()).toEqual([...new Set(sent)].sort());
});

test("event types: what is put together is still sent so", () => {
  const text = driver.join("\n");
  expect(text).toContain('"device", `breaker.$');
  expect(coordinator.join("\n")).toContain("config.cell, `device.$");
  expect(text).toContain('"device", up ? "link.up" : "link.down"');
});
