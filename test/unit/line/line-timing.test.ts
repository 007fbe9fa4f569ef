/**
 * The silence of a line.
 * The idea: figures by hand from the baud rate. It refuses to ask the code for them.
 */
import { describe, expect, it } from "vitest";
import { characterMs, frameMs, frameSilenceMs } from "#kernel/edge/line-timing.js";

describe("t3.5", () => {
  it.each([
    [1200, "8E1", 32.0833],
    [9600, "8E1", 4.0104],
    [9600, "8O1", 4.0104],
    [9600, "8N2", 4.0104],
    [9600, "8N1", 3.6458],
    [19200, "8E1", 2.0052],
    [19200, "8N1", 1.8229],
    [38400, "8E1", 1.75],
    [115200, "8N1", 1.75],
  ] as const)("baud=%i format=%s: %f ms", (baud, format, ms) => {
    expect(frameSilenceMs(baud, format)).toBeCloseTo(ms, 3);
  });

  it("eight bytes at 9600 8E1 take 9.17 ms, a character at 115200 8N1 0.087 ms", () => {
    expect(frameMs(8, 9600, "8E1")).toBeCloseTo(9.1667, 3);
    expect(characterMs(115_200, "8N1")).toBeCloseTo(0.0868, 3);
  });
});
