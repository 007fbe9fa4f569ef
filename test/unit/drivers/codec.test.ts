/**
 * Words and numbers: the orders, signs and widths that public reports got wrong.
 * The idea: bytes as they stand in the reports and manuals. Refuses to compute what it expects.
 */
import { describe, expect, it } from "vitest";
import { decodeRaw, encodeRaw, fromRaw, toRaw } from "#drivers/codec.js";
import { crc16 } from "#drivers/crc.js";
import { readRequest, writeMultiple, writeSingle } from "#drivers/pdu.js";
import type { Order, PointType } from "#drivers/profile.js";
import { frameBytes } from "#drivers/profile-lint-evidence.js";
import { fromNumber } from "#drivers/rational.js";
import { hex, profileOf, servo } from "./operation-walk.js";

const i32 = { type: "i32" } as const;

describe("WO-01: negative 32-bit positions in every order", () => {
  it("the report's bytes FC 2D FF FF", () => {
    expect(decodeRaw(i32, [0xfc2d, 0xffff], "CDAB")).toBe(-979);
    expect(decodeRaw(i32, [0xfc2d, 0xffff], "ABCD")).toBe(-64_094_209);
  });
  const bytes: readonly [number, { readonly [O in Order]: readonly [number, number] }][] = [
    [
      -979,
      {
        ABCD: [0xffff, 0xfc2d],
        CDAB: [0xfc2d, 0xffff],
        BADC: [0xffff, 0x2dfc],
        DCBA: [0x2dfc, 0xffff],
      },
    ],
    [
      100_000,
      { ABCD: [1, 0x86a0], CDAB: [0x86a0, 1], BADC: [0x100, 0xa086], DCBA: [0xa086, 0x100] },
    ],
    [
      -1,
      {
        ABCD: [0xffff, 0xffff],
        CDAB: [0xffff, 0xffff],
        BADC: [0xffff, 0xffff],
        DCBA: [0xffff, 0xffff],
      },
    ],
    [
      2 ** 31 - 1,
      {
        ABCD: [0x7fff, 0xffff],
        CDAB: [0xffff, 0x7fff],
        BADC: [0xff7f, 0xffff],
        DCBA: [0xffff, 0xff7f],
      },
    ],
    [-(2 ** 31), { ABCD: [0x8000, 0], CDAB: [0, 0x8000], BADC: [0x80, 0], DCBA: [0, 0x80] }],
    [
      0x00ff00ff,
      { ABCD: [0xff, 0xff], CDAB: [0xff, 0xff], BADC: [0xff00, 0xff00], DCBA: [0xff00, 0xff00] },
    ],
  ];
  const cells = bytes.flatMap(([value, byOrder]) =>
    (Object.keys(byOrder) as Order[]).map((order) => [value, order, byOrder[order]] as const),
  );
  it.each(cells)("%s in %s", (value, order, words) => {
    expect(decodeRaw(i32, words, order)).toBe(value);
    expect(encodeRaw(i32, value, order)).toEqual({ ok: true, value: words });
  });
  it("64 bits: two swaps, exact or nothing", () => {
    const u64 = { type: "u64" } as const;
    expect(decodeRaw(u64, [0, 0x0102, 0x0304, 0x0506], "ABCD")).toBe(0x010203040506);
    expect(decodeRaw(u64, [0x0506, 0x0304, 0x0102, 0], "CDAB")).toBe(0x010203040506);
    expect(decodeRaw(u64, [0x0102, 0x0304, 0x0506, 0x0708], "ABCD")).toBeUndefined();
  });
});

describe("WO-03: negative values on write", () => {
  const i16 = { type: "i16" } as const;
  it.each([
    [-1, 0xffff],
    [-32_643, 0x807d],
    [-32_768, 0x8000],
    [32_767, 0x7fff],
    [0, 0],
  ])("%s becomes the word %s", (value, word) => {
    expect(encodeRaw(i16, value, "ABCD")).toEqual({ ok: true, value: [word] });
  });
  it.each([32_768, 40_000, 65_535, -32_769, Number.NaN, 1.5, Number.POSITIVE_INFINITY])(
    "%s is refused for i16",
    (value) => {
      expect(encodeRaw(i16, value, "ABCD").ok).toBe(false);
    },
  );
  it.each([-1, 65_536, 0.5])("%s is refused for u16", (value) => {
    expect(encodeRaw({ type: "u16" }, value, "ABCD").ok).toBe(false);
  });
});

