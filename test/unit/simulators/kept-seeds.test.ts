/**
 * What a campaign says where a failing seed cannot be kept.
 *
 * The idea: a failure made by hand and a folder on the disk. It refuses to play worlds.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { SeedReport } from "#simulators/campaign/seed-worker.js";
import { keepFailures, verifying } from "#simulators/campaign/sim-command.js";

const folder = mkdtempSync(join(tmpdir(), "kept-"));
afterAll(() => rmSync(folder, { recursive: true }));

function kept(keep: string): string {
  const findings = [{ judge: "recipes", text: "still holds" }];
  const failure = { seed: 10, plan: [], findings, faultsMs: 40_000 } as unknown as SeedReport;
  let said = "";
  const options = { cell: "cell.yaml", from: 1, threads: 1, verify: true, keep };
  keepFailures(options, [failure], verifying, (text) => {
    said += text;
  });
  return said;
}

test("keep: a failing seed is written, and how to play it again is said", () => {
  const keep = join(folder, "new", "folder");
  expect(kept(keep)).toContain("again: servocell verify cell.yaml --replay");
  expect(readdirSync(keep)).toEqual(["seed-10.json"]);
});

test("keep: a place that is no folder is told in a sentence, and the campaign goes on", () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const keep = join(file, "counterexamples");
  expect(kept(keep)).toBe(`${keep} cannot be written: ENOTDIR; name another folder with --keep.\n`);
});
