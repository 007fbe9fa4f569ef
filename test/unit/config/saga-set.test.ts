/**
 * The verb set in sagas, and which devices take commands.
 *
 * The idea: outputs are plain whole numbers; what a module does not have is found when the file is
 * read. It refuses files.
 */
import { describe, expect, it } from "vitest";
import { loadProfile } from "#drivers/profile-loader.js";
import type { DeviceDraft } from "#kernel/config/cell-devices.js";
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
