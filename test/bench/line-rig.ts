/**
 * One paced line with eight simulated axes, the bus process that owns it, and eight clients.
 *
 * The idea: simulator and bus run as the processes that a cell runs, the clients ask through the
 * lanes as drivers do and never pause, and time is read off the simulator's tap: from the end of
 * one request to the end of another, on the wire. It refuses to judge.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import type { FieldLink, Log } from "#kernel/ports.js";
import type { LineView } from "#simulators/line-server.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
export const unitsAll: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];
export const turnaroundMs = 2;
const readyLimitMs = 20_000;
/** A driver leaves a device alone for longer than this after a refusal. */
const refusedPauseMs = 50;
/** Two registers of an ABB drive. */
export const readTwo = Uint8Array.of(3, 0, 0, 0, 2);
/** Characters of that request and of its reply. */
const charactersOf = { request: 8, reply: 9 };
const ticksPerSecond = 100;

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** What one exchange costs on the wire: frames, turnaround, and the silence before the next. */
export function exchangeMs(baud: number): number {
  const characterMs = 11_000 / baud;
  const silence = baud > 19_200 ? 1.75 : 3.5 * characterMs;
  return (charactersOf.request + charactersOf.reply) * characterMs + turnaroundMs + silence;
}

export interface TapFrame {
  readonly tMs: number;
  readonly unit: number;
  readonly pdu: string;
  readonly reply?: string;
}

/** Simulator alone: for masters that are not ours. */
export class LineSimulator {
  readonly dir = mkdtempSync(join(tmpdir(), "servocell-bench-"));
  readonly runDir = join(this.dir, "run");
  readonly cellFile = join(this.dir, "cell.yaml");
  readonly path = join(this.runDir, "line-rail.tty");
  readonly tap = join(this.dir, "tap.jsonl");
  #child: ChildProcess | undefined;

  constructor(readonly baud: number) {}

  async start(): Promise<void> {
    mkdirSync(this.runDir, { mode: 0o700 });
    writeFileSync(this.cellFile, cellText(this.baud));
    const places = ["--lines", this.runDir, "--control", join(this.runDir, "sim.sock")];
    this.#child = await ready("dist/simulators/main.js", [
      ...["--cell", this.cellFile, "--tap", this.tap],
      ...places,
    ]);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  silence(units: readonly number[]): Promise<unknown[]> {
    const fault = "drop";
    return Promise.all(
      units.map((unit) => this.control({ kind: "fault", device: `a${unit}`, fault })),
    );
  }

  async line(): Promise<LineView> {
    const state = (await this.control({ kind: "state" })) as { lines: Record<string, LineView> };
    const line = state.lines.rail;
    if (line === undefined) throw new Error("the simulator has no line");
    return line;
  }

  control(message: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(join(this.runDir, "sim.sock"));
      let text = "";
      socket.on("error", reject);
      socket.on("data", (data) => {
        text += data;
        if (!text.includes("\n")) return;
        socket.end();
        resolve(JSON.parse(text));
      });
      socket.write(`${JSON.stringify(message)}\n`);
    });
  }

  /** Requests that ended on the wire within these times. */
  frames(fromMs: number, toMs: number): readonly TapFrame[] {
    return readFileSync(this.tap, "utf8")
      .split("\n")
      .filter((text) => text.includes('"pdu"'))
      .map((text) => JSON.parse(text) as TapFrame)
      .filter(({ tMs }) => tMs >= fromMs && tMs <= toMs);
  }

  async close(): Promise<void> {
    await end(this.#child);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The simulator with the bus process on its line, and its clients. */
export class LineRig extends LineSimulator {
  #bus: ChildProcess | undefined;
  readonly #clients: FieldLink[] = [];
  #polling = true;

  override async start(): Promise<void> {
    await super.start();
    const args = ["--cell", this.cellFile, "--data", join(this.dir, "data"), "--log", "error"];
    this.#bus = await ready("dist/services/bus/main.js", [...args, "--bus", "rail"], {
      SERVOCELL_RUN_DIR: this.runDir,
    });
  }

  /** Each of these units is asked for ever, by a client of its own. */
  async poll(units: readonly number[]): Promise<void> {
    for (const unit of units) {
      const options = { runDir: this.runDir, bus: "rail", unit, device: `a${unit}`, log: quiet };
      const client = openFieldLink(options);
      this.#clients.push(client);
      await until(() => client.connected);
      void this.#ask(client);
    }
  }

  busCpuMs(): number {
    return cpuMsOf(this.#bus?.pid ?? 0);
  }

  async #ask(client: FieldLink): Promise<void> {
    while (this.#polling) {
      const { kind } = await client.exchange("poll", readTwo);
      if (kind === "notSent") await sleep(refusedPauseMs);
    }
  }

  override async close(): Promise<void> {
    this.#polling = false;
    await Promise.all(this.#clients.map((client) => client.close()));
    await end(this.#bus);
    await super.close();
  }
}

/** Mean time from one request of a healthy unit to its next, ms. */
export function cycleMs(frames: readonly TapFrame[], units: readonly number[]): number {
  const cycles = units.flatMap((unit) => {
    const own = frames.filter((frame) => frame.unit === unit && frame.reply !== undefined);
    const first = own[0]?.tMs ?? Number.NaN;
    const last = own.at(-1)?.tMs ?? Number.NaN;
    return own.length < 2 ? [] : [(last - first) / (own.length - 1)];
  });
  return cycles.reduce((sum, one) => sum + one, 0) / cycles.length;
}

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function until(holds: () => boolean): Promise<void> {
  const limit = performance.now() + readyLimitMs;
  while (!holds()) {
    if (performance.now() > limit) throw new Error("it did not come to hold in time");
    await sleep(10);
  }
}

export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

/** A process that says `ready`. */
export function ready(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(root, script), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let said = "";
  child.stderr?.on("data", (text: Buffer) => {
    said = `${said}${text}`.slice(-4_000);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${script} is not ready`)), readyLimitMs);
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}\n${said}`)));
    child.stdout?.on("data", (text: Buffer) => {
      if (!text.includes("ready")) return;
      clearTimeout(timer);
      resolve(child);
    });
  });
}

export async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(timer);
}

function cellText(baud: number): string {
  const axis = "{ unit: percent, velocityMax: 100 %, accelerationMax: 100 %/s, whenOff: coasts }";
  // The clients here ask for themselves; the plan of drivers that are not there must only fit.
  const polls = "poll: { fast: 500 ms, idle: 2 s, slow: 30 s }";
  const simulate = `simulate: { turnaround: ${turnaroundMs} }, acceptNoWatchdog: nothing turns in a benchmark`;
  const devices = unitsAll.map((unit) => {
    const what = `profile: abb/drives-profile, bus: rail, unit: ${unit}, axis: ${axis}`;
    return `  a${unit}: { ${what}, ${polls}, ${simulate} }`;
  });
  const lines = [
    "servocell: 1",
    "cell: { name: line, prefix: bench }",
    "simulation: true",
    "brokerPort: 1",
    "gateway: { host: 127.0.0.1, port: 2 }",
    `buses: { rail: { serial: /dev/servocell-bench, baud: ${baud}, format: 8E1 } }`,
    "devices:",
    ...devices,
  ];
  return `${lines.join("\n")}\n`;
}
