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
import type { Outcome } from "#simulators/world/play.js";
import { cellOf, play } from "../fixtures/world-cell.js";

const planted = cellOf("examples", "planted-mistake", "cell.yaml");
/** Worlds that may be played until both are found. */
const seedsMax = 25;
const mistakes = [
  /^makeSafe of unload\/lower was refused: z-up-before-x/,
  /^the run .* still holds/,
];

const textsOf = ({ findings }: Outcome) => findings.map(({ text }) => text);

/** The first world in which a mistake shows. */
async function shown(cell: CellConfig, mistake: RegExp): Promise<Outcome | undefined> {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const outcome = await play({ ...verifying, seed, cell });
    if (textsOf(outcome).some((text) => mistake.test(text))) return outcome;
  }
  return undefined;
}

test.each(mistakes)(
  "verify: the planted mistake %s is found, and a file replays it",
  async (one) => {
    const first = await shown(planted, one);
    if (first === undefined) throw new Error(`not in ${seedsMax} worlds`);
    const { plan, seed } = first;
    const file = { servocellSeed: 1, seed, found: "", faultsMs: 40_000, work: true, plan } as const;
    const read = readSeedFile(seedFileText(file));
    if (!read.ok) throw new Error(read.problems.join("\n"));
    const again = await play({ ...verifying, seed, cell: planted, plan: read.value.plan });
    expect(textsOf(again)).toEqual(textsOf(first));
  },
  60_000,
);

test("verify: nothing is found in the cell whose saga is mended", async () => {
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
    for (let seed = 1; seed <= 8; seed += 1) {
      expect(textsOf(await play({ ...verifying, seed, cell: loaded.value }))).toEqual([]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
