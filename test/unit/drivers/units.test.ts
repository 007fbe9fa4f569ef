/**
 * Quantities and expressions as people write them.
 * The idea: one table each of what is read and what is refused. Refuses bare numbers.
 */
import { describe, expect, it } from "vitest";
import { evaluate } from "#drivers/expression.js";
import { fromNumber, toNumber } from "#drivers/rational.js";
import { parseDuration, parseQuantity, parseRatio } from "#drivers/units.js";

describe("quantities", () => {
  it.each([
    ["120 mm", 120, "length"],
    ["1.5 m", 1500, "length"],
    ["-50mm", -50, "length"],
    ["200 mm/s", 200, "speed"],
    ["90 deg", 90, "angle"],
    ["50 %", 50, "ratio"],
    ["2 s", 2000, "time"],
    ["300 rpm", 1800, "angularSpeed"],
    [".5 mm", 0.5, "length"],
    ["1e3 ms", 1000, "time"],
  ])("%s", (text, value, dimension) => {
    expect(parseQuantity(text)).toMatchObject({ ok: true, value, dimension });
  });
  it.each([
    ["120", /no unit/],
    ["120 mn", /not a known unit/],
    ["mm", /not a quantity/],
    ["0120 mm", /leading zeros/],
    ["1_000 mm", /./],
    ["NaN mm", /not a quantity/],
    ["1e999 mm", /out of range/],
    ["5 constructor", /not a known unit/],
  ])("%s is refused", (text, pattern) => {
    const parsed = parseQuantity(text);
    expect(parsed.ok ? "" : parsed.message).toMatch(pattern);
  });
  it("a misspelt unit gets the nearest one", () => {
    expect(parseQuantity("5 deg/S")).toMatchObject({ suggestion: "did you mean deg/s?" });
  });
  it("durations and ratios", () => {
    expect(parseDuration("2 s")).toMatchObject({ ok: true, ms: 2000 });
    expect(parseDuration("2 mm")).toMatchObject({ ok: false });
    expect(parseDuration("20")).toMatchObject({ suggestion: 'write e.g. "20 ms" or "20 s"' });
    expect(parseRatio("7:3")).toMatchObject({ ok: true, numerator: 7, denominator: 3 });
    for (const text of ["7", "0:3", "7:0", "7.5:3", "07:3", "-7:3"]) {
      expect(parseRatio(text).ok).toBe(false);
    }
  });
});

describe("expressions", () => {
  const names = new Map([["counts", fromNumber(65536)]]);
  it("the formula of the manual: 100 rpm at 65536 counts", () => {
    const made = evaluate("100 * 512 * counts / 1875", names);
    expect(made.ok && Math.round(toNumber(made.value))).toBe(0x1b4e82);
  });
  it.each([
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["-2 / 4", -0.5],
    ["2 - -3", 5],
    ["0.1 + 0.2", 0.3],
  ])("%s = %s", (text, value) => {
    const made = evaluate(text, names);
    expect(made.ok && toNumber(made.value)).toBe(value);
  });
  it.each([
    ["1 / 0", /division by zero/],
    ["cuonts", /"cuonts" is not given/],
    ["1 +", /missing/],
    ["(1", /\) is missing/],
    ["1 2", /unexpected "2"/],
    ["2 ^ 3", /not arithmetic/],
    ["process.exit", /not arithmetic/],
    ["1+".repeat(200), /too long/],
  ])("%s is refused", (text, pattern) => {
    const made = evaluate(text, names);
    expect(made.ok ? "" : made.why).toMatch(pattern);
  });
});
