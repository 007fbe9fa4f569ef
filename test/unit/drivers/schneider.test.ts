/**
 * Schneider Altivar against scripted status words, then on the simulated drive.
 *
 * The idea: words are those of the Altivar manuals, frames those of their examples. It refuses to
 * look into the profile.
 */
import { describe, expect, it } from "vitest";
import { crc16 } from "#drivers/crc.js";
import { codecOf, frameOf } from "#drivers/frame.js";
import { readRequest, writeMultiple } from "#drivers/pdu.js";
import { inverterModel, inverterOn, inverterStory } from "./inverter-story.js";
import { hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const constants = { ratedSpeed: 1500 };
const models = ["schneider/atv320", "schneider/atv12", "schneider/atv312"];
/** ETA with b9 remote. */
const status = (eta: number, speed = 0, reference = 0): Words => ({
  3201: 0x200 | eta,
  3204: 0,
  6005: 5,
  7010: 6,
  7121: eta === 0x18 ? 9 : 0,
  8501: 0,
  8602: reference & 0xffff,
  8604: speed & 0xffff,
});

describe.each(models)("%s, scripted", (id) => {
  const drive = (reason: string | null = "test") => inverterModel(id, constants, reason);

  it("enable: reference 0, then 6, 7, 15", () => {
    const walk = Walk.of(drive(), "enable", {}, status(0x50));
    expect(walk.lines()).toEqual(["level:06219a0000"]);
    walk.wrote().read(status(0x50)).read(status(0x50));
    expect(walk.lines()).toEqual(["level:0621350006"]);
    expect(walk.wrote().read(status(0x31)).lines()).toEqual(["level:0621350007"]);
    expect(walk.wrote().read(status(0x33)).lines()).toEqual(["level:062135000f"]);
    expect(walk.wrote().read(status(0x37)).verdict?.verdict).toBe("done");
  });

  it("velocity −20 %: −300 rpm; done by b10 and the output speed", () => {
    const walk = Walk.of(drive(), "velocity", { velocity: -20 }, status(0x437));
    expect(walk.lines()).toEqual(["trigger:06219afed4"]);
    walk.wrote().read(status(0x437)).tick();
    expect(walk.read(status(0x437, 0, -300)).lines()[0]).toBe("accepted");
    walk.read(status(0x37, -280, -300)).tick();
    expect(walk.read(status(0x437, -300, -300)).lines()).toEqual(['done:{"velocity":-20}']);
  });

  it("controlled: reference 0, nothing is left, the drive stays enabled", () => {
    const facts = drive().stops.controlled;
    expect([facts?.blind.map(hex), facts?.remainder, facts?.keepsTorque]).toEqual([
      ["06219a0000"],
      "gone",
      true,
    ]);
    const walk = Walk.stop(drive(), "controlled").wrote();
    walk.read(status(0x37, 900)).tick().read(status(0x437)).tick();
    expect(walk.read(status(0x437)).verdict?.verdict).toBe("done");
  });

  it.each([
    ["fast", "0621350002"],
    ["coast", "0621350000"],
    ["disable", "0621350000"],
  ] as const)("%s: %s, speed 0 seen twice, reference taken away", (stopClass, frame) => {
    expect(drive().stops[stopClass]?.blind.map(hex)).toEqual([frame]);
    const walk = Walk.stop(drive(), stopClass).wrote();
    walk.read(status(0x17, 900)).tick().read(status(0x50)).tick();
    expect(walk.read(status(0x50)).lines()).toEqual(["level:06219a0000"]);
  });

  it("resetFault: an edge of b7, then 0", () => {
    const walk = Walk.of(drive(), "resetFault", {}, status(0x18)).read(status(0x18));
    walk.settle().read(status(0x50));
    expect(walk.wrote().lines()).toEqual(['done:{"lastFault":0}']);
    expect(walk.frames).toEqual([
      "level:06219a0000",
      "level:0621350000",
      "level:0621350080",
      "level:0621350000",
    ]);
  });

  it.each([
    [5, 6, "verified"],
    [5, 1, "verified"],
    [5, 0, "wrong-reaction"],
    [5, 4, "wrong-reaction"],
    [5, 5, "wrong-reaction"],
  ] as const)("watchdog: TTO %i and SLL %i is %s", (tto, sll, state) => {
    const model = drive(null);
    const points = tableOf(model, { ...status(0x37), 6005: tto, 7010: sll });
    expect(model.judgeWatchdog?.(points).state).toBe(state);
    if (state === "verified") {
      expect(model.judgeWatchdog?.(points).timeoutMs).toBe(500);
      expect(model.verbs.has("velocity")).toBe(true);
    }
  });

  it("5 (SLF1) is an alarm with a title", () => {
    expect(drive().alarm?.(5)?.title).toMatch(/Modbus/);
  });
});

describe("frames of the Altivar manuals", () => {
  const framed = (unit: number, pdu: Uint8Array) => {
    const body = Uint8Array.of(unit, ...pdu);
    const sum = crc16(body);
    return hex(Uint8Array.of(...body, sum & 0xff, sum >> 8));
  };
  const golden = profileOf("schneider/atv320").evidence.goldenFrames.map(({ frame }) => {
    return frame.replaceAll(" ", "").toLowerCase();
  });
  it("W3102 to W3105 are read at their own numbers", () => {
    expect(framed(2, readRequest(3, 3102, 4))).toBe(golden[0]);
  });
  it("W9001 is written with 13", () => {
    const profile = profileOf("schneider/atv320");
    const made = frameOf(profile, codecOf(profile, new Map(), "accelerationTime"), 13);
    expect(made.ok && framed(2, made.value)).toBe(golden[1]);
  });
  it("W9001 and W9002 in one frame", () => {
    expect(framed(2, writeMultiple(9001, [20, 30]))).toBe(golden[2]);
  });
  it("ATV312 reads 29 registers at most, ATV12 and ATV320 63", () => {
    const most = models.map((id) => profileOf(id).transport.limits.readRegisters);
    expect(most).toEqual([63, 63, 29]);
  });
});

describe("schneider, simulated", () => {
  const stops = ["controlled", "fast", "coast", "disable"] as const;
  for (const id of models) inverterStory(id, { constants, reverse: true, stops });

  it("MO-19: TTO 0.5 s and SLL ramp trip in silence; SLL 5 goes on", () => {
    for (const [sll, trips] of [
      [6, true],
      [5, false],
    ] as const) {
      const simulate = {
        "register.communicationTimeout": 5,
        "register.communicationReaction": sll,
      };
      const walk = inverterOn("schneider/atv320", { constants, simulate });
      walk.run("enable");
      walk.run("velocity", { velocity: 20 });
      walk.pass(2000);
      expect(walk.sim.view().state === "fault").toBe(trips);
      expect(walk.sim.moving).toBe(!trips);
    }
  });
});
