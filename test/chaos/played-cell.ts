/**
 * The processes of a chaos cell: `servocell up`, the simulator behind the links, the outside broker.
 *
 * The idea: whatever is started carries the mark of this run, so whatever is ended was started
 * here. Services are known by the children of the supervisor, their births and deaths are noted.
 * It refuses to judge and to repair.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { FaultLine, NodeLine } from "#simulators/judges/trace.js";
import { favourSession, motionPriority } from "../../services/supervisor/priority.js";
import { scriptFile } from "../../services/supervisor/script-file.js";
import { monotonicMs, sleep, until } from "../fixtures/cell-process.js";
import { type BrokerKind, type CellFiles, type CellPorts, writeCellFiles } from "./cell-files.js";
import { markVariable } from "./keeper.js";
import type { Lateness } from "./link-worker.js";
import type { LinkOrder, LinkSpec } from "./links.js";

export const packageRoot = join(import.meta.dirname, "..", "..", "..");
export const mosquittoFile = "/usr/sbin/mosquitto";
const readyMs = 40_000;
const endMs = 2_000;

export interface Service {
  readonly name: string;
  readonly pid: number;
}

export interface PlayedOptions {
  readonly dir: string;
  readonly mark: string;
  readonly ports: CellPorts;
  readonly hasMosquitto: boolean;
}

export class PlayedCell {
  readonly files: CellFiles;
  readonly dataDir: string;
  readonly tapFile: string;
  readonly simControl: string;
  readonly clocks: string;
  readonly nodes: (NodeLine | FaultLine)[] = [];
  /** What `up` says, newest last. */
  output = "";
  broker: BrokerKind = "embedded";
  /** What of the harness itself has failed. */
  broken: string | undefined;
  readonly #options: PlayedOptions;
  /** Newest process of each service. */
  readonly #newest = new Map<string, number>();
  /** Name with its boot of every process that lives, orphans included. */
  readonly #alive = new Map<number, string>();
  #boots = 0;
  #up: ChildProcess | undefined;
  #outside: ChildProcess | undefined;
  #links: Worker | undefined;
  #wanted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PlayedOptions) {
    const { dir, ports } = options;
    this.#options = options;
    this.files = writeCellFiles(dir, ports);
    this.dataDir = join(dir, "data");
    this.tapFile = join(dir, "tap.jsonl");
    this.simControl = join(dir, "sim.sock");
    this.clocks = join(dir, "clocks");
    for (const folder of [this.dataDir, this.clocks, this.runDir]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
  }

  get runDir(): string {
    return join(this.#options.dir, "run");
  }
  get api(): string {
    return `http://127.0.0.1:${this.#options.ports.gateway}/api/v1`;
  }
  get brokerUrl(): string {
    const { embedded, broker } = this.#options.ports;
    return `mqtt://127.0.0.1:${this.broker === "embedded" ? embedded : broker}`;
  }
  /** The supervisor, while it lives. */
  get supervisor(): number | undefined {
    return this.#up?.exitCode === null && this.#up.signalCode === null ? this.#up.pid : undefined;
  }

  /** Links, devices, the outside broker; once. */
  async begin(): Promise<void> {
    const { gantry, gantryLink, tool, toolLink, broker, brokerLink } = this.#options.ports;
    const links: LinkSpec[] = [
      { name: "gantry", listen: gantryLink, target: gantry },
      { name: "tool", listen: toolLink, target: tool },
      { name: "broker", listen: brokerLink, target: broker },
    ];
    this.#links = new Worker(new URL("./link-worker.js", import.meta.url), { workerData: links });
    await new Promise((resolve, reject) => {
      this.#links?.once("message", resolve);
      this.#links?.on("error", (error) => {
        this.broken ??= `the links ended: ${error.stack ?? error.message}`;
        reject(error);
      });
    });
    this.#spawn("simulator", scriptFile(packageRoot, "dist/simulators/main.js"), [
      ...["--cell", this.files.devices, "--tap", this.tapFile, "--control", this.simControl],
    ]);
    await until("the simulator listens", () => existsSync(this.simControl), readyMs);
    this.startOutside();
    this.#timer = setInterval(() => this.#look(), 100);
  }

  link(order: LinkOrder): void {
    this.#links?.postMessage(order);
  }

  /** How late this machine was since the last question. */
  late(): Promise<Lateness> {
    return new Promise((resolve) => {
      this.#links?.once("message", resolve);
      this.#links?.postMessage("late");
    });
  }

  /** mosquitto, or the embedded broker as a process of its own, behind the link. */
  startOutside(): void {
    if (this.outside !== undefined) return;
    const { dir, ports, hasMosquitto } = this.#options;
    if (hasMosquitto) {
      const config = join(dir, "mosquitto.conf");
      const lines = [`listener ${ports.broker} 127.0.0.1`, "allow_anonymous true"];
      writeFileSync(config, `${lines.join("\n")}\nset_tcp_nodelay true\npersistence false\n`);
      this.#outside = this.#spawnAny(mosquittoFile, ["-c", config]);
    } else {
      const cell = join(dir, "outside-broker.yaml");
      const text = readFileSync(this.files.cell.embedded, "utf8");
      writeFileSync(cell, text.replace(/^brokerPort: .*$/m, `brokerPort: ${ports.broker}`));
      const script = scriptFile(packageRoot, "dist/services/broker/main.js");
      const args = ["--cell", cell, "--data", join(dir, "outside")];
      this.#outside = this.#spawn("outside broker", script, args);
    }
  }

  /** The outside broker's process, while it lives. */
  get outside(): number | undefined {
    const child = this.#outside;
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
  }

  /** Starts the cell, and again whenever `up` gives up, until `down`. */
  up(broker: BrokerKind = this.broker): void {
    this.broker = broker;
    this.#wanted = true;
    if (this.supervisor === undefined) this.#spawnUp();
  }

  #spawnUp(): void {
    const cli = join(packageRoot, "dist", "services", "cli", "main.js");
    const child = this.#spawn("supervisor", cli, [
      ...["up", this.files.cell[this.broker], "--data", this.dataDir],
    ]);
    this.#up = child;
    this.#began("supervisor", child.pid ?? 0);
  }

  /** Ends it in order. */
  async down(limitMs = 25_000): Promise<boolean> {
    this.#wanted = false;
    const pid = this.supervisor;
    if (pid === undefined) return true;
    process.kill(pid, "SIGTERM");
    const end = monotonicMs() + limitMs;
    while (this.supervisor !== undefined && monotonicMs() < end) await sleep(50);
    return this.supervisor === undefined;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    // It is a thread of this process and has nothing to keep: nobody waits for it long.
    await Promise.race([this.#links?.terminate(), sleep(endMs)]);
  }

  /** The services that run now, by the supervisor's children. */
  services(): readonly Service[] {
    const pid = this.supervisor;
    if (pid === undefined) return [];
    return childrenOf(pid).flatMap((child) => {
      const name = serviceName(child);
      return name === undefined ? [] : [{ name, pid: child }];
    });
  }

  /** The boot of a service in the trace: `driver-x#3`. */
  nodeOf(name: string): string {
    return this.#alive.get(this.#newest.get(name) ?? -1) ?? name;
  }

  /** Notes who has come and who has gone. */
  #look(): void {
    for (const { name, pid } of this.services()) if (!this.#alive.has(pid)) this.#began(name, pid);
    for (const [pid, node] of this.#alive) {
      // An orphan stops its axes and ends by itself; it is gone when it is gone.
      if (isAlive(pid)) continue;
      this.#alive.delete(pid);
      this.nodes.push({ kind: "killed", at: monotonicMs(), node });
    }
    if (this.#wanted && this.supervisor === undefined && this.mayRestart) this.#spawnUp();
  }

  /** Kills a process of the cell, and notes it. */
  killed(pid: number): void {
    const node = this.#alive.get(pid);
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      return;
    }
    if (node === undefined) return;
    this.#alive.delete(pid);
    this.nodes.push({ kind: "killed", at: monotonicMs(), node });
  }

  /** False while the supervisor is to stay dead. */
  mayRestart = true;

  #began(name: string, pid: number): void {
    favourSession(pid, motionPriority);
    this.#boots += 1;
    const node = `${name}#${this.#boots}`;
    this.#newest.set(name, pid);
    this.#alive.set(pid, node);
    // It counts as started when it says so itself; until then it only has a process.
    this.nodes.push({ kind: "fault", at: monotonicMs(), text: `${node} has process ${pid}` });
  }

  #spawn(name: string, script: string, args: readonly string[]): ChildProcess {
    const preload = pathToFileURL(join(import.meta.dirname, "clock-shift.js")).href;
    const child = this.#spawnAny(process.execPath, [script, ...args], {
      NODE_OPTIONS: `--import=${preload}`,
      CHAOS_CLOCKS: this.clocks,
      SERVOCELL_RUN_DIR: this.runDir,
    });
    const keep = (data: Buffer) => {
      this.output = (this.output + data.toString()).slice(-50_000);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("exit", (code, signal) => {
      this.output += `${name} ended with ${signal ?? code}\n`;
    });
    return child;
  }

  #spawnAny(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env, [markVariable]: this.#options.mark },
      cwd: this.#options.dir,
      // Ctrl-C ends chaos, which then ends these in order.
      detached: true,
    });
    // The cell is judged, and not who else works here. Not more than this: the kernel's own threads
    // carry the bytes of the terminals.
    favourSession(child.pid ?? 0, motionPriority);
    return child;
  }
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text
      .split(" ")
      .filter((one) => one !== "")
      .map(Number);
  } catch {
    return [];
  }
}

function serviceName(pid: number): string | undefined {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const room = args.map((one) => /([a-z]+)\/main\.js$/.exec(one)?.[1]).find(Boolean);
    if (room === undefined || room === "cli") return undefined;
    const after = (flag: string) =>
      args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;
    const part = after("--device") ?? after("--bus");
    return part === undefined ? room : `${room}-${part}`;
  } catch {
    return undefined;
  }
}
