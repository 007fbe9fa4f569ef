/**
 * How many registers one write may carry, and that a block is never cut.
 *
 * The idea: the frames are counted byte by byte; a profile that asks for more is refused before a
 * device is near. It refuses to split: a block that fits no frame is a mistake of its file.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readWriteMultiple, writeMultiple } from "../../../drivers/pdu.js";
import { parseProfile } from "../../../drivers/profile-loader.js";

const words = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("BR-04: the write limit is 123 registers, 121 with function 23", () => {
  it.each([
    [1, 8],
    [123, 252],
  ])("%d registers are one frame of %d bytes", (count, bytes) => {
    expect(writeMultiple(0x100, words(count)).length).toBe(bytes);
  });

  it.each([0, 124, 125])("%d registers are refused, not cut", (count) => {
    expect(() => writeMultiple(0x100, words(count))).toThrow(/1 to 123 registers/);
  });

  it("121 registers written and read with function 23 fit; 122 are refused", () => {
    const read = { address: 0, count: 1 };
    expect(readWriteMultiple(read, 0, words(121)).length).toBe(10 + 2 * 121);
    expect(() => readWriteMultiple(read, 0, words(122))).toThrow(/121/);
  });

  it("a profile's block of 124 registers is a problem at its line, and nothing is loaded", () => {
    const text = readFileSync("drivers/profiles/robotiq/2f.yaml", "utf8");
    const wrong = text.replace(/^( +)registers: \d+$/m, "$1registers: 124");
    expect(wrong).not.toBe(text);
    const checked = parseProfile(wrong, "wrong.yaml");
    const problems = checked.ok ? [] : checked.problems;
    expect(problems.map(({ path }) => path)).toContainEqual(expect.stringMatching(/registers$/));
    expect(problems.every(({ line }) => line > 1)).toBe(true);
  });
});
