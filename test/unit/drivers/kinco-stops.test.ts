/**
 * Stops of the Kinco profile, and what it refuses before the first frame.
 * The idea: a stop is judged by its frames in every state of the drive. Refuses to look into the
 * profile, except to swap two of its bits.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseProfile } from "#drivers/profile-loader.js";
import { acked, counts, drive, enabled, reached } from "./kinco-words.js";
import { hex, servo, tableOf, Walk, type Words } from "./operation-walk.js";

describe("kinco/fd5p: stops", () => {
  it("blind first frames are constant and never raise the power state", () => {
    const { stops } = servo();
    const blind = Object.entries(stops).map(([name, facts]) => [name, facts.blind.map(hex)]);
    expect(Object.fromEntries(blind)).toEqual({
      controlled: ["063100000b"],
      fast: ["063100000b"],
      coast: ["0631000000"],
      disable: ["0631000006"],
    });
    for (const frames of Object.values(stops)) {
      for (const frame of frames.blind) {
        // Enable operation needs b0 to b3; quick stop is b2 = 0.
        expect((frame[4] ?? 0) & 0x0f).not.toBe(0x0f);
      }
    }
  });

  it.each([
    ["ready", 0x21],
    ["switched on", 0x23],
    ["off", 0x40],
    ["quick stop active", 0x07],
  ])("controlled never writes 0x010F to a drive that is %s", (_, status) => {
    const walk = Walk.stop(servo(), "controlled", drive(status));
    expect(walk.lines()).toEqual(["level:063100000b"]);
    walk.wrote().read(drive(status)).tick().read(drive(status)).read(drive(status));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual(["level:063100000b"]);
  });

  it("controlled on an enabled drive: halt, still, set-point := actual, nothing left", () => {
    const walk = Walk.stop(servo(), "controlled", drive(enabled));
    expect(walk.lines()).toEqual(["level:063100010f"]);
    walk
      .wrote()
      .read(drive(enabled, 500, 9e5))
      .tick();
    walk.read(drive(enabled, 700)).tick().read(drive(enabled, 700));
    walk.read(drive(enabled, 700)).wrote();
    expect(walk.lines()).toEqual(["read:statusword+mode"]);
    walk.read(drive(enabled, 700)).read(drive(enabled, 700)).read(drive(enabled, 700));
    expect(walk.lines()).toEqual(["level:10400000020402bc0000"]);
    expect(walk.wrote().lines()).toEqual(["level:063100012f"]);
    expect(walk.wrote().read(drive(enabled, 700)).lines()).toEqual(["wake:10"]);
    expect(walk.tick(10).lines()).toEqual(["level:063100013f"]);
    expect(
      walk
        .wrote()
        .read(drive(enabled | acked, 700))
        .lines(),
    ).toEqual(["level:063100012f"]);
    expect(walk.wrote().read(drive(enabled, 700)).lines()).toEqual(["level:063100010f"]);
    expect(walk.wrote().lines()).toEqual(["level:063100000f"]);
    walk.wrote().read(drive(reached, 700)).tick().read(drive(reached, 700));
    expect(walk.lines()).toEqual(['done:{"position":0.7,"velocity":0}']);
    expect(walk.state.triggered).toBe(false);
  });

  it("controlled in speed mode takes the speed away before the halt is lifted", () => {
    const inSpeed = (velocity: number) => drive(enabled, 0, velocity, { 13568: 3 });
    const walk = Walk.stop(servo(), "controlled", inSpeed(9e5));
    walk.wrote().read(inSpeed(0)).tick().read(inSpeed(0)).read(inSpeed(0)).settle();
    walk.read(inSpeed(0)).read(inSpeed(0)).settle();
    expect(walk.frames).toEqual([
      "level:063100010f",
      "level:106f0000020400000000",
      "level:063100010f",
      "level:063100000f",
    ]);
  });

  it("a stop that never comes to rest ends as not done in time", () => {
    const walk = Walk.stop(servo(), "fast");
    walk.wrote().poll(drive(enabled, 0, 9e5));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_DONE_IN_TIME" });
  });

  it("readings of before the stop frame prove no standstill", () => {
    const walk = Walk.stop(servo(), "fast").wrote();
    expect(walk.read(drive(0x40), 5).lines()).toEqual(["wake:20"]);
    walk.tick().read(drive(0x40)).tick().read(drive(0x40));
    expect(walk.verdict?.verdict).toBe("done");
  });

  it("a fault is no hindrance to being still", () => {
    const walk = Walk.stop(servo(), "fast").wrote();
    walk.read(drive(0x08)).tick().read(drive(0x08));
    expect(walk.verdict?.verdict).toBe("done");
  });
});

describe("kinco/fd5p: what is refused before the first frame", () => {
  const begin = (
    verb: "moveTo" | "moveBy" | "home",
    args: Record<string, number>,
    words: Words,
  ) => {
    const model = servo();
    return model.begin({ verb, args, nowMs: 0, points: tableOf(model, words) });
  };
  it.each([
    ["speed missing (MO-21)", { position: 5 }, reached, "VALIDATION_FAILED"],
    ["speed 0 (MO-21)", { position: 5, velocity: 0 }, reached, "LIMIT_EXCEEDED"],
    ["speed −5 (MO-21)", { position: 5, velocity: -5 }, reached, "LIMIT_EXCEEDED"],
    ["speed above the axis' (MO-21)", { position: 5, velocity: 501 }, reached, "LIMIT_EXCEEDED"],
    ["speed NaN", { position: 5, velocity: Number.NaN }, reached, "VALIDATION_FAILED"],
    ["outside the travel", { position: 801, velocity: 5 }, reached, "LIMIT_EXCEEDED"],
    [
      "acceleration above the axis'",
      { position: 5, velocity: 5, acceleration: 2001 },
      reached,
      "LIMIT_EXCEEDED",
    ],
    ["not homed", { position: 5, velocity: 5 }, 0x0427, "NOT_HOMED"],
    ["not enabled", { position: 5, velocity: 5 }, 0x8021, "NOT_ENABLED"],
    ["in fault", { position: 5, velocity: 5 }, 0x8008, "DRIVE_FAULT"],
  ] as const)("%s", (_, args, status, code) => {
    expect(begin("moveTo", args, drive(status))).toMatchObject({
      ok: false,
      verdict: { verdict: "refused", code },
    });
  });
  it("a relative move that would leave the travel", () => {
    const begun = begin("moveBy", { distance: 60, velocity: 5 }, drive(reached, counts(750)));
    expect(begun).toMatchObject({ verdict: { code: "LIMIT_EXCEEDED" } });
  });
  it("EX-01: with readings that failed the state is not known, and nothing is sent", () => {
    const points = new Map([["statusword", { ok: false, reason: "timeout", atMs: 1 } as const]]);
    const begun = servo().begin({ verb: "home", args: {}, nowMs: 0, points });
    expect(begun).toMatchObject({ verdict: { verdict: "refused", code: "DEVICE_UNREACHABLE" } });
  });
});

describe("MO-15: the bits come from the profile", () => {
  const file = "drivers/profiles/kinco/fd5p.yaml";
  const text = readFileSync(file, "utf8");
  it("with b10 and b7 swapped, target reached is read from b7", () => {
    const swapped = text
      .replace("mask: 0x0080, equals: [0x0080]", "mask: SEVEN")
      .replace("mask: 0x0400, equals: [0x0400]", "mask: 0x0080, equals: [0x0080]")
      .replace("mask: SEVEN", "mask: 0x0400, equals: [0x0400]");
    const parsed = parseProfile(swapped, file);
    if (!parsed.ok) throw new TypeError("does not parse");
    const model = servo(parsed.value);
    const view = (status: number) => model.view(tableOf(model, drive(status)));
    expect(view(0x27 | 0x0400)).toMatchObject({
      inTarget: { value: false },
      warning: { value: true },
    });
    expect(view(0x27 | 0x0080)).toMatchObject({
      inTarget: { value: true },
      warning: { value: false },
    });
  });
  it("two roles on one bit are refused with both names", () => {
    const clash = text.replace("mask: 0x0800, equals: [0x0800]", "mask: 0x0400, equals: [0x0400]");
    const parsed = parseProfile(clash, file);
    expect(parsed.ok ? "" : parsed.problems.map((one) => one.message).join()).toMatch(
      /uses the bits of inTarget/,
    );
  });
});
