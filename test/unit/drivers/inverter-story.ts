/**
 * What every inverter has to do on its simulated device, told once for all profiles.
 *
 * The idea: enable, run, stops in the middle of a run, disable, fault and reset, refusals, and
 * interleaving 24 for each stop class, known and blind. The raw words of each family are in its
 * own test. It refuses wall time.
 */
import { expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { AxisSetup, DeviceModel, StopClass } from "#drivers/device-model.js";
import { ProfileWalk, stopThenWait, type WalkSetup } from "../../fixtures/profile-walks.js";
import { profileOf } from "./operation-walk.js";

export const percentAxis: AxisSetup = {
  kind: "linear",
  unit: "percent",
  countsPerRev: 10_000,
  gear: { motor: 1, output: 1 },
  perRev: 10,
  velocityMax: 100,
  accelerationMax: 200,
  tolerance: 1,
  whenOff: "stays",
};

export interface StorySetup {
  readonly constants?: { readonly [name: string]: number };
  readonly reverse: boolean;
  readonly stops: readonly StopClass[];
}

/** The compiled model alone, for scripted replies. */
export function inverterModel(
  id: string,
  constants: StorySetup["constants"] = {},
  acceptNoWatchdog: string | null = "test",
): DeviceModel {
  const reason = acceptNoWatchdog === null ? {} : { acceptNoWatchdog };
  const setup = { device: "belt", unit: 3, axis: percentAxis, constants, ...reason };
  return compileDevice(profileOf(id), setup);
}

export function inverterOn(id: string, more: WalkSetup = {}): ProfileWalk {
  return ProfileWalk.of(id, { axis: percentAxis, acceptNoWatchdog: "test", ...more });
}

const done = { verdict: "done" };

/** Declares the tests of one profile. */
export function inverterStory(id: string, { constants = {}, reverse, stops }: StorySetup): void {
  const rig = (more: WalkSetup = {}) => inverterOn(id, { constants, ...more });
  const running = () => {
    const walk = rig();
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.run("velocity", { velocity: 40 })).toMatchObject(done);
    return walk;
  };
  const speed = (walk: ProfileWalk) => {
    const { velocity } = walk.view();
    if (!velocity.ok) throw new TypeError(velocity.reason);
    return velocity.value;
  };

  it(`${id}: enable, run at 40 %, another speed, stop, disable`, () => {
    const walk = running();
    walk.pass(500);
    expect(walk.sim.view().velocity).toBeCloseTo(40, 0);
    expect(speed(walk)).toBeCloseTo(40, 0);
    const other = reverse ? -20 : 20;
    expect(walk.run("velocity", { velocity: other })).toMatchObject(done);
    walk.pass(500);
    expect(walk.sim.view().velocity).toBeCloseTo(other, 0);
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.sim.moving).toBe(false);
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.run("disable")).toMatchObject(done);
    expect(walk.view().enabled).toMatchObject({ value: false });
  });

  it.each(stops.flatMap((stopClass) => [true, false].map((known) => ({ stopClass, known }))))(
    `${id}: interleaving 24 by $stopClass (known $known): stopped on the way, not moved again`,
    ({ stopClass, known }) => {
      const walk = rig();
      const setOff = () => {
        expect(walk.run("enable")).toMatchObject(done);
        expect(walk.run("velocity", { velocity: 60 }, () => walk.pass(150)).verdict).toBe(
          "unknown",
        );
      };
      stopThenWait(walk, { stopClass, known, setOff, within: 0 });
    },
  );

  it.each(stops)(`${id}: %s of a drive that is off does not switch it on`, (stopClass) => {
    const walk = rig();
    expect(walk.stop(stopClass, false)).toMatchObject(done);
    expect(walk.view().enabled).toMatchObject({ value: false });
    walk.pass(2000);
    expect(walk.sim.moving).toBe(false);
  });

  it(`${id}: disable while it runs waits for standstill`, () => {
    const walk = running();
    expect(walk.run("disable")).toMatchObject(done);
    expect(walk.sim.moving).toBe(false);
    expect(walk.view().enabled).toMatchObject({ value: false });
  });

  it(`${id}: enable straight after a stop frame, while it still ramps, ends enabled`, () => {
    const walk = running();
    const frame = walk.model.stops.controlled?.blind[0];
    if (frame === undefined) throw new TypeError("no blind frame");
    walk.exchange(frame);
    expect(walk.run("enable")).toMatchObject(done);
    walk.pass(1500);
    expect(walk.view().enabled).toMatchObject({ value: true });
    expect(walk.sim.moving).toBe(false);
  });

  it(`${id}: a trip on the way is a drive fault; resetFault clears it, and it stands`, () => {
    const walk = running();
    walk.sim.setFault("trip", undefined, walk.nowMs);
    walk.pass(3000);
    expect(walk.view().fault).toMatchObject({ value: true });
    expect(walk.run("velocity", { velocity: 10 })).toMatchObject({ code: "DRIVE_FAULT" });
    walk.sim.clearFaults();
    expect(walk.run("resetFault")).toMatchObject(done);
    expect(walk.view().fault).toMatchObject({ value: false });
    walk.pass(5000);
    expect(walk.sim.moving).toBe(false);
    expect(walk.run("enable")).toMatchObject(done);
    walk.pass(2000);
    expect(walk.sim.moving).toBe(false);
  });

  it(`${id}: a fault whose cause is still there is not reset`, () => {
    const walk = running();
    walk.sim.setFault("trip", "hold", walk.nowMs);
    walk.pass(3000);
    expect(walk.run("resetFault")).toMatchObject({ verdict: "faulted", code: "DRIVE_FAULT" });
  });

  it(`${id}: a motor that does not turn never reaches its speed`, () => {
    const walk = rig();
    expect(walk.run("enable")).toMatchObject(done);
    walk.sim.setFault("stuck", undefined, walk.nowMs);
    const verdict = walk.run("velocity", { velocity: 40 });
    expect(verdict).toMatchObject({ verdict: "faulted", code: "NOT_DONE_IN_TIME" });
  });

  it(`${id}: refuses what it cannot do, with nothing sent`, () => {
    const walk = rig();
    expect(walk.run("velocity", { velocity: 10 })).toMatchObject({ code: "NOT_ENABLED" });
    expect(walk.run("enable")).toMatchObject(done);
    const sent = walk.writes.length;
    expect(walk.run("velocity", { velocity: 101 })).toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect(walk.run("velocity")).toMatchObject({ code: "VALIDATION_FAILED" });
    expect(walk.run("moveTo", { position: 1 })).toMatchObject({ code: "NOT_SUPPORTED" });
    expect(walk.run("home")).toMatchObject({ code: "NOT_SUPPORTED" });
    if (!reverse) {
      const verdict = walk.run("velocity", { velocity: -10 });
      expect(verdict).toMatchObject({ code: "LIMIT_EXCEEDED" });
    }
    expect(walk.writes).toHaveLength(sent);
  });
}
