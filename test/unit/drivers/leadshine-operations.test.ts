/**
 * Every operation and stop of the Leadshine profiles: against scripted words, and simulated.
 * The idea: bits and frames are written as in the maker's tables, and a device that was written
 * from the same tables has to agree. Refuses to look into the profiles.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";
import { axis, hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const ids = ["leadshine/cs2rs", "leadshine/iem-rs", "leadshine/eld2-rs", "leadshine/el7-rs"];
const done = { verdict: "done" };
const model = (id = "leadshine/cs2rs", more: Partial<typeof axis> = {}) =>
  compileDevice(profileOf(id), {
    device: "x",
    unit: 1,
    axis: { ...axis, ...more },
    constants: {},
    acceptNoWatchdog: "test",
  });

/** b0 fault, b1 enabled, b2 running, b4 command done, b5 path done, b6 homed. */
const on = 0x02;
const running = 0x04;
const pathDone = 0x30;
const homed = 0x40;
/** 32-bit values high word first. */
const drive = (status: number, position = 0, rpm = 0, more: Words = {}): Words => ({
  4099: status,
  24620: (position >>> 16) & 0xffff,
  24621: position & 0xffff,
  4165: rpm & 0xffff,
  ...more,
});

describe("leadshine/cs2rs: frames", () => {
  it("moveTo is the manual's frame: 100000, 500 rpm, 100 ms per 1000 rpm, trigger last", () => {
    // 1 unit a turn: 10 units are 100000 pulses; 10000 rpm/s is 100 ms per 1000 rpm.
    const turns = { perRev: 1, accelerationMax: 10_000 / 60, travel: { min: 0, max: 20 } };
    const walk = Walk.of(
      model("leadshine/cs2rs", turns),
      "moveTo",
      { position: 10, velocity: 500 / 60 },
      drive(on | homed | pathDone),
    );
    expect(walk.lines()).toEqual([
      "trigger:106200000810" + "0001000186a001f4006400640000" + "0010",
    ]);
  });

  it("MO-01: path done from the last move is neither accepted nor done at the old place", () => {
    const walk = Walk.of(
      model(),
      "moveTo",
      { position: 50, velocity: 100 },
      drive(on | homed | pathDone),
    );
    walk.wrote();
    for (let i = 0; i < 5; i++) {
      expect(
        walk
          .read(drive(on | homed | pathDone))
          .tick()
          .lines()[0],
      ).toMatch(/^read/);
    }
    walk.read(drive(on | homed | running, 20_000, 600));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(drive(on | homed | pathDone, 50_000));
    expect(walk.lines()).toEqual(['done:{"position":50}']);
  });

  it("MO-04: move to where it already is is done", () => {
    const here = drive(on | homed | pathDone, 50_000);
    const walk = Walk.of(model(), "moveTo", { position: 50, velocity: 100 }, here).wrote();
    walk.read(here).read(here);
    expect(walk.verdict).toMatchObject(done);
  });

  it("MO-07: still at 31 of 50 mm is stopped short", () => {
    const walk = Walk.of(
      model(),
      "moveTo",
      { position: 50, velocity: 100 },
      drive(on | homed | pathDone),
    );
    walk.wrote().read(drive(on | homed | running, 10_000, 600));
    walk.poll(drive(on | homed | pathDone, 31_000));
    expect(walk.verdict).toMatchObject({
      code: "STOPPED_SHORT",
      detail: { target: 50, position: 31 },
    });
  });

  it("MO-21: a speed that would be 0 rpm in the register is refused", () => {
    const points = tableOf(model(), drive(on | homed));
    const args = { position: 5, velocity: 0.05 };
    const begun = model().begin({ verb: "moveTo", args, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { verdict: "refused", code: "LIMIT_EXCEEDED" } });
  });

  it("home is 0x20; attained of before is not done", () => {
    const walk = Walk.of(model(), "home", {}, drive(on | homed));
    expect(walk.lines()).toEqual(["trigger:0660020020"]);
    expect(
      walk
        .wrote()
        .read(drive(on | homed))
        .lines(),
    ).toEqual(["wake:20"]);
    walk.tick().read(drive(on | running, 5, -60));
    expect(walk.lines()[0]).toBe("accepted");
    walk
      .read(drive(on | homed))
      .tick()
      .read(drive(on | homed));
    expect(walk.verdict).toMatchObject(done);
  });

  it("MO-10: resetFault writes 0x1111 once and believes only the status", () => {
    const walk = Walk.of(model(), "resetFault", {}, drive(0x01));
    walk.read(drive(0x01));
    expect(walk.lines()).toEqual(["level:06000f0000"]);
    walk.wrote();
    expect(walk.lines()).toEqual(["level:0618011111"]);
    walk.wrote().settle().poll(drive(0x01));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "DRIVE_FAULT" });
  });

  it.each([
    ["leadshine/cs2rs", ["06000f0001"], ["06000f0000"]],
    ["leadshine/el7-rs", ["0604010083"], ["0604010003"]],
  ] as const)("%s enables and disables by its own register", (id, enable, disable) => {
    const walk = ProfileWalk.of(id, { axis: linearAxis, acceptNoWatchdog: "test" });
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.writes).toEqual(enable);
    walk.writes.length = 0;
    expect(walk.run("disable")).toMatchObject(done);
    expect(walk.writes).toEqual(disable);
  });

  it("eld2-rs turns only bit 2 of its virtual inputs over", () => {
    const words = drive(0, 0, 0, { 407: 0x0021, 401: 0x41 });
    const walk = Walk.of(model("leadshine/eld2-rs"), "enable", {}, words).read(words);
    expect(walk.lines()).toEqual(["level:0601970025"]);
  });

  it("eld2-rs without its monitor pointer is not commissioned; its alarm has twelve bits", () => {
    const eld = model("leadshine/eld2-rs");
    expect(eld.commissioned?.(tableOf(eld, drive(on)))).toMatchObject({ ok: false });
    const table = tableOf(eld, drive(on, 0, 0, { 401: 0x41, 498: 0x5180 }));
    expect(eld.commissioned?.(table)).toMatchObject({ ok: true });
    expect(eld.view(table).faultCode).toMatchObject({ value: 0x180 });
    expect(eld.alarm?.(0x180)?.title).toMatch(/position error/);
  });
});

