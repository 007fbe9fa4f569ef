/**
 * Seeds that once failed: each plays as it did, and judges find nothing any more.
 *
 * The idea: a file in corpus/<cell>/ holds a plan, shrunk, with what it found in its day; it is
 * played for ever. `npm run sim -- --keep FOLDER` writes such files. It refuses an empty corpus.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import { readSeedFile } from "#simulators/campaign/seed-file.js";
import { timeline } from "#simulators/world/timeline.js";
import { cellOf, demoCell, play } from "../fixtures/world-cell.js";

const corpus = join(process.cwd(), "test", "sim", "corpus");
const cells: { readonly [folder: string]: () => CellConfig } = {
  reference: () => cellOf("simulators", "campaign", "reference-cell", "cell.yaml"),
  "pick-and-place": demoCell,
};
const files = Object.keys(cells).flatMap((folder) => {
  const names = readdirSync(join(corpus, folder)).filter((name) => name.endsWith(".json"));
  return names.map((name) => [folder, name] as const);
});

test.each(files)(
  "corpus: %s/%s finds nothing any more",
  async (folder, name) => {
    const read = readSeedFile(readFileSync(join(corpus, folder, name), "utf8"));
    if (!read.ok) throw new Error(read.problems.join("\n"));
    const { seed, plan, faultsMs, work } = read.value;
    const cell = cells[folder]?.() ?? demoCell();
    const { findings, trace } = await play({ seed, cell, plan, faultsMs, work });
    const [worst] = findings;
    const told = worst === undefined ? [] : timeline(trace, findings, { untilMs: worst.at + 200 });
    expect(findings, told.join("\n")).toEqual([]);
  },
  60_000,
);
