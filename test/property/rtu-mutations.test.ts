/**
 * Replies that are spoiled at random.
 * The idea: whatever comes, a value counts only when a frame with a right checksum, of the asked
 * unit and function and length, stands in the stream. It refuses to trust the product's checksum.
 */
import { describe, expect, it } from "vitest";
import { keptBytesMax, RtuAssembler } from "#kernel/edge/rtu-frame.js";
import { SeededRandom } from "#simulators/world/seeded-random.js";
import { crc16 } from "../fixtures/crc.js";

/** 10,000 in every run; RTU_MUTATIONS allows up to 100,000. */
const count = Math.min(100_000, Number(process.env.RTU_MUTATIONS ?? 10_000));
const seed = Number(process.env.RTU_SEED ?? 20_251);
/** What a run may leave on the heap. */
const heapBytesMax = 32 * 1024 * 1024;

/** A whole number below, from this seed. */
function randomFrom(start: number): (below: number) => number {
  const random = new SeededRandom(start);
  return (below) => random.whole(0, below - 1);
}

function framed(body: readonly number[]): number[] {
  const crc = crc16(Uint8Array.from(body));
  return [...body, crc & 0xff, crc >> 8];
}

interface Case {
  readonly pdu: Uint8Array;
  readonly right: readonly number[];
}

function anyCase(random: (below: number) => number): Case {
  const [high, low] = [random(256), random(256)];
  const n = 1 + random(20);
  const data = Array.from({ length: 2 * n }, () => random(256));
  switch (random(5)) {
    case 0:
      return { pdu: Uint8Array.of(3, high, low, 0, n), right: framed([1, 3, 2 * n, ...data]) };
    case 1: {
      const bytes = Math.ceil(n / 8);
      const pdu = Uint8Array.of(1, high, low, 0, n);
      return { pdu, right: framed([1, 1, bytes, ...data.slice(0, bytes)]) };
    }
    case 2: {
      const pdu = [6, high, low, random(256), random(256)];
      return { pdu: Uint8Array.from(pdu), right: framed([1, ...pdu]) };
    }
    case 3: {
      const pdu = Uint8Array.of(16, high, low, 0, n, 2 * n, ...data);
      return { pdu, right: framed([1, 16, high, low, 0, n]) };
    }
    default:
      return { pdu: Uint8Array.of(4, high, low, 0, n), right: framed([1, 0x84, 1 + random(4)]) };
  }
}

function spoiled(right: readonly number[], random: (below: number) => number): Uint8Array {
  const bytes = [...right];
  const times = 1 + random(3);
  for (let i = 0; i < times; i += 1) {
    const at = random(Math.max(1, bytes.length));
    switch (random(7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes.splice(at, 1);
        break;
      case 2:
        bytes.splice(at, 0, random(256));
        break;
      case 3:
        bytes.splice(at);
        break;
      case 4:
        bytes.push(...bytes.slice(0, at));
        break;
      case 5:
        bytes.unshift(...framed([2, 3, 2, random(256), random(256)]));
        break;
      default:
        bytes[at] = random(256);
    }
  }
  return Uint8Array.from(bytes);
}

/** Whether unit, this PDU and its checksum stand somewhere in the stream. */
function stands(stream: Uint8Array, pdu: Uint8Array): boolean {
  const frame = Buffer.from(framed([1, ...pdu]));
  return Buffer.from(stream).includes(frame);
}

describe("spoiled replies", () => {
  it(`seed=${seed}: ${count} of them: no wrong value, no crash, memory flat`, () => {
    const random = randomFrom(seed);
    let accepted = 0;
    let asSent = 0;
    let heapBefore = 0;
    for (let i = 0; i < count; i += 1) {
      if (i === Math.floor(count / 10)) {
        globalThis.gc?.();
        heapBefore = process.memoryUsage().heapUsed;
      }
      const { pdu, right } = anyCase(random);
      const stream = spoiled(right, random);
      const assembler = new RtuAssembler({ unit: 1, pdu });
      let got: Uint8Array | undefined;
      for (let at = 0; at < stream.length && got === undefined; ) {
        const size = 1 + random(12);
        got = assembler.push(stream.subarray(at, at + size));
        at += size;
      }
      if (got === undefined) continue;
      accepted += 1;
      if (!stands(stream, got)) {
        expect.fail(`case ${i}: ${Buffer.from(got).toString("hex")} is nowhere in the stream`);
      }
      const sent = Buffer.from(right.slice(1, -2)).equals(Buffer.from(got));
      if (sent) asSent += 1;
    }
    globalThis.gc?.();
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(heapBytesMax);
    expect(accepted).toBeGreaterThan(count / 20);
    // A checksum of 16 bits lets one in 65,536 through.
    expect(accepted - asSent).toBeLessThanOrEqual(1 + count / 10_000);
  }, 120_000);

  it(`seed=${seed}: noise of ten times what is kept, 200 times: nothing counts but by checksum`, () => {
    const random = randomFrom(seed + 1);
    for (let i = 0; i < 200; i += 1) {
      const { pdu } = anyCase(random);
      const stream = Uint8Array.from({ length: 10 * keptBytesMax }, () => random(8) & 3);
      const got = new RtuAssembler({ unit: 1, pdu }).push(stream);
      if (got !== undefined) expect(stands(stream, got)).toBe(true);
    }
  });
});
