/**
 * The NiMotion profile against scripted words of CiA 402, and simulated.
 * The idea: addresses and words are written as in the source's list, high word first. Refuses to
 * look into the profile.
 */
import { describe, expect, it } from "vitest";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";
import { hex, profileOf, servo, tableOf, Walk, type Words } from "./operation-walk.js";

const done = { verdict: "done" };
const lms = () => servo(profileOf("nimotion/lms"));
const drive = (status: number, position = 0, rpm = 0, more: Words = {}): Words => ({
  897: status,
  963: 1,
  968: (position >>> 16) & 0xffff,
  969: position & 0xffff,
  981: (rpm >>> 16) & 0xffff,
  982: rpm & 0xffff,
  ...more,
});

describe("nimotion/lms", () => {
  it("moveTo: mode, speed in rpm, target high word first, edge of bit 4", () => {
    const walk = Walk.of(lms(), "moveTo", { position: 100, velocity: 100 }, drive(0x27));
    walk.settle().read(drive(0x27)).settle().read(drive(0x27)).settle();
    expect(walk.frames).toEqual([
      "level:0603c20001",
      // 100 mm/s at 10 mm a turn is 600 rpm = 0x0258.
      "level:1003f80002" + "0400000258",
      // 100000 = 0x000186A0
      "level:1003e70002" + "04000186a0",
      "level:060380002f",
      "trigger:060380003f",
    ]);
    walk
      .wrote()
      .read(drive(0x1027))
      .wrote()
      .read(drive(0x0027, 50_000, 600));
    walk.read(drive(0x0427, 100_000));
    expect(walk.verdict).toMatchObject(done);
  });

  it("MO-10: resetFault is 0, 0x80 held, then 0", () => {
    const walk = Walk.of(lms(), "resetFault", {}, drive(0x08)).read(drive(0x08)).settle();
    walk.read(drive(0x40)).settle();
    expect(walk.frames).toEqual(["level:0603800000", "level:0603800080", "level:0603800000"]);
  });

  it("blind frames never raise the power state", () => {
    const blind = Object.entries(lms().stops).map(([name, facts]) => [name, facts.blind.map(hex)]);
    expect(Object.fromEntries(blind)).toEqual({
      controlled: ["0603800002"],
      fast: ["0603800002"],
      coast: ["0603800000"],
      disable: ["0603800006"],
    });
  });

  it("refuses motion while the control source is not CiA 402", () => {
    const table = tableOf(lms(), drive(0x27, 0, 0, { 177: 1 }));
    expect(lms().commissioned?.(table)).toMatchObject({ ok: false });
  });
});

const ready = (id: string) => {
  const walk = ProfileWalk.of(id, { axis: linearAxis, acceptNoWatchdog: "test" });
  expect(walk.run("enable")).toMatchObject(done);
  expect(walk.run("home")).toMatchObject(done);
  return walk;
};

describe.each(["nimotion/lms", "kinco/cd3"])("%s, simulated", (id) => {
  it("homes, moves, moves to where it is, moves by, turns, resets, refuses", () => {
    const walk = ready(id);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("velocity", { velocity: 50 })).toMatchObject(done);
    expect(walk.stop("controlled", true)).toMatchObject(done);
    walk.sim.setFault("trip", 5, walk.nowMs);
    const fault = { code: "DRIVE_FAULT" };
    expect(walk.run("moveTo", { position: 1, velocity: 5 })).toMatchObject(fault);
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.run("moveTo", { position: 1, velocity: 5 })).toMatchObject({ code: "NOT_ENABLED" });
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["fast", false],
    ["coast", false],
    ["disable", false],
  ] as const)("interleaving 24: %s (known=%s), enable, ten seconds: not moved", (c, known) => {
    const walk = ready(id);
    const setOff = () => {
      walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
    };
    stopThenWait(walk, { stopClass: c, known, setOff, within: 20 });
    expect(walk.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
  });
});
