/**
 * The Festo profile on its simulated controller, in virtual time.
 * The idea: every operation and stop class in one exchange of function 23 each; what STOP holds is
 * cleared; no poll writes. Refuses wall time.
 */
import { describe, expect, it } from "vitest";
import { linearAxis, ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };
const constants = { positionUnits: 100, speedBase: 500 };
const fresh = (simulate = {}) =>
  ProfileWalk.of("festo/cmmo-st", { axis: linearAxis, constants, simulate });

function homed(simulate = {}): ProfileWalk {
  const walk = fresh(simulate);
  expect(walk.run("enable")).toMatchObject(done);
  expect(walk.run("home")).toMatchObject(done);
  return walk;
}
const setOff = (walk: ProfileWalk) => {
  walk.run("moveTo", { position: 700, velocity: 200 }, () => walk.pass(800));
};
/** CPOS of each image that went out: byte 11 of function 23, after its nine bytes of head. */
const startsIn = (writes: readonly string[]) => {
  return writes.filter((pdu) => (Number.parseInt(pdu.slice(22, 24), 16) & 0x06) !== 0);
};

describe("festo/cmmo-st, simulated", () => {
  it("enable, home, move there twice, move by, disable: every write is function 23", () => {
    const walk = homed();
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveTo", { position: 120, velocity: 300 })).toMatchObject(done);
    expect(walk.run("moveBy", { distance: -20, velocity: 300 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 100)).toBeLessThan(0.05);
    expect(walk.run("disable")).toMatchObject(done);
    expect(walk.writes.every((pdu) => pdu.startsWith("17000000040000000408"))).toBe(true);
    // One START or HOM image for each homing and move.
    expect(startsIn(walk.writes)).toHaveLength(4);
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

  it.each([
    ["by its bits alone it goes on", false],
    ["by enable it stays: the rest is cleared first", true],
  ])("STOP alone holds the path (a stop that died on its way); let go %s", (_, byVerb) => {
    const walk = homed();
    setOff(walk);
    const send = (ccon: string, cpos: string) => {
      const image = `17000000040000000408${ccon}${cpos}000000000000`;
      walk.exchange(Uint8Array.from(Buffer.from(image, "hex")));
    };
    send("41", "00");
    walk.pass(1000);
    const before = walk.position();
    if (byVerb) expect(walk.run("enable")).toMatchObject(done);
    else send("43", "01");
    walk.pass(5000);
    if (byVerb) expect(Math.abs(walk.position() - before)).toBeLessThan(0.05);
    else expect(walk.position() - before).toBeGreaterThan(10);
  });

  it.each([true, false])("a stop of a controller that is off writes no enable (known=%s)", (k) => {
    const walk = homed();
    walk.run("disable");
    const before = walk.writes.length;
    expect(walk.stop("controlled", k)).toMatchObject(done);
    expect(walk.writes.length).toBe(before);
    expect(walk.view().state).toMatchObject({ value: "off" });
  });

  it("no poll writes: after a stop nothing is sent by reading", () => {
    const walk = homed();
    setOff(walk);
    walk.stop("controlled", true);
    const before = walk.writes.length;
    for (let i = 0; i < 50; i++) walk.table(walk.model.pollFast);
    walk.table(walk.model.pollFull);
    expect(walk.writes.length).toBe(before);
  });

  it("another master has control: everything is refused as DEVICE_LOCAL", () => {
    const walk = fresh({ remote: false });
    expect(walk.run("enable")).toMatchObject({ verdict: "refused", code: "DEVICE_LOCAL" });
  });

  it("a silent second trips the node guard, and it is reset by its edge", () => {
    const walk = homed({ watchdogMs: 1000 });
    setOff(walk);
    walk.pass(1500);
    expect(walk.view().fault).toMatchObject({ value: true });
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.run("enable")).toMatchObject(done);
  });

  it("what cannot be read of the guard is not claimed", () => {
    expect(homed().model.watchdog.kind).toBe("unknown");
  });

  it("a stuck axis is faulted, never done", () => {
    const walk = homed();
    walk.sim.setFault("stuck", undefined, walk.nowMs);
    expect(walk.run("moveTo", { position: 50, velocity: 100 }).verdict).toBe("faulted");
  });
});
