/**
 * Who may move after a restart, by table.
 *
 * The idea: everything speaks for makeSafe in the base case; each row takes one thing away. It
 * refuses combinations that no rule names.
 */
import { expect, test } from "vitest";
import {
  absenceMsMax,
  type RestartFacts,
  ruleRestart,
} from "../../../services/coordinator/restart-rule.js";

const x = { device: "x", heard: true, homed: true, rebooted: false };
const base: RestartFacts = {
  alive: { ts: 1_000_000, hostBootId: "pc", homed: ["x"] },
  nowTs: 1_002_000,
  hostBootId: "pc",
  latched: [],
  devices: [x],
  trusted: true,
};

test.each([
  ["2 s away", {}, true],
  ["exactly 10 s away", { nowTs: 1_000_000 + absenceMsMax }, true],
  ["10.001 s away", { nowTs: 1_000_001 + absenceMsMax }, false],
  ["the clock went backwards", { nowTs: 999_999 }, false],
  ["another start of the PC", { hostBootId: "pc2" }, false],
  ["no sign of life on the disk", { alive: undefined }, false],
  ["a stop is latched", { latched: ["S"] }, false],
  ["a drive rebooted", { devices: [{ ...x, rebooted: true }] }, false],
  ["a driver is silent", { devices: [{ ...x, heard: false, homed: undefined }] }, false],
  ["a reference was lost", { devices: [{ ...x, homed: false }] }, false],
  ["an axis that never had a reference", { devices: [{ ...x, device: "y", homed: false }] }, true],
  ["a gripper, which has none", { devices: [{ ...x, homed: undefined }] }, true],
  ["a journal that contradicts itself", { trusted: false }, false],
] as const)("%s → makeSafe by itself: %s", (_name, change, makeSafe) => {
  const ruling = ruleRestart({ ...base, ...change });
  expect(ruling.makeSafe).toBe(makeSafe);
  expect(ruling.text).not.toBe("");
});
