/**
 * A driver's way to its device: the client side of lanes and guard socket.
 *
 * The idea: three lanes and the guard connection, each connected again by itself; a request goes
 * out at once or not at all, and its outcome is one of reply, notSent, unknown [PROTOCOL 4].
 * Exceptions 0x0A and 0x0B mean "never on the wire" and "nobody knows" whoever says them. After
 * every reconnect the guardian gets hello and frames again, before anything else. It refuses to
 * queue, and to wait longer than its own timeout.
 */
import { exceptionNeverSent, exceptionNoValidReply, matchReply } from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";
import { ServocellError } from "../errors.js";
import type { Exchange, FieldLink, Lane, Log } from "../ports.js";
import { guardPath, lanePath } from "../run-dir.js";
import { writeGuardLine } from "./guard-lines.js";
import { LineSplitter } from "./json-lines.js";
import { LocalClient } from "./local-client.js";
import { encodeMbap, MbapReader } from "./mbap.js";

/** The bus answers before this; see answerMsMax of its scheduler. */
export const exchangeMsMax: Ms = 2000;
/** Requests out on one lane. */
export const outstandingMax = 64;
/** How long `guard` waits for the guardian's word. */
export const guardMsMax: Ms = 5000;
/** Unsent pulses beyond this are left out: the next one says the same. */
const unsentBytesMax = 4096;

export interface FieldLinkOptions {
  readonly runDir: string;
  readonly bus: string;
  readonly unit: number;
  readonly device: string;
  readonly log: Log;
}

/** Connects at once and again for ever. */
export function openFieldLink(options: FieldLinkOptions): FieldLink {
  return new SocketFieldLink(options);
}

class SocketFieldLink implements FieldLink {
  readonly #log: Log;
  readonly #device: string;
  readonly #lanes: { readonly [L in Lane]: LaneClient };
  readonly #guard: GuardClient;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  #connected = false;
  #closed = false;

  constructor(options: FieldLinkOptions) {
    this.#log = options.log;
    this.#device = options.device;
    const changed = () => this.#changed();
    const hung = () => this.#hung();
    const lane = (name: Lane) => new LaneClient(options, name, { changed, hung });
    this.#lanes = { stop: lane("stop"), command: lane("command"), poll: lane("poll") };
    this.#guard = new GuardClient(options, changed);
  }

  get connected(): boolean {
    return this.#connected;
  }

  exchange(lane: Lane, pdu: Uint8Array): Promise<Exchange> {
    return this.#lanes[lane].exchange(pdu);
  }

  guard(frames: readonly Uint8Array[]): Promise<void> {
    return this.#guard.guard(frames);
  }

