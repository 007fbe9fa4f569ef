/**
 * Holds a connection to the stop socket of every driver, and sends a stop to all of them.
 *
 * The idea: connections stand before they are needed and are renewed every 200 ms, so that a
 * stop is one write per driver. It refuses to wait and to queue: who is not connected is reached
 * over MQTT, or by the next repeat.
 */
import { connect, type Socket } from "node:net";
import { type StopAck, type StopOrder, stopAckSchema } from "../contract/payloads.js";
import type { Log, StopFanOut } from "../ports.js";
import { stopPath } from "../run-dir.js";
import { readJson, type StopKind } from "../stop-order.js";
import { LineSplitter } from "./json-lines.js";

const reconnectMs = 200;
/** Bound of `close` with a driver that does not read. */
const closeMaxMs = 200;
/** Orders that a stalled driver has not taken; beyond this it is left to the other road. */
const unsentBytesMax = 65_536;

export interface StopFanOutOptions {
  readonly runDir: string;
  /** Devices whose drivers are reached. */
  readonly devices: readonly string[];
  readonly log: Log;
}

function endSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => socket.destroy(), closeMaxMs);
    socket.once("close", () => {
      clearTimeout(limit);
      resolve();
    });
    socket.end();
  });
}

class FanOut implements StopFanOut {
  readonly #options: StopFanOutOptions;
  readonly #sockets = new Map<string, Socket>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #listeners: ((ack: StopAck) => void)[] = [];
  #closed = false;

  constructor(options: StopFanOutOptions) {
    this.#options = options;
    for (const device of options.devices) this.#connect(device);
  }

  send(kind: StopKind, order: StopOrder): void {
    const line = `${JSON.stringify({ kind, order })}\n`;
    for (const socket of this.#sockets.values()) {
      if (socket.writable && socket.writableLength < unsentBytesMax) socket.write(line);
    }
  }

  onAck(listener: (ack: StopAck) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    // What was written still goes out: end, and cut only who does not take it.
    await Promise.all([...this.#sockets.values()].map(endSocket));
    this.#sockets.clear();
  }

  #connect(device: string): void {
    const socket = connect(stopPath(this.#options.runDir, device));
    const lines = new LineSplitter((line) => this.#line(line));
    socket.on("connect", () => {
      if (this.#closed) {
        socket.destroy();
        return;
      }
      this.#sockets.set(device, socket);
      this.#options.log.debug({ device }, "The stop socket is connected.");
    });
    socket.on("data", (chunk) => lines.push(chunk));
    // A driver that is not there yet is no news; its loss is told by avail.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#sockets.get(device) === socket) this.#sockets.delete(device);
      if (this.#closed) return;
      this.#timers.set(
        device,
        setTimeout(() => this.#connect(device), reconnectMs),
      );
    });
  }

  #line(line: string): void {
    const ack = stopAckSchema.safeParse(readJson(line));
    if (!ack.success) {
      this.#options.log.warn({ length: line.length }, "An answer on a stop socket was no ack.");
      return;
    }
    for (const listener of this.#listeners) listener(ack.data);
  }
}

export function openStopFanOut(options: StopFanOutOptions): StopFanOut {
  return new FanOut(options);
}
