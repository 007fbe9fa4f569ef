/**
 * What a Modbus request asks of a device's tables, and the reply in bytes.
 *
 * The idea: one function per group of function codes, from the bytes of the request to calls of
 * four table operations; what the tables refuse becomes an exception. MODBUS Application Protocol
 * V1.1b3, section 6. It refuses to know which functions a device has: its behaviour says.
 */
import type { Profile } from "#drivers/profile.js";
import { illegalAddress, illegalFunction, illegalValue } from "./behaviours/behaviour.js";
import { word16 } from "./mbap.js";

/** A device as its requests see it. */
export interface DeviceTables {
  limits(): Profile["transport"]["limits"];
  identity(): Profile["identity"];
  /** FC05 with 0x5500 turns a coil over. */
  toggles(): boolean;
  coil(address: number): number;
  /** Words, or bits as 0 and 1; undefined: no such address. */
  read(fc: number, address: number, count: number): readonly number[] | undefined;
  /** The number of the exception, or undefined when it is done. */
  write(fc: number, address: number, words: readonly number[]): number | undefined;
}

/** What MODBUS 6 allows in one request, whatever a device allows. */
const readMost = 125;
const writeMost = 123;
const bitsReadMost = 2000;
const bitsWriteMost = 1968;
const coilOn = 0xff00;
const coilToggle = 0x5500;
const running = 0xff;

/** The reply, or the number of the exception. */
export function carryOut(pdu: Uint8Array, tables: DeviceTables): Uint8Array | number {
  const fc = pdu[0] ?? 0;
  switch (fc) {
    case 1:
    case 2:
    case 3:
    case 4:
      return pdu.length === 5 ? read(fc, pdu, tables) : illegalValue;
    case 5:
      return writeCoil(pdu, tables);
    case 6: {
      if (pdu.length !== 5) return illegalValue;
      return tables.write(fc, word16(pdu, 1), [word16(pdu, 3)]) ?? pdu.slice();
    }
    case 8:
      // Sub-function 0: the request comes back as it is [MODBUS 6.8].
      return pdu.length >= 3 && word16(pdu, 1) === 0 ? pdu.slice() : illegalFunction;
    case 15:
      return writeCoils(pdu, tables);
    case 16:
      return writeBlock(fc, pdu, 1, tables) ?? pdu.slice(0, 5);
    case 17:
      return serverId(tables);
    case 23: {
      if (pdu.length < 12) return illegalValue;
      // MODBUS 6.17: the write happens before the read.
      return writeBlock(fc, pdu, 5, tables) ?? read(fc, pdu, tables);
    }
    case 43:
      return deviceIdentification(pdu, tables);
    default:
      return illegalFunction;
  }
}

function read(fc: number, pdu: Uint8Array, tables: DeviceTables): Uint8Array | number {
  const count = word16(pdu, 3);
  const bits = fc === 1 || fc === 2;
  const most = bits ? bitsReadMost : Math.min(readMost, tables.limits().readRegisters);
  if (count < 1 || count > most) return illegalValue;
  const words = tables.read(fc, word16(pdu, 1), count);
  if (words === undefined) return illegalAddress;
  if (bits) {
    const bytes = packed(words);
    return Uint8Array.of(fc, bytes.length, ...bytes);
  }
  const reply = new Uint8Array(2 + 2 * words.length);
  reply[0] = fc;
  reply[1] = 2 * words.length;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? 0;
    reply[2 + 2 * i] = word >> 8;
    reply[3 + 2 * i] = word;
  }
  return reply;
}

/** The first bit is the lowest of the first byte [MODBUS 6.1]. */
function packed(bits: readonly number[]): number[] {
  const bytes = Array.from({ length: Math.ceil(bits.length / 8) }, () => 0);
  for (const [i, bit] of bits.entries()) {
    if (bit !== 0) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  }
  return bytes;
}

function writeCoil(pdu: Uint8Array, tables: DeviceTables): Uint8Array | number {
  if (pdu.length !== 5) return illegalValue;
  const address = word16(pdu, 1);
  const value = word16(pdu, 3);
  const turns = value === coilToggle && tables.toggles();
  if (value !== 0 && value !== coilOn && !turns) return illegalValue;
  const on = turns ? tables.coil(address) === 0 : value === coilOn;
  return tables.write(5, address, [on ? 1 : 0]) ?? pdu.slice();
}

function writeCoils(pdu: Uint8Array, tables: DeviceTables): Uint8Array | number {
  const count = word16(pdu, 3);
  const bytes = Math.ceil(count / 8);
  if (count < 1 || count > bitsWriteMost) return illegalValue;
  if (pdu[5] !== bytes || pdu.length !== 6 + bytes) return illegalValue;
  const bits = Array.from({ length: count }, (_, i) => ((pdu[6 + (i >> 3)] ?? 0) >> (i & 7)) & 1);
  return tables.write(15, word16(pdu, 1), bits) ?? pdu.slice(0, 5);
}

/** Address, count, byte count and words from `at`; undefined when it is done. */
function writeBlock(
  fc: number,
  pdu: Uint8Array,
  at: number,
  tables: DeviceTables,
): number | undefined {
  const count = word16(pdu, at + 2);
  const from = at + 5;
  const most = Math.min(writeMost, tables.limits().writeRegisters);
  if (count < 1 || count > most) return illegalValue;
  if (pdu[at + 4] !== 2 * count || pdu.length !== from + 2 * count) return illegalValue;
  const words = Array.from({ length: count }, (_, i) => word16(pdu, from + 2 * i));
  return tables.write(fc, word16(pdu, at), words);
}

/** [MODBUS 6.13]: an identifier of the maker's choice, and whether the device runs. */
function serverId(tables: DeviceTables): Uint8Array {
  const text = Buffer.from(nameOf(tables), "latin1");
  return Uint8Array.of(17, text.length + 1, ...text, running);
}

function nameOf(tables: DeviceTables): string {
  const { vendor, models } = tables.identity();
  return `${vendor} ${models[0] ?? ""}`.slice(0, 64);
}

/** Sub-function 14: the three basic objects, or one of them [MODBUS 6.21]. */
function deviceIdentification(pdu: Uint8Array, tables: DeviceTables): Uint8Array | number {
  const [, kind, code = 0, first = 0] = pdu;
  if (kind !== 14 || pdu.length !== 4) return illegalFunction;
  if (code !== 1 && code !== 4) return illegalValue;
  const { vendor, models, firmware } = tables.identity();
  const texts = [vendor, models[0] ?? "", firmware ?? "1"].map((text) => text.slice(0, 60));
  const wanted = texts.map((text, id) => ({ text, id }));
  const shown = code === 4 ? wanted.filter(({ id }) => id === first) : wanted.slice(first);
  if (shown.length === 0) return illegalAddress;
  const objects = shown.flatMap(({ text, id }) => {
    const bytes = Buffer.from(text, "latin1");
    return [id, bytes.length, ...bytes];
  });
  // Conformity 1: basic objects, as a stream; 0x81 would allow single ones too.
  return Uint8Array.of(43, 14, code, 0x81, 0, 0, shown.length, ...objects);
}
