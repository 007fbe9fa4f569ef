/**
 * The register image of a simulated device: its profile's points as words on the wire.
 *
 * The idea: address, type, byte and word order come from the profile; every word is put together
 * from the points that lie in it, so packed bytes and bit fields need no special case. The codec
 * here is written a second time on purpose, so that a wrong one in the drivers shows. It refuses
 * addresses that no point names, and meanings.
 */
import { type PointSpec, type Profile, pointSpan } from "#drivers/profile.js";

type Side = "read" | "write";

interface Part {
  readonly name: string;
  readonly point: PointSpec;
  /** Which word of the point this is, 0 the first on the wire. */
  readonly index: number;
}

export type WriteTrace = ReadonlyMap<number, number>;

export class RegisterImage {
  readonly #points: Readonly<Record<string, PointSpec>>;
  readonly #order: string;
  readonly #readable: ReadonlyMap<number, readonly Part[]>;
  readonly #writable: ReadonlyMap<number, readonly Part[]>;
  #memory = new Map<number, number>();
  /** Settings of the device that this profile can read but not write. */
  #settings: Readonly<Record<string, number>> = {};

  constructor(profile: Profile) {
    this.#points = profile.points;
    this.#order = profile.transport.order.default;
    this.#readable = layout(profile.points, "read");
    this.#writable = layout(profile.points, "write");
  }

  /** Power-up: every point that the device does not set itself holds its default. */
  reset(defaults: Readonly<Record<string, number>>): void {
    this.#memory = new Map();
    this.#settings = defaults;
    for (const [name, value] of Object.entries(defaults)) this.#store(name, value);
  }

  /** What a point holds: its last write, or its default; 0 where there is neither. */
  written(name: string): number {
    const point = this.#points[name];
    if (point?.write === undefined) return this.#settings[name] ?? 0;
    const words = this.#wordsAt(point.write.address, wordsOf(point));
    return decode(point, this.#orderOf(point), words);
  }

  /**
   * Words for a read. `own` are the values that the device itself sets; a point that it does not
   * set shows what was written to it. Undefined when no point covers one of the addresses.
   */
  read(
    address: number,
    count: number,
    own: Readonly<Record<string, number>>,
  ): readonly number[] | undefined {
    const words: number[] = [];
    for (let at = address; at < address + count; at += 1) {
      const parts = this.#readable.get(at);
      if (parts === undefined) return undefined;
      let word = 0;
      for (const part of parts) word |= this.#shown(part, own);
      words.push(word);
    }
    return words;
  }

  /** Undefined, and nothing is stored, when one of the addresses cannot be written. */
  write(address: number, words: readonly number[]): WriteTrace | undefined {
    const before = new Map<number, number>();
    for (const [i] of words.entries()) {
      if (!this.#writable.has(address + i)) return undefined;
      before.set(address + i, this.#memory.get(address + i) ?? 0);
    }
    for (const [i, word] of words.entries()) this.#memory.set(address + i, word);
    return before;
  }

  /** Takes a write back that the device refused. */
  undo(trace: WriteTrace): void {
    for (const [address, word] of trace) this.#memory.set(address, word);
  }

  #shown(part: Part, own: Readonly<Record<string, number>>): number {
    const value = own[part.name] ?? this.written(part.name);
    return encode(part.point, this.#orderOf(part.point), value)[part.index] ?? 0;
  }

  #store(name: string, value: number): void {
    const point = this.#points[name];
    if (point?.write === undefined) return;
    const address = point.write.address;
    const others = this.#wordsAt(address, wordsOf(point)).map(
      (word, i) => word & ~maskOf(point, i),
    );
    const words = encode(point, this.#orderOf(point), value);
    for (const [i, word] of words.entries()) {
      this.#memory.set(address + i, (others[i] ?? 0) | word);
    }
  }

  #wordsAt(address: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.#memory.get(address + i) ?? 0);
  }

  #orderOf(point: PointSpec): string {
    return point.order ?? this.#order;
  }
}

function layout(points: Readonly<Record<string, PointSpec>>, side: Side) {
  const words = new Map<number, Part[]>();
  for (const [name, point] of Object.entries(points)) {
    const place = side === "read" ? point.read : point.write;
    if (place === undefined || point.type === "bool") continue;
    for (let index = 0; index < pointSpan(point, side); index += 1) {
      const at = place.address + index;
      words.set(at, [...(words.get(at) ?? []), { name, point, index }]);
    }
  }
  return words;
}

const bitsOf: Readonly<Record<PointSpec["type"], number>> = {
  bool: 16,
  bits: 16,
  u8: 8,
  i8: 8,
  u16: 16,
  i16: 16,
  bcd16: 16,
  u32: 32,
  i32: 32,
  u48: 48,
  i48: 48,
  u64: 64,
  i64: 64,
};

function wordsOf(point: PointSpec): number {
  return Math.max(1, bitsOf[point.type] / 16);
}

/** Bits of the word `index` that belong to the point. */
function maskOf(point: PointSpec, index: number): number {
  if (index >= wordsOf(point)) return 0;
  if (point.type === "bits" && point.bits !== undefined) {
    return ((1 << point.bits.width) - 1) << point.bits.from;
  }
  if (bitsOf[point.type] === 8) return point.byte === "high" ? 0xff00 : 0x00ff;
  return 0xffff;
}

function swapped(word: number): number {
  return ((word & 0xff) << 8) | (word >> 8);
}

/** Most significant word first, or as the order says: CDAB words, BADC bytes, DCBA both. */
function arranged(words: readonly number[], order: string): number[] {
  const byWord = order === "CDAB" || order === "DCBA" ? words.toReversed() : [...words];
  return order === "BADC" || order === "DCBA" ? byWord.map(swapped) : byWord;
}

function encode(point: PointSpec, order: string, value: number): number[] {
  const bits = bitsOf[point.type];
  const whole = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  if (point.type === "bits" && point.bits !== undefined) {
    const field = Number(whole) & ((1 << point.bits.width) - 1);
    return [field << point.bits.from];
  }
  if (bits === 8) {
    const byte = Number(whole & 0xffn);
    return [point.byte === "high" ? byte << 8 : byte];
  }
  if (point.type === "bcd16") return [Number.parseInt(String(Math.trunc(value)), 16) & 0xffff];
  const words = Array.from({ length: bits / 16 }, (_, i) => {
    return Number((whole >> BigInt(bits - 16 * (i + 1))) & 0xffffn);
  });
  return arranged(words, order);
}

function decode(point: PointSpec, order: string, words: readonly number[]): number {
  const first = words[0] ?? 0;
  if (point.type === "bits" && point.bits !== undefined) {
    return (first >> point.bits.from) & ((1 << point.bits.width) - 1);
  }
  const bits = bitsOf[point.type];
  const signed = point.type.startsWith("i");
  if (point.type === "bcd16") return Number.parseInt(first.toString(16), 10);
  let whole = 0n;
  if (bits === 8) whole = BigInt(point.byte === "high" ? first >> 8 : first & 0xff);
  else for (const word of arranged(words, order)) whole = (whole << 16n) | BigInt(word);
  return Number(signed ? BigInt.asIntN(bits, whole) : whole);
}
