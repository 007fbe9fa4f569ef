/**
 * `acceptNoStop`: from the cell file to what a device without a stop is allowed.
 * The idea: the same two devices with and without the sentence. Refuses files.
 */
import { expect, test } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { parseCell } from "#kernel/config/cell-file.js";

const cell = (more: string) => `servocell: 1
cell: { name: demo, prefix: plant/line }
simulation: true
buses:
  rail: { tcp: "127.0.0.1:15021", pollPort: 15121 }
devices:
  pointer:
    profile: feetech/sm-c002
    bus: rail
    unit: 1
    axis: { kind: rotary, countsPerRev: 4096, travel: [0 deg, 350 deg], velocityMax: 90 deg/s,
            accelerationMax: 300 deg/s2, whenOff: stays }
    constants: { speedStep: 1 }${more}
  fingers:
    profile: dh/ag-95
    bus: rail
    unit: 2
    constants: { openAt: 1000 }${more}
sagas: []
`;

function devicesOf(more: string) {
  const sources = {
    readText: () => ({ why: "there is no such file" }),
    loadProfile: (id: string) => loadProfile(id),
    profileIds,
  };
  const checked = parseCell(cell(more), "/cells/cell.yaml", sources, { dataDir: "/data" });
  if (!checked.ok) throw new TypeError(checked.problems.map((one) => one.message).join("; "));
  return checked.value.devices.map(({ profile, setup }) => compileDevice(profile, setup));
}
const sentence = "\n    acceptNoStop: a light pointer behind a window";

test("with the sentence moves are offered, velocity and jog are not", () => {
  const [pointer, fingers] = devicesOf(sentence);
  expect([...(pointer?.verbs ?? [])].sort()).toEqual(["disable", "enable", "moveBy", "moveTo"]);
  expect([...(fingers?.verbs ?? [])].sort()).toEqual(["enable", "grip", "moveTo", "release"]);
  expect(pointer?.whyNot?.("velocity")).toMatch(/no stop/);
});

test("without it only what starts nothing is offered, and the reason names the key", () => {
  const [pointer, fingers] = devicesOf("");
  expect([...(pointer?.verbs ?? [])].sort()).toEqual(["disable", "enable"]);
  expect([...(fingers?.verbs ?? [])]).toEqual([]);
  expect(pointer?.whyNot?.("moveTo")).toContain("acceptNoStop");
  expect(fingers?.whyNot?.("grip")).toContain("acceptNoStop");
});

test("a word is no sentence", () => {
  expect(() => devicesOf("\n    acceptNoStop: yes")).toThrow();
});
