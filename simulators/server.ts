/**
 * A Modbus TCP endpoint with simulated devices behind it.
 *
 * The idea: every unit answers for itself and at once, any number of clients may be connected,
 * and requests of one connection may overlap; a reply carries its request's transaction number. It
 * refuses frames that are none by closing the connection, and more clients than the bound.
 */
import net from "node:net";
import type { SimDevice } from "./device.js";
import { type MbapFrame, MbapReader, mbapFrame } from "./mbap.js";
import { hex, monotonicMs, type Tap } from "./tap.js";

export interface SimEndpoint {
  readonly bus: string;
  readonly devices: readonly SimDevice[];
  /** What a request to a unit that is not there gets. */
  readonly unknownUnit: "silent" | "exception";
}

/** Clients of one endpoint. */
const clientsMost = 64;
/** Replies that a client leaves unread, bytes; beyond it the connection is closed. */
const unreadMost = 1 << 20;
const gatewayNoReply = 0x0b;

export class SimServer {
  readonly #endpoint: SimEndpoint;
  readonly #devices: ReadonlyMap<number, SimDevice>;
  readonly #tap: Tap;
  readonly #touched: () => void;
  readonly #server: net.Server;
  readonly #clients = new Set<net.Socket>();

  /** `touched` is called after each request, so that the plants' ticker can wake. */
  constructor(endpoint: SimEndpoint, tap: Tap, touched: () => void) {
    this.#endpoint = endpoint;
    this.#devices = new Map(endpoint.devices.map((device) => [device.unit, device]));
    this.#tap = tap;
    this.#touched = touched;
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#server.maxConnections = clientsMost;
  }

  /** The port that it listens on; rejects when it cannot. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(address !== null && typeof address === "object" ? address.port : port);
      });
    });
  }

  /** How many masters are connected. */
  get clients(): number {
    return this.#clients.size;
  }

  close(): Promise<void> {
    for (const socket of this.#clients) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: net.Socket): void {
    const reader = new MbapReader();
    this.#clients.add(socket);
    socket.on("close", () => this.#clients.delete(socket));
    // A client that goes away in the middle of a frame is no concern of a device.
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      const frames = reader.push(bytes);
      if (frames === undefined) {
        socket.destroy();
        return;
      }
      for (const frame of frames) this.#request(socket, frame);
      if (frames.length > 0) this.#touched();
    });
  }

  #request(socket: net.Socket, frame: MbapFrame): void {
    const tMs = monotonicMs();
    const { bus, unknownUnit } = this.#endpoint;
    const device = this.#devices.get(frame.unit);
    const common = { tMs, bus, unit: frame.unit, pdu: hex(frame.pdu) };
    if (device === undefined) {
      const reply =
        unknownUnit === "exception"
          ? Uint8Array.of((frame.pdu[0] ?? 0) | 0x80, gatewayNoReply)
          : undefined;
      this.#tap.frame({
        ...common,
        ...(reply === undefined ? {} : { reply: hex(reply) }),
        note: "no such unit",
      });
      if (reply !== undefined) send(socket, { ...frame, pdu: reply });
      return;
    }
    const reply = device.handle(frame.pdu, tMs);
    const delayMs = device.replyDelayMs;
    const note = reply === undefined ? "no reply" : delayMs > 0 ? `late ${delayMs} ms` : undefined;
    this.#tap.frame({
      ...common,
      device: device.id,
      ...(reply === undefined ? {} : { reply: hex(reply) }),
      ...(note === undefined ? {} : { note }),
    });
    if (reply === undefined) return;
    if (delayMs === 0) send(socket, { ...frame, pdu: reply });
    else setTimeout(() => send(socket, { ...frame, pdu: reply }), delayMs);
  }
}

function send(socket: net.Socket, frame: MbapFrame): void {
  if (socket.destroyed || !socket.writable) return;
  if (socket.writableLength > unreadMost) {
    socket.destroy();
    return;
  }
  socket.write(mbapFrame(frame));
}
