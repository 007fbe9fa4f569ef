/**
 * A serial line in virtual time, byte by byte: a port at one end, units along it.
 *
 * The idea: bytes take their time by the baud rate; units take what stands between two silences
 * for a frame and look at it by their own code (simulators/rtu.ts); an adapter hands bytes over in
 * pieces, a little later. Two who talk at once spoil each other. It refuses two owners of the port.
 */
import { characterMs, crcHolds, type LineFormat, rtuFrame, silenceMs } from "../rtu.js";
import { type ByteFaults, lateMs, noise, truncated, turned } from "./byte-faults.js";
import type { FieldFaults, WireDevice } from "./field-bus.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

/** What the user of a port gives; as the edge's serial device asks. */
export interface PortUser {
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onLost: (why: string) => void;
}

export interface VirtualPort {
  write(bytes: Uint8Array): boolean;
  poll(): void;
  close(): Promise<void>;
}

export interface RtuLineParts {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly baud: number;
  readonly format: LineFormat;
  /** The adapter hears what it sends. */
  readonly echo: boolean;
  readonly fieldFaults: FieldFaults;
  readonly faults: ByteFaults;
  readonly devices: ReadonlyMap<number, WireDevice>;
}

interface Talk {
  readonly startMs: number;
  readonly endMs: number;
  spoilt: boolean;
}

interface Open extends PortUser {
  readonly owner: string;
}

/** From the end of a request to the first byte of its reply. */
const turnaroundMs = [2, 8] as const;
/** How long an adapter may keep what it has heard. */
const adapterMsMax = 1;
const nearMs = 1e-6;

export class RtuLine {
  readonly kind = "serial";
  readonly #parts: RtuLineParts;
  readonly #charMs: number;
  readonly #silenceMs: number;
  readonly #busyUntilMs = new Map<number, number>();
  /** What the units have heard since the last silence. */
  #heard: Uint8Array = new Uint8Array(0);
  #heardSpoilt = false;
  #heardEndMs = Number.NEGATIVE_INFINITY;
  #talks: Talk[] = [];
  #open: Open | undefined;
  #unpluggedUntilMs = 0;
  #cutUntilMs = 0;
  #handedMs = 0;
  /** For tests and judges: what came of the frames of the master, and what went wrong. */
  readonly counts = { frames: 0, refused: 0, tooSoon: 0, collisions: 0, replies: 0, faults: 0 };

  constructor(parts: RtuLineParts) {
    this.#parts = parts;
    this.#charMs = characterMs(parts.baud, parts.format);
    this.#silenceMs = silenceMs(parts.baud, parts.format);
  }

  get clock(): VirtualClock {
    return this.#parts.clock;
  }

