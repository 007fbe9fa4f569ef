/**
 * The wire to one device endpoint over Modbus TCP, through modbus-serial.
 *
 * The idea: the library encodes requests and keeps the table of transactions; what it is lenient
 * about is decided here. A reply counts when transaction, unit, function, byte count and echo
 * match; a frame of another transaction or unit is dropped and the wait goes on. Every exchange
 * settles by its own deadline, and a lost connection settles all of them. It refuses to queue:
 * without a connection nothing is sent, and nothing is sent later.
 */
import modbusSerial from "modbus-serial";
import { exceptionNeverSent, exceptionNoValidReply, matchReply } from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";
import type { Log, Wire, WireResult } from "#kernel/ports.js";
import type { OpenSocket } from "./byte-socket.js";
import type { MbapFrame } from "./mbap.js";
import { type MbapAddress, MbapPort } from "./mbap-port.js";
import { type FrameCalls, sendByFunction } from "./modbus-calls.js";

/** First pause before a new connection; doubled up to the greatest one. */
export const backoffMsMin: Ms = 100;
export const backoffMsMax: Ms = 2000;
/** An endpoint that brings nothing for so long while requests time out is taken for dead. */
const deafMs: Ms = 1000;
const deafRequests = 3;
/** While an endpoint stays away it is said again after this time. */
const remindMs: Ms = 60_000;

export type ModbusWireOptions = MbapAddress & {
  readonly log: Log;
  /** @default a TCP connection */
  readonly open?: OpenSocket;
};

/** What is used of modbus-serial; `_transactions` is its private table, see `#finish`. */
interface Library extends FrameCalls {
  isDebugEnabled: boolean;
  readonly _transactions: { [transaction: number]: unknown };
  open(done: (error?: Error) => void): void;
}

interface Pending {
  readonly unit: number;
  readonly request: Uint8Array;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly settle: (result: WireResult) => void;
  /** A reply under this transaction came from another unit. */
  stranger: boolean;
}

/** Connects at once and again for ever; `connected` says whether it stands now. */
export function openModbusWire(options: ModbusWireOptions): Wire {
  return new ModbusWire(options);
}

class ModbusWire implements Wire {
  readonly #options: ModbusWireOptions;
  readonly #address: MbapAddress;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  readonly #lateListeners: ((unit: number) => void)[] = [];
  readonly #pending = new Map<number, Pending>();
  #port: MbapPort | undefined;
  #library: Library | undefined;
  #connected = false;
  #closed = false;
  #transaction = 0;
  #backoffMs: Ms = backoffMsMin;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #saidAwayAtMs: Ms | undefined;
  #heardAtMs: Ms = 0;
  #timeouts = 0;
  #lateFrames = 0;
  #saidLate = false;

