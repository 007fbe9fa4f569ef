/**
 * A dead unit behind a gateway: what the others lose, and what becomes of 120 writes.
 *
 * The idea: one half-duplex queue behind a Modbus TCP port, 8 ms a transaction, counts polls and
 * writes at the device side; the same gateway serves the bus process and, where it can be
 * installed, Node-RED with node-red-contrib-modbus. Writes keep their beat and wait for nobody.
 * It refuses to count at the clients, except what they were told.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import type { FieldLink, Log } from "#kernel/ports.js";
import { NodeRed } from "./line-peer.js";
import { end, ready, sleep, unitsAll, until } from "./line-rig.js";

const transactionMs = 8;
const holdMs = 500;
const deadUnit = 3;
const pollMs = 200;
const writeMs = 250;
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

interface Bench {
  readonly quick: boolean;
  say(line: string): void;
}

/** One thing at a time, as behind a gateway's single RS-485 port. */
class Gateway {
  readonly polls = new Map<number, number>();
  readonly writes = new Set<number>();
  deadAsked = 0;
  deadMs = 0;
  dead = false;
  hold = transactionMs;
  readonly #server = net.createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<net.Socket>();
  readonly #queue: { readonly socket: net.Socket; readonly frame: Buffer }[] = [];
  #busy = false;

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        resolve((this.#server.address() as net.AddressInfo).port);
      });
    });
  }

  reset(): void {
    this.polls.clear();
    this.writes.clear();
    this.deadAsked = 0;
    this.deadMs = 0;
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: net.Socket): void {
    let bytes = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      while (bytes.length >= 8 && bytes.length >= 6 + bytes.readUInt16BE(4)) {
        const length = 6 + bytes.readUInt16BE(4);
        this.#queue.push({ socket, frame: bytes.subarray(0, length) });
        bytes = bytes.subarray(length);
      }
      this.#next();
    });
  }

  #next(): void {
    const job = this.#busy ? undefined : this.#queue.shift();
    if (job === undefined) return;
    this.#busy = true;
    const unit = job.frame[6] ?? 0;
    const dead = this.dead && unit === deadUnit;
    const tookMs = dead ? this.hold : transactionMs;
    setTimeout(() => {
      this.#busy = false;
      if (dead) {
        this.deadAsked += 1;
        this.deadMs += tookMs;
      } else if (job.socket.writable) job.socket.write(this.#reply(job.frame, unit));
      this.#next();
    }, tookMs);
  }

  #reply(frame: Buffer, unit: number): Buffer {
    const fc = frame[7] ?? 0;
    if (fc === 6) this.writes.add(frame.readUInt16BE(10));
    else this.polls.set(unit, (this.polls.get(unit) ?? 0) + 1);
    const bytes = 2 * frame.readUInt16BE(10);
    const pdu =
      fc === 6 ? frame.subarray(7, 12) : Buffer.concat([Buffer.of(fc, bytes), Buffer.alloc(bytes)]);
    const head = Buffer.from(frame.subarray(0, 7));
    head.writeUInt16BE(pdu.length + 1, 4);
    return Buffer.concat([head, pdu]);
  }
}

/** What is asked of either system. */
interface Master {
  start(port: number): Promise<void>;
  /** True: done and said so; false: refused with a reason; undefined: nothing was said. */
  write(value: number): Promise<boolean | undefined>;
  close(): Promise<void>;
}

export async function benchGateway({ quick, say }: Bench): Promise<object> {
  const seconds = quick ? 2 : 15;
  const writes = quick ? 8 : 120;
  say(`a gateway, ${transactionMs} ms a transaction, 8 units every ${pollMs} ms, unit 3 dies`);
  const how = { seconds, writes, warmMs: quick ? 1_500 : 12_000, say };
  const ours = await judge("servocell", new BusMaster(), how);
  const peer = quick ? undefined : await NodeRed.installed(say);
  if (peer !== undefined) await judge("Node-RED, contrib-modbus", peer, how);
  return {
    healthyRateShare: round(ours.shares[0]),
    probeShare: round(ours.probes[0]),
    // The gateway itself holds its port for a unit that is dead: longer than anybody waits for it.
    healthyRateShareHeld: round(ours.shares[1]),
    probeShareHeld: round(ours.probes[1]),
    writesAsked: writes,
    writesConfirmed: ours.confirmed,
    writesRefused: ours.refused,
    writesReached: ours.reached,
  };
}

interface How {
  readonly seconds: number;
  readonly writes: number;
  readonly warmMs: number;
  readonly say: (line: string) => void;
}

