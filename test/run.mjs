/**
 * Runs all tests and ends with one plain line: `N passed, N failed`.
 *
 * The idea: pure suites share the cores and their imports, suites with sockets run two files at a
 * time, those with whole cells one, and what judges time on a wire comes last and alone. So they
 * judge the product and not the machine. A file of real processes that was red is played once more,
 * alone: red again is a failure, and green then is named as unsteady, which is work for somebody.
 * A test file that needs a program of the system says so in a line `needs: mosquitto`. It refuses
 * silent skips: every suite left out is named, and in CI a skip is a failure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const inCi = process.env.CI === "true";
const wanted = process.argv.slice(2);
/** Lines whose silences are judged, to the tenth of a millisecond: singly, and nothing beside. */
const wires = /^test\/integration\/((line|bus)\/|cli\/scan-line|simulators\/line)/;
/** Whole cells, and what takes the machine for itself: singly. */
const alone = /^test\/((hil|e2e)\/|chaos\/(soak|holds|coordinator)\b)/;
/** Sockets and processes that mostly wait, and cells that mostly move: two files at a time. */
const pairs = /^test\/(integration|chaos)\//;

/** More red files than this are no moment of the machine. */
const againMost = 3;

/**
 * Services raise their own priority, each in a session of its own. Who watches them keeps step, or
 * would be told of everything late; where this user may not, the services may not either.
 */
function keepStep() {
  try {
    setPriority(-10);
    writeFileSync("/proc/self/autogroup", "-10");
  } catch {
    // The usual share, for all.
  }
}

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

/** Plays the files; what vitest tells of each, and what stood in no test. */
function played(name, files, flags) {
  const out = join(root, "dist", "test-results", `${name}.json`);
  mkdirSync(dirname(out), { recursive: true });
  rmSync(out, { force: true });
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${out}`];
  const args = [vitest, "run", "--root", root, ...reporters, ...flags, ...files];
  const done = spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 1, 2] });
  if (!existsSync(out)) return { files: [], outside: [`${name}: no result`] };
  const told = JSON.parse(readFileSync(out, "utf8")).testResults.map((file) => ({
    path: file.name.slice(root.length + 1),
    red: file.status === "failed",
    tests: file.assertionResults,
  }));
  const unsaid = done.status !== 0 && told.every(({ red }) => !red);
  return { files: told, outside: unsaid ? [`${name}: an error outside of the tests`] : [] };
}

function redsOf({ path, red, tests }) {
  const own = tests.filter((test) => test.status === "failed").map(({ fullName }) => fullName);
  const titles = own.length === 0 && red ? ["(the file)"] : own;
  return titles.map((title) => `${path} > ${title}`);
}

function runGroup(name, files, flags, steady = false) {
  const result = files.length === 0 ? { files: [], outside: [] } : played(name, files, flags);
  const red = result.files.filter((file) => file.red);
  if (!steady || red.length === 0 || red.length > againMost) return result;
  const paths = red.map(({ path }) => path);
  const again = played(`${name}-again`, paths, singly);
  const still = again.files.flatMap(redsOf);
  for (const title of red.flatMap(redsOf).filter((one) => !still.includes(one))) {
    process.stdout.write(`unsteady: ${title} (green when played again, alone)\n`);
  }
  return {
    files: [...result.files.filter((file) => !file.red), ...again.files],
    outside: [...result.outside, ...again.outside],
  };
}

const kinds = [wires, alone, pairs];
const kindOf = (path) => kinds.find((kind) => kind.test(path));
const filesOf = (kind) => chosen.filter((path) => kindOf(path) === kind);
const singly = ["--no-file-parallelism"];
keepStep();
const groups = [
  runGroup("together", filesOf(undefined), ["--no-isolate", "--maxWorkers=2"]),
  runGroup("two-by-two", filesOf(pairs), ["--maxWorkers=2"], true),
  runGroup("one-by-one", filesOf(alone), singly, true),
  runGroup("wires", filesOf(wires), singly, true),
];
const files = groups.flatMap((group) => group.files);
const reds = [...files.flatMap(redsOf), ...groups.flatMap(({ outside }) => outside)];
for (const red of reds) process.stdout.write(`failed: ${red}\n`);
for (const file of left) {
  process.stdout.write(`skipped: ${file.path} (needs ${file.lack.join(", ")})\n`);
}
const tests = files.flatMap((file) => file.tests);
const passed = tests.filter(({ status }) => status === "passed").length;
const open = tests.filter(({ status }) => status !== "passed" && status !== "failed").length;
const skipped = open + left.length;
const failed = reds.length + (inCi ? skipped : 0);
const tail = skipped > 0 ? `, ${skipped} skipped` : "";
process.stdout.write(`\n${passed} passed, ${failed} failed${tail}\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
