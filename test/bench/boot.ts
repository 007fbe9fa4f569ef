/**
 * How long a cell takes from `servocell up` to every service ready, and what each one weighs.
 *
 * The idea: the built command as a user runs it, for the demo cell and for a made-up one of
 * eight servo axes, on free ports in a temporary folder; memory as the kernel counts it, beside
 * that of a bare node process of the same run. It refuses to touch a running cell.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..", "..");
const cli = join(root, "dist", "services", "cli", "main.js");
const upLimitMs = 60_000;
/** Memory is read when the first garbage has been collected. */
const settleMs = 5_000;

interface Weight {
  readonly service: string;
  readonly rssMb: number;
  readonly pssMb: number;
}
interface Boot {
  readonly readyMs: number;
  readonly services: readonly Weight[];
}

export async function benchBoot(): Promise<object> {
  const bare = await weighBareNode();
  const demo = await boot("demo cell", demoCell);
  const eight = await boot("8 axes", eightAxes);
  const drivers = [...demo.services, ...eight.services].filter((one) =>
    one.service.startsWith("driver-"),
  );
  const mean = (pick: (weight: Weight) => number) =>
    round(drivers.reduce((sum, one) => sum + pick(one), 0) / Math.max(1, drivers.length));
  return {
    readyMsDemo: Math.round(demo.readyMs),
    readyMs8: Math.round(eight.readyMs),
    driverRssMb: mean((one) => one.rssMb),
    driverPssMb: mean((one) => one.pssMb),
    cellPssMb8: round(eight.services.reduce((sum, one) => sum + one.pssMb, 0)),
    bareNodeRssMb: bare.rssMb,
    bareNodePssMb: bare.pssMb,
  };
}

async function boot(title: string, make: (dir: string) => Promise<string>): Promise<Boot> {
  const dir = mkdtempSync(join(tmpdir(), "servocell-bench-"));
  const cell = await make(dir);
  const startedMs = performance.now();
  const child = spawn(process.execPath, [cli, "up", cell, "--data", join(dir, "data")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await saidUp(child);
    const readyMs = performance.now() - startedMs;
    say(`${title}: every service ready after ${(readyMs / 1000).toFixed(2)} s`);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const services = childrenOf(child.pid ?? 0).map(weigh);
    for (const { service, rssMb, pssMb } of services) {
      say(`  ${service.padEnd(14)} ${rssMb.toFixed(1).padStart(6)} MB RSS ${pssMb} MB PSS`);
    }
    return { readyMs, services };
  } finally {
    await end(child);
    rmSync(dir, { recursive: true, force: true });
  }
}

function saidUp(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const timer = setTimeout(() => reject(new Error("not up in a minute")), upLimitMs);
    child.stdout?.on("data", (part: Buffer) => {
      text += part.toString();
      if (!text.includes(" is up after ")) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was up`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const stat = read(`/proc/${entry}/stat`);
    const ppid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return ppid === parent ? [Number(entry)] : [];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended meanwhile.
    return "";
  }
}

function weigh(pid: number): Weight {
  const args = read(`/proc/${pid}/cmdline`).split("\0");
  const script = args.find((one) => one.endsWith("/main.js")) ?? "";
  const room = script.split("/").at(-2) ?? "?";
  const device = args[args.indexOf("--device") + 1];
  const service = room === "driver" ? `driver-${device}` : room;
  const kb = (path: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(read(path))?.[1] ?? 0);
  return {
    service,
    rssMb: round(kb(`/proc/${pid}/status`, "VmRSS") / 1024),
    pssMb: round(kb(`/proc/${pid}/smaps_rollup`, "Pss") / 1024),
  };
}

async function weighBareNode(): Promise<Weight> {
  const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore" });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const weight = weigh(child.pid ?? 0);
  await end(child);
  return weight;
}

async function demoCell(dir: string): Promise<string> {
  cpSync(join(root, "examples", "pick-and-place"), dir, { recursive: true });
  const ports = await freePorts(6);
  const file = join(dir, "cell.yaml");
  const names = [/\b15021\b/, /\b15022\b/, /\b15121\b/, /\b15122\b/, /\b18830\b/, /\b8080\b/];
  const text = names.reduce(
    (before, name, i) => before.replace(name, String(ports[i])),
    readFileSync(file, "utf8"),
  );
  writeFileSync(file, text);
  return file;
}

async function eightAxes(dir: string): Promise<string> {
  const [broker, gateway, ...buses] = await freePorts(4);
  const axis = "{ kind: linear, countsPerRev: 65536, pitch: 10 mm, travel: [0 mm, 500 mm], ";
  const limits = "velocityMax: 400 mm/s, accelerationMax: 2000 mm/s2, whenOff: stays }";
  const devices = Array.from({ length: 8 }, (_, i) => {
    const where = `bus: bus${i % 2}, unit: ${1 + Math.floor(i / 2)}`;
    return `  a${i + 1}: { profile: kinco/fd5p, ${where}, axis: ${axis}${limits} }`;
  });
  const lines = [
    "servocell: 1",
    "cell: { name: eight, prefix: bench }",
    "simulation: true",
    `brokerPort: ${broker}`,
    `gateway: { host: 127.0.0.1, port: ${gateway} }`,
    "buses:",
    ...buses.map((port, i) => `  bus${i}: { tcp: "127.0.0.1:${port}" }`),
    "devices:",
    ...devices,
  ];
  const file = join(dir, "cell.yaml");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  const listening = servers.map(
    (server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)),
  );
  await Promise.all(listening);
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
