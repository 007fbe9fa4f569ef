/**
 * decode after encode is the identity; encode refuses all else.
 * The idea: random raw values over the whole range of each type, and random gears. Refuses to
 * leave out the ends of a range, which are tried always.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRaw, encodeRaw, fromRaw, rangeOf, toRaw } from "#drivers/codec.js";
import { type PointSpec, pointTypes } from "#drivers/profile.js";
import { orders } from "#drivers/profile-facts.js";
import { divide, rational, subtract, toNumber } from "#drivers/rational.js";

type Shape = Pick<PointSpec, "type" | "byte" | "bits">;

const shapes: readonly Shape[] = pointTypes.flatMap((type): Shape[] => {
  if (type === "u8" || type === "i8")
    return [
      { type, byte: "high" },
      { type, byte: "low" },
    ];
  if (type !== "bits") return [{ type }];
  return [
    { type, bits: { from: 0, width: 16 } },
    { type, bits: { from: 4, width: 2 } },
    { type, bits: { from: 15, width: 1 } },
  ];
});

/** The part of the range that a number holds exactly. */
function exact(shape: Shape): { min: number; max: number } {
  const { min, max } = rangeOf(shape);
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  return { min: Number(min < -most ? -most : min), max: Number(max > most ? most : max) };
}

describe.each(shapes)("$type $byte $bits", (shape) => {
  const { min, max } = exact(shape);
  it.each(orders)("is the identity in %s", (order) => {
    const same = (raw: number) => {
      const words = encodeRaw(shape, raw, order);
      expect(words.ok && decodeRaw(shape, words.value, order)).toBe(raw);
    };
    for (const raw of [min, max, min + 1, max - 1]) same(raw);
    fc.assert(fc.property(fc.integer({ min, max }), same), { numRuns: 200 });
  });
  it("refuses what lies outside and what is not whole", () => {
    const refused = (raw: number) => {
      expect(encodeRaw(shape, raw, "ABCD").ok).toBe(false);
    };
    const { MIN_SAFE_INTEGER: least, MAX_SAFE_INTEGER: most } = Number;
    fc.assert(fc.property(fc.double({ noInteger: true }), refused), { numRuns: 100 });
    if (min > least) fc.assert(fc.property(fc.integer({ min: least, max: min - 1 }), refused));
    if (max < most) fc.assert(fc.property(fc.integer({ min: max + 1, max: most }), refused));
    for (const raw of [Number.NaN, 0.5, Number.POSITIVE_INFINITY]) refused(raw);
  });
});

it("every word of a 16-bit register: encode after decode is the identity", () => {
  for (const type of ["u16", "i16"] as const) {
    for (let word = 0; word <= 0xffff; word++) {
      const raw = decodeRaw({ type }, [word], "ABCD");
      const words = encodeRaw({ type }, raw ?? Number.NaN, "ABCD");
      if (!words.ok || words.value[0] !== word) throw new TypeError(`${type} ${word}`);
    }
  }
});

it("user units and back: every count of 32 bits survives any gear, pitch and encoder", () => {
  const whole = (max: number) => fc.integer({ min: 1, max });
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      whole(2 ** 24),
      whole(1000),
      whole(1000),
      whole(100_000),
      (raw, counts, motor, output, perRevMicro) => {
        const scale = rational(
          BigInt(counts) * BigInt(motor) * 1000n,
          BigInt(output) * BigInt(perRevMicro),
        );
        const scaling = { scale, offset: rational(0n) };
        expect(toRaw(fromRaw(raw, scaling), scaling)).toEqual({ ok: true, value: raw });
      },
    ),
    { numRuns: 1000 },
  );
});

it("raw to user units: the number nearest to the exact fraction, whatever gear and offset", () => {
  const part = fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n });
  const whole = fc.bigInt({ min: 1n, max: 2n ** 40n });
  fc.assert(
    fc.property(fc.maxSafeInteger(), whole, whole, part, whole, (raw, n, d, on, od) => {
      const scaling = { scale: rational(n, d), offset: rational(on, od) };
      const exact = divide(subtract(rational(BigInt(raw)), scaling.offset), scaling.scale);
      expect(fromRaw(raw, scaling)).toBe(toNumber(exact));
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 5000 }), (raw, pitch) => {
      const scaling = { scale: rational(131_072n, BigInt(pitch)), offset: rational(3n, 7n) };
      const exact = divide(subtract(rational(BigInt(raw)), scaling.offset), scaling.scale);
      expect(fromRaw(raw, scaling)).toBe(toNumber(exact));
    }),
    { numRuns: 500 },
  );
});
