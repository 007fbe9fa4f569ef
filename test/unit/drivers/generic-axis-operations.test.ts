/**
 * Every operation and stop of the generic positioner against scripted words.
 * The idea: bits as in the map at the head of the profile, written here by hand. Refuses to look
 * into the profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { axis, hex, profileOf, Walk, type Words } from "./operation-walk.js";

const model = () =>
  compileDevice(profileOf("generic/axis"), { device: "g", unit: 1, axis, constants: {} });
const on = 0x11;
const moves = 0x04;
const there = 0x02;
/** 1000 counts a mm, high word first. */
const words = (status: number, mm = 0, more: Words = {}): Words => {
  const counts = Math.round(mm * 1000);
  return { 0: (counts >>> 16) & 0xffff, 1: counts & 0xffff, 16: status, ...more };
};
const frames = (walk: Walk) => walk.frames;

describe("generic/axis: enable, disable, reset, home", () => {
  it("enable writes bit 0 alone and waits for bit 0", () => {
    const walk = Walk.of(model(), "enable", {}, words(0));
    expect(walk.lines()).toEqual(["level:0600200001"]);
    expect(walk.wrote().read(words(0)).lines()).toEqual(["wake:20"]);
    expect(walk.tick().read(words(0x01)).verdict?.verdict).toBe("done");
  });
  it("enable in an alarm ends with its code", () => {
    const walk = Walk.of(model(), "enable", {}, words(0x08)).settle().read(words(0x08));
    walk.read(words(0x08, 0, { 80: 7 }));
    expect(walk.verdict).toMatchObject({ code: "DRIVE_FAULT", detail: { faultCode: 7 } });
  });
  it("disable writes 0 and waits", () => {
    const walk = Walk.of(model(), "disable", {}, words(on));
    expect(walk.lines()).toEqual(["level:0600200000"]);
    expect(walk.wrote().read(words(0x10)).verdict?.verdict).toBe("done");
  });
  it("MO-03: a second reset makes a second edge", () => {
    for (let round = 0; round < 2; round++) {
      const walk = Walk.of(model(), "resetFault", {}, words(0x08)).read(words(0x08));
      walk.settle().read(words(0)).settle();
      expect(frames(walk)).toEqual(["level:0600200000", "level:0600200004", "level:0600200000"]);
      expect(walk.verdict?.verdict).toBe("done");
    }
  });
  it("home: the old reference is neither accepted nor done", () => {
    const walk = Walk.of(model(), "home", {}, words(on)).settle();
    // The end of the motion before it first: its "moving" is not the homing's.
    expect(walk.read(words(on | moves)).lines()).toEqual(["wake:20"]);
    walk.tick().read(words(on)).settle();
    expect(walk.lines()).toEqual(["trigger:0600200011"]);
    expect(walk.wrote().read(words(on)).lines()).toEqual(["wake:20"]);
    walk.tick().read(words(0x01 | moves));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(words(on)).tick().read(words(on)).settle();
    expect(walk.verdict?.verdict).toBe("done");
    expect(frames(walk).at(-1)).toBe("level:0600200001");
  });
});

describe("generic/axis: moves", () => {
  const begun = (status = on | there) =>
    Walk.of(model(), "moveTo", { position: 50, velocity: 100 }, words(status)).settle();
  it("target, speed, low side, held, edge; done only at the place", () => {
    const walk = begun();
    // 50000 = 0x0000C350; 100 mm/s at 10 mm a turn is 600 rpm.
    expect(frames(walk)).toEqual([
      "level:1000300002040000c350",
      "level:0600400258",
      "level:0600200001",
      "trigger:0600200003",
    ]);
    walk.wrote().read(words(on | there));
    // MO-01: in position from before is not acceptance.
    expect(walk.lines()).toEqual(["wake:20"]);
    walk.tick().read(words(on | moves, 10));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(words(on | there, 10)).tick();
    expect(walk.read(words(on | there, 50)).verdict).toMatchObject({
      verdict: "done",
      result: { position: 50 },
    });
  });
  it("MO-04: a move to where it stands is done", () => {
    const walk = begun()
      .wrote()
      .read(words(on | there, 50));
    expect(walk.read(words(on | there, 50)).verdict?.verdict).toBe("done");
  });
  it("standing before its target is STOPPED_SHORT with both places", () => {
    const walk = begun()
      .wrote()
      .read(words(on | moves, 20));
    walk.poll(words(on, 20));
    const detail = { target: 50, position: 20 };
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "STOPPED_SHORT", detail });
  });
  it("moveBy counts from the place that was read", () => {
    const walk = Walk.of(model(), "moveBy", { distance: -5, velocity: 10 }, words(on, 40));
    walk.read(words(on, 40)).settle();
    // 35000 = 0x000088B8
    expect(frames(walk)[0]).toBe("level:10003000020400" + "0088b8");
    walk
      .wrote()
      .read(words(on | moves, 39))
      .read(words(on | there, 35));
    expect(walk.verdict?.verdict).toBe("done");
  });
});

describe("generic/axis: stops", () => {
  it("blind frames never have bit 0", () => {
    const { stops } = model();
    const blind = Object.entries(stops).map(([name, facts]) => [name, facts.blind.map(hex)]);
    expect(Object.fromEntries(blind)).toEqual({
      controlled: ["0600200008"],
      disable: ["0600200000"],
    });
  });
  it.each([
    ["enabled", on | moves, "level:0600200009"],
    ["off", 0x10, "level:0600200008"],
  ] as const)("controlled known to be %s", (_, status, first) => {
    const walk = Walk.stop(model(), "controlled", words(status));
    expect(walk.lines()).toEqual([first]);
    walk.wrote().read(words(on)).tick().read(words(on));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("disable waits for both: still and off", () => {
    const walk = Walk.stop(model(), "disable").wrote().read(words(0x01));
    expect(walk.lines()).toEqual(["wake:20"]);
    walk.tick().read(words(0)).tick().read(words(0));
    expect(walk.verdict?.verdict).toBe("done");
  });
});
