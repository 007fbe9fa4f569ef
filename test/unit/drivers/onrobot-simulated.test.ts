/**
 * The OnRobot profiles on their simulated device, in virtual time.
 * The idea: every operation with its good and its bad end, and interleaving 24. Refuses wall time.
 */
import { describe, expect, it } from "vitest";
import { ProfileWalk, stopThenWait } from "../../fixtures/profile-walks.js";

const done = { verdict: "done" };

describe.each(["onrobot/rg2", "onrobot/rg6"])("%s, simulated", (id) => {
  const fresh = (simulate = {}) => ProfileWalk.of(id, { simulate });

  it("grip a part, grip it again harder, release, free moves there twice", () => {
    const walk = fresh();
    const gripped = { ...done, result: { position: 50, gripped: true } };
    expect(walk.run("grip", { force: 20 })).toMatchObject(gripped);
    expect(walk.run("grip", { force: 30 })).toMatchObject(gripped);
    expect(walk.view().gripped).toMatchObject({ value: true });
    expect(walk.run("release")).toMatchObject({ ...done, result: { gripped: false } });
    expect(walk.run("moveTo", { width: 70 })).toMatchObject(done);
    expect(walk.run("moveTo", { width: 70 })).toMatchObject(done);
  });

  it("without a part a grip is NO_PART", () => {
    const walk = fresh({ partWidth: false });
    expect(walk.run("grip")).toMatchObject({ verdict: "faulted", code: "NO_PART" });
  });

  it("contact on a free move is OBSTRUCTED", () => {
    expect(fresh().run("moveTo", { width: 10 })).toMatchObject({ code: "OBSTRUCTED" });
  });

  it("stuck fingers are STOPPED_SHORT", () => {
    const walk = fresh();
    walk.sim.setFault("stuck", undefined, walk.nowMs);
    expect(walk.run("moveTo", { width: 80 })).toMatchObject({ code: "STOPPED_SHORT" });
  });

  it("a part that is lost is seen", () => {
    const walk = fresh();
    walk.run("grip");
    walk.sim.setFault("noPart", undefined, walk.nowMs);
    walk.pass(10);
    expect(walk.view().gripped).toMatchObject({ value: false });
  });

  it("a switch circuit that has acted is a fault that no command clears", () => {
    const walk = fresh();
    walk.sim.setFault("trip", undefined, walk.nowMs);
    expect(walk.view()).toMatchObject({ fault: { value: true }, state: { value: "fault" } });
    const faulted = { code: "DRIVE_FAULT" };
    expect(walk.run("moveTo", { width: 20 })).toMatchObject(faulted);
    expect(walk.run("resetFault")).toMatchObject({ code: "NOT_SUPPORTED" });
  });

  it.each([true, false])("interleaving 24: controlled (known=%s): not moved", (known) => {
    stopThenWait(fresh(), {
      stopClass: "controlled",
      known,
      setOff: (walk) => walk.run("release", { width: 5 }, () => walk.pass(100)),
      within: 0.5,
    });
  });

  it("a stop at rest writes its one frame and moves nothing", () => {
    const walk = fresh();
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.writes).toEqual(["0600020008"]);
    expect(walk.sim.moving).toBe(false);
  });
});
