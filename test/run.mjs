/**
 * Runs all tests and ends with one plain line: `N passed, N failed`.
 *
 * The idea: pure suites share the cores and their imports, suites with sockets run two files at a
 * time, those with whole cells one, and what judges time on a wire comes last and alone. So they
 * judge the product and not the machine. A test file that needs a program of the system says so in
 * a line `needs: mosquitto`. It refuses silent skips: every suite left out is named, and in CI a
 * skip is a failure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const inCi = process.env.CI === "true";
const wanted = process.argv.slice(2);
/** Lines whose silences are judged, to the tenth of a millisecond: singly, and nothing beside. */
const wires = /^test\/integration\/((line|bus)\/|cli\/scan-line)/;
/** Whole cells, and what takes the machine for itself: singly. */
const alone = /^test\/((hil|e2e)\/|chaos\/(soak|holds|coordinator)\b)/;
/** Sockets and processes that mostly wait, and cells that mostly move: two files at a time. */
const pairs = /^test\/(integration|chaos)\//;

function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(path);
    return /\.(test|sim)\.ts$/.test(entry.name) ? [path] : [];
  });
}

const missingFile = join(root, "dist", "missing-peers.json");
const missing = existsSync(missingFile) ? JSON.parse(readFileSync(missingFile, "utf8")) : [];

function lackOf(path) {
  const needs = /^\W*needs:\s*(.+)$/m.exec(readFileSync(join(root, path), "utf8"))?.[1] ?? "";
  return needs.split(/[,\s]+/).filter((name) => missing.includes(name));
}

const all = filesBelow("test").filter((path) => {
  return wanted.length === 0 || wanted.some((part) => path.includes(part));
});
const left = all.map((path) => ({ path, lack: lackOf(path) })).filter((f) => f.lack.length > 0);
const chosen = all.filter((path) => !left.some((file) => file.path === path));

function runGroup(name, files, flags) {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0, reds: [] };
  const out = join(root, "dist", "test-results", `${name}.json`);
  mkdirSync(dirname(out), { recursive: true });
  rmSync(out, { force: true });
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${out}`];
  const args = [vitest, "run", "--root", root, ...reporters, ...flags, ...files];
  const done = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 1, 2] });
  if (!existsSync(out)) return { passed: 0, failed: 1, skipped: 0, reds: [`${name}: no result`] };
  const result = JSON.parse(readFileSync(out, "utf8"));
  const failed = result.numFailedTests;
  const broken = result.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((t) => t.status === "failed"),
  ).length;
  const unsaid = done.status !== 0 && failed + broken === 0 ? 1 : 0;
  const reds = result.testResults.flatMap((file) => {
    const own = file.assertionResults.filter((t) => t.status === "failed");
    const titles = own.length === 0 && file.status === "failed" ? ["(the file)"] : [];
    for (const { fullName } of own) titles.push(fullName);
    return titles.map((title) => `${file.name.slice(root.length + 1)} > ${title}`);
  });
  return {
    reds,
    passed: result.numPassedTests,
    failed: failed + broken + unsaid,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

const kinds = [wires, alone, pairs];
const kindOf = (path) => kinds.find((kind) => kind.test(path));
const filesOf = (kind) => chosen.filter((path) => kindOf(path) === kind);
const singly = ["--no-file-parallelism"];
const groups = [
  runGroup("together", filesOf(undefined), ["--no-isolate", "--maxWorkers=2"]),
  runGroup("two-by-two", filesOf(pairs), ["--maxWorkers=2"]),
  runGroup("one-by-one", filesOf(alone), singly),
  runGroup("wires", filesOf(wires), singly),
];
for (const { reds } of groups) for (const red of reds) process.stdout.write(`failed: ${red}\n`);
const sum = (field) => groups.reduce((total, group) => total + group[field], 0);
for (const file of left) {
  process.stdout.write(`skipped: ${file.path} (needs ${file.lack.join(", ")})\n`);
}
const skipped = sum("skipped") + left.length;
const failed = sum("failed") + (inCi ? skipped : 0);
const tail = skipped > 0 ? `, ${skipped} skipped` : "";
process.stdout.write(`\n${sum("passed")} passed, ${failed} failed${tail}\n`);
process.exit(failed === 0 && sum("passed") > 0 ? 0 : 1);
