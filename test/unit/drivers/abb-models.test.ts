/**
 * ACS355, ACS550, ACS580 and ACS880: what each adds to the drives profile, and the whole story.
 *
 * The idea: addresses are worked out here from the manuals' rules. It refuses to repeat the words
 * of the drives profile, which have a test of their own.
 */
import { describe, expect, it } from "vitest";
import { inverterModel, inverterOn, inverterStory } from "./inverter-story.js";
import { hex, profileOf, tableOf, type Words } from "./operation-walk.js";

const base: Words = { 0: 0, 1: 0, 3: 0x0201, 4: 0 };
const group30 = ["abb/acs355", "abb/acs550"];
const group58 = ["abb/acs580", "abb/acs880"];

describe("parameters stand where the manual's number says, less one", () => {
  it.each(group30)("%s: 3018 and 3019 at 3017 and 3018, 0401 at 400", (id) => {
    const asked = inverterModel(id).pollFull.map(({ pdu }) => hex(pdu));
    expect(asked).toContain("030bc90002");
    expect(asked).toContain("0301900001");
  });
  it.each(group58)("%s: 58.14 to 58.16 at 5813", (id) => {
    expect(inverterModel(id).pollFull.map(({ pdu }) => hex(pdu))).toContain("0316b50003");
  });
});

describe("watchdog by the parameters", () => {
  it.each(
    group30.flatMap((id) => [
      { id, action: 1, time: 5, state: "verified" },
      { id, action: 0, time: 5, state: "wrong-reaction" },
      { id, action: 3, time: 5, state: "wrong-reaction" },
    ]),
  )("$id: 3018 = $action is $state", ({ id, action, time, state }) => {
    const model = inverterModel(id, {}, null);
    const points = tableOf(model, { ...base, 400: 0, 3017: action, 3018: time });
    expect(model.judgeWatchdog?.(points)).toMatchObject({ state });
  });

  it.each(
    group58.flatMap((id) => [
      { id, action: 1, state: "verified" },
      { id, action: 4, state: "verified" },
      { id, action: 2, state: "wrong-reaction" },
      { id, action: 3, state: "wrong-reaction" },
      { id, action: 5, state: "wrong-reaction" },
    ]),
  )("$id: 58.14 = $action is $state; last speed is never taken", ({ id, action, state }) => {
    const model = inverterModel(id, {}, null);
    const points = tableOf(model, { ...base, 5813: action, 5814: 1, 5815: 4 });
    expect(model.judgeWatchdog?.(points)).toMatchObject({ state });
  });

  it.each(group58)("%s: 58.15 = 2 (writes only) is not commissioned, 1 is", (id) => {
    const model = inverterModel(id);
    const found = (mode: number) => {
      return model.commissioned?.(tableOf(model, { ...base, 5813: 1, 5814: mode, 5815: 4 })).ok;
    };
    expect([found(1), found(2)]).toEqual([true, false]);
  });
});

it("exceptions mean something else in the ACS880", () => {
  const of = (id: string) => profileOf(id).transport.exceptions.meanings["4"];
  expect([of("abb/acs550"), of("abb/acs880")]).toEqual([undefined, "value out of range"]);
});

it("28 is the lost connection of the ACS550", () => {
  expect(inverterModel("abb/acs550").alarm?.(28)?.title).toMatch(/Serial/);
});

describe.each([...group30, ...group58])("%s, simulated", (id) => {
  const done = { verdict: "done" };
  it("enable, run both ways, stop, disable", () => {
    const walk = inverterOn(id);
    expect(walk.model.commissioned?.(walk.table()).ok ?? true).toBe(true);
    expect(walk.model.judgeWatchdog?.(walk.table()).state).toBe("verified");
    expect(walk.run("enable")).toMatchObject(done);
    expect(walk.run("velocity", { velocity: 40 })).toMatchObject(done);
    expect(walk.run("velocity", { velocity: -20 })).toMatchObject(done);
    expect(walk.stop("controlled", false)).toMatchObject(done);
    expect(walk.run("disable")).toMatchObject(done);
  });
  it("MO-19: trips after 3 s of silence, as its parameters say", () => {
    const walk = inverterOn(id);
    walk.run("enable");
    walk.run("velocity", { velocity: 20 });
    walk.pass(2900);
    expect(walk.sim.moving).toBe(true);
    walk.pass(2000);
    expect([walk.sim.view().state, walk.sim.moving]).toEqual(["tripped", false]);
  });
});

describe("the whole story, simulated", () => {
  const stops = ["controlled", "fast", "coast", "disable"] as const;
  for (const id of [...group30, ...group58]) inverterStory(id, { reverse: true, stops });
});
