/**
 * Cheap inverters with a command at 0x2000: scripted replies, then the simulated drive.
 *
 * The idea: values and bits are those of the manuals' tables, bytes are written by hand. It
 * refuses to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { inverterModel, inverterStory } from "./inverter-story.js";
import { hex, tableOf, Walk, type Words } from "./operation-walk.js";

describe("generic/vfd-0x2000, scripted", () => {
  const drive = (constants = {}) => inverterModel("generic/vfd-0x2000", constants);
  const status = (state: number, hertz = 0, setpoint = 0, fault = 0): Words => ({
    4096: setpoint,
    4097: 100 * hertz,
    12288: state,
    32768: fault,
  });

  it("enable: set-point 0, then 1", () => {
    const walk = Walk.of(drive(), "enable", {}, status(3));
    expect(walk.lines()).toEqual(["level:0610000000"]);
    walk.wrote().read(status(3));
    expect(walk.lines()).toEqual(["level:0620000001"]);
    walk.wrote().read(status(1)).tick();
    expect(walk.read(status(1)).verdict?.verdict).toBe("done");
  });

  it("velocity 40 % of 60 Hz: 4000 as the trigger, done at 24 Hz", () => {
    const walk = Walk.of(drive({ maxFrequency: 60 }), "velocity", { velocity: 40 }, status(1));
    expect(walk.lines()).toEqual(["trigger:0610000fa0"]);
    walk.wrote().read(status(1)).tick();
    expect(walk.read(status(1, 0, 4000)).lines()[0]).toBe("accepted");
    walk.read(status(1, 20, 4000)).tick();
    expect(walk.read(status(1, 24, 4000)).lines()).toEqual(['done:{"velocity":40}']);
  });

  it("turning backwards is refused: the frequency has no sign", () => {
    const points = tableOf(drive(), status(1));
    const begun = drive().begin({ verb: "velocity", args: { velocity: -1 }, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { code: "LIMIT_EXCEEDED" } });
  });

  it.each([
    ["controlled", "0620000006"],
    ["coast", "0620000005"],
    ["disable", "0620000005"],
  ] as const)("%s: %s, frequency 0 seen twice, set-point taken away", (stopClass, frame) => {
    expect(drive().stops[stopClass]?.blind.map(hex)).toEqual([frame]);
    const walk = Walk.stop(drive(), stopClass).wrote();
    walk.read(status(1, 20)).tick().read(status(3)).tick();
    expect(walk.read(status(3)).lines()).toEqual(["level:0610000000"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it("has no fast stop, and says so", () => {
    expect(Object.keys(drive().stops)).toEqual(["controlled", "coast", "disable"]);
    expect(drive().verbs.has("quickStop")).toBe(false);
  });

  it("resetFault: 7; a fault is what 0x8000 says", () => {
    const walk = Walk.of(drive(), "resetFault", {}, status(3, 0, 0, 4)).read(status(3, 0, 0, 4));
    walk.settle().read(status(3));
    expect(walk.frames).toEqual(["level:0610000000", "level:0620000007"]);
    expect(walk.verdict?.verdict).toBe("done");
  });

  it("a drive that answers another state is not of this profile", () => {
    const judged = drive().identityMatches(tableOf(drive(), status(17)));
    expect(judged.ok).toBe(false);
  });
});

describe("generic/vfd-0x2000-bits, scripted", () => {
  const drive = (constants = {}) => inverterModel("generic/vfd-0x2000-bits", constants);
  const status = (state: number, hertz = 0, setpoint = 0, fault = 0): Words => ({
    8448: fault,
    8449: state,
    8450: 100 * setpoint,
    8451: 100 * hertz,
  });

  it("enable: frequency 0, then 0x12; standby counts as running", () => {
    const walk = Walk.of(drive(), "enable", {}, status(0));
    expect(walk.lines()).toEqual(["level:0620010000"]);
    walk.wrote().read(status(0));
    expect(walk.lines()).toEqual(["level:0620000012"]);
    walk.wrote().read(status(2)).tick();
    expect(walk.read(status(2)).verdict?.verdict).toBe("done");
  });

  it("velocity 50 % of 50 Hz: 2500 as the trigger; read back at 0x2102", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: 50 }, status(2));
    expect(walk.lines()).toEqual(["trigger:06200109c4"]);
    walk.wrote().read(status(2)).tick();
    expect(walk.read(status(3, 0, 25)).lines()[0]).toBe("accepted");
    expect(walk.read(status(3, 25, 25)).lines()).toEqual(['done:{"velocity":50}']);
  });

  it.each(["controlled", "disable"] as const)("%s: 0x01, never base block", (stopClass) => {
    expect(drive().stops[stopClass]?.blind.map(hex)).toEqual(["0620000001"]);
    expect(drive().stops.coast).toBeUndefined();
  });

  it("resetFault: stop, then b1 of 0x2002; the fault is the low byte of 0x2100", () => {
    const faulty = status(0, 0, 0, 0x1204);
    const walk = Walk.of(drive(), "resetFault", {}, faulty).read(faulty);
    walk.settle().read(status(0, 0, 0, 0x1200));
    expect(walk.frames).toEqual(["level:0620010000", "level:0620000001", "level:0620020002"]);
    expect(walk.lines()).toEqual(['done:{"faultCode":0}']);
  });
});

describe("generic inverters, simulated", () => {
  const reverse = false;
  inverterStory("generic/vfd-0x2000", { reverse, stops: ["controlled", "coast", "disable"] });
  inverterStory("generic/vfd-0x2000-bits", { reverse, stops: ["controlled", "disable"] });
});
