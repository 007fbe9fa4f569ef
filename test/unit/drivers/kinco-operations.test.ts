/**
 * Every operation of the Kinco profile, effect by effect, against scripted status words.
 * The idea: bits are written here as in the manual's tables. Refuses to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { acked, counts, drive, enabled, reached } from "./kinco-words.js";
import { profileOf, servo, Walk } from "./operation-walk.js";

describe("kinco/fd5p: enable and disable", () => {
  it("enable walks the state graph, with nothing left to run before the power comes", () => {
    const walk = Walk.of(servo(), "enable", {}, drive(0x40));
    expect(walk.lines()).toEqual(["level:106f0000020400000000"]);
    expect(walk.wrote().lines()).toEqual(["level:0635000001"]);
    expect(walk.wrote().lines()).toEqual(["read:statusword+actualPosition"]);
    expect(walk.read(drive(0x40)).lines()).toEqual(["level:0631000006"]);
    expect(walk.wrote().lines()).toEqual(["read:statusword+actualPosition"]);
    // Not there yet: it waits and does not write again.
    expect(walk.read(drive(0x40)).lines()).toEqual(["wake:20"]);
    expect(walk.tick().read(drive(0x21)).lines()).toEqual(["level:0631000007"]);
    expect(walk.wrote().read(drive(0x23)).lines()).toEqual(["level:063100000f"]);
    expect(walk.wrote().read(drive(0x27)).lines()).toEqual(['done:{"position":0}']);
    expect(walk.state.triggered).toBe(false);
  });

  it("enable from quick stop active goes over shutdown", () => {
    const walk = Walk.of(servo(), "enable", {}, drive(0x07)).settle();
    expect(walk.read(drive(0x07)).lines()).toEqual(["level:0631000006"]);
  });

  it("enable in fault ends with the fault code and writes no control word", () => {
    const walk = Walk.of(servo(), "enable", {}, drive(0x08)).settle();
    expect(walk.read(drive(0x08)).lines()).toEqual(["read:errorState+statusword"]);
    walk.read(drive(0x08, 0, 0, { 7936: 7 }));
    expect(walk.verdict).toMatchObject({ code: "DRIVE_FAULT", detail: { faultCode: 7 } });
    expect(walk.frames.filter((frame) => frame.includes("063100"))).toEqual([]);
  });

  it("enable that never gets there ends in time", () => {
    const walk = Walk.of(servo(), "enable", {}, drive(0x40)).settle();
    walk.read(drive(0x40)).wrote().poll(drive(0x40));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_ACCEPTED" });
    expect(walk.nowMs).toBeLessThan(1000 + 8000);
  });

  it("disable is 0x06 until the power is seen to be off", () => {
    const walk = Walk.of(servo(), "disable", {}, drive(enabled));
    expect(walk.lines()).toEqual(["level:0631000006"]);
    expect(walk.wrote().read(drive(enabled)).lines()).toEqual(["wake:20"]);
    expect(walk.tick().read(drive(0x21)).verdict?.verdict).toBe("done");
  });
});

describe("kinco/fd5p: reset and home", () => {
  it("resetFault: low, held, high, gone, low again (MO-03: a second reset makes a second edge)", () => {
    for (let round = 0; round < 2; round++) {
      const walk = Walk.of(servo(), "resetFault", {}, drive(0x08));
      expect(walk.lines()).toEqual(["read:errorState+statusword"]);
      expect(walk.read(drive(0x08)).lines()).toEqual(["level:0631000006"]);
      expect(walk.wrote().lines()).toEqual(["wake:10"]);
      expect(walk.tick(10).lines()).toEqual(["level:0631000086"]);
      expect(walk.wrote().read(drive(0x40)).lines()).toEqual(["level:0631000006"]);
      expect(walk.wrote().verdict?.verdict).toBe("done");
    }
  });

  it("MO-11: the reset is acknowledged and the cause persists: not done, and no enable follows", () => {
    const walk = Walk.of(servo(), "resetFault", {}, drive(0x08)).read(drive(0x08));
    walk.wrote().tick(10).wrote();
    walk.poll(drive(0x08));
    expect(walk.verdict).toMatchObject({ verdict: "faulted" });
    expect(walk.frames.filter((frame) => frame.endsWith("063100000f"))).toEqual([]);
  });

  it("MO-11: alarm 0 but never ready (its hardware stop is open): enable fails with what it read", () => {
    const walk = Walk.of(servo(), "enable", {}, drive(0x40)).settle();
    // The drive acknowledges every control word and stays «switch on disabled».
    while (walk.verdict === undefined && walk.nowMs < 60_000) {
      walk.poll(drive(0x40), 1).settle();
    }
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_ACCEPTED" });
    expect(walk.frames.some((frame) => frame.endsWith("063100000f"))).toBe(false);
  });

  it("resetFault without a fault writes nothing, for 0x06 would switch the power off", () => {
    const walk = Walk.of(servo(), "resetFault", {}, drive(enabled)).read(drive(enabled));
    expect(walk.verdict?.verdict).toBe("done");
    expect(walk.frames).toEqual([]);
  });

  it("home: accepted when b12 falls, done when b12, b15 and standstill are read twice", () => {
    const walk = Walk.of(servo(), "home", {}, drive(0x1027));
    expect(walk.lines()).toEqual(["level:0635000006"]);
    expect(walk.wrote().lines()).toEqual(["read:statusword+mode"]);
    walk.read(drive(0x1027, 0, 0, { 13568: 6 }));
    expect(walk.lines()).toEqual(["level:063100000f"]);
    expect(walk.wrote().lines()).toEqual(["wake:10"]);
    expect(walk.tick(10).lines()).toEqual(["trigger:063100001f"]);
    walk.wrote();
    // Attained from the homing before this one: neither accepted nor done.
    expect(walk.read(drive(0x9027)).lines()).toEqual(["wake:20"]);
    walk.tick().read(drive(0x0027, 50, -99999));
    expect(walk.lines()).toEqual(["accepted", "read:statusword+actualPosition+actualVelocity"]);
    walk.read(drive(0x9027)).tick().read(drive(0x9027));
    expect(walk.lines()).toEqual(["level:063100000f"]);
    expect(walk.wrote().verdict?.verdict).toBe("done");
  });

  it("home with the error bit b13 is faulted", () => {
    const walk = Walk.of(servo(), "home", {}, drive(0x27)).settle();
    walk
      .read(drive(0x27, 0, 0, { 13568: 6 }))
      .settle()
      .wrote();
    walk.read(drive(0x27, 0, 99999)).read(drive(0x2027));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "DRIVE_FAULT" });
  });
});

// 2000 mm/s² is 200 rps/s: 200 × 65536 × 10000 / 4000000 = 32768 = 0x8000, low word first.
const ramps = ["level:104b0000020480000000", "level:104c0000020480000000"];

function moving(target = 50): Walk {
  const walk = Walk.of(servo(), "moveTo", { position: target, velocity: 100 }, drive(reached));
  return walk.settle().read(drive(reached)).settle().read(drive(reached)).settle();
}

describe("kinco/fd5p: moveTo", () => {
  it("writes mode, speed, target, low side, held, trigger; low again after the acknowledge", () => {
    const walk = moving();
    walk.wrote();
    expect(walk.read(drive(enabled | acked)).lines()).toEqual(["accepted", "level:063100002f"]);
    expect(
      walk
        .wrote()
        .read(drive(enabled, 100, 9e5))
        .lines()
        .at(-1),
    ).toMatch(/^read:/);
    walk
      .read(drive(enabled, counts(25), 9e5))
      .tick()
      .read(drive(reached, counts(50)));
    expect(walk.lines()).toEqual(['done:{"position":50}']);
    expect(walk.frames).toEqual([
      "level:0635000001",
      ...ramps,
      // 100 mm/s is 600 rpm: 600 × 512 × 10000 / 1875 = 1638400 = 0x00190000, low word first.
      "level:104a0000020400000019",
      // 50000 = 0x0000C350
      "level:1040000002" + "04c3500000",
      "level:063100002f",
      "trigger:063100003f",
      "level:063100002f",
    ]);
  });

  it("MO-01: stale «in position» read right after start is neither accepted nor done", () => {
    const walk = moving();
    walk.wrote();
    for (let i = 0; i < 8; i++)
      expect(walk.read(drive(reached)).tick().lines()[0]).toMatch(/^read/);
    walk
      .read(drive(reached | acked))
      .settle()
      .read(drive(reached))
      .read(drive(reached));
    // Target reached at the old place: not at the new one.
    expect(walk.lines()).toEqual(["wake:20"]);
    walk
      .tick()
      .read(drive(enabled, counts(20), 9e5))
      .tick()
      .read(drive(reached, counts(50)));
    expect(walk.verdict?.verdict).toBe("done");
  });

  it("MO-01: a reading handed over before the trigger's acknowledgement does not count", () => {
    const walk = moving();
    walk.wrote();
    expect(walk.read(drive(enabled | acked), 2).lines()).toEqual(["wake:20"]);
    expect(
      walk
        .tick()
        .read(drive(enabled | acked), 1)
        .lines()[0],
    ).toBe("accepted");
  });

  it("MO-01: a very short move that is never seen moving is done by position", () => {
    const walk = moving(0.5);
    walk
      .wrote()
      .read(drive(enabled | acked, counts(0.5)))
      .wrote();
    walk.read(drive(reached, counts(0.5))).read(drive(reached, counts(0.5)));
    expect(walk.lines()).toEqual(['done:{"position":0.5}']);
  });

  it("MO-01: a drive that never starts is «not accepted» within the bound", () => {
    const walk = moving();
    walk.wrote().poll(drive(reached));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_ACCEPTED" });
    expect(walk.nowMs).toBeLessThan(1000 + 3000);
  });

  it("MO-03: two equal moves in a row are two rising edges, each held low at least 10 ms", () => {
    const edges = [0, 1].map(() => {
      const walk = moving();
      const low = walk.frames.lastIndexOf("level:063100002f");
      return walk.frames.slice(low);
    });
    expect(edges).toEqual([
      ["level:063100002f", "trigger:063100003f"],
      ["level:063100002f", "trigger:063100003f"],
    ]);
    const walk = Walk.of(servo(), "moveTo", { position: 1, velocity: 1 }, drive(reached));
    walk.settle().read(drive(reached)).wrote().wrote().wrote().wrote().wrote().read(drive(reached));
    expect(walk.lines()).toEqual(["wake:10"]);
  });

  it.each([50, 50.003])("MO-04: move to where it already is (%s mm) is done, not hung", (at) => {
    const here = counts(at);
    const walk = Walk.of(servo(), "moveTo", { position: 50, velocity: 100 }, drive(reached, here));
    walk.settle().read(drive(reached)).settle().read(drive(reached, here)).settle().wrote();
    walk
      .read(drive(reached | acked, here))
      .wrote()
      .read(drive(reached, here));
    expect(walk.read(drive(reached, here)).lines()).toEqual([`done:{"position":${at}}`]);
  });

  it.each([
    ["stands still at 31 mm of 50 mm without an alarm", enabled],
    ["says in position at 31 mm, at a limit switch", reached | 0x0800],
  ])("MO-07: %s → stopped short, with both positions", (_, status) => {
    const walk = moving();
    walk
      .wrote()
      .read(drive(enabled | acked))
      .wrote()
      .read(drive(enabled, 100, 9e5));
    walk.poll(drive(status, counts(31)));
    expect(walk.verdict).toMatchObject({
      verdict: "faulted",
      code: "STOPPED_SHORT",
      detail: { target: 50, position: 31 },
    });
  });

  it("MO-08: blocked past the deadline is not done in time, never done", () => {
    const walk = moving();
    walk
      .wrote()
      .read(drive(enabled | acked))
      .wrote()
      .read(drive(enabled, 100, 9e5));
    walk.poll(drive(enabled, counts(31), 9e5));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NOT_DONE_IN_TIME" });
  });

  it("a fault on the way is a drive fault with its code", () => {
    const walk = moving();
    walk
      .wrote()
      .read(drive(enabled | acked))
      .wrote()
      .read(drive(enabled, 100, 9e5));
    walk.read(drive(0x8008, counts(20))).read(drive(0x8008, 0, 0, { 7936: 33 }));
    expect(walk.verdict).toMatchObject({
      verdict: "faulted",
      code: "DRIVE_FAULT",
      detail: { faultCode: 33, target: 50, position: 20 },
    });
  });

  it("MO-18: a lost speed write is sent again, and every command writes it anew", () => {
    const walk = Walk.of(servo(), "moveTo", { position: 5, velocity: 100 }, drive(reached));
    walk.wrote().read(drive(reached)).wrote().wrote();
    const speed = "level:104a0000020400000019";
    expect(walk.lines()).toEqual([speed]);
    expect(walk.wrote("unknown").lines()).toEqual([speed]);
    walk.wrote("unknown");
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "DEVICE_UNREACHABLE" });
    const later = Walk.of(servo(), "moveTo", { position: 5, velocity: 100 }, drive(reached));
    expect(later.wrote().read(drive(reached)).wrote().wrote().lines()).toEqual([speed]);
  });

  it("a lost reply to the trigger is settled by reading: accepted goes on", () => {
    const walk = moving();
    expect(walk.wrote("unknown").lines()[0]).toMatch(/^read/);
    expect(walk.read(drive(enabled | acked)).lines()[0]).toBe("accepted");
  });

  it("a lost reply to the trigger with nothing to see is unknown, and no second trigger", () => {
    const walk = moving();
    walk.wrote("unknown").poll(drive(reached));
    expect(walk.verdict).toMatchObject({ verdict: "unknown", code: "OUTCOME_UNKNOWN" });
    expect(walk.frames.filter((frame) => frame.startsWith("trigger"))).toHaveLength(1);
  });

  it("readings that fail after the trigger end as unknown", () => {
    const walk = moving();
    walk.wrote();
    for (let i = 0; i < 200 && walk.verdict === undefined; i++) {
      walk.failed();
      if (walk.verdict === undefined) walk.tick();
    }
    expect(walk.verdict).toMatchObject({ verdict: "unknown", code: "OUTCOME_UNKNOWN" });
  });

  it.each([
    ["notSent", "refused", "DEVICE_UNREACHABLE"],
    ["exception", "refused", "DEVICE_EXCEPTION"],
  ] as const)("first frame %s → %s %s", (outcome, verdict, code) => {
    const walk = Walk.of(servo(), "moveTo", { position: 5, velocity: 100 }, drive(reached));
    expect(walk.wrote(outcome).verdict).toMatchObject({ verdict, code });
  });

  it.each([
    ["notSent", "refused", "DEVICE_UNREACHABLE"],
    ["exception", "faulted", "DEVICE_EXCEPTION"],
  ] as const)("trigger %s → %s %s", (outcome, verdict, code) => {
    expect(moving().wrote(outcome).verdict).toMatchObject({ verdict, code });
  });

  it("a mode that reads back otherwise ends before anything moves", () => {
    const walk = Walk.of(servo(), "moveTo", { position: 5, velocity: 100 }, drive(reached));
    walk.wrote().poll(drive(reached, 0, 0, { 13568: 3 }));
    expect(walk.verdict).toMatchObject({
      code: "READ_BACK_DIFFERS",
      detail: { point: "mode", wrote: 1, read: 3 },
    });
  });
});

describe("kinco/fd5p: moveBy and velocity", () => {
  it("moveBy adds to where it stands, as an absolute set-point", () => {
    const there = drive(reached, counts(100));
    const walk = Walk.of(servo(), "moveBy", { distance: -2.5, velocity: 100 }, there);
    walk.settle().read(there).read(there).settle().read(there).settle();
    expect(walk.frames.slice(4)).toEqual([
      // 97,500 = 0x00017CDC
      "level:1040000002" + "047cdc0001",
      "level:063100002f",
      "trigger:063100003f",
    ]);
    walk
      .wrote()
      .read(drive(enabled | acked, counts(99)))
      .wrote()
      .read(drive(enabled, counts(98)));
    expect(walk.lines()[0]).toMatch(/^read/);
    walk.read(drive(reached, counts(97.5)));
    expect(walk.lines()).toEqual(['done:{"position":97.5}']);
  });

  it("velocity: speed 0 before the mode, then the target speed as the trigger", () => {
    const model = servo(profileOf("kinco/fd5p"), { countsPerRev: 65536 });
    // 100 rpm of 10 mm per revolution: the manual's example frame.
    const walk = Walk.of(model, "velocity", { velocity: 1000 / 60 }, drive(enabled));
    walk
      .settle()
      .read(drive(enabled, 0, 0, { 13568: 3 }))
      .settle();
    expect(walk.frames).toEqual([
      "level:106f0000020400000000",
      // 214748 = 0x000346DC
      "level:104b0000020446dc0003",
      "level:104c0000020446dc0003",
      "level:0635000003",
      "level:063100000f",
      "trigger:106f000002044e82001b",
    ]);
    walk.wrote().read(drive(enabled, 0, 0x1b4e82));
    expect(walk.lines()[0]).toBe("accepted");
    walk
      .read(drive(enabled, 0, 0x1b4e82))
      .tick()
      .read(drive(enabled, 0, 0x1b4e82));
    expect(walk.verdict?.verdict).toBe("done");
  });
});
