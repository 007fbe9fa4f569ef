/**
 * Every operation and stop of the OnRobot profiles against scripted words.
 * The idea: bits as in the maker's register table (b0 busy, b1 grip, b3 and b5 switch circuits).
 * Refuses to look into the profile.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { Verb } from "#drivers/device-model.js";
import { hex, profileOf, tableOf, Walk, type Words } from "./operation-walk.js";

const model = (id = "onrobot/rg2") =>
  compileDevice(profileOf(id), { device: "g", unit: 65, constants: {} });
const words = (status: number, mm = 110): Words => ({ 268: status, 267: Math.round(mm * 10) });
const busy = 0x01;
const held = 0x02;

describe("onrobot/rg2: one frame of three registers", () => {
  it("grip: waits for busy = 0, writes force, width and 1; the detected grip is the success", () => {
    const walk = Walk.of(model(), "grip", { force: 25, width: 10 }, words(busy));
    expect(walk.read(words(busy)).lines()).toEqual(["wake:20"]);
    // 25 N is 250 = 0x00FA, 10 mm is 100 = 0x0064.
    expect(walk.tick().read(words(0)).lines()).toEqual(["trigger:100000000306" + "00fa00640001"]);
    walk.wrote().read(words(0));
    expect(walk.lines()).toEqual(["wake:20"]);
    walk.tick().read(words(busy, 60));
    expect(walk.lines()[0]).toBe("accepted");
    walk.read(words(held, 34)).tick().read(words(held, 34));
    expect(walk.lines()).toEqual(['done:{"position":34,"gripped":true}']);
  });
  it("grip without a part is NO_PART", () => {
    const walk = Walk.of(model(), "grip", {}, words(0)).read(words(0)).wrote();
    walk.read(words(busy, 60)).poll(words(0, 0));
    expect(walk.verdict).toMatchObject({ verdict: "faulted", code: "NO_PART" });
  });
  it("release: the grip of before is neither accepted nor an obstruction", () => {
    const walk = Walk.of(model(), "release", {}, words(held, 34)).read(words(held, 34)).wrote();
    // 110 mm = 1100 = 0x044C, half of 40 N = 200 = 0x00C8.
    expect(walk.frames).toEqual(["trigger:100000000306" + "00c8044c0001"]);
    expect(walk.read(words(held, 34)).lines()).toEqual(["wake:20"]);
    walk.tick().read(words(busy, 40)).read(words(0, 110)).tick().read(words(0, 110));
    expect(walk.verdict).toMatchObject({ verdict: "done", result: { gripped: false } });
  });
  it("a grip on a free move is OBSTRUCTED, standing away from it STOPPED_SHORT", () => {
    const begun = () => Walk.of(model(), "moveTo", { width: 20 }, words(0)).read(words(0)).wrote();
    const met = begun().read(words(busy, 60)).poll(words(held, 50));
    expect(met.verdict).toMatchObject({ code: "OBSTRUCTED" });
    const short = begun().read(words(busy, 60)).poll(words(0, 50));
    expect(short.verdict).toMatchObject({ code: "STOPPED_SHORT" });
  });
  it("MO-04: a free move to where it is is done", () => {
    const walk = Walk.of(model(), "moveTo", { width: 20 }, words(0, 20)).read(words(0, 20)).wrote();
    walk.read(words(0, 20)).read(words(0, 20)).tick().read(words(0, 20));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it.each([0x08, 0x20, 0x40, 0x28])("status %i is a fault that ends everything", (status) => {
    const walk = Walk.of(model(), "grip", {}, words(0)).read(words(status));
    expect(walk.verdict).toMatchObject({ code: "DRIVE_FAULT" });
    expect(walk.frames).toEqual([]);
  });
  it.each(["enable", "disable", "home", "velocity", "jog", "resetFault"] as const)(
    "%s is refused with the reason of the profile",
    (verb: Verb) => {
      const begun = model().begin({ verb, args: {}, nowMs: 0, points: tableOf(model(), words(0)) });
      expect(begun).toMatchObject({ ok: false, verdict: { code: "NOT_SUPPORTED" } });
    },
  );
});

describe("onrobot/rg6 rests on rg2", () => {
  it.each([
    ["onrobot/rg2", 110, 40],
    ["onrobot/rg6", 160, 120],
  ] as const)("%s: widths up to %i mm, forces up to %i N", (id, width, force) => {
    const begin = (args: Record<string, number>) =>
      model(id).begin({ verb: "grip", args, nowMs: 0, points: tableOf(model(id), words(0)) });
    expect(begin({ width, force }).ok).toBe(true);
    const refused = { ok: false, verdict: { code: "LIMIT_EXCEEDED" } };
    expect(begin({ width: width + 1, force })).toMatchObject(refused);
    expect(begin({ width, force: force + 1 })).toMatchObject(refused);
  });
});

describe("onrobot: the stop and the probe", () => {
  it("controlled is one constant frame that starts nothing, known or not", () => {
    expect(model().stops.controlled?.blind.map(hex)).toEqual(["0600020008"]);
    const walk = Walk.stop(model(), "controlled", words(busy)).wrote().read(words(busy));
    expect(walk.lines()).toEqual(["wake:20"]);
    walk.tick().read(words(0)).tick().read(words(0));
    expect(walk.verdict?.verdict).toBe("done");
  });
  it("reserved bits that are set refuse the identity", () => {
    expect(model().identityMatches(tableOf(model(), words(0))).ok).toBe(true);
    expect(model().identityMatches(tableOf(model(), words(0x0100))).ok).toBe(false);
  });
});
