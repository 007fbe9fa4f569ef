/**
 * `servocell doctor`: what on this PC keeps a cell from running well, each with its fix.
 *
 * The idea: a finding is a fact, a judgement and what to do; the checks are independent, bounded
 * in time, and touch no device. It refuses to change anything, and to call a check good that it
 * could not make: that is a finding of its own.
 */
import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from "node:fs";
import { open, statfs, unlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Ms } from "#drivers/reading.js";
import { linkText } from "#kernel/config/bus-link.js";
import type { BusConfig, BusLink, CellConfig } from "#kernel/config/cell.js";
import { textOf } from "#kernel/errors.js";
import { mayRaise } from "../supervisor/priority.js";
import { runningBus } from "./running-cells.js";

export interface Finding {
  readonly level: "good" | "warning" | "bad" | "unknown";
  readonly what: string;
  /** What to do; absent where nothing is to do. */
  readonly fix?: string;
}

const toolMsMax: Ms = 2000;
const connectMsMax: Ms = 1000;
const nodeMajorMin = 20;
/** The historian stops first at this share of free space [PROTOCOL 10]. */
const freeShareMin = 0.05;
const syncMsGood: Ms = 20;
const syncRounds = 5;
const latencyMsGood = 1;

export async function examine(config: CellConfig | undefined): Promise<readonly Finding[]> {
  const base = [nodeVersion(), ...natives(), await clock(), priorities()];
  if (config === undefined) return [...base, ...ports()];
  const lines = config.buses.map(async (bus): Promise<readonly Finding[]> => {
    const holding = await holdingOf(config, bus);
    if (config.simulation !== true || holding.has === "yes") return busFindings(bus.link, holding);
    const what = `bus ${bus.id}: its devices are simulated while the cell runs`;
    return [{ level: "good", what }];
  });
  return [
    ...base,
    ...(await Promise.all(lines)).flat(),
    ...(await disk(config.dataDir)),
    await brokerFinding(config),
  ];
}

const marks = { good: "ok  ", warning: "warn", bad: "BAD ", unknown: "?   " } as const;

/** Exit code: 1 where something is bad. */
export function tellFindings(findings: readonly Finding[], say: (line: string) => void): number {
  for (const { level, what, fix } of findings) {
    say(`${marks[level]} ${what}`);
    if (fix !== undefined) say(`     → ${fix}`);
  }
  const count = (level: Finding["level"]) => findings.filter((f) => f.level === level).length;
  const [bad, warned, unknown] = [count("bad"), count("warning"), count("unknown")];
  say(`${bad} bad, ${warned} warnings, ${unknown} not known`);
  return bad > 0 ? 1 : 0;
}

function nodeVersion(): Finding {
  const { node } = process.versions;
  const good = Number(node.split(".")[0]) >= nodeMajorMin;
  const what = `Node ${node}`;
  return good ? { level: "good", what } : { level: "bad", what, fix: "install Node 20 or newer" };
}

/** Compiled parts that a copied node_modules may lack on this machine. */
function natives(): readonly Finding[] {
  const load = createRequire(import.meta.url);
  return ["better-sqlite3", "@serialport/bindings-cpp"].map((name) => {
    try {
      load(name);
      return { level: "good", what: `${name} loads` };
    } catch (thrown) {
      const why = thrown instanceof Error ? (thrown.message.split("\n")[0] ?? "") : String(thrown);
      return { level: "bad", what: `${name} does not load: ${why}`, fix: "run npm ci here" };
    }
  });
}

async function tool(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(command, [...args], { timeout: toolMsMax });
    return stdout;
  } catch {
    return undefined;
  }
}

async function clock(): Promise<Finding> {
  const told = await tool("timedatectl", ["show", "-p", "NTPSynchronized", "--value"]);
  if (told === undefined) {
    return { level: "unknown", what: "whether the clock is kept by NTP (no timedatectl)" };
  }
  if (told.trim() === "yes") return { level: "good", what: "the clock is kept by NTP" };
  const fix = "timedatectl set-ntp true; moving needs no NTP, but stamps and certificates do";
  return { level: "warning", what: "the clock is not kept by NTP", fix };
}

