/**
 * Every operation and stop of the Delta ASDA profiles: against scripted words, and simulated.
 * The idea: addresses, bits and frames are written as in the maker's tables, low word first.
 * Refuses to look into the profiles.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";
import { axis, hex, low, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const done = { verdict: "done" };
const constantsOf = (id: string) => (/a3|b3/.test(id) ? { speedUnitsPerRpm: 10 } : {});
const model = (id = "delta/asda-a2", more: Partial<typeof axis> = {}) =>
  compileDevice(profileOf(id), {
    device: "x",
    unit: 1,
    axis: { ...axis, ...more },
    constants: constantsOf(id),
    acceptNoWatchdog: "test",
  });

/** P0-46: b0 ready, b1 servo on, b2 zero speed, b4 in position, b6 alarm, b8 homed. */
const on = 0x0003;
const zero = 0x0004;
const inPosition = 0x0010;
const homed = 0x0100;
const rest = on | zero | inPosition | homed;
const drive = (status: number, position = 0, tenthRpm = 0, more: Words = {}): Words => ({
  92: status,
  572: 5,
  ...low(0x0012, position),
  ...low(0x0014, tenthRpm),
  ...more,
});

describe("delta/asda-a2: frames", () => {
  it("moveTo: speed in 0.1 rpm, definition and target in one frame, then path 1", () => {
    const walk = Walk.of(model(), "moveTo", { position: 100, velocity: 50 }, drive(rest));
    // 50 mm/s at 10 mm a turn is 300 rpm: 3000 = 0x0BB8.
    expect(walk.lines()).toEqual(["level:10057800020" + "40bb80000"]);
    // 100000 = 0x000186A0, low word first.
    expect(walk.wrote().lines()).toEqual(["level:1006040004" + "080002000086a00001"]);
    expect(walk.wrote().lines()).toEqual(["trigger:06050e0001"]);
    walk.wrote();
    for (let i = 0; i < 5; i++) {
      expect(walk.read(drive(rest)).tick().lines()[0]).toMatch(/^read/);
    }
    walk.read(drive(on | homed, 20_000, 3000));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(drive(rest, 100_000));
    expect(walk.lines()).toEqual(['done:{"position":100}']);
  });

  it("MO-04: move to where it already is is done", () => {
    const here = drive(rest, 100_000);
    const walk = Walk.of(model(), "moveTo", { position: 100, velocity: 50 }, here);
    walk.settle().wrote().read(here).read(here);
    expect(walk.verdict).toMatchObject(done);
  });

  it("MO-07: in position at 31 of 50 mm is stopped short", () => {
    const walk = Walk.of(model(), "moveTo", { position: 50, velocity: 50 }, drive(rest));
    walk
      .settle()
      .wrote()
      .read(drive(on | homed, 10_000, 3000));
    walk.poll(drive(rest, 31_000));
    expect(walk.verdict).toMatchObject({ code: "STOPPED_SHORT", detail: { position: 31 } });
  });

  it("the manual's frame P1-09 = 3000 is 300 rpm on a B2", () => {
    const walk = Walk.of(model("delta/asda-b2"), "velocity", { velocity: 50 }, drive(on | zero));
    expect(walk.lines()).toEqual(["trigger:1001120002" + "040bb80000"]);
  });

  it("MO-10: the alarm reset is a pulse: low, held 20 ms, high 100 ms, low", () => {
    const walk = Walk.of(model(), "resetFault", {}, drive(0x44)).read(drive(0x44));
    expect(walk.lines()).toEqual(["level:06030c0003"]);
    expect(walk.wrote().lines()).toEqual(["level:06040e0000"]);
    expect(walk.wrote().lines()).toEqual(["wake:20"]);
    expect(walk.tick(20).lines()).toEqual(["level:06040e0002"]);
    expect(walk.wrote().lines()).toEqual(["wake:100"]);
    expect(walk.tick(100).lines()).toEqual(["level:06040e0000"]);
    walk.wrote().read(drive(0x05));
    expect(walk.verdict).toMatchObject(done);
  });

  it("enable keeps its writes out of the EEPROM first, and reads that back", () => {
    const walk = Walk.of(model(), "enable", {}, drive(1 | zero));
    expect(walk.lines()).toEqual(["level:06023c0005"]);
    walk.wrote().read(drive(1 | zero));
    walk.wrote().wrote().read(drive(rest));
    expect(walk.frames).toEqual(["level:06023c0005", "level:06040e0001", "level:06030c0003"]);
    expect(walk.verdict).toMatchObject(done);
  });

  it("home is P5-07 = 0; still homed from before is not accepted", () => {
    const walk = Walk.of(model(), "home", {}, drive(rest));
    expect(walk.lines()).toEqual(["trigger:06050e0000"]);
    expect(walk.wrote().read(drive(rest)).lines()).toEqual(["wake:20"]);
  });

  it("a speed unit that nobody tells is asked for: the B3 does not compile without it", () => {
    const bare = { device: "x", unit: 1, axis, constants: {} };
    expect(() => compileDevice(profileOf("delta/asda-b3"), bare)).toThrow(/speedUnitsPerRpm/);
  });
});

