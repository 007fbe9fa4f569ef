/**
 * SINAMICS V20 and G120 against scripted status words, then on the simulated drive.
 *
 * The idea: words are those of the manuals' bit tables, bytes are written by hand. It refuses to
 * look into the profile.
 */
import { describe, expect, it } from "vitest";
import { inverterModel, inverterOn, inverterStory } from "./inverter-story.js";
import { hex, tableOf, Walk, type Words } from "./operation-walk.js";

/** ZSW: 0x40 inhibited, 0x31 ready, 0x33 ready to run, 0x37 running, 0x08 fault. */
const status = (zsw: number, speed = 0, setpoint = 0): Words => ({
  99: 0,
  100: setpoint & 0xffff,
  109: zsw,
  110: speed & 0xffff,
});

describe.each(["siemens/v20", "siemens/g120"])("%s, scripted", (id) => {
  const drive = () => inverterModel(id);

  it("enable: set-point 0, 0x047E out of the inhibition, 0x047F, and again when it runs", () => {
    const walk = Walk.of(drive(), "enable", {}, status(0x40));
    expect(walk.lines()).toEqual(["level:0600640000"]);
    walk.wrote().read(status(0x40)).read(status(0x40));
    expect(walk.lines()).toEqual(["level:060063047e"]);
    expect(walk.wrote().read(status(0x31)).lines()).toEqual(["level:060063047f"]);
    expect(walk.wrote().read(status(0x37)).lines()).toEqual(["level:060063047f"]);
    walk.wrote().read(status(0x37)).tick();
    expect(walk.read(status(0x37)).verdict?.verdict).toBe("done");
  });

  it("enable: a set-point that does not read back as 0 ends it before the run word", () => {
    const walk = Walk.of(drive(), "enable", {}, status(0x31)).wrote();
    walk.poll(status(0x31, 0, 4096));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "READ_BACK_DIFFERS" });
    expect(walk.frames).toEqual(["level:0600640000"]);
  });

  it("velocity −50 %: 0x047F, −8192 as the trigger; accepted by the register, done by speed", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: -50 }, status(0x37));
    expect(walk.lines()).toEqual(["level:060063047f"]);
    expect(walk.wrote().lines()).toEqual(["trigger:060064e000"]);
    walk
      .wrote()
      .read(status(0x37, 0, 0))
      .tick();
    expect(walk.read(status(0x37, -100, -8192)).lines()[0]).toBe("accepted");
    walk.read(status(0x37, -7000, -8192)).tick();
    walk.read(status(0x37, -8192, -8192));
    expect(walk.lines()).toEqual(['done:{"velocity":-50}']);
  });

  it("velocity: no longer running on the way is NOT_ENABLED", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: 50 }, status(0x37)).wrote().wrote();
    walk.read(status(0x37, 0, 8192)).read(status(0x40, 0, 8192));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_ENABLED" });
  });

  it.each([
    ["controlled", "060063047e"],
    ["fast", "060063047b"],
    ["coast", "060063047d"],
    ["disable", "060063047c"],
  ] as const)("%s: %s, speed 0 seen twice, set-point taken away", (stopClass, frame) => {
    expect(drive().stops[stopClass]?.blind.map(hex)).toEqual([frame]);
    const walk = Walk.stop(drive(), stopClass);
    expect(walk.lines()).toEqual([`level:${frame}`]);
    walk.wrote().read(status(0x37, 9000)).tick().read(status(0x31, 0)).tick();
    expect(walk.read(status(0x31, 0)).lines()).toEqual(["level:0600640000"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it("no blind word has all of OFF1, OFF2 and OFF3 at 1: none can start the motor", () => {
    for (const stop of Object.values(drive().stops)) {
      for (const pdu of stop?.blind ?? []) expect((pdu[4] ?? 0) & 0x07).not.toBe(0x07);
    }
  });

  it("resetFault: set-point 0, an edge of b7, 0x047E; a fault that stays is DRIVE_FAULT", () => {
    const walk = Walk.of(drive(), "resetFault", {}, status(0x08)).read(status(0x08));
    walk.settle();
    expect(walk.read(status(0x40)).lines()).toEqual(["level:060063047e"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([
      "level:0600640000",
      "level:060063047e",
      "level:06006304fe",
      "level:060063047e",
    ]);
    const kept = Walk.of(drive(), "resetFault", {}, status(0x08)).read(status(0x08));
    expect(kept.settle().poll(status(0x08)).verdict).toMatchObject({ code: "DRIVE_FAULT" });
  });

  it("a read of status and actual value is one frame, and process data only", () => {
    expect(drive().pollFast.map(({ pdu }) => hex(pdu))).toEqual(["03006d0002"]);
  });

  it("velocity needs a reason, because no register proves the watchdog", () => {
    const bare = inverterModel(id, {}, null);
    expect(bare.watchdog.kind).toBe("unknown");
    const points = tableOf(bare, status(0x37));
    const begun = bare.begin({ verb: "velocity", args: { velocity: 5 }, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { verdict: "refused", code: "NOT_SUPPORTED" } });
    expect(drive().verbs.has("velocity")).toBe(true);
  });
});

describe("siemens, simulated", () => {
  const stops = ["controlled", "fast", "coast", "disable"] as const;
  inverterStory("siemens/v20", { reverse: true, stops });
  inverterStory("siemens/g120", { reverse: true, stops });

  it("MO-19: parameter reads keep a V20 with a watchdog of 300 ms running, but not a G120", () => {
    for (const [id, trips] of [
      ["siemens/v20", false],
      ["siemens/g120", true],
    ] as const) {
      const walk = inverterOn(id, { simulate: { watchdogMs: 300 } });
      walk.run("enable");
      walk.run("velocity", { velocity: 20 });
      for (let i = 0; i < 20; i++) {
        walk.pass(100);
        walk.sim.handle(Uint8Array.of(3, 0, 0, 0, 1), walk.nowMs);
      }
      expect(`${id} ${walk.sim.view().state === "fault"}`).toBe(`${id} ${trips}`);
    }
  });
});
