/**
 * From the HTTP request to the last stop frame on sixteen TCP drives.
 *
 * The idea: a whole cell as `servocell up` makes it, with sixteen simulated drives that are all
 * on the move, once with a process for each driver and once with all drivers in one; each stop is
 * timed from before the request is written to the moment at which the simulator has heard the last
 * drive's stop frame, both on the machine's monotonic clock, and is confirmed and reset before the
 * next. A bare loop (one process, HTTP in, sixteen frames out, nothing else) stands beside it. It
 * refuses to judge.
 */
import { rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import {
  type CellFolder,
  CellProcess,
  freePorts,
  makeCellFolder,
  monotonicMs,
  sleep,
} from "../fixtures/cell-process.js";
import { TapFile } from "../fixtures/tap-file.js";
import { Holder } from "./stop-holder.js";

const drives = 16;
/** Looked for so long: beyond it a drive counts as not reached. */
const lateMs = 2000;
/** The tap is not read while the frames are on their way: reading it costs the cores, too. */
const lookAfterMs = 60;
/** From ready to the first order. */
const settleMs = 2000;
const axes = Array.from({ length: drives }, (_, i) => `a${i + 1}`);

export interface TcpStops {
  /** One process for each driver. */
  readonly p99Ms: number;
  /** All drivers in one process. */
  readonly togetherP99Ms: number;
  readonly bareP99Ms: number;
  readonly startsAfterStop: number;
}

interface Timed {
  readonly times: readonly number[];
  readonly missing: number;
  readonly starts: number;
}

/** One stop: given, and made undone when it was timed. */
interface Trial {
  /** Resolves when the axes are as they shall be at the order. */
  readonly before: () => Promise<void>;
  /** Resolves with the answer. */
  readonly order: () => Promise<string>;
  readonly after: (answer: string) => Promise<void>;
}

/** Each driver in a process of its own, then all in one; a bare loop beside each. */
export async function tcpStops(stops: number, say: (line: string) => void): Promise<TcpStops> {
  const alone = await cellStops({ stops, together: false }, say);
  const together = await cellStops({ stops, together: true }, say);
  return {
    p99Ms: percentile(alone.times, 0.99),
    togetherP99Ms: percentile(together.times, 0.99),
    bareP99Ms: percentile([...alone.bare, ...together.bare], 0.99),
    startsAfterStop: alone.starts + together.starts,
  };
}

interface CellStops extends Timed {
  readonly bare: readonly number[];
}

async function cellStops(
  { stops, together }: { readonly stops: number; readonly together: boolean },
  say: (line: string) => void,
): Promise<CellStops> {
  const ports = await freePorts(drives);
  const folder = await makeCellFolder(() => "");
  const [gateway = 0, broker = 0] = await freePorts(2);
  writeFileSync(folder.cellFile, cellText({ ports, gateway, broker, together }));
  const own = { ...folder, api: `http://127.0.0.1:${gateway}/api/v1` };
  const cell = new CellProcess(own);
  const holder = new Holder(broker, "bench/sixteen", axes);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    await cell.ready(drives);
    await sleep(settleMs);
    await holder.lend();
    await holder.home();
    const ours = await timed(own, stops, {
      before: async () => {
        await holder.lend();
        await holder.move();
      },
      order: () => post(agent, gateway, { path: "/api/v1/stop", body: { kind: "stop" } }),
      after: async (answer) => {
        const id = String((JSON.parse(answer) as { id?: unknown }).id);
        await holder.confirmed(id);
        await post(agent, gateway, { path: "/api/v1/reset", body: { stops: [id] } });
      },
    });
    const how = together ? "16 drivers in one process" : "16 driver processes";
    tell(`servocell, ${how}, axes moving`, ours, say);
    await holder.lend();
    const bare = await bareLoop(ports);
    const theirs = await timed(own, stops, {
      before: async () => undefined,
      order: () => post(agent, bare.port, { path: "/", body: {} }),
      after: async () => undefined,
    });
    tell("a bare loop beside it, axes polled", theirs, say);
    bare.close();
    return { ...ours, bare: theirs.times };
  } finally {
    agent.destroy();
    await holder.close();
    await cell.close();
    rmSync(own.dir, { recursive: true, force: true });
  }
}

