/**
 * The verb set in sagas, and which devices take commands.
 *
 * The idea: outputs are plain whole numbers; what a module does not have is found when the file is
 * read. It refuses files.
 */
import { describe, expect, it } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { PointTable } from "#drivers/device-model.js";
import { loadProfile } from "#drivers/profile-loader.js";
import type { DeviceDraft } from "#kernel/config/cell-devices.js";
import { viewLookup } from "#kernel/config/condition.js";
import { deviceUnits } from "#kernel/config/quantities.js";
import { parseSaga } from "#kernel/config/saga-file.js";
import { takesCommands } from "#kernel/config/takes-commands.js";

function draft(id: string, profileId: string): DeviceDraft {
  const profile = loadProfile(profileId);
  if (!profile.ok) throw new Error(profile.problems[0]?.message);
  const units = deviceUnits(undefined);
  const axis = undefined;
  return { id, profile: profile.value, axis, units, pollFastMs: 20, config: undefined };
}
const devices = [draft("relays", "waveshare/relay"), draft("gripper", "robotiq/2f")];

function saga(step: string) {
  const text = `saga: clamp\ntitle: Clamp\nsteps:\n  - { name: clamp, ${step} }\n`;
  return parseSaga(text, "clamp.yaml", devices);
}
const safe = "makeSafe: { none: the clamp holds its part }";

describe("set in a saga", () => {
  it("a good one names output and value as plain numbers", () => {
    const file = saga(`do: relays.set, with: { output: 3, value: 1 }, ${safe}`);
    expect(file.problems()).toEqual([]);
    expect(file.definition?.uses).toEqual(["relays"]);
    expect(file.definition?.steps[0]).toMatchObject({
      text: "relays.set 3 1",
      action: { operation: { device: "relays", verb: "set", args: { output: 3, value: 1 } } },
    });
  });

  it("makeSafe may set outputs, too", () => {
    const back = "makeSafe: [{ do: relays.set, with: { output: 3, value: 0 } }]";
    const file = saga(`do: relays.set, with: { output: 3, value: 1 }, ${back}`);
    expect(file.problems()).toEqual([]);
  });

  it.each([
    ["an output that it does not have", "relays.set", "output: 9, value: 1", /9/],
    ["a third level", "relays.set", "output: 1, value: 2", /2/],
    ["no value", "relays.set", "output: 1", /needs its value/],
    ["a number with a unit", "relays.set", "output: 1 mm, value: 1", /not a plain number/],
    ["a device that is no module", "gripper.set", "output: 1, value: 1", /cannot set/],
    ["another argument", "relays.set", "output: 1, value: 1, force: 3", /no argument force/],
  ])("%s is refused", (_what, verb, args, pattern) => {
    const problems = saga(`do: ${verb}, with: { ${args} }, ${safe}`).problems();
    expect(problems.map(({ message, value }) => `${message} ${value}`).join()).toMatch(pattern);
  });
});

it("what takes commands: everything that moves, and modules with outputs", () => {
  const takes = devices.map(({ profile }) => profile !== undefined && takesCommands({ profile }));
  expect(takes).toEqual([true, true]);
  const loaded = loadProfile("generic/io");
  if (!loaded.ok) throw new Error("generic/io does not load");
  const readOnly = { ...loaded.value, operations: {} };
  expect(takesCommands({ profile: readOnly })).toBe(false);
});

describe("inputs and outputs in conditions", () => {
  const waits = (condition: string) => {
    const text = `saga: w\ntitle: W\nsteps:\n  - { name: w, waitFor: "${condition}", timeout: 2 s }\n`;
    return parseSaga(text, "w.yaml", [draft("io", "generic/io"), ...devices])
      .problems()
      .map(({ message }) => message)
      .join();
  };
  it.each(["io.input3 == true", "io.output1 != true and gripper.gripped == true"])("%s", (text) => {
    expect(waits(text)).toBe("");
  });
  it.each([
    ["io.input9 == true", /no reading "input9"/],
    ["io.input3 == 1", /true or false/],
    ["io.input3 >= true", /use == or !=/],
    ["gripper.input3 == true", /no reading "input3"/],
    ["relays.version == 3", /no reading "version"/],
  ])("%s is refused", (text, pattern) => {
    expect(waits(text)).toMatch(pattern);
  });
  it("a driver looks them up in its view, with the reason where they are missing", () => {
    const io = loadProfile("generic/io");
    if (!io.ok) throw new Error("generic/io does not load");
    const model = compileDevice(io.value, { device: "io", unit: 1, constants: {} });
    const points: PointTable = new Map([["input3", { ok: true, value: 1, atMs: 5 }]]);
    const lookup = viewLookup(() => model.view(points));
    expect(lookup("io", "input3")).toEqual({ ok: true, value: true, atMs: 5 });
    expect(lookup("io", "input4")).toMatchObject({ ok: false, reason: "never-read" });
  });
});
