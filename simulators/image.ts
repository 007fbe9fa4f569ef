/**
 * The register image of a simulated device: its profile's points as words on the wire.
 *
 * The idea: address, type, byte and word order come from the profile; every word is put together
 * from the points that lie in it, so packed bytes and bit fields need no special case. The codec
 * here is written a second time on purpose, so that a wrong one in the drivers shows. Coils,
 * discrete inputs and registers are tables of their own [MODBUS 4.3]; input registers are apart
 * from holding registers only where the profile tells them apart, as devices do. It refuses
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

/** What stood in a table before a write. */
export interface WriteTrace {
  readonly coils: boolean;
  readonly before: ReadonlyMap<number, number>;
  /** Points that lie in what was written. */
  readonly points: readonly string[];
}

type Layout = ReadonlyMap<number, readonly Part[]>;

/** Functions of coils and discrete inputs [MODBUS 6]. */
export function isBitFunction(fc: number): boolean {
  return fc === 1 || fc === 2 || fc === 5 || fc === 15;
}

export class RegisterImage {
  readonly #points: Readonly<Record<string, PointSpec>>;
  readonly #order: string;
  readonly #coils: Layout;
  readonly #inputs: Layout;
  readonly #holding: Layout;
  readonly #inputRegisters: Layout;
  readonly #writableCoils: Layout;
  readonly #writable: Layout;
  #memory = new Map<number, number>();
  #coilMemory = new Map<number, number>();
  /** What points hold, worked out since the last change. */
  readonly #held = new Map<string, number>();
  /** Settings of the device that this profile can read but not write. */
  #settings: Readonly<Record<string, number>> = {};

  constructor(profile: Profile) {
    this.#points = profile.points;
    this.#order = profile.transport.order.default;
    const { points } = profile;
    this.#coils = layout(points, "read", [1]);
    this.#inputs = layout(points, "read", [2]);
    const apart = readsWith(points, 3) && readsWith(points, 4);
    this.#holding = layout(points, "read", apart ? [3] : [3, 4]);
    this.#inputRegisters = layout(points, "read", apart ? [4] : [3, 4]);
    this.#writableCoils = layout(points, "write", [5, 15]);
    this.#writable = layout(points, "write", [6, 16]);
  }

  /** Power-up: every point that the device does not set itself holds its default. */
  reset(defaults: Readonly<Record<string, number>>): void {
    this.#memory = new Map();
    this.#coilMemory = new Map();
    this.#held.clear();
    this.#settings = defaults;
    for (const [name, value] of Object.entries(defaults)) this.put(name, value);
  }

  /** What a point holds: its last write, or its default; 0 where there is neither. */
  written(name: string): number {
    let value = this.#held.get(name);
    if (value === undefined) {
      value = this.#worth(name);
      this.#held.set(name, value);
    }
    return value;
  }

  #worth(name: string): number {
    const point = this.#points[name];
    if (point?.write === undefined) return this.#settings[name] ?? 0;
    if (point.type === "bool") return this.#coilMemory.get(point.write.address) ?? 0;
    const words = this.#wordsAt(point.write.address, wordsOf(point));
    return decode(point, this.#orderOf(point), words);
  }

  /**
   * Words (or bits) for a read with `fc`. `own` are the values that the device itself sets; a
   * point that it does not set shows what was written to it. Undefined when no point covers one
   * of the addresses.
   */
  read(
    fc: number,
    { address, count }: { readonly address: number; readonly count: number },
    own: Readonly<Record<string, number>>,
  ): readonly number[] | undefined {
    const table = this.#tableOf(fc);
    const words: number[] = [];
    for (let at = address; at < address + count; at += 1) {
      const parts = table.get(at);
      if (parts === undefined) return undefined;
      let word = 0;
      for (const part of parts) word |= this.#shown(part, own);
      words.push(word);
    }
    return words;
  }

  /** Undefined, and nothing is stored, when one of the addresses cannot be written. */
  write(fc: number, address: number, words: readonly number[]): WriteTrace | undefined {
    const coils = isBitFunction(fc);
    const table = coils ? this.#writableCoils : this.#writable;
    const memory = coils ? this.#coilMemory : this.#memory;
    const before = new Map<number, number>();
    const points = new Set<string>();
    for (const [i] of words.entries()) {
      const parts = table.get(address + i);
      if (parts === undefined) return undefined;
      for (const part of parts) points.add(part.name);
      before.set(address + i, memory.get(address + i) ?? 0);
    }
    for (const [i, word] of words.entries()) memory.set(address + i, word);
    this.#held.clear();
    return { coils, before, points: [...points] };
  }

  /** What a coil holds; 0 where it was never written. */
  coil(address: number): number {
    return this.#coilMemory.get(address) ?? 0;
  }

