/**
 * Every operation and stop of the AZ profile: against scripted words, and simulated.
 * The idea: addresses, bits and frames are written as in the maker's own code, high word first.
 * Refuses to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";
import { axis, hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const done = { verdict: "done" };
const setup = { device: "x", unit: 1, axis, constants: {} };
const az = () => compileDevice(profileOf("oriental-motor/az"), setup);

/** b5 READY, b7 ALM-A, b13 MOVE, b14 IN-POS at 0x7F. */
const ready = 0x0020;
const move = 0x2000;
const inPosition = 0x4000;
const rest = ready | inPosition;
const drive = (output: number, position = 0, more: Words = {}): Words => ({
  127: output,
  204: (position >>> 16) & 0xffff,
  205: position & 0xffff,
  ...more,
});

describe("oriental-motor/az: frames", () => {
  it("moveTo is one block of 16 registers from 0x0058, the trigger last", () => {
    const walk = Walk.of(az(), "moveTo", { position: 100, velocity: 50 }, drive(rest));
    const words = [
      ["data number", "00000000"],
      ["absolute", "00000001"],
      ["100000 steps", "000186a0"],
      ["50000 Hz", "0000c350"],
      // 2000 mm/s² are 2000000 steps/s², in 0.001 kHz/s.
      ["starting rate", "001e8480"],
      ["stopping rate", "001e8480"],
      ["100.0 %", "000003e8"],
      ["trigger", "00000001"],
    ];
    const bytes = words.map(([, word]) => word).join("");
    expect(walk.lines()).toEqual([`trigger:100058001020${bytes}`]);
    walk.wrote();
    for (let i = 0; i < 5; i++) {
      // MO-01: in position from the last move.
      expect(walk.read(drive(rest)).tick().lines()[0]).toMatch(/^read/);
    }
    walk.read(drive(move, 20_000));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(drive(rest, 100_000));
    expect(walk.lines()).toEqual(['done:{"position":100}']);
  });

  it("MO-04: move to where it already is is done", () => {
    const here = drive(rest, 100_000);
    const walk = Walk.of(az(), "moveTo", { position: 100, velocity: 50 }, here).wrote();
    walk.read(here).read(here);
    expect(walk.verdict).toMatchObject(done);
  });

  it("MO-07: in position at 31 of 50 mm is stopped short", () => {
    const walk = Walk.of(az(), "moveTo", { position: 50, velocity: 50 }, drive(rest)).wrote();
    walk.read(drive(move, 10_000)).poll(drive(rest, 31_000));
    expect(walk.verdict).toMatchObject({ code: "STOPPED_SHORT", detail: { position: 31 } });
  });

  it("a refused write that looks normal (p.253) is not accepted in time", () => {
    const walk = Walk.of(az(), "moveTo", { position: 50, velocity: 50 }, drive(rest)).wrote();
    walk.poll(drive(rest));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_ACCEPTED" });
  });

  it("MO-03: home is an edge of b4, low at least 10 ms, and low again afterwards", () => {
    const walk = Walk.of(az(), "home", {}, drive(rest, 5000));
    expect(walk.lines()).toEqual(["level:06007d0000"]);
    expect(walk.wrote().lines()).toEqual(["wake:10"]);
    expect(walk.tick(10).lines()).toEqual(["trigger:06007d0010"]);
    walk.wrote().read(drive(move, 4000)).read(drive(rest)).tick().read(drive(rest)).tick();
    expect(walk.read(drive(rest)).lines()).toEqual(["level:06007d0000"]);
  });

  it("MO-10: the alarm reset is low, held, high, held, low, and the alarm is read", () => {
    const walk = Walk.of(az(), "resetFault", {}, drive(0x0080)).read(drive(0x0080)).settle();
    walk.read(drive(rest));
    expect(walk.verdict).toMatchObject(done);
    expect(walk.frames).toEqual(["level:0601810000", "level:0601810001", "level:0601810000"]);
  });

  it("an alarm has its name, and says when the position is lost", () => {
    const view = az().view(tableOf(az(), drive(0x0080, 0, { 129: 0x33 })));
    expect(view.faultCode).toMatchObject({ value: 0x33 });
    expect(az().alarm?.(0x33)).toMatchObject({ positionLost: true });
    expect(az().alarm?.(0x85)?.title).toMatch(/timeout/);
  });
});

describe("oriental-motor/az: stops and what it has not", () => {
  it("STOP falls back by itself; FREE is the only other; nothing raises the power", () => {
    const blind = Object.entries(az().stops).map(([name, facts]) => [name, facts.blind.map(hex)]);
    expect(Object.fromEntries(blind)).toEqual({
      controlled: ["0600790020"],
      coast: ["06007d0040"],
    });
    expect([...az().verbs].sort()).toEqual(
      ["enable", "home", "moveBy", "moveTo", "resetFault", "stop"].sort(),
    );
    expect(az().watchdog).toMatchObject({ kind: "unknown" });
  });
});

describe("oriental-motor/az, simulated", () => {
  const on = () => {
    const walk = ProfileWalk.of("oriental-motor/az", { axis: linearAxis });
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.run("home")).toMatchObject(done);
    expect(Math.abs(walk.position())).toBeLessThan(0.05);
    return walk;
  };

  it("homes, homes again, moves, moves to where it is, moves by, refuses, resets", () => {
    const walk = on();
    expect(walk.run("home")).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("disable")).toMatchObject({ code: "NOT_SUPPORTED" });
    walk.sim.setFault("trip", 0x30, walk.nowMs);
    expect(walk.run("moveTo", { position: 1, velocity: 5 })).toMatchObject({ code: "DRIVE_FAULT" });
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.stop("coast", false)).toMatchObject(done);
    expect(walk.run("moveTo", { position: 1, velocity: 5 })).toMatchObject({ code: "NOT_ENABLED" });
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["coast", false],
  ] as const)("interleaving 24: %s (known=%s), enable, ten seconds: not moved", (c, known) => {
    const walk = on();
    const setOff = () => {
      walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
    };
    stopThenWait(walk, { stopClass: c, known, setOff, within: 20 });
    expect(walk.position()).toBeLessThan(650);
    expect(walk.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
  });
});