describe.each(["leadshine/el7-rs", "leadshine/eld2-rs"])("%s: alarms", (id) => {
  // "Homing done" stays set until the next homing, so the drive itself does not say it.
  it.each([0x150, 0x151, 0x152, 0x153, 0x170])("encoder alarm %i loses the reference", (code) => {
    expect(model(id).alarm?.(code)).toMatchObject({ positionLost: true });
  });
  it.each([0x0c0, 0x100, 0x180])("alarm %i leaves it", (code) => {
    expect(model(id).alarm?.(code)).toMatchObject({ positionLost: false });
  });
});

describe("leadshine: stops", () => {
  it("blind frames are the quick stop; disable takes the enable back", () => {
    const { controlled, fast, coast, disable } = model().stops;
    expect([controlled, fast, disable].map((one) => one?.blind.map(hex))).toEqual([
      ["0660020040"],
      ["0660020040"],
      ["06000f0000"],
    ]);
    expect(coast).toBeUndefined();
    expect(model("leadshine/iem-rs").stops.disable).toBeUndefined();
  });

  it("controlled, known to be enabled: path 0 in velocity mode, speed 0, the axis' ramp", () => {
    const walk = Walk.stop(model(), "controlled", drive(on | homed | running));
    // 2000 mm/s² at 10 mm a turn is 12000 rpm/s: 83 ms per 1000 rpm.
    const ramp = "00530053";
    expect(walk.lines()).toEqual([`level:1062000008100002000000000000${ramp}00000010`]);
    walk
      .wrote()
      .read(drive(on | homed | running))
      .tick();
    walk
      .read(drive(on | homed))
      .tick()
      .read(drive(on | homed));
    expect(walk.verdict).toMatchObject(done);
  });

  it.each([
    ["while it homes", on | running],
    ["disabled", homed],
  ])("controlled %s is the quick stop", (_, status) => {
    expect(Walk.stop(model(), "controlled", drive(status)).lines()).toEqual(["level:0660020040"]);
  });

  it("there is no watchdog: without a reason velocity is refused", () => {
    const bare = compileDevice(profileOf("leadshine/cs2rs"), {
      device: "x",
      unit: 1,
      axis,
      constants: {},
    });
    expect(bare.watchdog).toEqual({ kind: "none" });
    expect([...bare.verbs].sort()).toEqual(
      ["disable", "enable", "home", "moveBy", "moveTo", "quickStop", "resetFault", "stop"].sort(),
    );
  });
});

describe.each(ids)("%s, simulated", (id) => {
  function ready(): ProfileWalk {
    const walk = ProfileWalk.of(id, { axis: linearAxis, acceptNoWatchdog: "test" });
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.run("home")).toMatchObject(done);
    return walk;
  }

  it("homes, moves, moves to where it is, moves by, turns, and refuses what it must", () => {
    const walk = ready();
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("velocity", { velocity: 50 })).toMatchObject(done);
    expect(walk.stop("controlled", true)).toMatchObject(done);
    const over = { position: 801, velocity: 5 };
    expect(walk.run("moveTo", over)).toMatchObject({ code: "LIMIT_EXCEEDED" });
    if (walk.model.stops.disable === undefined) return;
    expect(walk.run("disable")).toMatchObject(done);
    const args = { position: 1, velocity: 5 };
    expect(walk.run("moveTo", args)).toMatchObject({ code: "NOT_ENABLED" });
  });

  it("a trip on the way is a drive fault", () => {
    const walk = ready();
    walk.run("moveTo", { position: 700, velocity: 100 }, () => walk.pass(100));
    walk.sim.setFault("trip", 0x0e0, walk.nowMs);
    walk.pass(500);
    const { fault, faultCode } = walk.view();
    expect([fault, faultCode]).toMatchObject([{ value: true }, { value: 0x0e0 }]);
    walk.sim.clearFaults();
    if (!walk.model.verbs.has("resetFault")) return;
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.view().fault).toMatchObject({ value: false });
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["fast", false],
    ["disable", false],
  ] as const)("interleaving 24: %s (known=%s), enable, ten seconds: not moved", (c, known) => {
    const walk = ready();
    if (walk.model.stops[c] === undefined) return;
    const setOff = () => {
      walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
    };
    stopThenWait(walk, { stopClass: c, known, setOff, within: 20 });
    expect(walk.position()).toBeLessThan(650);
    expect(walk.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
  });

  it("interleaving 24 at a speed: stopped, enabled, not moved", () => {
    const walk = ready();
    const setOff = () => expect(walk.run("velocity", { velocity: 50 })).toMatchObject(done);
    stopThenWait(walk, { stopClass: "controlled", known: true, setOff, within: 20 });
  });
});