describe("WO-05: the width written is the register's", () => {
  it("1 to a u16 register is 00 01, as in 01 06 00 20 00 01 49 C0", () => {
    const words = encodeRaw({ type: "u16" }, 1, "ABCD");
    if (!words.ok) throw new TypeError(words.why);
    expect(onWire(writeSingle(0x0020, words.value[0] ?? 0))).toBe("01 06 00 20 00 01 49 C0");
  });
  const widths: readonly [PointType, number, readonly number[]][] = [
    ["u16", 0x1234, [0x1234]],
    ["u32", 0x12345678, [0x1234, 0x5678]],
    ["u48", 0x123456789abc, [0x1234, 0x5678, 0x9abc]],
    ["bcd16", 1234, [0x1234]],
    ["bool", 1, [1]],
  ];
  it.each(widths)("%s %s", (type, value, words) => {
    expect(encodeRaw({ type }, value, "ABCD")).toEqual({ ok: true, value: words });
  });
  it("a byte fills its half of the word only", () => {
    expect(encodeRaw({ type: "u8", byte: "high" }, 9, "ABCD")).toEqual({
      ok: true,
      value: [0x0900],
    });
    expect(encodeRaw({ type: "u8", byte: "low" }, 9, "ABCD")).toEqual({
      ok: true,
      value: [0x0009],
    });
    expect(encodeRaw({ type: "u8", byte: "low" }, 256, "ABCD").ok).toBe(false);
  });
});

function onWire(pdu: Uint8Array, unit = 1): string {
  const frame = [unit, ...pdu];
  const crc = crc16(Uint8Array.from(frame));
  const all = Uint8Array.from([...frame, crc & 0xff, crc >> 8]);
  return (hex(all).toUpperCase().match(/../g) ?? []).join(" ");
}

describe("golden frames of the Kinco manual, check sum computed here", () => {
  it("reads the status word as the manual does", () => {
    const request = servo().pollFast.find((one) => one.points.includes("statusword"));
    expect(onWire(request?.pdu ?? readRequest(3, 0, 1))).toBe("01 03 32 00 00 02 CA B3");
  });
  it("writes control word 0x0F", () => {
    expect(onWire(writeSingle(0x3100, 0x0f))).toBe("01 06 31 00 00 0F C7 32");
  });
  it("writes 100 rpm at 65536 counts, low word first", () => {
    const scaling = { scale: fromNumber(512 * 65536), offset: fromNumber(0) };
    // rpm × 512 × counts / 1875: 100 rpm written in units of 1875 rpm.
    const raw = toRaw(100 / 1875, scaling);
    expect(raw).toEqual({ ok: true, value: 0x1b4e82 });
    const words = encodeRaw(i32, 0x1b4e82, "CDAB");
    if (!words.ok) throw new TypeError(words.why);
    expect(onWire(writeMultiple(0x6f00, words.value))).toBe(
      "01 10 6F 00 00 02 04 4E 82 00 1B ED 56",
    );
  });
  it("all frames of the profile have the check sum that is computed here", () => {
    for (const { frame } of profileOf("kinco/fd5p").evidence.goldenFrames) {
      const bytes = frameBytes(frame) ?? new Uint8Array(0);
      expect(onWire(bytes.slice(1, -2), bytes[0])).toBe(frame);
    }
  });
});

describe("MO-16: exact gears", () => {
  // 131072 counts, 7:3, 5 mm: counts per mm = 131072 × 7 / (3 × 5)
  const scaling = { scale: { n: 131_072n * 7n, d: 15n }, offset: fromNumber(0) };
  it("rounds once, half away from zero, the same on both sides", () => {
    const half = { scale: fromNumber(1), offset: fromNumber(0) };
    expect([0.5, 1.5, -0.5, -1.5].map((v) => toRaw(v, half))).toEqual(
      [1, 2, -1, -2].map((value) => ({ ok: true, value })),
    );
  });
  it("1000 × 0.1 mm there and back ends at the start", () => {
    let position = 0;
    for (let i = 0; i < 1000; i++) position += 0.1;
    for (let i = 0; i < 1000; i++) position -= 0.1;
    expect(toRaw(position, scaling)).toEqual({ ok: true, value: 0 });
    expect(toRaw(100, scaling)).toEqual({ ok: true, value: 6_116_693 });
    expect(toRaw(-100, scaling)).toEqual({ ok: true, value: -6_116_693 });
  });
  it("a move smaller than a count is 0 counts, not lost in the sum", () => {
    expect(toRaw(0.000001, scaling)).toEqual({ ok: true, value: 0 });
    expect(fromRaw(6_116_693, scaling)).toBeCloseTo(100, 4);
  });

  it("an inverse scale: 100 ms per 1000 rpm is 10000 rpm/s, and 0 is refused", () => {
    const ramp = { scale: fromNumber(1_000_000), offset: fromNumber(0), inverse: true };
    expect(toRaw(10_000, ramp)).toEqual({ ok: true, value: 100 });
    expect(fromRaw(100, ramp)).toBe(10_000);
    expect(toRaw(0, ramp)).toMatchObject({ ok: false });
    expect(fromRaw(0, ramp)).toBe(Number.POSITIVE_INFINITY);
  });
});
