/**
 * Modbus protocol data units: requests out, replies matched against their request.
 *
 * The idea: a reply is only as good as its match. Function code, byte count and the echo of a
 * write are compared with what was asked, so an answer to something else is `malformed` and never
 * a value. Facts: MODBUS Application Protocol V1.1b3, sections 4.1 and 6. Pure; knows no unit id,
 * no transport and no meaning of registers. It refuses lengths outside the specification.
 */

/** What a reply says about the request it was matched with. */
export type MatchedReply =
  | { readonly kind: "words"; readonly words: readonly number[] }
  | { readonly kind: "bits"; readonly bits: readonly boolean[] }
  | { readonly kind: "ack" }
  | { readonly kind: "exception"; readonly code: number }
  | { readonly kind: "malformed"; readonly why: string };

/** Exceptions of a gateway: here the bus service's own answers (PROTOCOL 4). */
export const exceptionNeverSent = 0x0a;
export const exceptionNoValidReply = 0x0b;

/** Function codes that only read. The poll lane passes nothing else. */
export function isReadFunction(fc: number): boolean {
  return fc >= 1 && fc <= 4;
}

function word(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) {
    throw new RangeError(`${name} must be a whole number from 0 to 65535, got ${value}`);
  }
  return value;
}

/** @throws RangeError when address or count leave the ranges of MODBUS 6.1–6.4. */
export function readRequest(fc: 1 | 2 | 3 | 4, address: number, count: number): Uint8Array {
  const most = fc <= 2 ? 2000 : 125;
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw new RangeError(`count must be 1 to ${most}, got ${count}`);
  }
  word(address, "address");
  word(address + count - 1, "last address");
  return Uint8Array.of(fc, address >> 8, address & 0xff, count >> 8, count & 0xff);
}

/** FC06. @throws RangeError outside 16 bits. */
export function writeSingle(address: number, value: number): Uint8Array {
  word(address, "address");
  word(value, "value");
  return Uint8Array.of(6, address >> 8, address & 0xff, value >> 8, value & 0xff);
}

/** FC05. @throws RangeError outside the address range. */
export function writeCoil(address: number, on: boolean): Uint8Array {
  word(address, "address");
  return Uint8Array.of(5, address >> 8, address & 0xff, on ? 0xff : 0, 0);
}

/** FC16. @throws RangeError for no words, more than 123, or a value outside 16 bits. */
export function writeMultiple(address: number, words: readonly number[]): Uint8Array {
  if (words.length < 1 || words.length > 123) {
    throw new RangeError(`1 to 123 registers can be written, got ${words.length}`);
  }
  word(address, "address");
  word(address + words.length - 1, "last address");
  const pdu = new Uint8Array(6 + 2 * words.length);
  pdu.set([16, address >> 8, address & 0xff, 0, words.length, 2 * words.length]);
  words.forEach((value, i) => {
    word(value, `register ${i}`);
    pdu[6 + 2 * i] = value >> 8;
    pdu[7 + 2 * i] = value & 0xff;
  });
  return pdu;
}

/** FC15. @throws RangeError for no coils, or more than 1968. */
export function writeCoils(address: number, on: readonly boolean[]): Uint8Array {
  if (on.length < 1 || on.length > 1968) {
    throw new RangeError(`1 to 1968 coils can be written, got ${on.length}`);
  }
  word(address, "address");
  word(address + on.length - 1, "last address");
  const bytes = Math.ceil(on.length / 8);
  const pdu = new Uint8Array(6 + bytes);
  pdu.set([15, address >> 8, address & 0xff, on.length >> 8, on.length & 0xff, bytes]);
  on.forEach((one, i) => {
    if (one) pdu[6 + (i >> 3)] = (pdu[6 + (i >> 3)] ?? 0) | (1 << (i & 7));
  });
  return pdu;
}

/** FC23: writes, then reads, in one exchange. @throws RangeError outside MODBUS 6.17. */
export function readWriteMultiple(
  read: { readonly address: number; readonly count: number },
  address: number,
  words: readonly number[],
): Uint8Array {
  if (words.length > 121) {
    throw new RangeError(`1 to 121 registers can be written with function 23`);
  }
  const asked = readRequest(3, read.address, read.count).subarray(1);
  const wrote = writeMultiple(address, words).subarray(1);
  return Uint8Array.of(23, ...asked, ...wrote);
}

/** The reply of a server that refuses with an exception. */
export function exceptionReply(fc: number, code: number): Uint8Array {
  return Uint8Array.of((fc & 0x7f) | 0x80, code & 0xff);
}

/** Matches a reply with its request. Never throws. */
export function matchReply(request: Uint8Array, reply: Uint8Array): MatchedReply {
  const fc = request[0] ?? 0;
  const got = reply[0];
  if (got === undefined) return { kind: "malformed", why: "empty reply" };
  // Some drives answer a failed read with 0x81 whatever the function (devices.md 1.2, Kinco).
  if (got === (fc | 0x80) || (got === 0x81 && reply.length === 2)) {
    const code = reply[1];
    if (reply.length !== 2 || code === undefined) {
      return { kind: "malformed", why: `exception of ${reply.length} bytes` };
    }
    return { kind: "exception", code };
  }
  if (got !== fc) return { kind: "malformed", why: `function ${got} in reply to ${fc}` };
  // FC23 answers with what it read, in the form of FC03 (MODBUS 6.17).
  if (isReadFunction(fc) || fc === 23) return matchRead(fc, request, reply);
  return matchWrite(fc, request, reply);
}

function matchRead(fc: number, request: Uint8Array, reply: Uint8Array): MatchedReply {
  const count = ((request[3] ?? 0) << 8) | (request[4] ?? 0);
  const bytes = fc <= 2 ? Math.ceil(count / 8) : 2 * count;
  if (reply[1] !== bytes || reply.length !== 2 + bytes) {
    const got = `${reply[1]} announced, ${reply.length - 2} there`;
    return { kind: "malformed", why: `${bytes} data bytes expected, ${got}` };
  }
  if (fc <= 2) {
    const bits: boolean[] = [];
    for (let i = 0; i < count; i += 1) {
      bits.push((((reply[2 + (i >> 3)] ?? 0) >> (i & 7)) & 1) === 1);
    }
    return { kind: "bits", bits };
  }
  const words: number[] = [];
  for (let i = 0; i < count; i += 1) {
    words.push(((reply[2 + 2 * i] ?? 0) << 8) | (reply[3 + 2 * i] ?? 0));
  }
  return { kind: "words", words };
}

/** FC05, FC06 and FC22 echo the whole request, FC15 and FC16 address and count (MODBUS 6). */
function matchWrite(fc: number, request: Uint8Array, reply: Uint8Array): MatchedReply {
  if (fc !== 5 && fc !== 6 && fc !== 15 && fc !== 16 && fc !== 22) {
    return { kind: "malformed", why: `function ${fc} is not known here` };
  }
  const length = fc === 22 ? 7 : 5;
  const same = reply.length === length && reply.every((byte, i) => byte === request[i]);
  if (!same) return { kind: "malformed", why: "the echo differs from what was written" };
  return { kind: "ack" };
}
