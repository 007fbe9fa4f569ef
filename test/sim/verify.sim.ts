/**
 * `servocell verify` on a cell with planted mistakes: found, shrunk, replayed, and gone when mended.
 *
 * The idea: the example of the tutorial is the test, so the tutorial cannot promise what is not so.
 * It refuses real time.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import { loadCell } from "#kernel/config/cell-file.js";
import { readSeedFile, seedFileText } from "#simulators/campaign/seed-file.js";
import { verifying } from "#simulators/campaign/sim-command.js";
import type { Fault } from "#simulators/world/fault-plan.js";
import { cellOf, play } from "../fixtures/world-cell.js";

const planted = cellOf("examples", "planted-mistake", "cell.yaml");
const seed = 4;
const mistakes = [
  /^makeSafe of unload\/lower was refused: z-up-before-x/,
  /^the run .* still holds/,
];

async function found(cell: CellConfig, plan?: readonly Fault[]): Promise<readonly string[]> {
  const given = plan === undefined ? {} : { plan };
  const { findings } = await play({ ...verifying, ...given, seed, cell });
  return findings.map(({ text }) => text);
}

test("verify: both planted mistakes are found, and a file replays them", async () => {
  const first = await play({ ...verifying, seed, cell: planted });
  const texts = first.findings.map(({ text }) => text);
  for (const mistake of mistakes) expect(texts).toContainEqual(expect.stringMatching(mistake));
  const { plan } = first;
  const file = { servocellSeed: 1, seed, found: "", faultsMs: 40_000, work: true, plan } as const;
  const read = readSeedFile(seedFileText(file));
  expect(read.ok && (await found(planted, read.value.plan))).toEqual(texts);
}, 60_000);

test("verify: the same faults find nothing in the cell whose saga is mended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mended-"));
  try {
    cpSync(join(process.cwd(), "examples", "planted-mistake"), folder, { recursive: true });
    const saga = join(folder, "unload.yaml");
    const text = readFileSync(saga, "utf8")
      .replace(
        "x.moveTo, with: { position: 20 mm, velocity",
        "z.moveTo, with: { position: 100 mm, velocity",
      )
      .replace(
        "{ none: the part is in the tray }",
        "[{ do: gripper.release, with: { velocity: 50 % } }]",
      );
    writeFileSync(saga, text);
    const loaded = loadCell(join(folder, "cell.yaml"), { dataDir: "/nowhere", runDir: "/nowhere" });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    expect(await found(loaded.value)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