  constructor(options: ModbusWireOptions) {
    this.#options = options;
    const { log: _log, open: _open, ...address } = options;
    this.#address = address;
    this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  onLate(listener: (unit: number) => void): void {
    this.#lateListeners.push(listener);
  }

  exchange(unit: number, pdu: Uint8Array, how: { readonly timeoutMs: Ms }): Promise<WireResult> {
    const port = this.#port;
    const library = this.#library;
    if (!this.#connected || port === undefined || library === undefined) {
      return Promise.resolve({ kind: "notSent", why: "link-down" });
    }
    const id = this.#freeTransaction();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#timedOut(id), how.timeoutMs);
      const pending = { unit, request: pdu, timer, settle: resolve, stranger: false };
      this.#pending.set(id, pending);
      const done = (raw: Uint8Array | undefined) => this.#answered(id, raw);
      const call = () => sendByFunction(library, unit, pdu, done);
      if (!port.sending(id, unit, pdu, call)) {
        this.#finish(id, { kind: "notSent", why: "invalid-value" });
      }
    });
  }

  reconnect(): void {
    if (this.#closed) return;
    this.#backoffMs = backoffMsMin;
    if (this.#connected) {
      this.#lost("a new connection was asked for");
      this.#retryIn(0);
    } else if (this.#retry !== undefined) {
      this.#retryIn(0);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#connected) this.#lost("closed by us");
    this.#port?.close();
  }

  #connect(): void {
    this.#retry = undefined;
    const accept = (frame: MbapFrame) => this.#accept(port, frame);
    const port = new MbapPort({ address: this.#address, accept, open: this.#options.open });
    const library = new modbusSerial.default(port) as unknown as Library;
    // In this mode the library hands over the raw frames beside its own reading of them.
    library.isDebugEnabled = true;
    this.#port = port;
    this.#library = library;
    port.on("close", () => {
      if (this.#port === port && this.#connected) {
        this.#lost(port.why);
        this.#retryIn(this.#nextBackoff());
      }
    });
    library.open((error) => {
      if (this.#closed || this.#port !== port) {
        port.close();
      } else if (error) {
        this.#sayAway(error.message);
        this.#retryIn(this.#nextBackoff());
      } else {
        this.#stands();
      }
    });
  }

  #stands(): void {
    const { log } = this.#options;
    this.#saidAwayAtMs = undefined;
    this.#heardAtMs = performance.now();
    this.#timeouts = 0;
    this.#lateFrames = 0;
    this.#saidLate = false;
    log.info({ ...this.#address }, "connected to the endpoint");
    this.#change(true);
  }

  #lost(why: string): void {
    const port = this.#port;
    this.#port = undefined;
    this.#library = undefined;
    this.#sayAway(why);
    this.#change(false);
    for (const id of [...this.#pending.keys()]) {
      this.#finish(id, { kind: "noReply", why: "link-down" });
    }
    port?.close();
  }

  #change(connected: boolean): void {
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }

  #retryIn(pauseMs: Ms): void {
    clearTimeout(this.#retry);
    if (!this.#closed) this.#retry = setTimeout(() => this.#connect(), pauseMs);
  }

  #nextBackoff(): Ms {
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * pauseMs, backoffMsMax);
    return pauseMs;
  }

  /** Once when it goes, then once a minute: a device may be away for days. */
  #sayAway(why: string): void {
    const nowMs = performance.now();
    if (this.#closed) return;
    if (this.#saidAwayAtMs !== undefined && nowMs - this.#saidAwayAtMs < remindMs) return;
    this.#saidAwayAtMs = nowMs;
    const { log } = this.#options;
    log.warn({ ...this.#address, why }, "no connection to the endpoint; trying again");
  }

  #freeTransaction(): number {
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#pending.has(this.#transaction));
    return this.#transaction;
  }

  /** Whether a frame belongs to an open request; else it is dropped and the wait goes on. */
  #accept(port: MbapPort, frame: MbapFrame): boolean {
    if (port !== this.#port) return false;
    this.#heardAtMs = performance.now();
    this.#timeouts = 0;
    const pending = this.#pending.get(frame.transaction);
    if (pending === undefined) {
      this.#lateFrames += 1;
      // A gateway that says so late has looked for the unit in vain.
      const own = frame.pdu[1] !== exceptionNoValidReply && frame.pdu[1] !== exceptionNeverSent;
      const itself = own || ((frame.pdu[0] ?? 0) & 0x80) === 0;
      if (itself) for (const listener of this.#lateListeners) listener(frame.unit);
      return false;
    }
    if (pending.unit !== frame.unit) {
      pending.stranger = true;
      return false;
    }
    return true;
  }

  /** `raw`: the RTU frame that the library received. */
  #answered(id: number, raw: Uint8Array | undefined): void {
    const pending = this.#pending.get(id);
    // Without a frame the library only says that it did not send: the port knows that better.
    if (pending === undefined || raw === undefined) return;
    const pdu = Uint8Array.from(raw.subarray(1, raw.length - 2));
    const match = matchReply(pending.request, pdu);
    if (match.kind === "malformed") {
      const { log } = this.#options;
      log.debug({ ...this.#address, unit: pending.unit, why: match.why }, "a reply did not match");
      this.#finish(id, { kind: "noReply", why: "malformed" });
      return;
    }
    this.#backoffMs = backoffMsMin;
    this.#lateFrames = 0;
    this.#finish(id, { kind: "reply", pdu });
  }

  #timedOut(id: number): void {
    const stranger = this.#pending.get(id)?.stranger ?? false;
    this.#finish(id, { kind: "noReply", why: stranger ? "malformed" : "timeout" });
    this.#timeouts += 1;
    const { log } = this.#options;
    if (this.#lateFrames >= deafRequests && !this.#saidLate) {
      this.#saidLate = true;
      // A gateway that numbers replies itself is healthy and never matches: say so, once.
      log.warn({ ...this.#address }, "replies come late or under other transaction ids than asked");
    }
    const deaf = performance.now() - this.#heardAtMs >= deafMs;
    if (this.#timeouts < deafRequests || !deaf || !this.#connected) return;
    // Half open, or the device hangs: the old socket would be retried for minutes.
    this.#lost("no byte came although requests were sent");
    this.#retryIn(this.#nextBackoff());
  }

  #finish(id: number, result: WireResult): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    // The library never forgets a transaction, answered or not.
    if (this.#library !== undefined) delete this.#library._transactions[id];
    pending.settle(result);
  }
}
