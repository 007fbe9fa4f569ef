/**
 * The DH AG-95 profile on its simulated device, for both meanings of its positions.
 * The idea: every operation with its good and its bad end, in virtual time. Refuses wall time.
 */
import { describe, expect, it } from "vitest";
import { ProfileWalk } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };

describe.each([0, 1000])("dh/ag-95 with openAt %i, simulated", (openAt) => {
  const acceptNoStop = "fingers of 40 N behind a fence, tried on this machine";
  const fresh = (simulate = {}) =>
    ProfileWalk.of("dh/ag-95", {
      constants: { openAt },
      acceptNoStop,
      simulate,
    });
  const ready = (simulate = {}) => {
    const walk = fresh(simulate);
    expect(walk.run("enable")).toMatchObject(done);
    return walk;
  };

  it("initialize, grip, grip again, release, free moves there twice", () => {
    const walk = ready();
    const grip = walk.run("grip", { force: 60 });
    expect(grip).toMatchObject({ ...done, result: { gripped: true } });
    expect(walk.run("grip", { force: 60 })).toMatchObject(done);
    expect(walk.run("release")).toMatchObject({ ...done, result: { gripped: false } });
    expect(Math.abs(walk.position() - 95)).toBeLessThan(0.2);
    expect(walk.run("moveTo", { width: 60 })).toMatchObject(done);
    expect(walk.run("moveTo", { width: 60 })).toMatchObject(done);
    expect(Math.abs(walk.position() - 60)).toBeLessThan(0.2);
  });

  it("an initialized gripper is not initialized again, for that moves it", () => {
    const walk = ready();
    const before = walk.writes.length;
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.writes.length).toBe(before);
  });

  it("before its initialization a move is refused", () => {
    expect(fresh().run("moveTo", { width: 10 })).toMatchObject({ code: "NOT_ENABLED" });
  });

  it("no part is NO_PART, contact on a free move is OBSTRUCTED", () => {
    const empty = ready({ partWidth: false });
    expect(empty.run("grip")).toMatchObject({ verdict: "faulted", code: "NO_PART" });
    expect(ready().run("moveTo", { width: 10 })).toMatchObject({ code: "OBSTRUCTED" });
  });

  it("a part that falls out is no longer held, and the next grip finds none", () => {
    const walk = ready();
    walk.run("grip");
    walk.sim.setFault("noPart", undefined, walk.nowMs);
    walk.pass(2000);
    expect(walk.view().gripped).toMatchObject({ value: false });
    expect(walk.run("grip")).toMatchObject({ verdict: "faulted", code: "NO_PART" });
  });
});

describe("dh/ag-95 without a stop", () => {
  it("what may move is refused without acceptNoStop, and a motion without an end always", () => {
    const walk = ProfileWalk.of("dh/ag-95", { constants: { openAt: 1000 } });
    for (const verb of ["enable", "grip", "release", "moveTo"] as const) {
      const verdict = walk.run(verb, verb === "moveTo" ? { width: 1 } : {});
      expect(verdict).toMatchObject({ verdict: "refused", code: "NOT_SUPPORTED" });
      expect(JSON.stringify(verdict)).toContain("acceptNoStop");
    }
    expect(walk.run("velocity", { velocity: 1 })).toMatchObject({ code: "NOT_SUPPORTED" });
    expect(walk.writes).toEqual([]);
    expect(walk.model.stops).toEqual({});
  });
});
