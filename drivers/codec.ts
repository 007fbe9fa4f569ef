/**
 * Words to numbers and back, by type and order; raw numbers to user units and back, exactly.
 *
 * The idea: one place decides width, sign and order, and decode after encode is the identity over
 * the whole range. Encode refuses: nothing wraps, nothing is clamped, NaN and fractions never
 * become registers. Orders are named by example: 0xAABBCCDD arrives as ABCD, CDAB, BADC or DCBA.
 */
import type { Order, PointSpec, PointType } from "./profile.js";
import { typeBytes } from "./profile.js";
import type { Rational } from "./rational.js";
import {
  add,
  divide,
  fromNumber,
  multiply,
  rational,
  round,
  subtract,
  toNumber,
} from "./rational.js";

export type Encoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string };

/** raw = user × scale + offset, or scale / user + offset where the device counts the inverse. */
export interface Scaling {
  readonly scale: Rational;
  readonly offset: Rational;
  readonly inverse?: boolean;
}

/** Least and greatest raw value of a type; for `bits` by its width. */
export function rangeOf(point: Pick<PointSpec, "type" | "bits">): { min: bigint; max: bigint } {
  switch (point.type) {
    case "bool":
      return { min: 0n, max: 1n };
    case "bits":
      return { min: 0n, max: 2n ** BigInt(point.bits?.width ?? 16) - 1n };
    case "bcd16":
      return { min: 0n, max: 9999n };
    case "i8":
    case "i16":
    case "i32":
    case "i48":
    case "i64": {
      const half = 2n ** BigInt(8 * typeBytes[point.type] - 1);
      return { min: -half, max: half - 1n };
    }
    case "u8":
    case "u16":
    case "u32":
    case "u48":
    case "u64":
      return { min: 0n, max: 2n ** BigInt(8 * typeBytes[point.type]) - 1n };
    default:
      return point.type satisfies never;
  }
}

/** Words as they come over the wire → words with the most significant first, bytes in order. */
function arranged(words: readonly number[], order: Order): readonly number[] {
  const byteSwapped = order === "BADC" || order === "DCBA";
  const wordSwapped = (order === "CDAB" || order === "DCBA") && words.length > 1;
  const bytes = byteSwapped ? words.map((w) => ((w & 0xff) << 8) | (w >> 8)) : words;
  return wordSwapped ? bytes.toReversed() : bytes;
}

function isSigned(type: PointType): boolean {
  return type.startsWith("i");
}

/** The raw number in the words from `at` on, as many as it needs; undefined if it has none. */
export function decodeRaw(
  point: Pick<PointSpec, "type" | "byte" | "bits" | "mask" | "invalid">,
  words: readonly number[],
  order: Order,
  at = 0,
): number | undefined {
  const needed = Math.max(1, typeBytes[point.type] / 2);
  if (words.length < at + needed) return undefined;
  const whole = at === 0 && words.length === needed;
  const list = arranged(whole ? words : words.slice(at, at + needed), order);
  const number = needed > 2 ? decodeWide(point, list) : decodeNarrow(point, list);
  if (number === undefined || !Number.isSafeInteger(number)) return undefined;
  return point.invalid?.includes(number) === true ? undefined : number;
}

type Narrow = Pick<PointSpec, "type" | "byte" | "bits" | "mask">;

/** Up to two words, most significant first: numbers hold them exactly, and are quick. */
function decodeNarrow(point: Narrow, [first = 0, second]: readonly number[]): number | undefined {
  let value = second === undefined ? first : first * 0x1_0000 + second;
  if (point.type === "u8" || point.type === "i8") {
    value = point.byte === "high" ? value >> 8 : value & 0xff;
  }
  if (point.bits !== undefined) {
    value = Math.floor(value / 2 ** point.bits.from) % 2 ** point.bits.width;
  }
  if (point.mask !== undefined) value = (value & point.mask) >>> 0;
  if (point.type === "bool") return value === 0 ? 0 : 1;
  if (point.type === "bcd16") {
    const digits = value.toString(16);
    return /^\d+$/.test(digits) ? Number(digits) : undefined;
  }
  const range = 2 ** (8 * typeBytes[point.type]);
  return isSigned(point.type) && value >= range / 2 ? value - range : value;
}

