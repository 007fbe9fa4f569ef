/**
 * Runs the properties of test/property/outside for long, and ends with one plain line:
 * `FUZZ {"cases":…,"parsers":…,"failures":…}`.
 *
 * The idea: FUZZ_MINUTES (5) are shared out among the properties, from a seed that is said, so that
 * what is found can be found again with FUZZ_SEED. It refuses to be green when a test failed that
 * has no cases to count.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = "test/property/outside";
const workers = 2;
const minutes = Number(process.env.FUZZ_MINUTES ?? 5);
const seed = process.env.FUZZ_SEED ?? String(Date.now() % 2 ** 31);
const wanted = process.argv.slice(2);

const files = readdirSync(join(root, folder))
  .filter((name) => name.endsWith(".test.ts"))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .map((name) => `${folder}/${name}`);
const properties = files.reduce((sum, file) => {
  return sum + (readFileSync(join(root, file), "utf8").match(/^outside\($/gm) ?? []).length;
}, 0);
const seconds = Math.max(1, Math.floor((60 * minutes * workers) / Math.max(1, properties)));

const report = join(root, "dist", "test-results", "fuzz.jsonl");
mkdirSync(dirname(report), { recursive: true });
rmSync(report, { force: true });
writeFileSync(report, "");
process.stdout.write(`${properties} properties, ${seconds} s each, FUZZ_SEED=${seed}\n`);
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const done = spawnSync(
  process.execPath,
  [vitest, "run", "--root", root, "--no-isolate", `--maxWorkers=${workers}`, ...files],
  {
    cwd: root,
    stdio: ["ignore", 1, 2],
    env: { ...process.env, FUZZ_SECONDS: String(seconds), FUZZ_SEED: seed, FUZZ_REPORT: report },
  },
);

const lines = readFileSync(report, "utf8")
  .split("\n")
  .filter((line) => line !== "");
const told = lines.map((line) => JSON.parse(line));
const failed = told.filter((one) => one.failed).length;
const failures = failed === 0 && done.status !== 0 ? 1 : failed;
const cases = told.reduce((sum, one) => sum + one.cases, 0);
const parsers = new Set(told.map((one) => one.parser)).size;
process.stdout.write(`FUZZ ${JSON.stringify({ cases, parsers, failures })}\n`);
process.exit(failures === 0 && cases > 0 ? 0 : 1);