/** One order after the other, at random moments; the tap tells when the frames were heard. */
async function timed(folder: CellFolder, stops: number, trial: Trial): Promise<Timed> {
  const tap = new TapFile(folder.tapFile);
  tap.skip();
  const times: number[] = [];
  let missing = 0;
  let starts = 0;
  for (let i = 0; i < stops; i += 1) {
    await trial.before();
    await sleep(220 + 60 * Math.random());
    tap.skip();
    const heard = new Map<string, number>();
    const look = () => {
      for (const { device, pdu, tMs } of tap.take()) {
        if (pdu === undefined || tMs < atMs) continue;
        if (heard.has(device) && isStart(pdu)) starts += 1;
        if (isStop(pdu) && !heard.has(device)) heard.set(device, tMs);
      }
    };
    const atMs = monotonicMs();
    const answer = trial.order();
    await sleep(lookAfterMs);
    look();
    while (heard.size < drives && monotonicMs() < atMs + lateMs) {
      await sleep(10);
      look();
    }
    if (heard.size < drives) missing += 1;
    times.push(heard.size < drives ? lateMs : Math.max(...heard.values()) - atMs);
    // What a driver still has to send comes before its confirmation.
    await trial.after(await answer);
    look();
  }
  return { times, missing, starts };
}

function post(
  agent: http.Agent,
  port: number,
  { path, body }: { readonly path: string; readonly body: object },
): Promise<string> {
  const text = JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": text.length };
  const options = { agent, host: "127.0.0.1", port, method: "POST", path, headers };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (reply) => {
      let came = "";
      reply.setEncoding("utf8").on("data", (part: string) => {
        came += part;
      });
      reply.on("end", () => resolve(came));
    });
    request.on("error", reject);
    request.end(text);
  });
}

/** Halt, quick stop, shutdown: words that stop a CiA 402 drive [devices.md 1.2]. */
function isStop(pdu: string): boolean {
  if (!pdu.startsWith("063100")) return false;
  const word = Number.parseInt(pdu.slice(6, 10), 16);
  return (word & 0x0100) !== 0 || [0x0b, 0x06, 0x02, 0x07, 0x00].includes(word);
}

/** A rising set-point bit without halt. */
function isStart(pdu: string): boolean {
  if (!pdu.startsWith("063100")) return false;
  const word = Number.parseInt(pdu.slice(6, 10), 16);
  return (word & 0x10) !== 0 && (word & 0x0100) === 0;
}

function tell(what: string, { times, missing }: Timed, say: (line: string) => void): void {
  const at = (share: number) => `${percentile(times, share).toFixed(2)} ms`;
  const rest = missing === 0 ? "" : `; ${missing} stops did not reach all drives`;
  say(
    `tcp, 16 drives, ${times.length} stops, ${what}: p50 ${at(0.5)}, p99 ${at(0.99)}, ` +
      `longest ${at(1)}${rest}`,
  );
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** HTTP in, one stop frame to each drive out. */
async function bareLoop(ports: readonly number[]): Promise<{ port: number; close(): void }> {
  const sockets = ports.map((port) => net.connect({ host: "127.0.0.1", port, noDelay: true }));
  for (const socket of sockets) socket.resume();
  await Promise.all(sockets.map((s) => new Promise((resolve) => s.once("connect", resolve))));
  let transaction = 0;
  const server = http.createServer((request, reply) => {
    transaction = (transaction + 1) & 0xffff;
    const pdu = [6, 0x31, 0, 1, 0x0f];
    const frame = Uint8Array.of(transaction >> 8, transaction & 0xff, 0, 0, 0, 6, 1, ...pdu);
    for (const socket of sockets) socket.write(frame);
    request.resume();
    reply.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function cellText(ports: {
  readonly ports: readonly number[];
  readonly gateway: number;
  readonly broker: number;
  readonly together: boolean;
}): string {
  const axis = "{ kind: linear, countsPerRev: 65536, pitch: 10 mm, travel: [0 mm, 500 mm], ";
  const limits = "velocityMax: 400 mm/s, accelerationMax: 2000 mm/s2, whenOff: stays }";
  const numbers = Array.from({ length: drives }, (_, i) => i + 1);
  return `${[
    "servocell: 1",
    "cell: { name: sixteen, prefix: bench }",
    "simulation: true",
    `brokerPort: ${ports.broker}`,
    `gateway: { host: 127.0.0.1, port: ${ports.gateway} }`,
    ...(ports.together ? ["isolation: together"] : []),
    "buses:",
    ...ports.ports.map((port, i) => `  d${i + 1}: { tcp: "127.0.0.1:${port}" }`),
    "devices:",
    ...numbers.map(
      (i) => `  a${i}: { profile: kinco/fd5p, bus: d${i}, unit: 1, axis: ${axis}${limits} }`,
    ),
  ].join("\n")}\n`;
}
