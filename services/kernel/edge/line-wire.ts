/**
 * The wire to one serial line; the line itself has a thread (`line-worker.js` beside this file).
 *
 * The idea: the bus service asks here and the thread keeps the times. The line is claimed by its
 * real path, so one physical line has one owner. Requests given while one is out wait in order,
 * a few at most. It refuses to send later what was asked for while the port was away, and to live
 * on without its thread.
 *
 * When this runs from TypeScript source (the tests), the thread comes from the build in `dist/`.
 */
import { Worker } from "node:worker_threads";
import type { Ms } from "#drivers/reading.js";
import type { BusLink, UnitTiming } from "../config/cell.js";
import { ServocellError } from "../errors.js";
import type { ExchangeHow, Log, Wire, WireResult } from "../ports.js";
import { claimLine } from "./line-claims.js";
import { AwayLog, NoiseLog } from "./rtu-log.js";
import type { RtuExchange } from "./rtu-master.js";
import type { FromLine, LineSetup, ToLine } from "./serial-line.js";

/** Requests that may wait behind the one on the line. */
export const lineQueueMax = 4;
/** Bound of `close`; then the thread is ended. */
const closeMaxMs: Ms = 3000;
const workerLimits = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

/** Where the line runs: a thread, or what stands for one. */
export interface LineThread {
  tell(message: ToLine): void;
  /** Ends it at once. */
  end(): void;
}

/** What a thread says: a message, why it failed, and that it is over. */
export interface LineEars {
  heard(message: FromLine): void;
  failed(why: string): void;
  over(): void;
}

export type StartLine = (setup: LineSetup, ears: LineEars) => LineThread;

export interface LineWireOptions {
  readonly link: Extract<BusLink, { kind: "serial" }>;
  readonly units: readonly UnitTiming[];
  readonly log: Log;
  /** @default a thread of its own */
  readonly start?: StartLine;
  /** Takes the line; returns what gives it back. @default one owner a line in this process */
  readonly claim?: (path: string) => () => void;
}

/** Opens at once and again for ever. @throws VALIDATION_FAILED when the line has an owner. */
export function openLineWire(options: LineWireOptions): Wire {
  return new LineWire(options, (options.claim ?? claimLine)(options.link.path));
}

interface Asked {
  readonly request: RtuExchange;
  readonly settle: (result: WireResult) => void;
}

class LineWire implements Wire {
  readonly #thread: LineThread;
  readonly #ended: Promise<void>;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  readonly #waiting: Asked[] = [];
  readonly #away: AwayLog;
  readonly #noise: NoiseLog;
  #out: (Asked & { readonly id: number }) | undefined;
  #connected = false;
  #closed = false;
  #ids = 0;

  constructor({ link, units, log, start }: LineWireOptions, release: () => void) {
    const { path, baud, format } = link;
    this.#away = new AwayLog(log, { path, baud, format }, "the serial line");
    this.#noise = new NoiseLog(log, { path });
    let end: () => void = () => undefined;
    this.#ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#thread = (start ?? startThread)(
      { link, units },
      {
        heard: (message) => this.#heard(message),
        failed: (why) => log.error({ path, why }, "the thread of the serial line failed"),
        over: () => {
          this.#down();
          release();
          end();
          if (!this.#closed) throw new ServocellError("INTERNAL", deadThread(path), { path });
        },
      },
    );
  }

  get connected(): boolean {
    return this.#connected;
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  exchange(unit: number, pdu: Uint8Array, how: ExchangeHow): Promise<WireResult> {
    if (!this.#connected) return Promise.resolve({ kind: "notSent", why: "link-down" });
    if (this.#waiting.length >= lineQueueMax) {
      return Promise.resolve({ kind: "notSent", why: "not-sent" });
    }
    return new Promise((settle) => {
      this.#waiting.push({ request: { unit, pdu, ...how }, settle });
      this.#next();
    });
  }

  hurry(): void {
    this.#tell({ kind: "hurry" });
  }

  reconnect(): void {
    this.#tell({ kind: "reopen" });
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#tell({ kind: "close" });
      this.#closed = true;
    }
    const limit = setTimeout(() => this.#thread.end(), closeMaxMs);
    await this.#ended;
    clearTimeout(limit);
  }

  #tell(message: ToLine): void {
    if (!this.#closed) this.#thread.tell(message);
  }

  #next(): void {
    if (this.#out !== undefined || !this.#connected) return;
    const asked = this.#waiting.shift();
    if (asked === undefined) return;
    this.#ids += 1;
    this.#out = { ...asked, id: this.#ids };
    this.#tell({ kind: "exchange", id: this.#ids, request: asked.request });
  }

  #heard(message: FromLine): void {
    switch (message.kind) {
      case "up":
        if (this.#closed) return;
        this.#away.up();
        this.#change(true);
        return;
      case "away":
        if (!this.#closed) this.#away.away(message.why);
        this.#down();
        return;
      case "noise":
        this.#noise.heard(message.bytes, message.echoMissing);
        return;
      case "result": {
        const out = this.#out;
        if (out?.id !== message.id) return;
        this.#out = undefined;
        out.settle(message.result);
        this.#next();
        return;
      }
      default:
        message satisfies never;
    }
  }

  /** Nothing that waits is sent later; what is out nobody knows. */
  #down(): void {
    const out = this.#out;
    this.#out = undefined;
    out?.settle({ kind: "noReply", why: "link-down" });
    for (const { settle } of this.#waiting.splice(0)) {
      settle({ kind: "notSent", why: "link-down" });
    }
    this.#change(false);
  }

  #change(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }
}

/**
 * Nobody could stop anything on the line any more, and the thread has taken the port's lock with
 * it: only a new process has the line again.
 */
function deadThread(path: string): string {
  return `The thread of the serial line ${path} has ended; the process has to start anew.`;
}

function startThread(setup: LineSetup, ears: LineEars): LineThread {
  const worker = new Worker(workerUrl(), {
    workerData: setup,
    resourceLimits: workerLimits,
    execArgv: [],
  });
  worker.on("message", (message: FromLine) => ears.heard(message));
  worker.on("error", (error) => ears.failed(error.message));
  worker.on("exit", () => ears.over());
  return {
    tell: (message) => worker.postMessage(message),
    end: () => void worker.terminate(),
  };
}

function workerUrl(): URL {
  return import.meta.url.endsWith(".ts")
    ? new URL("../../../dist/services/kernel/edge/line-worker.js", import.meta.url)
    : new URL("./line-worker.js", import.meta.url);
}
