/**
 * The IAI profile on its simulated controller, in virtual time.
 * The idea: every operation and stop class; above all that a pause leaves nothing behind. Refuses
 * wall time.
 */
import { describe, expect, it } from "vitest";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };
const pauseOff = "05040a0000";

function homed(simulate = {}): ProfileWalk {
  const walk = ProfileWalk.of("iai/robo-cylinder", { axis: linearAxis, simulate });
  expect(walk.run("enable")).toMatchObject(done);
  expect(walk.run("home")).toMatchObject(done);
  return walk;
}
const setOff = (walk: ProfileWalk) => {
  walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
};

describe("iai/robo-cylinder, simulated", () => {
  it("enable, home, move there twice, move by, disable", () => {
    const walk = homed();
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("disable")).toMatchObject(done);
    const verdict = walk.run("moveTo", { position: 1, velocity: 1 });
    expect(verdict).toMatchObject({ verdict: "refused", code: "NOT_ENABLED" });
  });

  it.each([
    ["controlled", true],
    ["controlled", false],
    ["disable", true],
    ["disable", false],
  ] as const)("interleaving 24: %s (known=%s), enable, ten seconds: not moved", (c, known) => {
    const walk = homed();
    stopThenWait(walk, { stopClass: c, known, setOff, within: 5 });
    expect(walk.position()).toBeLessThan(650);
    expect(walk.run("moveTo", { position: 5, velocity: 500 })).toMatchObject(done);
  });

  it("the guardian's blind pause alone: the enable after it throws the rest away first", () => {
    const walk = homed();
    setOff(walk);
    for (const frame of walk.model.stops.controlled?.blind ?? []) walk.exchange(frame);
    walk.pass(1000);
    const before = walk.position();
    expect(walk.run("enable")).toMatchObject(done);
    walk.pass(10_000);
    expect(Math.abs(walk.position() - before)).toBeLessThan(0.05);
  });

  it("a pause that is only let go resumes: that is why the rest is thrown away", () => {
    const walk = homed();
    setOff(walk);
    for (const frame of walk.model.stops.controlled?.blind ?? []) walk.exchange(frame);
    walk.pass(1000);
    const before = walk.position();
    walk.exchange(Uint8Array.from(Buffer.from(pauseOff, "hex")));
    walk.pass(10_000);
    expect(walk.position() - before).toBeGreaterThan(10);
  });

  it("after a stop a move and a home let go of the pause themselves", () => {
    const walk = homed();
    setOff(walk);
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.run("moveTo", { position: 30, velocity: 400 })).toMatchObject(done);
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.run("home")).toMatchObject(done);
  });

  it("a stop in an alarm resets no alarm", () => {
    const walk = homed();
    setOff(walk);
    walk.sim.setFault("trip", 0xe0, walk.nowMs);
    walk.pass(100);
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.view()).toMatchObject({ fault: { value: true }, faultCode: { value: 0xe0 } });
    walk.sim.clearFaults();
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.run("enable")).toMatchObject(done);
  });

  it.each([true, false])("a stop of a servo that is off does not switch it on (%s)", (known) => {
    const walk = homed();
    walk.run("disable");
    expect(walk.stop("controlled", known)).toMatchObject(done);
    expect(walk.view().enabled).toMatchObject({ value: false });
  });

  it("under PIO control everything is refused as DEVICE_LOCAL", () => {
    const walk = ProfileWalk.of("iai/robo-cylinder", {
      axis: linearAxis,
      simulate: { remote: false },
    });
    expect(walk.run("enable")).toMatchObject({ verdict: "refused", code: "DEVICE_LOCAL" });
  });

  it("a stuck axis is faulted, never done", () => {
    const walk = homed();
    walk.sim.setFault("stuck", undefined, walk.nowMs);
    expect(walk.run("moveTo", { position: 50, velocity: 100 }).verdict).toBe("faulted");
  });
});
