/**
 * A Modbus TCP endpoint with simulated devices behind it.
 *
 * The idea: every unit answers for itself and at once, any number of clients may be connected,
 * and requests of one connection may overlap; a reply carries its request's transaction number, or,
 * where a gateway passes RTU frames through TCP, a checksum. It refuses frames that are none by
 * closing the connection, and more clients than the bound.
 */
import net from "node:net";
import type { SimDevice } from "./device.js";
import { type SimReply, spoilt } from "./fault-book.js";
import { type BusFaultName, type FaultValue, numberOf } from "./faults.js";
import { type MbapFrame, MbapReader, mbapFrame } from "./mbap.js";
import { SimProblem } from "./problem.js";
import { RtuStream, rtuFrame } from "./rtu.js";
import { hex, monotonicMs, type Tap } from "./tap.js";

export interface SimEndpoint {
  readonly bus: string;
  readonly devices: readonly SimDevice[];
  /** What a request to a unit that is not there gets. */
  readonly unknownUnit: "silent" | "exception";
  /** RTU frames in the stream instead of Modbus TCP. @default "mbap" */
  readonly framing?: "mbap" | "rtu";
}

interface Framing {
  /** Frames completed by these bytes; undefined: close the connection. */
  push(bytes: Uint8Array): readonly MbapFrame[] | undefined;
  /** Bytes of a reply to `request`, with what its faults do to it. */
  bytes(request: MbapFrame, reply: SimReply): Uint8Array;
}

function framingOf(kind: "mbap" | "rtu"): Framing {
  if (kind === "mbap") {
    const reader = new MbapReader();
    return {
      push: (bytes) => reader.push(bytes),
      bytes: (request, reply) => {
        // A checksum of TCP hides wrong bits from us: what is spoilt was spoilt behind a gateway.
        const pdu = spoilt(reply.pdu, reply);
        return mbapFrame({ transaction: request.transaction, unit: reply.unit, pdu });
      },
    };
  }
  const stream = new RtuStream();
  return {
    push: (bytes) => stream.push(bytes).map((frame) => ({ ...frame, transaction: 0 })),
    bytes: (_request, reply) => spoilt(rtuFrame(reply.unit, reply.pdu), reply),
  };
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
  #clientsMost = clientsMost;
  #deaf = false;

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

  setFault(name: BusFaultName, value: FaultValue | undefined): void {
    if (name === "half-open") {
      this.#deaf = true;
      return;
    }
    if (name === "max-clients") {
      this.#clientsMost = numberOf(name, value, 1);
      return;
    }
    throw new SimProblem(`${name} is a fault of a line; bus ${this.#endpoint.bus} is TCP.`);
  }

  clear(): void {
    this.#deaf = false;
    this.#clientsMost = clientsMost;
  }

  #serve(socket: net.Socket): void {
    // A client that goes away in the middle of a frame is no concern of a device.
    socket.on("error", () => socket.destroy());
    if (this.#clients.size >= this.#clientsMost) {
      socket.destroy();
      return;
    }
    const framing = framingOf(this.#endpoint.framing ?? "mbap");
    this.#clients.add(socket);
    socket.on("close", () => this.#clients.delete(socket));
    socket.on("data", (bytes) => {
      if (this.#deaf) return;
      const frames = framing.push(bytes);
      if (frames === undefined) {
        socket.destroy();
        return;
      }
      for (const frame of frames) this.#request(socket, framing, frame);
      if (frames.length > 0) this.#touched();
    });
  }

  #request(socket: net.Socket, framing: Framing, frame: MbapFrame): void {
    const tMs = monotonicMs();
    const { bus } = this.#endpoint;
    const device = this.#devices.get(frame.unit);
    const common = { tMs, bus, unit: frame.unit, pdu: hex(frame.pdu) };
    const reply = device === undefined ? this.#unknown(frame) : device.answer(frame.pdu, tMs);
    const silence = device === undefined ? "" : "no reply";
    const said = reply === undefined ? silence : reply.notes.join(", ");
    const note = device === undefined ? "no such unit" : said;
    this.#tap.frame({
      ...common,
      ...(device === undefined ? {} : { device: device.id }),
      ...(reply === undefined ? {} : { reply: hex(reply.pdu) }),
      ...(note === "" ? {} : { note }),
    });
    if (reply === undefined) return;
    const bytes = framing.bytes(frame, reply);
    if (reply.delayMs === 0) send(socket, bytes);
    else setTimeout(() => send(socket, bytes), reply.delayMs);
  }

  #unknown({ unit, pdu }: MbapFrame): SimReply | undefined {
    if (this.#endpoint.unknownUnit === "silent") return undefined;
    const refusal = Uint8Array.of((pdu[0] ?? 0) | 0x80, gatewayNoReply);
    return { unit, pdu: refusal, delayMs: 0, notes: [] };
  }
}

function send(socket: net.Socket, bytes: Uint8Array): void {
  if (socket.destroyed || !socket.writable) return;
  if (socket.writableLength > unreadMost) {
    socket.destroy();
    return;
  }
  socket.write(bytes);
}