  /** Points that a read of these addresses shows. */
  pointsRead(fc: number, address: number, count: number): readonly string[] {
    const points = new Set<string>();
    for (let at = address; at < address + count; at += 1) {
      for (const part of this.#tableOf(fc).get(at) ?? []) points.add(part.name);
    }
    return [...points];
  }

  /** Takes a write back that the device refused. */
  undo(trace: WriteTrace): void {
    const memory = trace.coils ? this.#coilMemory : this.#memory;
    for (const [address, word] of trace.before) memory.set(address, word);
    this.#held.clear();
  }

  /** FC23 reads what FC03 does [MODBUS 6.17]. */
  #tableOf(fc: number): Layout {
    if (fc === 1) return this.#coils;
    if (fc === 2) return this.#inputs;
    return fc === 4 ? this.#inputRegisters : this.#holding;
  }

  #shown(part: Part, own: Readonly<Record<string, number>>): number {
    const value = own[part.name] ?? this.written(part.name);
    if (part.point.type === "bool") return value === 0 ? 0 : 1;
    return wordAt(part.point, this.#orderOf(part.point), value, part.index);
  }

  /** Puts a number where a point lies, beside what else lies there. */
  put(name: string, value: number): void {
    const point = this.#points[name];
    if (point?.write === undefined) return;
    const address = point.write.address;
    this.#held.clear();
    if (point.type === "bool") {
      this.#coilMemory.set(address, value === 0 ? 0 : 1);
      return;
    }
    const others = this.#wordsAt(address, wordsOf(point)).map(
      (word, i) => word & ~maskOf(point, i),
    );
    for (const [i, other] of others.entries()) {
      this.#memory.set(address + i, other | wordAt(point, this.#orderOf(point), value, i));
    }
  }

  #wordsAt(address: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.#memory.get(address + i) ?? 0);
  }

  #orderOf(point: PointSpec): string {
    return point.order ?? this.#order;
  }
}

type Points = Readonly<Record<string, PointSpec>>;

function readsWith(points: Points, fc: number): boolean {
  return Object.values(points).some((point) => point.read?.fc === fc);
}

function layout(points: Points, side: Side, functions: readonly number[]): Layout {
  const words = new Map<number, Part[]>();
  for (const [name, point] of Object.entries(points)) {
    const place = side === "read" ? point.read : point.write;
    if (place === undefined || !functions.includes(place.fc)) continue;
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
function isReversed(order: string): boolean {
  return order === "CDAB" || order === "DCBA";
}

function inOrder(word: number, order: string): number {
  return order === "BADC" || order === "DCBA" ? swapped(word) : word;
}

/** The word `index` of a number as it goes over the wire; 0 behind its last. */
function wordAt(point: PointSpec, order: string, value: number, index: number): number {
  const bits = bitsOf[point.type];
  const count = wordsOf(point);
  if (index >= count) return 0;
  if (point.type === "bits" && point.bits !== undefined) {
    return (value & ((1 << point.bits.width) - 1)) << point.bits.from;
  }
  if (bits === 8) return point.byte === "high" ? (value & 0xff) << 8 : value & 0xff;
  if (point.type === "bcd16") return Number.parseInt(String(Math.trunc(value)), 16) & 0xffff;
  const place = isReversed(order) ? index : count - 1 - index;
  // Up to 32 bits the operators of numbers do; they take what is above away.
  const word =
    bits <= 32
      ? (value >>> (16 * place)) & 0xffff
      : Number((BigInt(Math.trunc(value)) >> BigInt(16 * place)) & 0xffffn);
  return inOrder(word, order);
}

function decode(point: PointSpec, order: string, words: readonly number[]): number {
  const first = words[0] ?? 0;
  if (point.type === "bits" && point.bits !== undefined) {
    return (first >> point.bits.from) & ((1 << point.bits.width) - 1);
  }
  const bits = bitsOf[point.type];
  if (point.type === "bcd16") return Number.parseInt(first.toString(16), 10);
  if (bits === 8) return signedBy(point, point.byte === "high" ? first >> 8 : first & 0xff);
  const list = isReversed(order) ? words.toReversed() : words;
  if (bits > 48) {
    let whole = 0n;
    for (const word of list) whole = (whole << 16n) | BigInt(inOrder(word, order));
    return Number(point.type.startsWith("i") ? BigInt.asIntN(bits, whole) : whole);
  }
  let whole = 0;
  for (const word of list) whole = whole * 0x1_0000 + inOrder(word, order);
  return signedBy(point, whole);
}

function signedBy(point: PointSpec, whole: number): number {
  const bits = bitsOf[point.type];
  return point.type.startsWith("i") && whole >= 2 ** (bits - 1) ? whole - 2 ** bits : whole;
}
