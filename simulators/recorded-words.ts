/**
 * Requests and replies of a recording as single registers and coils.
 *
 * The idea: a recorded device and a recorded history both need to know which addresses a frame read
 * or wrote, and with what. It refuses functions that a recording does not hold.
 */
import { isBitFunction } from "./image.js";
import { word16 } from "./mbap.js";

export function reads(fc: number): boolean {
  return fc >= 1 && fc <= 4;
}

export function isWrite(fc: number): boolean {
  return fc === 5 || fc === 6 || fc === 15 || fc === 16;
}

/** Coils are written and read by different functions; so are holding registers. */
export function tableOf(fc: number): string {
  if (fc === 2 || fc === 4) return fc === 2 ? "inputs" : "inputRegisters";
  return isBitFunction(fc) ? "coils" : "registers";
}

export function valuesOf(request: Uint8Array, reply: Uint8Array): [string, number][] {
  const fc = request[0] ?? 0;
  const address = word16(request, 1);
  const bits = isBitFunction(fc);
  return Array.from({ length: word16(request, 3) }, (_, i) => {
    const bit = ((reply[2 + (i >> 3)] ?? 0) >> (i & 7)) & 1;
    return [`${tableOf(fc)}/${address + i}`, bits ? bit : word16(reply, 2 + 2 * i)];
  });
}

export function writtenBy(pdu: Uint8Array): [string, number][] {
  const fc = pdu[0] ?? 0;
  const address = word16(pdu, 1);
  const place = (i: number) => `${tableOf(fc)}/${address + i}`;
  if (fc === 5) return [[place(0), word16(pdu, 3) === 0 ? 0 : 1]];
  if (fc === 6) return [[place(0), word16(pdu, 3)]];
  return Array.from({ length: word16(pdu, 3) }, (_, i) => {
    const bit = ((pdu[6 + (i >> 3)] ?? 0) >> (i & 7)) & 1;
    return [place(i), fc === 15 ? bit : word16(pdu, 6 + 2 * i)];
  });
}

export function readReply(fc: number, values: readonly number[]): Uint8Array {
  if (!isBitFunction(fc)) {
    const bytes = values.flatMap((word) => [word >> 8, word & 0xff]);
    return Uint8Array.of(fc, bytes.length, ...bytes);
  }
  const bytes = Array.from({ length: Math.ceil(values.length / 8) }, () => 0);
  for (const [i, on] of values.entries()) {
    if (on !== 0) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  }
  return Uint8Array.of(fc, bytes.length, ...bytes);
}