  /** @throws Error as the system would. */
  async open(user: PortUser): Promise<VirtualPort> {
    const { clock, random } = this.#parts;
    const { owner } = clock;
    await clock.wait(random.between(0.2, 3));
    if (clock.nowMs < this.#unpluggedUntilMs) throw new Error("no such file or directory");
    if (this.#open !== undefined) throw new Error("the port is locked");
    const open: Open = { ...user, owner };
    this.#open = open;
    return {
      write: (bytes) => {
        if (this.#open !== open) return false;
        this.#send(bytes);
        return true;
      },
      poll: () => {},
      close: async () => {
        if (this.#open === open) this.#open = undefined;
        await clock.wait(random.between(0.1, 1));
      },
    };
  }

  /** The node that had the port is gone. */
  release(owner: string): void {
    if (this.#open?.owner === owner) this.#open = undefined;
  }

  /** The adapter is pulled out for a while, or the units are: then nobody answers. */
  cut(forMs: number): void {
    const { clock, random } = this.#parts;
    if (random.chance(0.5)) this.unplug(forMs);
    else this.#cutUntilMs = clock.nowMs + forMs;
  }

  mend(): void {
    this.#unpluggedUntilMs = 0;
    this.#cutUntilMs = 0;
  }

  /** The adapter is pulled out, and put back after `forMs`. */
  unplug(forMs: number): void {
    const { clock } = this.#parts;
    this.#unpluggedUntilMs = clock.nowMs + forMs;
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) clock.schedule(0, () => open.onLost("no such device"), open.owner);
  }

  #send(bytes: Uint8Array): void {
    const { clock, echo } = this.#parts;
    const nowMs = clock.nowMs;
    // A UART sends one byte after the other.
    const startMs = Math.max(nowMs, this.#heardEndMs);
    const talk = this.#talk(startMs, bytes.length);
    const lastEndMs = Math.max(this.#heardEndMs, ...this.#before(talk).map((t) => t.endMs));
    if (startMs - lastEndMs < this.#silenceMs - nearMs) this.counts.tooSoon += 1;
    // Without a silence in between the units take both for one frame.
    const joins = startMs - this.#heardEndMs < this.#silenceMs - nearMs;
    this.#heard = joins ? Uint8Array.of(...this.#heard, ...bytes) : bytes;
    this.#heardSpoilt = joins && this.#heardSpoilt;
    this.#heardEndMs = talk.endMs;
    if (echo) this.#handOver(bytes, talk);
    const look = () => {
      if (this.#heardEndMs !== talk.endMs) return;
      this.#heardSpoilt ||= talk.spoilt;
      this.#request(this.#heard, talk.endMs);
    };
    clock.schedule(talk.endMs + this.#silenceMs - nowMs, look, "world");
  }

  /** Somebody talks; whoever talks meanwhile is spoilt as well. */
  #talk(startMs: number, bytes: number): Talk {
    const endMs = startMs + bytes * this.#charMs;
    const talk: Talk = { startMs, endMs, spoilt: false };
    this.#talks = this.#talks.filter((other) => other.endMs > this.#parts.clock.nowMs - 50);
    for (const other of this.#talks) {
      if (other.endMs <= startMs + nearMs || other.startMs >= endMs - nearMs) continue;
      other.spoilt = true;
      talk.spoilt = true;
      this.counts.collisions += 1;
    }
    this.#talks.push(talk);
    return talk;
  }

  #before(talk: Talk): readonly Talk[] {
    return this.#talks.filter((other) => other !== talk && other.startMs < talk.startMs);
  }

  #request(heard: Uint8Array, endMs: number): void {
    const { random, fieldFaults, faults, devices, clock } = this.#parts;
    if (clock.nowMs < this.#cutUntilMs) return;
    this.counts.frames += 1;
    const wrong = this.#heardSpoilt || this.#happens(faults.spoil);
    const frame = wrong ? turned(heard, random) : heard;
    if (!crcHolds(frame)) {
      if (!wrong) this.counts.refused += 1;
      return;
    }
    const unit = frame[0] ?? 0;
    const pdu = frame.slice(1, -2);
    if (random.chance(fieldFaults.loseRequest)) return;
    if (unit === 0) {
      for (const device of devices.values()) device.broadcast?.(pdu, clock.nowMs);
      return;
    }
    const reply = devices.get(unit)?.handle(pdu, clock.nowMs);
    if (reply === undefined || random.chance(fieldFaults.loseReply)) return;
    const [least, most] = this.#happens(faults.late) ? lateMs.unnumbered : turnaroundMs;
    const ownMs = endMs + Math.max(random.between(least, most), this.#silenceMs);
    const atMs = Math.max(ownMs, (this.#busyUntilMs.get(unit) ?? 0) + this.#silenceMs);
    this.#busyUntilMs.set(unit, atMs + (reply.length + 3) * this.#charMs);
    clock.schedule(atMs - clock.nowMs, () => this.#answer(unit, reply), "world");
  }

  #answer(unit: number, pdu: Uint8Array): void {
    const { random, faults, clock } = this.#parts;
    const bytes = rtuFrame(unit, pdu);
    const parts: Uint8Array[] = [];
    if (this.#happens(faults.stray)) parts.push(noise(random));
    if (this.#happens(faults.stranger)) parts.push(rtuFrame(unit ^ 0x40, pdu));
    if (this.#happens(faults.truncate)) parts.push(truncated(bytes, random));
    else if (this.#happens(faults.spoil)) parts.push(turned(bytes, random));
    else parts.push(bytes);
    if (this.#happens(faults.twice)) parts.push(bytes);
    this.counts.replies += 1;
    let startMs = clock.nowMs;
    for (const part of parts) {
      const talk = this.#talk(startMs, part.length);
      startMs = talk.endMs;
      this.#handOver(part, talk);
    }
  }

  /** What is on the line reaches the port in pieces, as the adapter pleases. */
  #handOver(bytes: Uint8Array, talk: Talk): void {
    const { clock, random } = this.#parts;
    const cuts = new Set<number>([bytes.length]);
    for (let more = random.whole(0, 2); more > 0; more -= 1)
      cuts.add(random.whole(1, bytes.length));
    let at = 0;
    for (const end of [...cuts].sort((a, b) => a - b)) {
      const from = at;
      at = end;
      const heardMs = talk.startMs + end * this.#charMs;
      this.#handedMs = Math.max(this.#handedMs, heardMs + random.between(0, adapterMsMax));
      const hand = () => {
        const piece = bytes.subarray(from, end);
        this.#open?.onBytes(talk.spoilt ? turned(piece, random) : Uint8Array.from(piece));
      };
      // In the name of whoever has the port then.
      const reach = () => {
        const owner = this.#open?.owner;
        if (owner !== undefined) clock.schedule(0, hand, owner);
      };
      clock.schedule(this.#handedMs - clock.nowMs, reach, "world");
    }
  }

  #happens(probability: number): boolean {
    const so = this.#parts.random.chance(probability);
    if (so) this.counts.faults += 1;
    return so;
  }
}
