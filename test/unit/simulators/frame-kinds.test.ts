/**
 * What judges take for triggers and for stops, against frames of the makers' documents and of play.
 *
 * The idea: the kinds come from the profile, so they are compared with facts written by hand, and
 * with what every model hands out as a trigger or as a blind stop when it is played. It refuses
 * time.
 */
import { expect, test } from "vitest";
import { loadProfile, profileIds } from "#drivers/profile-loader.js";
import { canSimulate } from "#simulators/device.js";
import { frameKinds } from "#simulators/judges/frames.js";
import { judgeFacts } from "#simulators/world/judge-facts.js";
import { setUp } from "../../fixtures/profile-setups.js";
import { stopFrame, triggerFrame } from "../../fixtures/stop-frames.js";
import { demoCell } from "../../fixtures/world-cell.js";

const kinco = ["000b", "010f", "002f", "003f", "000f", "0006"].map((word) => `063100${word}`);
const others: { readonly [device: string]: readonly string[] } = {
  x: [...kinco, "104000000204c3500000", "106f0000020400000000", "106f0000020400000001"],
  y: ["063100001f", "0631000086", "0635000001"],
  gripper: ["1003e8000306010000000000", "1003e80003060900000a32ff", "1003e8000306000000000000"],
  conveyor: ["0600000476", "060000047f", "0600010000", "0600010fa0"],
};

test("frame kinds: as the hand-written facts of the three models say", () => {
  const { devices } = judgeFacts(demoCell());
  for (const [id, frames] of Object.entries(others)) {
    const device = devices.find((one) => one.id === id);
    for (const pdu of frames) {
      expect(`${id} ${pdu} ${device?.isStop(pdu)}`).toBe(`${id} ${pdu} ${stopFrame(id, pdu)}`);
      if (id !== "x" && id !== "y") continue;
      const wanted = triggerFrame(id, pdu);
      // A set-point taken over while halted moves nothing, and a speed of its own does.
      const speed = pdu === "106f0000020400000001";
      expect(`${pdu} ${device?.isTrigger(pdu)}`).toBe(`${pdu} ${wanted || speed}`);
    }
  }
});

test("frame kinds: what starts the gripper and the belt, and a speed of 0 that does not", () => {
  const { devices } = judgeFacts(demoCell());
  const device = (id: string) => devices.find((one) => one.id === id);
  expect(device("gripper")?.isTrigger("1003e80003060900000a32ff")).toBe(true);
  expect(device("gripper")?.isTrigger("1003e80003060100000a32ff")).toBe(false);
  expect(device("conveyor")?.isTrigger("0600010fa0")).toBe(true);
  expect(device("conveyor")?.isTrigger("0600010000")).toBe(false);
});

test("frame kinds: of every profile that is simulated, no blind stop is a trigger and each is a stop", () => {
  let seen = 0;
  for (const id of profileIds()) {
    const loaded = loadProfile(id);
    if (!loaded.ok) throw new Error(id);
    if (!canSimulate(loaded.value)) continue;
    const { model } = setUp(loaded.value);
    const kinds = frameKinds(loaded.value, model.setup);
    for (const stop of Object.values(model.stops)) {
      for (const frame of stop?.blind ?? []) {
        const pdu = Buffer.from(frame).toString("hex");
        expect(`${id} ${pdu} ${kinds.isStop(pdu)} ${kinds.isTrigger(pdu)}`).toBe(
          `${id} ${pdu} true false`,
        );
        seen += 1;
      }
    }
  }
  expect(seen).toBeGreaterThan(20);
});

test("judge facts of the demo cell: limits of the file, interlocks on true positions", () => {
  const facts = judgeFacts(demoCell(), { endMs: 5 });
  expect(facts.devices.find(({ id }) => id === "x")).toMatchObject({
    kind: "axis",
    travel: [0, 800],
    velocityMax: 500,
    accelerationMax: 2500,
  });
  const [raised] = facts.interlocks;
  expect(raised?.moves).toEqual(["x", "y"]);
  expect(raised?.holds(() => 20)).toBe(false);
  // Whether z is homed is not a position.
  expect(raised?.holds(() => 60)).toBeUndefined();
  expect(raised?.holds(() => undefined)).toBeUndefined();
  expect(facts.stopBeginMs).toBeGreaterThan(100);
  expect(facts.standstillMs).toBeGreaterThan(facts.stopBeginMs + 3000);
  expect(facts).toMatchObject({ healedMs: Number.POSITIVE_INFINITY, endMs: 5 });
});
