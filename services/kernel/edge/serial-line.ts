/**
 * One serial line: its port opened and opened again, its requests one after another.
 *
 * The idea: a port that fails is closed at once and its stable path tried again until it is
 * there. The port itself and the waiting for a moment come from outside: in a thread of its own
 * they are a terminal and a sleep that ends in a spin (line-worker.ts), in a world both are
 * virtual. It refuses to hold requests: with no port they settle as not sent.
 */
import type { Ms } from "#drivers/reading.js";
import type { BusLink, UnitTiming } from "../config/cell.js";
import type { WireResult } from "../ports.js";
import { characterMs, frameSilenceMs } from "./line-timing.js";
import { RtuEncoder } from "./rtu-encoder.js";
import { type RtuExchange, type RtuLine, RtuMaster } from "./rtu-master.js";
import type { SerialDeviceOptions } from "./serial-device.js";

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

/** An open serial port. */
export interface BytePort {
  /** Whether every byte was taken; else the port is lost. */
  write(bytes: Uint8Array): boolean;
  /** Hands over what has come in while nobody looked. */
  poll(): void;
  /** Resolves when another may open the port. */
  close(): Promise<void>;
}

/** What a line needs of the machine that it runs on. */
export interface LinePorts {
  /** @throws Error when the port cannot be opened. */
  open(options: SerialDeviceOptions): Promise<BytePort>;
  /** Calls `then` at this moment, never before it, after a last look; returns what undoes it. */
  at(moment: Ms, look: () => void, then: () => void): () => void;
  /** Why the port could not be opened; for people. */
  reason(thrown: unknown, path: string): string;
}

/** First pause before the port is opened again; doubled up to the greatest one. */
const backoffMsMin: Ms = 100;
const backoffMsMax: Ms = 2000;
/** After a failed exchange the line stays silent so long beyond t3.5, for a late reply. */
const quietMs: Ms = 10;

export class SerialLine implements RtuLine {
  readonly #setup: LineSetup;
  readonly #ports: LinePorts;
  readonly #say: (message: FromLine) => void;
  readonly #encoder = new RtuEncoder();
  readonly #master: RtuMaster;
  readonly #characterMs: Ms;
  #device: BytePort | undefined;
  #work: Promise<void> = Promise.resolve();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #backoffMs: Ms = backoffMsMin;
  #closed = false;

  constructor(setup: LineSetup, ports: LinePorts, say: (message: FromLine) => void) {
    const { baud, format, echo } = setup.link;
    this.#setup = setup;
    this.#ports = ports;
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
    return this.#ports.at(moment, () => this.#device?.poll(), then);
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
      const device = await this.#ports.open({
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
      this.#say({ kind: "away", why: this.#ports.reason(thrown, path) });
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