  pulse({
    still,
    connectedDevice,
  }: {
    readonly still: boolean;
    readonly connectedDevice: boolean;
  }) {
    this.#guard.pulse(still, connectedDevice);
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#guard.close();
    for (const lane of Object.values(this.#lanes)) lane.close();
  }

  /**
   * The bus answers everything in time, so it hangs. What it has not read yet would reach the
   * device whenever it wakes; without this driver its guardian follows it with a stop.
   */
  #hung(): void {
    if (this.#closed) return;
    this.#log.warn({ device: this.#device }, "the bus service does not answer; connecting anew");
    for (const lane of Object.values(this.#lanes)) lane.drop();
    this.#guard.drop();
  }

  #changed(): void {
    const { stop, command, poll } = this.#lanes;
    const parts = [stop, command, poll, this.#guard];
    const connected = parts.every((part) => part.connected);
    if (connected === this.#connected) return;
    this.#connected = connected;
    const text = connected ? "connected to the bus service" : "the bus service is lost";
    if (!this.#closed) this.#log.info({ device: this.#device }, text);
    for (const listener of this.#listeners) listener(connected);
  }
}

interface LaneEvents {
  readonly changed: () => void;
  /** A request was not answered in its time. */
  readonly hung: () => void;
}

interface Outstanding {
  readonly request: Uint8Array;
  readonly sentAtMs: Ms;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly settle: (exchange: Exchange) => void;
}

class LaneClient {
  readonly #lane: Lane;
  readonly #unit: number;
  readonly #events: LaneEvents;
  readonly #client: LocalClient;
  readonly #out = new Map<number, Outstanding>();
  #reader = new MbapReader();
  #transaction = 0;

  constructor({ runDir, bus, unit }: FieldLinkOptions, lane: Lane, events: LaneEvents) {
    const { changed } = events;
    this.#lane = lane;
    this.#unit = unit;
    this.#events = events;
    this.#client = new LocalClient(lanePath(runDir, bus, lane), {
      connected: () => {
        this.#reader = new MbapReader();
        changed();
      },
      data: (chunk) => this.#read(chunk),
      lost: () => {
        this.#loseAll();
        changed();
      },
    });
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  exchange(pdu: Uint8Array): Promise<Exchange> {
    if (!this.#client.connected) return Promise.resolve({ kind: "notSent", why: "link-down" });
    if (this.#out.size >= outstandingMax) {
      return Promise.resolve({ kind: "notSent", why: "not-sent" });
    }
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#out.has(this.#transaction));
    const transaction = this.#transaction;
    const frame = encodeMbap({ transaction, unit: this.#unit, pdu });
    return new Promise((settle) => {
      const late = () => {
        this.#settle(transaction, { kind: "unknown", why: "timeout" });
        this.#events.hung();
      };
      const timer = setTimeout(late, exchangeMsMax);
      const sentAtMs = performance.now();
      this.#out.set(transaction, { request: pdu, sentAtMs, timer, settle });
      this.#client.write(frame);
    });
  }

  drop(): void {
    this.#client.drop();
  }

  close(): void {
    this.#client.close();
  }

  #read(chunk: Uint8Array): void {
    const { frames, bad } = this.#reader.push(chunk);
    for (const { transaction, unit, pdu } of frames) {
      const out = this.#out.get(transaction);
      if (out !== undefined && unit === this.#unit) {
        this.#settle(transaction, exchangeOf(out, pdu));
      }
    }
    if (bad !== undefined) this.#client.drop();
  }

  /** A poll that is lost changed nothing; for the others nobody knows. */
  #loseAll(): void {
    const kind = this.#lane === "poll" ? "notSent" : "unknown";
    for (const transaction of [...this.#out.keys()]) {
      this.#settle(transaction, { kind, why: "link-down" });
    }
  }

  #settle(transaction: number, exchange: Exchange): void {
    const out = this.#out.get(transaction);
    if (out === undefined) return;
    this.#out.delete(transaction);
    clearTimeout(out.timer);
    out.settle(exchange);
  }
}

function exchangeOf({ request, sentAtMs }: Outstanding, pdu: Uint8Array): Exchange {
  const match = matchReply(request, pdu);
  if (match.kind === "malformed") return { kind: "unknown", why: "malformed" };
  if (match.kind === "exception") {
    if (match.code === exceptionNeverSent) return { kind: "notSent", why: "not-sent" };
    if (match.code === exceptionNoValidReply) return { kind: "unknown", why: "timeout" };
  }
  return { kind: "reply", pdu, sentAtMs };
}

class GuardClient {
  readonly #client: LocalClient;
  #lines = new LineSplitter(() => {});
  #frames: readonly Uint8Array[] | undefined;
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  /** Guard lines on this connection that were not answered yet. */
  #unanswered = 0;

  constructor({ runDir, bus, unit, device }: FieldLinkOptions, changed: () => void) {
    this.#client = new LocalClient(guardPath(runDir, bus), {
      connected: () => {
        this.#lines = new LineSplitter((line) => this.#answer(line));
        this.#unanswered = 0;
        this.#client.write(writeGuardLine({ kind: "hello", unit, device }));
        this.#sendFrames();
        changed();
      },
      data: (chunk) => this.#lines.push(chunk),
      lost: changed,
    });
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  /** @throws DEVICE_UNREACHABLE when the bus service did not answer in 5 s. */
  guard(frames: readonly Uint8Array[]): Promise<void> {
    this.#frames = frames;
    return new Promise((done, fail) => {
      const refuse = () => {
        const text = "The bus service did not take the stop frames in 5 s: is it running?";
        waiting.reject(new ServocellError("DEVICE_UNREACHABLE", text));
      };
      const timer = setTimeout(refuse, guardMsMax);
      const settle = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      };
      const waiting = {
        resolve: () => {
          settle();
          done();
        },
        reject: (error: Error) => {
          settle();
          fail(error);
        },
      };
      this.#waiting.push(waiting);
      if (this.#client.connected) this.#sendFrames();
    });
  }

  pulse(still: boolean, up: boolean): void {
    if (!this.#client.connected || this.#client.unsentBytes > unsentBytesMax) return;
    this.#client.write(writeGuardLine({ kind: "pulse", still, up }));
  }

  drop(): void {
    this.#client.drop();
  }

  close(): void {
    this.#client.close();
    const text = "The link to the bus service was closed before it took the stop frames.";
    for (const waiting of [...this.#waiting]) {
      waiting.reject(new ServocellError("CANCELLED", text));
    }
  }

  #sendFrames(): void {
    if (this.#frames === undefined) return;
    this.#unanswered += 1;
    this.#client.write(writeGuardLine({ kind: "guard", frames: this.#frames }));
  }

  #answer(line: string): void {
    if (line !== '{"kind":"guarded"}') {
      this.#client.drop();
      return;
    }
    this.#unanswered -= 1;
    // Only the answer to the newest frames says that those are held.
    if (this.#unanswered === 0) for (const waiting of [...this.#waiting]) waiting.resolve();
  }
}
