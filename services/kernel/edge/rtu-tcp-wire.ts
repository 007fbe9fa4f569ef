/**
 * The wire to a bridge that passes RTU frames over TCP.
 *
 * The idea: the rules of an RTU line over a socket. The bridge keeps t3.5 on its own side, so no
 * silence is kept here but the quiet time after a failure. A bridge that brings nothing while
 * requests time out is taken for half open. It refuses a second request while one is out.
 */
import type { Ms } from "#drivers/reading.js";
import type { UnitTiming } from "../config/cell.js";
import type { ExchangeHow, Log, Wire, WireResult } from "../ports.js";
import { type ByteSocket, type OpenSocket, openSocket } from "./byte-socket.js";
import { lineQueueMax } from "./line-wire.js";
import { backoffMsMax, backoffMsMin } from "./modbus-wire.js";
import { RtuEncoder } from "./rtu-encoder.js";
import { AwayLog, NoiseLog } from "./rtu-log.js";
import { type RtuExchange, RtuMaster } from "./rtu-master.js";

const connectMsMax: Ms = 2000;
/** A bridge adds its own delay to a late reply. */
const quietMs: Ms = 20;
/** A bridge that brings nothing for so long while requests time out is taken for dead. */
const deafMs: Ms = 1000;
const deafRequests = 3;

export interface RtuOverTcpOptions {
  readonly host: string;
  readonly port: number;
  readonly units: readonly UnitTiming[];
  readonly log: Log;
  /** @default a TCP connection */
  readonly open?: OpenSocket;
}

/** Connects at once and again for ever. */
export function openRtuOverTcpWire(options: RtuOverTcpOptions): Wire {
  return new RtuOverTcpWire(options);
}

class RtuOverTcpWire implements Wire {
  readonly #options: RtuOverTcpOptions;
  readonly #encoder = new RtuEncoder();
  readonly #master: RtuMaster;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  readonly #waiting: { readonly request: RtuExchange; settle(result: WireResult): void }[] = [];
  readonly #away: AwayLog;
  #socket: ByteSocket | undefined;
  #connected = false;
  #closed = false;
  #backoffMs: Ms = backoffMsMin;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #heardAtMs: Ms = 0;
  #timeouts = 0;

  constructor(options: RtuOverTcpOptions) {
    const { host, port, units, log } = options;
    this.#options = options;
    this.#away = new AwayLog(log, { host, port }, "the RTU bridge");
    const noise = new NoiseLog(log, { host, port });
    this.#master = new RtuMaster({
      line: {
        encode: (unit, pdu) => this.#encoder.encode(unit, pdu),
        send: (frame) => this.#send(frame),
        at: (moment, then) => later(moment, then),
      },
      units,
      frameSilenceMs: 0,
      quietMs,
      echo: false,
      onNoise: (bytes, echoMissing) => noise.heard(bytes, echoMissing),
    });
    this.#connect();
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
    this.#master.hurry();
  }

  reconnect(): void {
    if (this.#closed) return;
    this.#backoffMs = backoffMsMin;
    if (this.#connected) this.#lost("a new connection was asked for", 0);
    else if (this.#retry !== undefined) this.#connectIn(0);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#connected) this.#lost("closed by us", 0);
    else this.#socket?.destroy();
  }

  #next(): void {
    if (this.#master.busy || !this.#connected) return;
    const asked = this.#waiting.shift();
    if (asked === undefined) return;
    void this.#master.exchange(asked.request).then((result) => {
      asked.settle(result);
      this.#judge(result);
      this.#next();
    });
  }

  #judge(result: WireResult): void {
    if (result.kind === "reply") {
      this.#timeouts = 0;
      this.#backoffMs = backoffMsMin;
    }
    if (result.kind !== "noReply" || result.why !== "timeout" || !this.#connected) return;
    this.#timeouts += 1;
    const deaf = performance.now() - this.#heardAtMs >= deafMs;
    if (this.#timeouts < deafRequests || !deaf) return;
    this.#lost("no byte came although requests were sent", this.#nextBackoff());
  }

  #send(frame: Uint8Array): Ms | undefined {
    if (this.#socket?.writable !== true) return undefined;
    this.#socket.write(frame);
    return performance.now();
  }

  #connect(): void {
    this.#retry = undefined;
    const { host, port, open = openSocket } = this.#options;
    const socket = open({ host, port });
    this.#socket = socket;
    let why = "closed by the other side";
    const timer = setTimeout(() => {
      why = `no connection in ${connectMsMax} ms`;
      socket.destroy();
    }, connectMsMax);
    socket.on("connect", () => {
      clearTimeout(timer);
      this.#heardAtMs = performance.now();
      this.#timeouts = 0;
      this.#away.up();
      this.#change(true);
    });
    socket.on("data", (bytes) => {
      if (socket !== this.#socket) return;
      this.#heardAtMs = performance.now();
      this.#timeouts = 0;
      this.#master.received(bytes);
    });
    socket.on("error", (error) => {
      why = error.message;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      if (socket === this.#socket) this.#lost(why, this.#nextBackoff());
    });
  }

  /** With a reset: what still waits in the socket must never reach a device later. */
  #lost(why: string, pauseMs: Ms): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!this.#closed) this.#away.away(why);
    this.#connected = false;
    this.#master.lost();
    for (const { settle } of this.#waiting.splice(0)) {
      settle({ kind: "notSent", why: "link-down" });
    }
    this.#change(false);
    socket?.resetAndDestroy();
    this.#connectIn(pauseMs);
  }

  #connectIn(pauseMs: Ms): void {
    clearTimeout(this.#retry);
    if (!this.#closed) this.#retry = setTimeout(() => this.#connect(), pauseMs);
  }

  #nextBackoff(): Ms {
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * pauseMs, backoffMsMax);
    return pauseMs;
  }

  #change(connected: boolean): void {
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }
}

function later(moment: Ms, then: () => void): () => void {
  const leftMs = moment - performance.now();
  if (leftMs <= 0) {
    then();
    return () => undefined;
  }
  const timer = setTimeout(then, Math.ceil(leftMs));
  return () => clearTimeout(timer);
}
