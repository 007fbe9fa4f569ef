/**
 * The generic positioner on its simulated device, in virtual time.
 * The idea: every operation and stop class, and interleaving 24 for each class. Refuses wall time.
 */
import { describe, expect, it } from "vitest";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };
const fresh = (simulate = {}) => ProfileWalk.of("generic/axis", { axis: linearAxis, simulate });

function homed(): ProfileWalk {
  const walk = fresh();
  expect(walk.run("enable")).toMatchObject(done);
  expect(walk.run("home")).toMatchObject(done);
  return walk;
}
const setOff = (walk: ProfileWalk) => {
  walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
};

describe("generic/axis, simulated", () => {
  it("enable, home, move there twice, move by, disable", () => {
    const walk = homed();
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("disable")).toMatchObject(done);
    const refused = { verdict: "refused", code: "NOT_ENABLED" };
    expect(walk.run("moveTo", { position: 1, velocity: 1 })).toMatchObject(refused);
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["disable", true],
    ["disable", false],
  ] as const)("interleaving 24: %s (known=%s), enable, ten seconds: not moved", (c, known) => {
    const walk = homed();
    stopThenWait(walk, { stopClass: c, known, setOff });
    expect(walk.position()).toBeLessThan(650);
    expect(walk.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
  });

  it.each([true, false])("a stop of a disabled axis does not enable it (known=%s)", (known) => {
    const walk = homed();
    walk.run("disable");
    expect(walk.stop("controlled", known)).toMatchObject(done);
    expect(walk.view().enabled).toMatchObject({ value: false });
  });

  it("a stuck axis ends STOPPED_SHORT or late, never done", () => {
    const walk = homed();
    walk.sim.setFault("stuck", undefined, walk.nowMs);
    const verdict = walk.run("moveTo", { position: 50, velocity: 100 });
    expect(verdict.verdict).toBe("faulted");
  });

  it("an alarm on the way ends the move as a fault, and is reset by its edge", () => {
    const walk = homed();
    setOff(walk);
    walk.sim.setFault("trip", 5, walk.nowMs);
    walk.pass(500);
    expect(walk.view()).toMatchObject({ fault: { value: true }, faultCode: { value: 5 } });
    expect(walk.run("enable")).toMatchObject({ code: "DRIVE_FAULT" });
    walk.sim.clearFaults();
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.run("enable")).toMatchObject(done);
  });
});