/** On a busy PC services of the usual priority are late, and a late permit stops motion. */
function priorities(): Finding {
  if (mayRaise()) return { level: "good", what: "services may go before other programs" };
  const what = "services cannot go before other programs of this PC: under load, motion stops";
  const fix = "allow it to the service's user: LimitNICE=-10 in its systemd unit, or CAP_SYS_NICE";
  return { level: "warning", what, fix };
}

/** Serial ports of this PC, where no cell file names any. */
function ports(): readonly Finding[] {
  const byId = "/dev/serial/by-id";
  const named = list(byId).map((name) => join(byId, name));
  if (named.length === 0)
    return [{ level: "unknown", what: "no USB serial adapter is plugged in" }];
  return named.flatMap((path) => serialFindings(path));
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Whether a running cell of this PC has a wire, wherever it was started. */
type Holding =
  | { readonly has: "yes" | "no" }
  | { readonly has: "unknown"; readonly finding: Finding };

async function holdingOf(config: CellConfig, { id, link }: BusConfig): Promise<Holding> {
  const name = linkText(link);
  const own = { runDir: config.runDir, bus: id };
  const what = `whether a running cell has ${name}`;
  try {
    const running = await runningBus({ name, link, own });
    if (running?.lives !== "unknown") return { has: running === undefined ? "no" : "yes" };
    const fix = `look as the user whose cell has sockets in ${running.dir}`;
    return { has: "unknown", finding: { level: "unknown", what, fix } };
  } catch (thrown) {
    return { has: "unknown", finding: { level: "unknown", what, fix: textOf(thrown) } };
  }
}

/** What may be a running cell's is not opened: some devices drop one connection for another. */
async function busFindings(link: BusLink, holding: Holding): Promise<readonly Finding[]> {
  const doubt = holding.has === "unknown" ? [holding.finding] : [];
  if (link.kind === "serial") {
    const state = holding.has === "no" ? await lineState(link.path) : [];
    return [...serialFindings(link.path), ...state, ...doubt];
  }
  if (holding.has === "unknown") return doubt;
  return [await endpointFinding(link, holding.has === "yes")];
}

function serialFindings(path: string): readonly Finding[] {
  const real = realOf(path);
  if (real === undefined) {
    const fix = "plug the adapter in; ls -l /dev/serial/by-id shows what is there";
    return [{ level: "bad", what: `${path} does not exist`, fix }];
  }
  return [permission(path), stableName(path), ...holder(path, real), ...latency(path, real)];
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function permission(path: string): Finding {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return { level: "good", what: `${path} may be read and written` };
  } catch {
    const fix = "sudo usermod -aG dialout $USER, then log in again";
    return { level: "bad", what: `this user may not open ${path}`, fix };
  }
}

function stableName(path: string): Finding {
  if (!/^\/dev\/tty(USB|ACM)\d+$/.test(path)) {
    return { level: "good", what: `${path} stays the same after a replug` };
  }
  const fix = `use its name in /dev/serial/by-id in the cell file`;
  return { level: "warning", what: `${path} may be another adapter after a replug`, fix };
}

/** Processes of this user, or all for root, that have the port open. */
function holder(path: string, real: string): readonly Finding[] {
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    const fds = list(`/proc/${pid}/fd`);
    if (!fds.some((fd) => target(`/proc/${pid}/fd/${fd}`) === real)) continue;
    const name = commandOf(pid);
    if (name.includes("services/bus") || name.includes("bundle/bus")) {
      return [{ level: "good", what: `${path} is held by the bus service (pid ${pid})` }];
    }
    const fix = `end process ${pid} if it is not yours to keep: two masters on one line collide`;
    return [{ level: "bad", what: `${path} is held by ${name} (pid ${pid})`, fix }];
  }
  return [];
}

function target(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "a process that has just ended";
  }
}

/** FTDI adapters keep bytes back for so long. */
function latency(path: string, real: string): readonly Finding[] {
  const file = `/sys/bus/usb-serial/devices/${basename(real)}/latency_timer`;
  let ms: number;
  try {
    ms = Number(readFileSync(file, "utf8").trim());
  } catch {
    return [];
  }
  const what = `${path}: the adapter keeps bytes back for ${ms} ms`;
  if (ms <= latencyMsGood) return [{ level: "good", what }];
  return [{ level: "warning", what, fix: `echo 1 | sudo tee ${file}` }];
}

