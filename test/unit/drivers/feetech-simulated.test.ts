/**
 * The FEETECH profile on its simulated device, in virtual time.
 * The idea: what it can do, and what it refuses because nothing stops it. Refuses wall time.
 */
import { describe, expect, it } from "vitest";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };
const axis = {
  ...linearAxis,
  kind: "rotary",
  unit: "deg",
  countsPerRev: 4096,
  perRev: 360,
  travel: { min: 10, max: 350 },
  velocityMax: 120,
  accelerationMax: 600,
  tolerance: 0.5,
} as const;
const acceptNoStop = "a light pointer behind a window, tried on this machine";
const fresh = (setup = {}) =>
  ProfileWalk.of("feetech/sm-c002", {
    axis,
    constants: { speedStep: 1 },
    acceptNoStop,
    ...setup,
  });

describe("feetech/sm-c002, simulated", () => {
  it("enable stays where it stands, whatever goal stood, then moves and moves by", () => {
    const walk = fresh();
    const before = walk.position();
    expect(walk.run("enable")).toMatchObject(done);
    walk.pass(3000);
    expect(Math.abs(walk.position() - before)).toBeLessThan(0.2);
    expect(walk.run("moveTo", { position: 200, velocity: 100 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 200, velocity: 100 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -50, velocity: 100 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 150)).toBeLessThan(0.5);
    expect(walk.run("disable")).toMatchObject(done);
    expect(walk.run("moveTo", { position: 1, velocity: 1 }).verdict).toBe("refused");
  });

  it.each([true, false])("interleaving 24: disable (known=%s), enable: not moved", (known) => {
    const walk = fresh();
    walk.run("enable");
    stopThenWait(walk, {
      stopClass: "disable",
      known,
      setOff: (one) => one.run("moveTo", { position: 340, velocity: 40 }, () => one.pass(800)),
      within: 2,
    });
    expect(walk.position()).toBeLessThan(300);
  });

  it("torque that is lost on the way is STOPPED_SHORT", () => {
    const walk = fresh();
    walk.run("enable");
    walk.sim.setFault("stuck", undefined, walk.nowMs);
    const verdict = walk.run("moveTo", { position: 300, velocity: 100 });
    expect(verdict.verdict).toBe("faulted");
  });

  it("the capability list has no controlled and no fast stop; the guardian gets torque off", () => {
    const { model } = fresh();
    expect(Object.keys(model.stops)).toEqual(["disable"]);
    expect(model.verbs.has("stop")).toBe(false);
    expect(model.verbs.has("quickStop")).toBe(false);
    expect(model.beginStop("controlled", 0)).toBeUndefined();
  });

  it("velocity is refused always, moves without acceptNoStop; enable and disable are not", () => {
    const both = fresh({ acceptNoWatchdog: "test of a refusal" });
    expect(both.run("velocity", { velocity: 5 })).toMatchObject({ code: "NOT_SUPPORTED" });
    const bare = fresh({ acceptNoStop: undefined });
    const verdict = bare.run("moveTo", { position: 100, velocity: 10 });
    expect(verdict).toMatchObject({ verdict: "refused", code: "NOT_SUPPORTED" });
    expect(JSON.stringify(verdict)).toContain("acceptNoStop");
    expect(bare.run("enable")).toMatchObject(done);
    expect(bare.run("disable")).toMatchObject(done);
  });
});
