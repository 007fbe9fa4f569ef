/**
 * A serial line with simulated devices on it, at a pseudo-terminal.
 *
 * The idea: a thread keeps the wire's time (line-worker.ts), the devices live here, with those of
 * the other buses. Every unit hears every frame; the one that is asked answers after its own
 * turnaround, absent ones are silent, and unit 0 is heard by all and answered by none [MODBUS
 * serial 2.1]. It refuses to pretend a real port: the path must not be a device.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { spoilt } from "./fault-book.js";
import { type BusFaultName, type FaultValue, numberOf } from "./faults.js";
import {
  type CounterName,
  counter,
  counterNames,
  type FromLine,
  type LineSetup,
  type ToLine,
} from "./line-messages.js";
import type { SimDevice } from "./modbus-device.js";
import { SimProblem } from "./problem.js";
import { type LineFormat, rtuFrame, silenceMs } from "./rtu.js";
import { hex, monotonicMs, type Tap } from "./tap.js";

export interface SimLine {
  readonly bus: string;
  readonly path: string;
  readonly baud: number;
  readonly format: LineFormat;
  readonly echo: boolean;
  readonly rateMatters: boolean;
  readonly devices: readonly SimDevice[];
}

export type LineView = Readonly<Record<CounterName, number>> & {
  readonly path: string;
  readonly baud: number;
  readonly plugged: boolean;
  /** The pseudo-terminal behind the path. */
  readonly pts: string;
  /** Requests heard, by unit. */
  readonly units: Readonly<Record<number, number>>;
};

/** A device that says nothing of its pace answers after this, or t3.5 where that is longer. */
const turnaroundUsualMs = 2;
const masterGoneMs = 1_000;
const openLimitMs = 5_000;
const workerLimits = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

function workerUrl(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL("../dist/simulators/line-worker.js", import.meta.url)
    : new URL("./line-worker.js", import.meta.url);
}

export class LineServer {
  readonly #line: SimLine;
  readonly #devices: ReadonlyMap<number, SimDevice>;
  readonly #tap: Tap;
  readonly #touched: () => void;
  readonly #counts: Float64Array;
  readonly #units: Record<number, number> = {};
  #worker: Worker | undefined;
  #pts = "";
  #heardMs = Number.NEGATIVE_INFINITY;
  #plugged = false;
  #replug: NodeJS.Timeout | undefined;
  #ready: () => void = () => {};

  constructor(line: SimLine, tap: Tap, touched: () => void) {
    this.#line = line;
    this.#devices = new Map(line.devices.map((device) => [device.unit, device]));
    this.#tap = tap;
    this.#touched = touched;
    const size = Float64Array.BYTES_PER_ELEMENT * counterNames.length;
    this.#counts = new Float64Array(new SharedArrayBuffer(size));
    this.#counts[counter("shortestGapMs")] = Number.POSITIVE_INFINITY;
  }

