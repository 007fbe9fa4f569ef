/**
 * The thread that owns one serial line.
 *
 * The idea: t3.5 is shorter than what Node's timers can wait, and any work on the same loop adds
 * to it; so the line has a thread that sleeps to within a few characters of the moment and spins
 * the rest. A port that fails is closed at once and its stable path tried again until it is
 * there. It refuses to hold requests: with no port they settle as not sent.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Ms } from "#drivers/reading.js";
import type { BusLink, UnitTiming } from "../config/cell.js";
import type { WireResult } from "../ports.js";
import { characterMs, frameSilenceMs } from "./line-timing.js";
import { RtuEncoder } from "./rtu-encoder.js";
import { type RtuExchange, type RtuLine, RtuMaster } from "./rtu-master.js";
import { SerialDevice } from "./serial-device.js";
import { holderOf } from "./serial-holder.js";

export interface LineSetup {
  readonly link: Extract<BusLink, { kind: "serial" }>;
  readonly units: readonly UnitTiming[];
}
export type ToLine =
  | { readonly kind: "exchange"; readonly id: number; readonly request: RtuExchange }
  | { readonly kind: "hurry" }
  | { readonly kind: "reopen" }
  | { readonly kind: "close" };
export type FromLine =
  | { readonly kind: "up" }
  | { readonly kind: "away"; readonly why: string }
  | { readonly kind: "noise"; readonly bytes: number; readonly echoMissing: boolean }
  | { readonly kind: "result"; readonly id: number; readonly result: WireResult };

/** First pause before the port is opened again; doubled up to the greatest one. */
const backoffMsMin: Ms = 100;
const backoffMsMax: Ms = 2000;
/** After a failed exchange the line stays silent so long beyond t3.5, for a late reply. */
const quietMs: Ms = 10;
/** What a timer can be late; the rest of a wait is slept through by the thread itself. */
const timerSlackMs: Ms = 2.2;
/** What a sleep can be late; the rest is spun. */
const sleepSlackMs: Ms = 0.25;
/** What a look at the port takes; it comes as late as it can, for bytes that came meanwhile. */
const pollSlackMs: Ms = 0.06;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

class Line implements RtuLine {
  readonly #setup: LineSetup;
  readonly #say: (message: FromLine) => void;
  readonly #encoder = new RtuEncoder();
  readonly #master: RtuMaster;
  readonly #characterMs: Ms;
  #device: SerialDevice | undefined;
  #work: Promise<void> = Promise.resolve();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #backoffMs: Ms = backoffMsMin;
  #closed = false;

  constructor(setup: LineSetup, say: (message: FromLine) => void) {
    const { baud, format, echo } = setup.link;
    this.#setup = setup;
    this.#say = say;
    this.#characterMs = characterMs(baud, format);
    this.#master = new RtuMaster({
      line: this,
      units: setup.units,
      frameSilenceMs: frameSilenceMs(baud, format),
      quietMs,
      echo,
      onNoise: (bytes, echoMissing) => say({ kind: "noise", bytes, echoMissing }),
    });
    this.#then(() => this.#open());
  }

  async handle(message: ToLine): Promise<void> {
    switch (message.kind) {
      case "exchange": {
        const { id, request } = message;
        const down: WireResult = { kind: "notSent", why: "link-down" };
        const up = this.#device !== undefined;
        const result = up ? await this.#master.exchange(request) : down;
        return this.#say({ kind: "result", id, result });
      }
      case "hurry":
        return this.#master.hurry();
      case "reopen":
        this.#backoffMs = backoffMsMin;
        if (this.#device !== undefined) return this.#lost("it is opened anew");
        if (this.#retry !== undefined) this.#openIn(0);
        return;
      case "close":
        this.#closed = true;
        clearTimeout(this.#retry);
        if (this.#device !== undefined) this.#lost("closed by us");
        return this.#work;
      default:
        message satisfies never;
    }
  }

  encode(unit: number, pdu: Uint8Array): Uint8Array | undefined {
    return this.#encoder.encode(unit, pdu);
  }

  send(frame: Uint8Array): Ms | undefined {
    if (this.#device?.write(frame) !== true) return undefined;
    return performance.now() + frame.length * this.#characterMs;
  }

  at(moment: Ms, then: () => void): () => void {
    const wake = () => {
      sleepUntil(moment - sleepSlackMs);
      spinUntil(moment - pollSlackMs);
      this.#device?.poll();
      spinUntil(moment);
      then();
    };
    const leftMs = moment - performance.now();
    if (leftMs <= timerSlackMs) {
      wake();
      return () => undefined;
    }
    const timer = setTimeout(wake, Math.floor(leftMs - timerSlackMs));
    return () => clearTimeout(timer);
  }

  /** Opening and closing, one after another: a port is never opened before it is closed. */
  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((thrown: unknown) => {
      this.#say({ kind: "away", why: String(thrown) });
    });
  }

  async #open(): Promise<void> {
    if (this.#closed || this.#device !== undefined) return;
    const { path, baud, format } = this.#setup.link;
    try {
      const device = await SerialDevice.open({
        path,
        baud,
        format,
        onBytes: (bytes) => this.#master.received(bytes),
        onLost: (why) => {
          if (this.#device === device) this.#lost(why);
        },
      });
      if (this.#closed) return await device.close();
      this.#device = device;
      this.#backoffMs = backoffMsMin;
      this.#say({ kind: "up" });
    } catch (thrown) {
      this.#say({ kind: "away", why: reason(thrown, path) });
      this.#openIn(this.#nextBackoff());
    }
  }

  #lost(why: string): void {
    const device = this.#device;
    this.#device = undefined;
    this.#say({ kind: "away", why });
    this.#master.lost();
    if (device !== undefined) this.#then(() => device.close());
    this.#openIn(0);
  }

  #openIn(pauseMs: Ms): void {
    clearTimeout(this.#retry);
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#then(() => this.#open());
    }, pauseMs);
  }

  #nextBackoff(): Ms {
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * pauseMs, backoffMsMax);
    return pauseMs;
  }
}

function sleepUntil(moment: Ms): void {
  const leftMs = moment - performance.now();
  if (leftMs > 0) Atomics.wait(sleeper, 0, 0, leftMs);
}

function spinUntil(moment: Ms): void {
  while (performance.now() < moment);
}

function reason(thrown: unknown, path: string): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (!/cannot lock port|resource busy/i.test(text)) return text;
  return `the port is in use by ${holderOf(path) ?? "another process"}`;
}

if (parentPort !== null) {
  const port = parentPort;
  const line = new Line(workerData as LineSetup, (message) => port.postMessage(message));
  port.on("message", (message: ToLine) => {
    void line.handle(message).then(() => {
      if (message.kind === "close") port.close();
    });
  });
}
