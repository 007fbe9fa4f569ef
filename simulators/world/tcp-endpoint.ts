/**
 * A device endpoint at the far end of virtual TCP connections: Modbus TCP, or RTU through a bridge.
 *
 * The idea: the device side reads frames by its own code (simulators/mbap.ts, rtu.ts), so a wrong
 * frame of the driver side shows here. A device obeys what reaches it, whatever becomes of the
 * reply. It refuses to mend a stream: after a header that cannot be one it closes the connection.
 */
import { MbapReader, mbapFrame } from "../mbap.js";
import { RtuStream, rtuFrame } from "../rtu.js";
import { type ByteFaults, lateMs, noise, truncated, turned } from "./byte-faults.js";
import type { FieldFaults, WireDevice } from "./field-bus.js";
import type { MemoryNetwork, MemorySocket } from "./memory-socket.js";

interface Frame {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Uint8Array;
}

interface Framing {
  push(bytes: Uint8Array): readonly Frame[] | undefined;
  bytes(frame: Frame): Uint8Array;
  /** What a fault makes of a reply, so that it can be seen. */
  spoilt(bytes: Uint8Array): Uint8Array;
}

export interface TcpEndpointParts {
  readonly address: string;
  readonly framing: "mbap" | "rtu";
  readonly network: MemoryNetwork;
  readonly fieldFaults: FieldFaults;
  readonly faults: ByteFaults;
  readonly devices: ReadonlyMap<number, WireDevice>;
}

/** Transaction, protocol and length: what no checksum of TCP covers behind a broken gateway. */
const headerBits = 48;

export class TcpEndpoint {
  readonly kind = "tcp";
  readonly #parts: TcpEndpointParts;
  /** A unit answers one request after the other, late ones too. */
  readonly #busyUntilMs = new Map<number, number>();
  /** Frames that reached a device, and what was said; for judges and tests. */
  readonly counts = { requests: 0, refused: 0, replies: 0, faults: 0 };

  constructor(parts: TcpEndpointParts) {
    this.#parts = parts;
    const { network, address } = parts;
    network.listen(address, this.#owner, (socket) => this.#serve(socket));
  }

  /** A connection to it, as the node in whose name this is called. */
  connect(): MemorySocket {
    return this.#parts.network.connect(this.#parts.address);
  }

  /** The endpoint is unreachable for a while; its connections break, or are only silent. */
  cut(forMs: number): void {
    const { network } = this.#parts;
    if (network.random.chance(0.5)) network.reset(this.#owner);
    network.silence(this.#owner, forMs);
  }

  mend(): void {
    this.#parts.network.mend();
  }

  get #owner(): string {
    return `endpoint-${this.#parts.address}`;
  }

  #serve(socket: MemorySocket): void {
    const framing = this.#framing();
    let last: Frame | undefined;
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Uint8Array) => {
      const frames = framing.push(bytes);
      if (frames === undefined) {
        this.counts.refused += 1;
        socket.destroy();
        return;
      }
      for (const frame of frames) {
        this.#request(frame, (reply) => {
          this.#reply(socket, framing, reply, last);
          last = reply;
        });
      }
    });
  }

  #request(frame: Frame, answer: (reply: Frame) => void): void {
    const { network, devices, fieldFaults, faults } = this.#parts;
    const { random, clock } = network;
    if (random.chance(fieldFaults.loseRequest)) return;
    const half = fieldFaults.delayMaxMs / 2;
    clock.schedule(random.between(0.05, half), () => {
      this.counts.requests += 1;
      const pdu = devices.get(frame.unit)?.handle(frame.pdu, clock.nowMs);
      if (pdu === undefined || random.chance(fieldFaults.loseReply)) return;
      const late = random.chance(faults.late);
      if (late) this.counts.faults += 1;
      const numbered = this.#parts.framing === "mbap";
      const [least, most] = late ? lateMs[numbered ? "numbered" : "unnumbered"] : [0.05, half];
      const ownMs = clock.nowMs + random.between(least, most);
      const busyMs = numbered ? 0 : (this.#busyUntilMs.get(frame.unit) ?? 0);
      const atMs = Math.max(ownMs, busyMs + 1);
      this.#busyUntilMs.set(frame.unit, atMs);
      clock.schedule(atMs - clock.nowMs, () => answer({ ...frame, pdu }));
    });
  }

  #reply(socket: MemorySocket, framing: Framing, reply: Frame, last: Frame | undefined): void {
    const { network, faults } = this.#parts;
    const numbered = this.#parts.framing === "mbap";
    const { random } = network;
    if (socket.destroyed) return;
    const happens = (probability: number) => {
      const so = random.chance(probability);
      if (so) this.counts.faults += 1;
      return so;
    };
    if (happens(faults.reset)) {
      socket.resetAndDestroy();
      return;
    }
    if (happens(faults.halfOpen)) {
      network.deaden(socket);
      return;
    }
    const bytes = framing.bytes(reply);
    this.counts.replies += 1;
    if (happens(faults.stray)) socket.write(noise(random));
    // Without numbers, a frame that could be the reply must not come from anybody else.
    const told = last !== undefined && (numbered || isOther(last, reply));
    if (told && happens(faults.stale)) socket.write(framing.bytes(last));
    if (happens(faults.stranger)) {
      socket.write(framing.bytes({ ...reply, unit: reply.unit ^ 0x40 }));
    }
    if (happens(faults.truncate)) {
      socket.write(truncated(bytes, random));
      // A stream that has lost its place is of no use to anybody.
      socket.end();
    } else {
      socket.write(happens(faults.spoil) ? framing.spoilt(bytes) : bytes);
      if (numbered && happens(faults.twice)) socket.write(bytes);
    }
  }

  #framing(): Framing {
    const { random } = this.#parts.network;
    if (this.#parts.framing === "mbap") {
      const reader = new MbapReader();
      return {
        push: (bytes) => reader.push(bytes),
        bytes: (frame) => mbapFrame(frame),
        spoilt: (bytes) => {
          const spoilt = Uint8Array.from(bytes);
          const bit = random.whole(0, headerBits - 1);
          spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return spoilt;
        },
      };
    }
    const stream = new RtuStream();
    return {
      push: (bytes) => stream.push(bytes).map((frame) => ({ ...frame, transaction: 0 })),
      bytes: ({ unit, pdu }) => rtuFrame(unit, pdu),
      spoilt: (bytes) => turned(bytes, random),
    };
  }
}

/** Whether a master can tell these two replies apart by their looks. */
function isOther(a: Frame, b: Frame): boolean {
  return a.unit !== b.unit || a.pdu[0] !== b.pdu[0] || a.pdu.length !== b.pdu.length;
}