async function judge(name: string, master: Master, { seconds, writes, warmMs, say }: How) {
  const gateway = new Gateway();
  const port = await gateway.listen();
  const rates = async () => {
    await sleep(warmMs);
    gateway.reset();
    await sleep(seconds * 1000);
    const living = unitsAll.filter((unit) => unit !== deadUnit);
    return living.map((unit) => (gateway.polls.get(unit) ?? 0) / seconds);
  };
  try {
    await master.start(port);
    const before = least(await rates());
    const shares: number[] = [];
    const probes: number[] = [];
    for (const hold of [transactionMs, holdMs]) {
      gateway.dead = true;
      gateway.hold = hold;
      const rate = least(await rates());
      shares.push(rate / before);
      probes.push(gateway.deadMs / (seconds * 1000));
      const wire = ((gateway.deadMs / (seconds * 1000)) * 100).toFixed(1);
      say(
        `  ${name}: the slowest living unit ${before.toFixed(2)} → ${rate.toFixed(2)} polls/s, ` +
          `${gateway.deadAsked} probes of ${hold} ms, ${wire} % of the wire`,
      );
    }
    gateway.hold = transactionMs;
    gateway.reset();
    const told = await writeAll(master, writes);
    const reached = gateway.writes.size;
    const silent = writes - told.confirmed - told.refused;
    say(
      `  ${name}: ${writes} writes with the dead unit: ${reached} reached the wire, ` +
        `${told.confirmed} confirmed, ${told.refused} refused, ${silent} without an answer, ` +
        `half within ${told.p50.toFixed(1)} ms, all within ${told.max.toFixed(1)} ms`,
    );
    return { shares, probes, reached, ...told };
  } finally {
    await master.close();
    await gateway.close();
  }
}

/** Open loop: a beat that waits for no answer. */
async function writeAll(master: Master, count: number) {
  const times: number[] = [];
  let confirmed = 0;
  let refused = 0;
  const one = async (value: number) => {
    const atMs = performance.now();
    const done = await master.write(value);
    if (done === true) {
      confirmed += 1;
      times.push(performance.now() - atMs);
    } else if (done === false) refused += 1;
  };
  const all: Promise<void>[] = [];
  for (let value = 1; value <= count; value += 1) {
    all.push(one(value));
    await sleep(writeMs);
  }
  await Promise.all(all);
  times.sort((a, b) => a - b);
  const p50 = times[times.length >> 1] ?? Number.NaN;
  return { confirmed, refused, p50, max: times.at(-1) ?? Number.NaN };
}

function round(value: number | undefined): number {
  return Math.round(1000 * (value ?? Number.NaN)) / 1000;
}

function least(values: readonly number[]): number {
  return Math.min(...values);
}

/** The bus process, asked through the lanes as eight drivers do. */
class BusMaster implements Master {
  readonly #dir = mkdtempSync(join(tmpdir(), "servocell-bench-"));
  readonly #links = new Map<number, FieldLink>();
  readonly #timers: NodeJS.Timeout[] = [];
  #bus: ChildProcess | undefined;

  async start(port: number): Promise<void> {
    const runDir = join(this.#dir, "run");
    const cell = join(this.#dir, "cell.yaml");
    mkdirSync(runDir, { mode: 0o700 });
    writeFileSync(cell, cellText(port));
    const args = ["--cell", cell, "--data", join(this.#dir, "data"), "--log", "error"];
    this.#bus = await ready("dist/services/bus/main.js", args, { SERVOCELL_RUN_DIR: runDir });
    for (const unit of unitsAll) {
      const link = openFieldLink({ runDir, bus: "gw", unit, device: `a${unit}`, log: quiet });
      this.#links.set(unit, link);
      await until(() => link.connected);
      this.#poll(link);
    }
  }

  #poll(link: FieldLink): void {
    let out = false;
    const ask = async () => {
      if (out) return;
      out = true;
      await link.exchange("poll", Uint8Array.of(3, 0, 0, 0, 10));
      out = false;
    };
    this.#timers.push(setInterval(() => void ask(), pollMs));
    this.#timers.push(
      setInterval(() => link.pulse({ still: true, connectedDevice: true }), pollMs / 2),
    );
  }

  async write(value: number): Promise<boolean | undefined> {
    const pdu = Uint8Array.of(6, 0, 5, value >> 8, value & 0xff);
    const done = await this.#links.get(1)?.exchange("command", pdu);
    return done?.kind === "reply" && done.pdu.every((byte, i) => byte === pdu[i]);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#links.values()].map((link) => link.close()));
    await end(this.#bus);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function cellText(port: number): string {
  const axis = "{ unit: percent, velocityMax: 100 %, accelerationMax: 100 %/s, whenOff: coasts }";
  const devices = unitsAll.map((unit) => {
    const what = `profile: abb/drives-profile, bus: gw, unit: ${unit}, axis: ${axis}`;
    const polls = "poll: { fast: 500 ms, idle: 2 s, slow: 30 s }";
    return `  a${unit}: { ${what}, ${polls}, acceptNoWatchdog: nothing turns in a benchmark }`;
  });
  const lines = [
    "servocell: 1",
    "cell: { name: line, prefix: bench }",
    "brokerPort: 1",
    "gateway: { host: 127.0.0.1, port: 2 }",
    `buses: { gw: { tcp: "127.0.0.1:${port}" } }`,
    "devices:",
    ...devices,
  ];
  return `${lines.join("\n")}\n`;
}
