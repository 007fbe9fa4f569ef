/**
 * Saga files: steps judged against the devices they name.
 * The idea: one good saga and edits of it, over the profiles of the package. It refuses files.
 */
import { expect, test } from "vitest";
import type { AxisSetup } from "#drivers/device-model.js";
import { loadProfile } from "#drivers/profile-loader.js";
import type { DeviceDraft } from "#kernel/config/cell-devices.js";
import { deviceUnits } from "#kernel/config/quantities.js";
import { parseSaga } from "#kernel/config/saga-file.js";

function draft(id: string, profileId: string, axis?: AxisSetup): DeviceDraft {
  const profile = loadProfile(profileId);
  if (!profile.ok) throw new Error(profile.problems[0]?.message);
  const units = deviceUnits(axis);
  return { id, profile: profile.value, axis, units, pollFastMs: 20, config: undefined };
}
const linear: AxisSetup = {
  kind: "linear",
  unit: "mm",
  countsPerRev: 65536,
  gear: { motor: 1, output: 1 },
  perRev: 10,
  travel: { min: 0, max: 100 },
  velocityMax: 300,
  accelerationMax: 3000,
  tolerance: 0.1,
  whenOff: "falls",
};
const devices = [
  draft("z", "kinco/fd5p", linear),
  draft("gripper", "robotiq/2f"),
  draft("belt", "abb/drives-profile", { ...linear, unit: "percent", velocityMax: 100 }),
];

const good = `saga: take
title: Take a part
steps:
  - name: lower
    do: z.moveTo
    with: { position: 1 cm, velocity: 200 mm/s }
    timeout: 5 s
    makeSafe: [{ do: z.moveTo, with: { position: 90 mm, velocity: 100 mm/s } }]
  - { name: grip, do: gripper.grip, with: { force: 40 % }, makeSafe: { none: it may hold a part } }
  - { name: settle, dwell: 200 ms }
  - { name: held, waitFor: "gripper.gripped == true", timeout: 2 s }
  - { name: belt-off, do: belt.velocity, with: { velocity: 0 % }, makeSafe: still }
`;

function problemsOf(text: string): readonly string[] {
  const file = parseSaga(text, "take.yaml", devices);
  return file.problems().map((p) => {
    const more = [p.value, p.suggestion].filter((part) => part !== undefined).join("; ");
    return `${p.line}:${p.column} ${p.message} [${more}]`;
  });
}

test("saga file: a good one in user units, with its texts, uses and version", () => {
  const { definition } = parseSaga(good, "take.yaml", devices);
  expect(problemsOf(good)).toEqual([]);
  expect(definition).toMatchObject({ name: "take", uses: ["belt", "gripper", "z"] });
  expect(definition?.version).toMatch(/^[0-9a-f]{12}$/);
  expect(definition?.steps.map((step) => [step.text, step.timeoutMs, step.makeSafe.kind])).toEqual([
    ["z.moveTo 1 cm 200 mm/s", 5000, "operations"],
    ["gripper.grip 40 %", 30_000, "none"],
    ["dwell 200 ms", 1200, "none"],
    ["wait for gripper.gripped == true", 2000, "none"],
    ["belt.velocity 0 %", 30_000, "still"],
  ]);
  expect(definition?.steps[0]?.action).toEqual({
    kind: "operation",
    operation: { device: "z", verb: "moveTo", args: { position: 10, velocity: 200 } },
  });
});

test("saga file: another text is another version, another layout is not", () => {
  const version = (text: string) => parseSaga(text, "take.yaml", devices).definition?.version;
  expect(version(good.replace("200 ms", "201 ms"))).not.toBe(version(good));
  expect(version(`# a comment\n${good}`)).toBe(version(good));
});

test.each<[string, string, string, string]>([
  ["an unknown device", "do: z.moveTo\n", "do: q.moveTo\n", "5:9 there is no device q"],
  ["a verb the profile lacks", "do: z.moveTo\n", "do: z.grip\n", "5:9 z cannot grip"],
  ["a misspelt verb", "do: z.moveTo\n", "do: z.moveToo\n", "did you mean moveTo"],
  [
    "a target outside travel",
    "position: 1 cm",
    "position: 20 cm",
    "6:23 position must be at most 100",
  ],
  ["a speed above the axis'", "200 mm/s", "400 mm/s", "velocity must be at most 300"],
  ["an argument unknown to the verb", "velocity: 200", "speeed: 200", "no argument speeed"],
  ["a missing argument", "position: 1 cm, ", "", "needs its position"],
  ["a wrong unit", "position: 1 cm", "position: 1 s", "not in mm"],
  ["no makeSafe", ", makeSafe: still", "", "does not say how it is made safe"],
  ["a step twice", "name: grip", "name: lower", "the step lower stands twice"],
  ["two actions", "dwell: 200 ms", "dwell: 200 ms, do: z.home", "one of do, dwell and waitFor"],
  ["no action", "dwell: 200 ms", "makeSafe: still", "this has nothing"],
  ["a timeout of a dwell", "dwell: 200 ms", "dwell: 1 s, timeout: 2 s", "has no timeout"],
  ["a condition over a wrong field", "gripper.gripped", "gripper.griped", "did you mean gripped"],
  [
    "a makeSafe that cannot be",
    "{ do: z.moveTo, with: { position: 90",
    "{ do: z.moveTo, with: { position: 190",
    "8:50 position must be at most",
  ],
  ["uses that leave one out", "title:", "uses: [z, gripper]\ntitle:", "command belt"],
  ["uses of nobody", "title:", "uses: [z, gripper, belt, w]\ntitle:", "there is no device w"],
  ["an unknown key", "title:", "titel:", "did you mean title"],
])("saga file: refused: %s", (_, from, to, words) => {
  const found = problemsOf(good.replace(from, to)).join("\n");
  expect(found).toContain(words);
});

test("saga file: all problems at once (mistakes=3)", () => {
  const bad = good
    .replace("position: 1 cm", "position: 2 m")
    .replace("gripper.grip,", "griper.grip,")
    .replace(", makeSafe: still", "");
  expect(problemsOf(bad)).toHaveLength(3);
});