/** What the port is set to now; the bus service sets raw mode itself at every open. */
async function lineState(path: string): Promise<readonly Finding[]> {
  const state = await tool("stty", ["-F", path, "-a"]);
  if (state === undefined)
    return [{ level: "unknown", what: `the state of ${path} (stty failed)` }];
  const speed = /speed (\d+) baud/.exec(state)?.[1] ?? "?";
  const cooked = / icanon| echo /.test(state) ? ", not raw" : ", raw";
  const note = "the bus service sets speed, format and raw mode at every open";
  return [{ level: "good", what: `${path} stands at ${speed} baud${cooked}; ${note}` }];
}

async function endpointFinding(
  link: { readonly host: string; readonly port: number; readonly kind: "tcp" | "rtuOverTcp" },
  running: boolean,
): Promise<Finding> {
  const what = linkText(link);
  if (running) return { level: "good", what: `${what}: the bus service has it` };
  const reached = await reaches(link);
  if (reached === undefined) return { level: "good", what: `${what} accepts a connection` };
  const fix = `ping ${link.host}; check cable, address and whether another master has it`;
  return { level: "bad", what: `${what} cannot be reached: ${reached}`, fix };
}

/** Undefined: connected. Otherwise why not. */
function reaches(where: { readonly host: string; readonly port: number }) {
  return new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: where.host, port: where.port });
    const end = (why: string | undefined) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(connectMsMax, () => end(`no answer in ${connectMsMax} ms`));
    socket.on("connect", () => end(undefined));
    socket.on("error", (error) => end(error.message));
  });
}

async function disk(dataDir: string): Promise<readonly Finding[]> {
  // The folder comes with the first start; what it will lie in is there already.
  let folder = dataDir;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    const share = bavail / blocks;
    const free = `${Math.round((bavail * bsize) / 1e6)} MB (${Math.round(share * 100)} %)`;
    const what = `${folder}: ${free} free`;
    const space: Finding =
      share >= freeShareMin
        ? { level: "good", what }
        : { level: "bad", what, fix: "make room: what cannot be stored is not started" };
    return [space, await syncTime(folder)];
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return [{ level: "bad", what: `${folder} cannot be used: ${why}`, fix: "check its owner" }];
  }
}

/** How long the disk takes to keep something; every grant of a lease waits for it. */
async function syncTime(folder: string): Promise<Finding> {
  const file = join(folder, `.doctor-${process.pid}`);
  const handle = await open(file, "w");
  let worstMs = 0;
  try {
    for (let i = 0; i < syncRounds; i += 1) {
      await handle.write(Buffer.alloc(4096, i));
      const beganMs = performance.now();
      await handle.sync();
      worstMs = Math.max(worstMs, performance.now() - beganMs);
    }
  } finally {
    await handle.close();
    await unlink(file);
  }
  const what = `${folder}: a write is on disk after ${worstMs.toFixed(1)} ms (worst of ${syncRounds})`;
  if (worstMs <= syncMsGood) return { level: "good", what };
  return {
    level: "warning",
    what,
    fix: "stops do not wait for it, but commands do: a better disk",
  };
}

async function brokerFinding({ broker }: CellConfig): Promise<Finding> {
  if (broker.kind === "embedded") {
    const taken = (await reaches(broker)) === undefined;
    const what = `the embedded broker's port ${broker.port}`;
    return { level: "good", what: taken ? `${what} answers: the cell runs` : `${what} is free` };
  }
  const url = new URL(broker.url);
  const port = Number(url.port) || (url.protocol === "mqtts:" ? 8883 : 1883);
  const why = await reaches({ host: url.hostname, port });
  const what = `the broker ${broker.url}`;
  if (why === undefined) return { level: "good", what: `${what} accepts a connection` };
  return {
    level: "bad",
    what: `${what} cannot be reached: ${why}`,
    fix: "start it, or name another",
  };
}
