/**
 * A scripted Modbus TCP peer: bytes in, bytes out, nothing of the product's own framing.
 * The idea: each request is recorded with its connection and handed to a script that writes
 * whatever bytes it likes, whenever it likes. Refuses to know registers.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export interface PeerRequest {
  readonly transaction: number;
  readonly unit: number;
  /** PDU in hex. */
  readonly pdu: string;
  /** Counts connections from 1. */
  readonly connection: number;
  readonly atMs: number;
  write(bytes: Uint8Array): void;
  /** A well-formed reply to this request: PDU in hex. */
  reply(pdu: string): void;
  /** Closes the connection. */
  hangUp(): void;
}

export function adu(transaction: number, unit: number, pduHex: string, protocol = 0): Buffer {
  const pdu = Buffer.from(pduHex.replaceAll(" ", ""), "hex");
  const head = Buffer.alloc(7);
  head.writeUInt16BE(transaction, 0);
  head.writeUInt16BE(protocol, 2);
  head.writeUInt16BE(pdu.length + 1, 4);
  head[6] = unit;
  return Buffer.concat([head, pdu]);
}

export class RawPeer {
  readonly requests: PeerRequest[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;

  private constructor(public script: (request: PeerRequest) => void) {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async open(script: (request: PeerRequest) => void): Promise<RawPeer> {
    const peer = new RawPeer(script);
    await peer.listen(0);
    return peer;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, "127.0.0.1", () => resolve()));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** PDUs of a unit in order of arrival. */
  pdus(unit: number): string[] {
    return this.requests.filter((r) => r.unit === unit).map((r) => r.pdu);
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): Promise<void> {
    this.hangUp();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    const connection = this.connections;
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 8 && rest.length >= 6 + rest.readUInt16BE(4)) {
        const frame = rest.subarray(0, 6 + rest.readUInt16BE(4));
        rest = rest.subarray(frame.length);
        this.#take(socket, connection, Buffer.from(frame));
      }
    });
  }

  #take(socket: Socket, connection: number, frame: Buffer): void {
    const transaction = frame.readUInt16BE(0);
    const unit = frame.readUInt8(6);
    const write = (bytes: Uint8Array) => {
      if (!socket.destroyed) socket.write(bytes);
    };
    const request: PeerRequest = {
      transaction,
      unit,
      pdu: frame.subarray(7).toString("hex"),
      connection,
      atMs: performance.now(),
      write,
      reply: (pdu) => write(adu(transaction, unit, pdu)),
      hangUp: () => socket.destroy(),
    };
    this.requests.push(request);
    this.script(request);
  }
}

/** A healthy device: register n holds n; writes are acknowledged. */
export function healthy(request: PeerRequest): void {
  const pdu = Buffer.from(request.pdu, "hex");
  const fc = pdu.readUInt8(0);
  if (fc === 3 || fc === 4) {
    const words = Array.from({ length: pdu.readUInt16BE(3) }, (_, i) => {
      return (pdu.readUInt16BE(1) + i).toString(16).padStart(4, "0");
    });
    const count = (2 * words.length).toString(16).padStart(2, "0");
    request.reply(`0${fc}${count}${words.join("")}`);
  } else {
    request.reply(request.pdu.slice(0, 10));
  }
}

/** Waits until `what` holds; the bound is generous, its passing fails the test. */
export async function until(what: () => boolean, text: string, mostMs = 5000): Promise<void> {
  const endMs = performance.now() + mostMs;
  while (!what()) {
    if (performance.now() > endMs) throw new RangeError(`not seen in ${mostMs} ms: ${text}`);
    await pause(2);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