function decodeWide(point: Narrow, list: readonly number[]): number {
  let value = list.reduce((sum, w) => sum * 0x1_0000n + BigInt(w), 0n);
  if (point.bits !== undefined) {
    value = (value >> BigInt(point.bits.from)) & (2n ** BigInt(point.bits.width) - 1n);
  }
  if (point.mask !== undefined) value &= BigInt(point.mask);
  if (isSigned(point.type)) value = BigInt.asIntN(8 * typeBytes[point.type], value);
  return Number(value);
}

/**
 * The words of a raw number as they go over the wire. Narrow types fill their own bits of one
 * word and leave the rest 0; `merge` joins several of them.
 */
export function encodeRaw(
  point: Pick<PointSpec, "type" | "byte" | "bits">,
  raw: number,
  order: Order,
): Encoded<readonly number[]> {
  if (!Number.isSafeInteger(raw)) return { ok: false, why: `${raw} is not a whole number` };
  const { min, max } = rangeOf(point);
  const value = BigInt(raw);
  if (value < min || value > max) {
    return { ok: false, why: `${raw} does not fit ${point.type} (${min} to ${max})` };
  }
  const count = Math.max(1, typeBytes[point.type] / 2);
  let bits = BigInt.asUintN(8 * typeBytes[point.type], value);
  if (point.type === "bcd16") bits = BigInt(`0x${value}`);
  if (point.byte === "high") bits <<= 8n;
  if (point.bits !== undefined) bits <<= BigInt(point.bits.from);
  const list = Array.from({ length: count }, (_, i) => {
    return Number((bits >> BigInt(16 * (count - 1 - i))) & 0xffffn);
  });
  return { ok: true, value: arranged(list, order) };
}

/** Joins words that fill different bits of the same registers. */
export function merge(into: readonly number[], words: readonly number[], at: number): number[] {
  const joined = [...into];
  words.forEach((word, i) => {
    joined[at + i] = (joined[at + i] ?? 0) | word;
  });
  return joined;
}

/** User units → raw, rounded once, half away from zero. */
export function toRaw(user: number, scaling: Scaling): Encoded<number> {
  if (!Number.isFinite(user)) return { ok: false, why: `${user} is not a finite number` };
  if (scaling.inverse === true && user === 0) return { ok: false, why: "0 has no inverse" };
  const value = fromNumber(user);
  const scaled =
    scaling.inverse === true ? divide(scaling.scale, value) : multiply(value, scaling.scale);
  const exact = add(scaled, scaling.offset);
  const raw = Number(round(exact));
  if (!Number.isSafeInteger(raw)) return { ok: false, why: `${user} is out of range` };
  return { ok: true, value: raw };
}

const exactMost = 2 ** 53 - 1;

/** Raw → user units. */
export function fromRaw(raw: number, scaling: Scaling): number {
  const { scale, offset } = scaling;
  const d = Number(offset.d) * Number(scale.n);
  const whole = raw * Number(offset.d);
  const n = (whole - Number(offset.n)) * Number(scale.d);
  // Whole numbers that a number holds exactly: their quotient is the nearest number, too.
  const exact = Math.abs(whole) <= exactMost && Math.abs(n) <= exactMost && d <= exactMost;
  if (scaling.inverse !== true && exact && d > 0) return n === 0 ? 0 : n / d;
  const scaled = subtract(rational(BigInt(raw)), scaling.offset);
  if (scaling.inverse !== true) return toNumber(divide(scaled, scaling.scale));
  // A ramp of no time is without bound.
  if (scaled.n === 0n) return Number.POSITIVE_INFINITY;
  return toNumber(divide(scaling.scale, scaled));
}
