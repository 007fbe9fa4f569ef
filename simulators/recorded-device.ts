/**
 * A simulated device that answers as a real one did when it was recorded.
 *
 * The idea: the same request gets the same replies in the same order, and the last of them from
 * then on, silence and exceptions included. What the master writes now lies over what was read
 * then. A read that was never made is put together from single registers, where all are known.
 * It refuses to guess: an address that nobody asked for is exception 2.
 */
import { exceptionReply } from "#drivers/pdu.js";
import { illegalAddress } from "./behaviours/behaviour.js";
import { FaultBook, type SimReply } from "./fault-book.js";
import { type FaultName, type FaultValue, isBusFault, numberOf } from "./faults.js";
import { word16 } from "./mbap.js";
import type { SimDevice, SimDeviceView } from "./modbus-device.js";
import { SimProblem } from "./problem.js";
import { RecordedUnitDevice } from "./recorded-unit.js";
import { isWrite, readReply, reads, tableOf, valuesOf, writtenBy } from "./recorded-words.js";
import type { RecordedUnit } from "./recording.js";

/** Replies to one request, in order; undefined: silence. */
interface Sequence {
  readonly replies: (Uint8Array | undefined)[];
  at: number;
}

const rebootSilenceMs = 200;

export function recordedDevice(recorded: RecordedUnit): SimDevice {
  return new RecordedDevice(recorded);
}

class RecordedDevice extends RecordedUnitDevice {
  readonly #faults = new FaultBook();
  readonly #sequences = new Map<string, Sequence>();
  /** Exceptions of writes, by function and address, whatever was written. */
  readonly #refused = new Map<string, number>();
  /** What single addresses last held, by table. */
  readonly #known = new Map<string, number>();
  readonly #written = new Map<string, number>();
  #silentUntilMs = Number.NEGATIVE_INFINITY;

  constructor(recorded: RecordedUnit) {
    super(recorded);
    for (const { request, reply } of recorded.exchanges) {
      const key = keyOf(request);
      const sequence = this.#sequences.get(key);
      if (sequence === undefined) this.#sequences.set(key, { replies: [reply], at: 0 });
      else sequence.replies.push(reply);
      this.#learn(request, reply);
    }
  }

  answer(pdu: Uint8Array, nowMs: number): SimReply | undefined {
    const reply = this.handle(pdu, nowMs);
    return reply === undefined ? undefined : this.#faults.shape(this.unit, reply);
  }

  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined {
    const dropped = this.#faults.dropped();
    if (nowMs < this.#silentUntilMs || dropped === "request") return undefined;
    const refusal = this.#faults.refusal();
    if (refusal !== undefined) return exceptionReply(pdu[0] ?? 0, refusal);
    const reply = this.#play(pdu);
    return dropped === "reply" ? undefined : reply;
  }

  override broadcast(pdu: Uint8Array): void {
    this.#overlay(pdu);
  }

  override setFault(name: FaultName, value: FaultValue | undefined, nowMs: number): void {
    if (isBusFault(name)) throw new SimProblem(`${name} is a fault of a bus, not of ${this.id}.`);
    if (name === "reboot") {
      this.#written.clear();
      for (const sequence of this.#sequences.values()) sequence.at = 0;
      this.#silentUntilMs = nowMs + numberOf(name, value, rebootSilenceMs);
    } else this.#faults.set(name, value);
  }

  override endFault(name: FaultName): void {
    if (!isBusFault(name)) this.#faults.end(name);
  }

  override clearFaults(): void {
    this.#faults.clear();
  }

  override view(): SimDeviceView {
    const values = Object.fromEntries(this.#written);
    return { ...super.view(), faults: this.#faults.view(), values };
  }

  #play(pdu: Uint8Array): Uint8Array | undefined {
    const fc = pdu[0] ?? 0;
    const sequence = this.#sequences.get(keyOf(pdu));
    if (sequence !== undefined) {
      const reply = sequence.replies[sequence.at];
      sequence.at = Math.min(sequence.at + 1, sequence.replies.length - 1);
      if (reply === undefined) return undefined;
      if (isWrite(fc) && reply[0] === fc) this.#overlay(pdu);
      return reads(fc) && reply[0] === fc ? this.#overlaid(pdu, reply) : reply;
    }
    if (isWrite(fc)) return this.#write(pdu);
    return reads(fc) && pdu.length === 5 ? this.#assembled(pdu) : exceptionReply(fc, 1);
  }

  #write(pdu: Uint8Array): Uint8Array {
    const fc = pdu[0] ?? 0;
    const address = word16(pdu, 1);
    const refused = this.#refused.get(`${fc}/${address}`);
    if (refused !== undefined) return exceptionReply(fc, refused);
    const all = writtenBy(pdu);
    const strange = all.some(([key]) => !this.#known.has(key));
    if (strange || all.length === 0) return exceptionReply(fc, illegalAddress);
    this.#overlay(pdu);
    return pdu.slice(0, 5);
  }

  #overlay(pdu: Uint8Array): void {
    for (const [key, value] of writtenBy(pdu)) this.#written.set(key, value);
  }

  /** A recorded reply, with what was written since where it was read then. */
  #overlaid(pdu: Uint8Array, reply: Uint8Array): Uint8Array {
    const values = valuesOf(pdu, reply);
    const now = values.map(([key, value]) => this.#written.get(key) ?? value);
    return readReply(pdu[0] ?? 0, now);
  }

  #assembled(pdu: Uint8Array): Uint8Array {
    const fc = pdu[0] ?? 0;
    const values: number[] = [];
    for (let i = 0; i < word16(pdu, 3); i += 1) {
      const key = `${tableOf(fc)}/${word16(pdu, 1) + i}`;
      const value = this.#written.get(key) ?? this.#known.get(key);
      if (value === undefined) return exceptionReply(fc, illegalAddress);
      values.push(value);
    }
    return values.length === 0 ? exceptionReply(fc, illegalAddress) : readReply(fc, values);
  }

  #learn(request: Uint8Array, reply: Uint8Array | undefined): void {
    const fc = request[0] ?? 0;
    if (reply === undefined) return;
    if (reads(fc) && reply[0] === fc) {
      for (const [key, value] of valuesOf(request, reply)) this.#known.set(key, value);
    }
    if (!isWrite(fc)) return;
    const place = `${fc}/${word16(request, 1)}`;
    if (reply[0] === fc) {
      this.#refused.delete(place);
      for (const [key, value] of writtenBy(request)) this.#known.set(key, value);
    } else this.#refused.set(place, reply[1] ?? illegalAddress);
  }
}

function keyOf(pdu: Uint8Array): string {
  return Buffer.from(pdu).toString("hex");
}