describe("delta/asda: stops and watchdog", () => {
  it("blind frames: 1000 for paths, speed 0 for the speed mode, input off; no other stops", () => {
    const blind = (id: string) =>
      Object.entries(model(id).stops).map(([name, facts]) => [name, ...facts.blind.map(hex)]);
    expect(blind("delta/asda-a2")).toEqual([
      ["controlled", "06050e03e8"],
      ["disable", "06040e0000"],
    ]);
    expect(blind("delta/asda-b2")).toEqual([
      ["controlled", "1001120002" + "0400000000"],
      ["disable", "06040e0000"],
    ]);
    expect(model().verbs.has("quickStop")).toBe(false);
  });

  it.each([
    ["off", 0, 1, "off"],
    ["1 s and ramp", 1, 1, "verified"],
    ["1 s and another reaction", 1, 0, "wrong-reaction"],
  ] as const)("watchdog %s", (_, time, reaction, state) => {
    const table = tableOf(model(), drive(rest, 0, 0, { 776: time, 774: reaction }));
    expect(model().judgeWatchdog?.(table)).toMatchObject({ state });
  });

  it("an alarm is hexadecimal digits: 0x0011 is the encoder", () => {
    const view = model().view(tableOf(model(), drive(0x44, 0, 0, { 2: 0x0011 })));
    expect(view.faultCode).toMatchObject({ value: 11 });
    expect(model().alarm?.(11)).toMatchObject({ positionLost: true });
  });
});

const ready = (id: string) => {
  const setup = { axis: linearAxis, constants: constantsOf(id), acceptNoWatchdog: "test" };
  const walk = ProfileWalk.of(id, setup);
  expect(walk.run("enable")).toMatchObject(done);
  if (walk.model.verbs.has("home")) expect(walk.run("home")).toMatchObject(done);
  return walk;
};

describe.each(["delta/asda-a2", "delta/asda-a3", "delta/asda-b3"])("%s, simulated", (id) => {
  it("homes, moves, moves to where it is, moves by, refuses, resets", () => {
    const walk = ready(id);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("velocity", { velocity: 5 })).toMatchObject({ code: "NOT_SUPPORTED" });
    walk.sim.setFault("trip", 6, walk.nowMs);
    expect(walk.run("moveTo", { position: 1, velocity: 5 })).toMatchObject({ code: "DRIVE_FAULT" });
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.run("disable")).toMatchObject(done);
    expect(walk.run("moveTo", { position: 1, velocity: 5 })).toMatchObject({ code: "NOT_ENABLED" });
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["disable", false],
  ] as const)("interleaving 24: %s (known=%s), enable, ten seconds: not moved", (c, known) => {
    const walk = ready(id);
    const setOff = () => {
      walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
    };
    stopThenWait(walk, { stopClass: c, known, setOff, within: 20 });
    expect(walk.position()).toBeLessThan(650);
    expect(walk.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
  });

  it("silent for longer than P3-04, it ramps down by itself", () => {
    const walk = ready(id);
    walk.exchange(Uint8Array.from([6, 3, 6, 0, 1]));
    walk.exchange(Uint8Array.from([6, 3, 8, 0, 1]));
    walk.run("moveTo", { position: 790, velocity: 100 }, () => walk.pass(3000));
    expect(walk.sim.moving).toBe(false);
    expect(walk.view()).toMatchObject({ warning: { value: true }, faultCode: { value: 20 } });
  });
});

describe("delta/asda-b2, simulated", () => {
  it("turns, turns the other way, stops, and has no places", () => {
    const walk = ready("delta/asda-b2");
    expect(walk.run("velocity", { velocity: 50 })).toMatchObject(done);
    expect(walk.run("velocity", { velocity: -20 })).toMatchObject(done);
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.run("moveTo", { position: 1 })).toMatchObject({ code: "NOT_SUPPORTED" });
    expect(walk.run("disable")).toMatchObject(done);
  });

  it.each(["controlled", "disable"] as const)("interleaving 24: %s, enable: not moved", (c) => {
    const walk = ready("delta/asda-b2");
    const setOff = () => expect(walk.run("velocity", { velocity: 50 })).toMatchObject(done);
    stopThenWait(walk, { stopClass: c, known: false, setOff, within: 20 });
  });
});
