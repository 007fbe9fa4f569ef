/**
 * Every operation and stop of the FEETECH profile against scripted words.
 * The idea: registers as in the public program (goal 0x80, torque 0x81, speed 0x83, status from
 * 0x100). Refuses to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { axis, hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const { travel: _travel, ...rotary } = axis;
const model = () =>
  compileDevice(profileOf("feetech/sm-c002"), {
    device: "s",
    unit: 1,
    axis: { ...rotary, kind: "rotary", unit: "deg", perRev: 360, tolerance: 0.5 },
    constants: { speedStep: 2 },
    acceptNoStop: "test of the operations",
  });
interface State {
  goal?: number;
  torque?: number;
  speed?: number;
  at?: number;
  moving?: number;
}
const words = ({ goal = 2048, torque = 1, speed = 5, at = 1024, moving = 0 }: State): Words => ({
  128: goal,
  129: torque,
  131: speed,
  257: at,
  262: moving,
});

describe("feetech/sm-c002: enable and disable", () => {
  it("the goal is moved to where it stands, read back, and only then comes the torque", () => {
    const off = { torque: 0 };
    const walk = Walk.of(model(), "enable", {}, words(off)).read(words(off)).read(words(off));
    expect(walk.lines()).toEqual(["level:0600800400"]);
    expect(
      walk
        .wrote()
        .read(words({ ...off, goal: 1024 }))
        .lines(),
    ).toEqual(["level:0600810001"]);
    expect(walk.wrote().read(words({ goal: 1024 })).verdict?.verdict).toBe("done");
  });
  it("a goal that does not read back gets no torque", () => {
    const off = { torque: 0 };
    const walk = Walk.of(model(), "enable", {}, words(off)).read(words(off)).read(words(off));
    walk.wrote().poll(words(off));
    expect(walk.verdict).toMatchObject({ code: "READ_BACK_DIFFERS" });
    expect(walk.frames).toEqual(["level:0600800400"]);
  });
  it("enabled already: nothing is written", () => {
    const walk = Walk.of(model(), "enable", {}, words({})).read(words({}));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });
  it("disable is torque off, seen", () => {
    const walk = Walk.of(model(), "disable", {}, words({}));
    expect(walk.lines()).toEqual(["level:0600810000"]);
    expect(walk.wrote().read(words({ torque: 0 })).verdict?.verdict).toBe("done");
  });
});

describe("feetech/sm-c002: moves", () => {
  it("speed is read back before the goal, which starts by itself", () => {
    const walk = Walk.of(model(), "moveTo", { position: 180, velocity: 40 }, words({})).wrote();
    expect(walk.frames).toEqual(["level:0600830014"]);
    expect(walk.read(words({ speed: 20 })).lines()).toEqual(["trigger:0600800800"]);
    walk.wrote().read(words({ speed: 20 }));
    expect(walk.lines()).toEqual(["wake:20"]);
    walk.tick().read(words({ at: 1500, moving: 1 }));
    expect(walk.lines()[0]).toBe("accepted");
    walk
      .read(words({ at: 2048 }))
      .tick()
      .read(words({ at: 2048 }));
    expect(walk.verdict).toMatchObject({ verdict: "done", result: { position: 180 } });
  });
  it("standing away from the goal is STOPPED_SHORT; torque that is gone, too", () => {
    const begun = () => {
      const walk = Walk.of(model(), "moveTo", { position: 180, velocity: 40 }, words({})).wrote();
      return walk
        .read(words({ speed: 20 }))
        .wrote()
        .read(words({ at: 1500, moving: 1 }));
    };
    expect(begun().poll(words({ at: 1500 })).verdict).toMatchObject({ code: "STOPPED_SHORT" });
    const gone = begun().read(words({ torque: 0, at: 1500 }));
    expect(gone.verdict).toMatchObject({ verdict: "faulted", code: "STOPPED_SHORT" });
  });
  it("moveBy counts from the place that was read, either way", () => {
    const walk = Walk.of(model(), "moveBy", { distance: -45, velocity: 40 }, words({}));
    walk
      .read(words({}))
      .wrote()
      .read(words({ speed: 20 }));
    expect(walk.lines()).toEqual(["trigger:0600800200"]);
    walk
      .wrote()
      .read(words({ at: 900, moving: 1 }))
      .read(words({ at: 512 }));
    walk.tick().read(words({ at: 512 }));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("a target outside of the turn is refused before anything is written", () => {
    const points = tableOf(model(), words({}));
    const args = { position: -1, velocity: 10 };
    const begun = model().begin({ verb: "moveTo", args, nowMs: 0, points });
    expect(begun).toMatchObject({ ok: false, verdict: { code: "LIMIT_EXCEEDED" } });
  });
});

describe("feetech/sm-c002: its only stop", () => {
  it("is torque off: constant, and it never raises the power state", () => {
    const { stops } = model();
    expect(Object.keys(stops)).toEqual(["disable"]);
    expect(stops.disable?.blind.map(hex)).toEqual(["0600810000"]);
    const walk = Walk.stop(model(), "disable")
      .wrote()
      .read(words({ moving: 1 }));
    expect(walk.lines()).toEqual(["wake:20"]);
    const off = words({ torque: 0 });
    expect(walk.tick().read(off).tick().read(off).verdict?.verdict).toBe("done");
  });
});

describe("feetech/sm-c001", () => {
  it("is another protocol: nothing is offered, and the reason says so", () => {
    const other = compileDevice(profileOf("feetech/sm-c001"), model().setup);
    expect([...other.verbs]).toEqual([]);
    expect(other.whyNot?.("moveTo")).toContain("not Modbus");
  });
});
