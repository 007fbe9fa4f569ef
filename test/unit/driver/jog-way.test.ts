/**
 * By which way an axis may be jogged, and how long its leash is.
 *
 * The idea: every kind of watchdog beside every kind of drive, and what is refused says what both
 * ways lack. It refuses to look at frames.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { DeviceModel, WatchdogFinding } from "#drivers/device-model.js";
import { holdTtlMs, jogWay, leashEnd } from "../../../services/driver/jog-way.js";
import { scriptedModel } from "../../fixtures/driver/scripted-model.js";
import { axis, profileOf } from "../drivers/operation-walk.js";

const { acceptNoWatchdog: _, ...bare } = scriptedModel().setup;
const verified: WatchdogFinding = { state: "verified", text: "stops", timeoutMs: 300 };
const slow: WatchdogFinding = { ...verified, timeoutMs: 501 };
const off: WatchdogFinding = { state: "off", text: "its time is 0" };
const position = { ok: true, value: 100, atMs: 0 } as const;

const leash: Pick<DeviceModel, "beginRetarget"> = {
  beginRetarget: () => ({ ok: false, verdict: { verdict: "done", result: {} } }),
};
const speed = scriptedModel({ setup: bare });
const led = { ...speed, ...leash };
const own = { ...speed, ownJog: true };
const still = { ...speed, verbs: new Set(["moveTo"] as const) };
const accepted = scriptedModel();

describe("by which way", () => {
  it.each<[string, DeviceModel, WatchdogFinding | undefined, string]>([
    ["a speed on a drive that stops by itself", speed, verified, "speed velocity"],
    ["an operation of its own", own, verified, "speed jog"],
    ["a watchdog of exactly 500 ms", speed, { ...slow, timeoutMs: 500 }, "speed velocity"],
    ["a watchdog that is too slow", speed, slow, "none"],
    ["a watchdog that is off", speed, off, "none"],
    ["nothing known of it", speed, undefined, "none"],
    ["both: the watchdog is worth more", led, verified, "speed velocity"],
    ["a slow watchdog and a leash", led, slow, "leash"],
    ["no watchdog and a leash", led, off, "leash"],
    ["a leash is worth more than a reason", { ...accepted, ...leash }, off, "leash"],
    ["neither, and a reason in the cell file", accepted, off, "speed velocity"],
    ["no speed, no leash", still, verified, "none"],
    ["no speed, but a leash", { ...still, ...leash }, undefined, "leash"],
  ])("%s", (_name, model, watchdog, expected) => {
    const way = jogWay(model, watchdog);
    expect(way.by === "speed" ? `speed ${way.verb}` : way.by).toBe(expected);
  });

  it("a refusal says what both ways lack", () => {
    expect(jogWay(speed, slow)).toMatchObject({
      why: expect.stringMatching(/501 ms, and jog needs 500 ms.*put further on/),
    });
    expect(jogWay(speed, off)).toMatchObject({ why: expect.stringContaining("its time is 0") });
  });

  it.each([
    ["kinco/fd5p", "leash"],
    ["kinco/cd3", "leash"],
    ["nimotion/lms", "leash"],
    ["oriental-motor/az", "none"],
    ["leadshine/cs2rs", "none"],
    ["generic/axis", "none"],
  ])("%s: %s, as its profile says", (id, expected) => {
    const setup = { device: "x", unit: 1, axis, constants: {} };
    const model = compileDevice(profileOf(id), setup);
    const finding = model.judgeWatchdog?.(new Map());
    expect(jogWay(model, finding).by).toBe(expected);
    expect(model.verbs.has("jog")).toBe(expected !== "none");
  });
});

describe("how long the leash is", () => {
  const long = (50 * 2 * holdTtlMs) / 1000;
  it.each<[string, number, Parameters<typeof leashEnd>[0], number]>([
    ["forwards", 50, axis, 100 + long],
    ["backwards", -50, axis, 100 - long],
    ["not beyond the end of the travel", 50, { ...axis, travel: { min: 0, max: 110 } }, 110],
    ["not before its beginning", -50, { ...axis, travel: { min: 95, max: 800 } }, 95],
    ["a quarter of a turn of an endless axis", 500, { perRev: 360, modulo: 360 }, 190],
  ])("%s", (_name, velocity, of, expected) => {
    expect(leashEnd(of, position, velocity)).toBeCloseTo(expected);
  });

  it("no place, no leash", () => {
    expect(leashEnd(axis, { ok: false, reason: "timeout", atMs: 0 }, 50)).toBeUndefined();
  });
});
