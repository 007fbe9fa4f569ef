/**
 * Runs all tests and ends with one plain line: `N passed, N failed`.
 *
 * The idea: pure suites share the cores and their imports; suites with sockets go beside suites
 * with a whole cell, one file of each at a time; what takes the machine for itself goes singly, and
 * what judges time on a wire comes last and alone. So they judge the product and not the machine.
 * A file of real processes that was red is played once more, alone: red again is a failure, and
 * green then is named as unsteady, which is work for somebody. A test file that needs a program of
 * the system says so in a line `needs: mosquitto`. It refuses silent skips: every suite left out is
 * named, and in CI a skip is a failure.
 */
import { spawn } from "node:child_process";
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
/** Whole cells that mostly move: singly, beside what mostly waits. */
const cells = /^test\/(chaos\/|integration\/cli\/up\b)/;
/** Sockets and processes that mostly wait: singly, beside the cells. */
const sockets = /^test\/integration\//;
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

/** Plays the files; what vitest tells of each, and what went wrong in no test. */
async function played(name, files, flags) {
  if (files.length === 0) return { files: [], outside: [] };
  const out = join(root, "dist", "test-results", `${name}.json`);
  const unhandled = `${out}l`;
  mkdirSync(dirname(out), { recursive: true });
  for (const old of [out, unhandled]) rmSync(old, { force: true });
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["default", "json", join(root, "test", "unhandled-errors.mjs")];
  const told = reporters.map((reporter) => `--reporter=${reporter}`);
  const args = ["run", "--root", root, ...told, `--outputFile.json=${out}`, ...flags, ...files];
  const env = { ...process.env, SERVOCELL_UNHANDLED: unhandled };
  const child = spawn(process.execPath, [vitest, ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (!existsSync(out) || !existsSync(unhandled)) {
    return { files: [], outside: [`${name}: no result`] };
  }
  const results = JSON.parse(readFileSync(out, "utf8")).testResults.map((file) => ({
    path: file.name.slice(root.length + 1),
    red: file.status === "failed",
    tests: file.assertionResults,
  }));
  const outside = readFileSync(unhandled, "utf8").split("\n").filter(Boolean);
  const unsaid = code !== 0 && outside.length === 0 && results.every(({ red }) => !red);
  if (unsaid) outside.push(`vitest ended with ${code}`);
  return { files: results, outside: outside.map((text) => `${name}, in no test: ${text}`) };
}

function redsOf({ path, red, tests }) {
  const own = tests.filter((test) => test.status === "failed").map(({ fullName }) => fullName);
  const titles = own.length === 0 && red ? ["(the file)"] : own;
  return titles.map((title) => `${path} > ${title}`);
}

/** Plays what was red once more, alone; what is green then stays in the output by its name. */
async function steadied(name, { files, outside }) {
  const red = files.filter((file) => file.red);
  if (red.length === 0 || red.length > againMost) return { files, outside };
  const paths = red.map(({ path }) => path);
  const again = await played(`${name}-again`, paths, singly);
  const still = again.files.flatMap(redsOf);
  for (const title of red.flatMap(redsOf).filter((one) => !still.includes(one))) {
    process.stdout.write(`unsteady: ${title} (green when played again, alone)\n`);
  }
  return {
    files: [...files.filter((file) => !file.red), ...again.files],
    outside: [...outside, ...again.outside],
  };
}

const kinds = [wires, alone, cells, sockets];
const kindOf = (path) => kinds.find((kind) => kind.test(path));
const filesOf = (kind) => chosen.filter((path) => kindOf(path) === kind);
const singly = ["--no-file-parallelism"];
keepStep();
const groups = [await played("together", filesOf(undefined), ["--no-isolate", "--maxWorkers=2"])];
const sideBySide = await Promise.all([
  played("cells", filesOf(cells), singly),
  played("sockets", filesOf(sockets), singly),
]);
groups.push(await steadied("cells", sideBySide[0]), await steadied("sockets", sideBySide[1]));
groups.push(await steadied("one-by-one", await played("one-by-one", filesOf(alone), singly)));
groups.push(await steadied("wires", await played("wires", filesOf(wires), singly)));
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
