/**
 * How deep the seeds of a campaign go, and that a hint plays the same world again.
 *
 * The idea: a seed that failed deep and is replayed on ports finds nothing, so the depth is a
 * function of the seed and of what was asked for, and the hint names all of that. It refuses to
 * play worlds.
 */
import { expect, test } from "vitest";
import {
  type DeepWorlds,
  deepKinds,
  deepSetting,
  deepWorlds,
  depthOf,
} from "#simulators/campaign/depths.js";
import { readSeedFile, seedFileText } from "#simulators/campaign/seed-file.js";
import { againWith } from "#simulators/campaign/sim-command.js";
import { cellOf } from "../../fixtures/world-cell.js";

const nowhere = { dataDir: "/nowhere", runDir: "/nowhere" };
const reference = cellOf("simulators", "campaign", "reference-cell", "cell.yaml");
const worlds = deepWorlds(reference, nowhere);

test("depth: the reference cell has every deep form, its lines with a plan of their own", () => {
  expect(Object.keys(worlds)).toEqual([...deepKinds]);
  expect(worlds.rtu?.cell.buses.map(({ link }) => link.kind)).toEqual(["serial", "rtuOverTcp"]);
});

test("depth: every eighth seed of the mix is deep, and the kinds take turns", () => {
  const seeds = Array.from({ length: 25 }, (_, i) => i + 1);
  const deep = seeds.map((seed) => depthOf(seed, "mixed", worlds));
  expect(deep.filter((kind) => kind !== undefined)).toHaveLength(3);
  expect([deep[7], deep[15], deep[23]].toSorted()).toEqual(["mqtt", "rtu", "tcp"]);
});

test("depth: a cell that does not fit on lines goes deep in the other ways", () => {
  const { rtu: _, ...others } = worlds;
  const kinds = [8, 16, 24, 32].map((seed) => depthOf(seed, "mixed", others as DeepWorlds));
  expect(new Set(kinds)).toEqual(new Set(["tcp", "mqtt"]));
});

test.each(["ports", ...deepKinds] as const)(
  "depth: %s, where asked for, is that of every seed",
  (wish) => {
    const kinds = [1, 8, 9].map((seed) => depthOf(seed, wish, worlds) ?? "ports");
    expect(kinds).toEqual([wish, wish, wish]);
  },
);

test("depth: a deep world has less time, and is as busy in it", () => {
  expect(deepSetting({})).toEqual({ faultsMs: 60_000, faults: 4, presses: 4 });
  expect(deepSetting({ faultsMs: 30_000, faults: 2, presses: 9 })).toEqual({
    faultsMs: 30_000,
    faults: 2,
    presses: 9,
  });
});

test("a seed file keeps the depth of its world", () => {
  const file = { servocellSeed: 1, seed: 8, found: "", faultsMs: 60_000, work: true } as const;
  const deep = { ...file, depth: "tcp", plan: [] } as const;
  expect(readSeedFile(seedFileText(deep))).toEqual({ ok: true, value: deep });
  const wrong = seedFileText({ ...deep, depth: "sea" as never });
  expect(readSeedFile(wrong).ok).toBe(false);
});

test("a failing seed: the hint names everything that was asked for", () => {
  const asked = { cell: "my cell.yaml", from: 1, seeds: 90, threads: 2 } as const;
  expect(againWith(asked, 8)).toBe("npm run sim -- --cell 'my cell.yaml' --seed 8");
  const more = { saga: ["a", "b"], faultsMs: 9000, faults: 3, presses: 5, depth: "tcp" } as const;
  expect(againWith({ ...asked, ...more }, 9)).toBe(
    "npm run sim -- --cell 'my cell.yaml' --saga a --saga b --faults-ms 9000 --faults 3 " +
      "--presses 5 --depth tcp --seed 9",
  );
});
