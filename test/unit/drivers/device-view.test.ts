/**
 * What readings mean, and what they do not: EX-01, identity, reboot, the read plan, the setup.
 * The idea: readings that failed are put beside good ones. Refuses a zero where nothing was read.
 */
import { describe, expect, it } from "vitest";
import { compileDevice, setupProblems } from "#drivers/compile.js";
import type { PointTable } from "#drivers/device-model.js";
import { exceptionReply } from "#drivers/pdu.js";
import { planReads } from "#drivers/read-plan.js";
import {
  axis,
  conveyor,
  gripper,
  low,
  profileOf,
  servo,
  tableOf,
  type Words,
} from "./operation-walk.js";

const drive = (status: number, more: Words = {}): Words => ({ 12800: status, 13568: 1, ...more });

describe("EX-01: a value that is missing is a reason, never 0", () => {
  it("nothing was read: every field says so", () => {
    const view = servo().view(new Map());
    for (const [name, reading] of Object.entries(view)) {
      const reason = name === "remote" || name === "gripped" ? "not-in-profile" : "never-read";
      expect([name, reading]).toEqual([name, { ok: false, reason, atMs: 0 }]);
    }
  });
  it("a status poll that ended in busy leaves all that rests on it without a value", () => {
    const points: PointTable = new Map([
      ["statusword", { ok: false, reason: "exception", atMs: 7 } as const],
      ["actualPosition", { ok: true, value: 12, atMs: 6 } as const],
    ]);
    const view = servo().view(points);
    for (const name of ["state", "enabled", "homed", "inTarget", "fault"] as const) {
      expect(view[name]).toEqual({ ok: false, reason: "exception", atMs: 7 });
    }
    expect(view.position).toEqual({ ok: true, value: 12, atMs: 6 });
  });
  it("busy (06), another function or half a reply decode to a reason", () => {
    const model = servo();
    const [request] = model.pollFast;
    if (request === undefined) throw new TypeError("no poll");
    expect(model.decode(request, exceptionReply(3, 6))).toBe("exception");
    // The manual of this drive prints 0x81 for a failed read.
    expect(model.decode(request, Uint8Array.of(0x81, 6))).toBe("exception");
    expect(model.decode(request, Uint8Array.of(4, 4, 0, 0, 0, 0))).toBe("malformed");
    expect(model.decode(request, Uint8Array.of(3, 2, 0, 0))).toBe("malformed");
  });
});

describe("state, identity, reboot", () => {
  it.each([
    [0x0000, "notReady"],
    [0x0040, "off"],
    [0x0021, "ready"],
    [0x0023, "switchedOn"],
    [0x8427, "enabled"],
    [0x0007, "stopping"],
    [0x000f, "faultReaction"],
    [0x0008, "fault"],
  ])("status word %s is %s", (word, state) => {
    expect(servo().view(tableOf(servo(), drive(word))).state).toMatchObject({ value: state });
  });
  it("a view is as old as its oldest reading", () => {
    const points: PointTable = new Map([
      ["statusword", { ok: true, value: 0x27, atMs: 3 } as const],
    ]);
    expect(servo().view(points).enabled).toEqual({ ok: true, value: true, atMs: 3 });
  });
  it("identity: a word that is no state of the drive does not match, and an unread one neither", () => {
    expect(servo().identityMatches(tableOf(servo(), drive(0x27))).ok).toBe(true);
    expect(servo().identityMatches(tableOf(servo(), drive(0x2b))).ok).toBe(false);
    expect(servo().identityMatches(new Map()).ok).toBe(false);
    expect(gripper().identityMatches(tableOf(gripper(), { 2000: 0xffff })).ok).toBe(false);
    expect(conveyor().identityMatches(new Map()).text).toMatch(/no register/);
  });
  it.each([
    ["starting again", 0x8027, 0x0000, true],
    ["power and reference lost", 0x8027, 0x0040, true],
    ["disabled", 0x8027, 0x8021, false],
    ["homing lost the reference", 0x8027, 0x0027, false],
    ["the same", 0x8027, 0x8027, false],
  ])("reboot: %s", (_, before, after, rebooted) => {
    const model = servo();
    const was = tableOf(model, drive(before));
    expect(model.rebooted(was, tableOf(model, drive(after)))).toBe(rebooted);
  });
});

describe("read plan", () => {
  it("packed bytes are one request, objects far apart are one each, status first", () => {
    const blocks = (model: { pollFast: readonly { address: number; count: number }[] }) =>
      model.pollFast.map(({ address, count }) => [address, count]);
    expect(blocks(gripper())).toEqual([[0x7d0, 3]]);
    expect(blocks(servo())).toEqual([
      [0x3200, 2],
      [0x3700, 2],
      [0x3b00, 2],
    ]);
    expect(blocks(conveyor())).toEqual([[3, 2]]);
    expect(conveyor().pollFull.map(({ address, count }) => [address, count])).toEqual([
      [0, 2],
      [3, 2],
    ]);
  });
  it("BR-01, BR-03: a hole is bridged only as far as the profile says, and the limit holds", () => {
    const profile = structuredClone(profileOf("abb/drives-profile"));
    const all = Object.keys(profile.points);
    profile.transport.limits.hole = 1;
    expect(planReads(profile, all).map(({ count }) => count)).toEqual([5]);
    profile.transport.limits.readRegisters = 2;
    expect(planReads(profile, all).map(({ count }) => count)).toEqual([2, 2]);
    profile.transport.limits.neverMerge = ["statusword"];
    expect(planReads(profile, all).map(({ count }) => count)).toEqual([2, 1, 1]);
  });
});

describe("setup", () => {
  it("says what is missing instead of compiling", () => {
    const bare = { device: "x", unit: 1, constants: {} };
    expect(setupProblems(profileOf("kinco/fd5p"), bare).join()).toMatch(/needs an axis/);
    expect(() => compileDevice(profileOf("kinco/fd5p"), bare)).toThrow(RangeError);
    const extra = { ...bare, axis, constants: { stroke: 1 } };
    expect(setupProblems(profileOf("kinco/fd5p"), extra).join()).toMatch(/no constant stroke/);
  });
  it("a belt in mm/s has to say what 100 % is", () => {
    const belt = { device: "b", unit: 1, axis: { ...axis, unit: "mm" as const }, constants: {} };
    expect(setupProblems(profileOf("abb/drives-profile"), belt).join()).toMatch(
      /fullScale is missing/,
    );
    const given = { ...belt, constants: { fullScale: 400 } };
    expect(setupProblems(profileOf("abb/drives-profile"), given)).toEqual([]);
  });
  it("WO-01: the position of the report, low word first, through the whole model", () => {
    const table = tableOf(servo(), { ...drive(0x27), ...low(0x3700, -979) });
    expect(servo().view(table).position).toMatchObject({ ok: true, value: -0.979 });
  });
});