  /** Resolves when the terminal stands. @throws SimProblem */
  async open(): Promise<void> {
    refuseDevice(this.#line.path);
    const { path, baud, format, echo, devices, rateMatters } = this.#line;
    const silences = Object.fromEntries(devices.map((one) => [one.unit, one.silenceMs(baud)]));
    const counts = this.#counts.buffer as SharedArrayBuffer;
    const workerData: LineSetup = { path, baud, format, echo, silences, counts, rateMatters };
    const worker = new Worker(workerUrl(), {
      workerData,
      resourceLimits: workerLimits,
      execArgv: [],
      // The terminal is opened by native code and closed by the thread itself.
      trackUnmanagedFds: false,
    });
    this.#worker = worker;
    worker.on("message", (message: FromLine) => this.#hear(message));
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new SimProblem(`Line ${path} cannot be made: ${why}.`));
      const timer = setTimeout(() => fail("its thread does not answer"), openLimitMs);
      worker.once("error", (problem: Error) => fail(problem.message));
      this.#ready = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    worker.on("error", () => {
      this.#plugged = false;
    });
  }

  /** A line has no connections; a master is there while it asks. */
  get clients(): number {
    return monotonicMs() - this.#heardMs < masterGoneMs ? 1 : 0;
  }

  setFault(name: BusFaultName, value: FaultValue | undefined): void {
    switch (name) {
      case "echo":
        this.#say({ kind: "echo", on: true });
        return;
      case "unplug": {
        const backMs = value === undefined ? undefined : numberOf(name, value, 0);
        this.#plugged = false;
        this.#say({ kind: "unplug" });
        if (backMs === undefined) return;
        clearTimeout(this.#replug);
        this.#replug = setTimeout(() => this.#say({ kind: "plug" }), backMs);
        return;
      }
      case "replug":
        this.#say({ kind: "plug" });
        return;
      case "max-clients":
      case "half-open":
        throw new SimProblem(`${name} is a fault of TCP; bus ${this.#line.bus} is a serial line.`);
      default:
        name satisfies never;
    }
  }

  clear(): void {
    this.#say({ kind: "echo", on: false });
    this.#say({ kind: "plug" });
  }

  view(): LineView {
    const counts = Object.fromEntries(
      counterNames.map((name, i) => [name, this.#counts[i] ?? 0]),
    ) as Record<CounterName, number>;
    if (!Number.isFinite(counts.shortestGapMs)) counts.shortestGapMs = 0;
    const { path, baud } = this.#line;
    const units = { ...this.#units };
    return { ...counts, path, baud, plugged: this.#plugged, pts: this.#pts, units };
  }

  async close(): Promise<void> {
    clearTimeout(this.#replug);
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    worker.postMessage({ kind: "close" } satisfies ToLine);
    const timer = setTimeout(() => void worker.terminate(), 1_000);
    await ended;
    clearTimeout(timer);
  }

  #say(message: ToLine): void {
    this.#worker?.postMessage(message);
  }

  #hear(message: FromLine): void {
    const { bus } = this.#line;
    switch (message.kind) {
      case "plugged":
        this.#plugged = true;
        this.#pts = message.pts;
        this.#ready();
        return;
      case "unplugged":
        this.#plugged = false;
        return;
      case "noise":
        this.#tap.line({ tMs: message.tMs, bus, what: "noise", text: message.text });
        return;
      case "violation": {
        const gap = message.gapMs.toFixed(3);
        const text = `${gap} ms of silence, ${message.neededMs.toFixed(3)} are due`;
        this.#tap.line({ tMs: message.tMs, bus, what: "violation", text });
        return;
      }
      case "request":
        this.#request(message);
        this.#touched();
        return;
      default:
        message satisfies never;
    }
  }

  #request(heard: Extract<FromLine, { kind: "request" }>): void {
    const { unit, pdu, endMs } = heard;
    const { bus } = this.#line;
    this.#heardMs = endMs;
    this.#units[unit] = (this.#units[unit] ?? 0) + 1;
    const common = { tMs: endMs, bus, unit, pdu: hex(pdu) };
    if (unit === 0) {
      for (const device of this.#line.devices) device.broadcast(pdu, endMs);
      this.#tap.frame({ ...common, note: "broadcast" });
      return;
    }
    const device = this.#devices.get(unit);
    if (device === undefined) {
      this.#tap.frame({ ...common, note: "no such unit" });
      return;
    }
    const reply = device.answer(pdu, endMs);
    const note = reply === undefined ? "no reply" : reply.notes.join(", ");
    this.#tap.frame({
      ...common,
      device: device.id,
      ...(reply === undefined ? {} : { reply: hex(reply.pdu) }),
      ...(note === "" ? {} : { note }),
    });
    if (reply === undefined) return;
    const turnaround = device.turnaroundMs ?? Math.max(turnaroundUsualMs, this.#silence);
    const bytes = spoilt(rtuFrame(reply.unit, reply.pdu), reply);
    this.#say({ kind: "reply", bytes, dueMs: endMs + turnaround + reply.delayMs });
  }

  get #silence(): number {
    return silenceMs(this.#line.baud, this.#line.format);
  }
}

/** What stands at the path may be a real port; only links of ours are replaced. */
function refuseDevice(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isSymbolicLink() && readlinkSync(path).startsWith("/dev/pts/")) return;
  throw new SimProblem(`${path} is there already and is not ours; it is left alone.`);
}
