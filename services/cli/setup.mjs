/**
 * Sets up a fresh clone: packages from the lockfile, the build, and for the tests the system
 * packages they need. Runs before `npm start` and `npm test`.
 *
 * The idea: plain Node without dependencies, idempotent, and quick when nothing changed, because
 * each part leaves a stamp of what it was made from. It refuses to guess: where it may not
 * install something, it prints the one command to run and names the suites that will be skipped.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const forTests = process.argv.includes("--tests");

/** What each system program is for, by the Debian package that brings it. */
const peers = [
  { name: "mosquitto", package: "mosquitto", found: () => onPath("mosquitto") },
  { name: "mosquitto_sub", package: "mosquitto-clients", found: () => onPath("mosquitto_sub") },
  { name: "mbpoll", package: "mbpoll", found: () => onPath("mbpoll") },
  // Its server needs the package that Debian only recommends.
  { name: "pymodbus", package: "python3-pymodbus", found: () => hasModule("pymodbus") },
  { name: "pyserial", package: "python3-serial-asyncio", found: () => hasModule("serial_asyncio") },
  { name: "chromium", package: "chromium", found: () => onPath("chromium") },
];

function onPath(program) {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/bin"];
  return folders.some((folder) => existsSync(join(folder, program)));
}

function hasModule(name) {
  const probe = ["-c", `import ${name}`];
  return spawnSync("/usr/bin/python3", probe, { stdio: "ignore" }).status === 0;
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

function run(program, args, env = {}) {
  const done = spawnSync(program, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, ...env },
  });
  return done.status === 0;
}

function stampOf(parts) {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Runs `work` unless the stamp file says that it was done from the same inputs. */
function once(stampFile, stamp, work) {
  const path = join(root, stampFile);
  if (existsSync(path) && readFileSync(path, "utf8") === stamp) return;
  work();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, stamp);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 11)) return;
  fail(`Node ${process.versions.node} is too old; Servocell needs 20.11 or newer.`);
}

function installPackages() {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  const stamp = stampOf([lock, process.versions.modules, process.platform, process.arch]);
  once("node_modules/.servocell-stamp", stamp, () => {
    say("installing packages from the lockfile (the first time compiles one: 1–2 minutes) …");
    const clean = Object.fromEntries(
      Object.keys(process.env)
        .filter((name) => /^npm_(lifecycle|package|command)/.test(name))
        .map((name) => [name, undefined]),
    );
    if (!run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], clean)) {
      fail("`npm ci` failed; its message is above.");
    }
  });
}

/** Path, size and time of every source file: cheap to take and enough to know of a change. */
function sourceFacts(folder) {
  const facts = [];
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) facts.push(...sourceFacts(path));
    else if (/\.(ts|json)$/.test(entry.name)) {
      const { size, mtimeMs } = statSync(join(root, path));
      facts.push([path, size, mtimeMs]);
    }
  }
  return facts;
}

function build() {
  const rooms = ["drivers", "services", "simulators", "web", "test"];
  const config = readFileSync(join(root, "tsconfig.json"), "utf8");
  const stamp = stampOf([config, ...rooms.flatMap(sourceFacts)]);
  once("dist/.servocell-stamp", stamp, () => {
    say("building …");
    if (!run(process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "."])) {
      fail("the build failed; the compiler's messages are above.");
    }
    if (!run(process.execPath, [join("services", "cli", "bundle.mjs")])) {
      fail("bundling the services failed; the messages are above.");
    }
  });
}

function mayInstall() {
  if (!onPath("apt-get")) return undefined;
  if (process.getuid?.() === 0) return [];
  if (spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0) return ["sudo", "-n"];
  return undefined;
}

function installPeers() {
  let missing = peers.filter((peer) => !peer.found());
  const prefix = mayInstall();
  if (missing.length > 0 && prefix !== undefined) {
    const names = missing.map((peer) => peer.package);
    say(`installing ${names.join(", ")} for the tests …`);
    const apt = (...args) => {
      const [program, ...rest] = [...prefix, "apt-get", ...args];
      return run(program, rest, { DEBIAN_FRONTEND: "noninteractive" });
    };
    apt("update", "-qq");
    apt("install", "-y", "-qq", "--no-install-recommends", ...names);
    missing = peers.filter((peer) => !peer.found());
  }
  mkdirSync(join(root, "dist"), { recursive: true });
  const names = missing.map((peer) => peer.name);
  writeFileSync(join(root, "dist", "missing-peers.json"), JSON.stringify(names));
  if (missing.length === 0) return;
  const packages = missing.map((peer) => peer.package).join(" ");
  say(
    `not installed: ${names.join(", ")}. The suites that need them will be skipped. To run them:`,
  );
  say(`  sudo apt-get install -y ${packages}`);
}

checkNode();
installPackages();
build();
if (forTests) installPeers();
