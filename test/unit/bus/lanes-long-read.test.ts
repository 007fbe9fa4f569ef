/**
 * Reads on the poll lane that would take a line longer than one frame may.
 * The idea: the stop bound holds whoever asks; a vendor's tool is told, not the stop delayed.
 */
import { describe, expect, it } from "vitest";
import { frameMsMax } from "#drivers/wire-time.js";
import type { LanesOptions } from "../../../services/bus/lane-state.js";
import { bytes, line, play, request, tcp, written } from "./lanes-situations.js";

const charMsAt = (baud: number) => ({ charMs: 11_000 / baud }) satisfies Partial<LanesOptions>;
const read = (fc: number, count: number) =>
  bytes(`0${fc}0000${count.toString(16).padStart(4, "0")}`);
const asked = (
  state: ReturnType<typeof line>,
  pdu: ReturnType<typeof bytes>,
  lane: "poll" | "command" = "poll",
) => written(play(state, [0, request(1, lane, 1, pdu)]));

describe("a read of more than a frame's time on a line", () => {
  it.each([
    [9600, 3, 23, 24],
    [9600, 4, 23, 24],
    [9600, 1, 376, 377],
    [19_200, 3, 49, 50],
  ])("baud=%i fc=%i: %i values go, %i are refused with 3", (baud, fc, most, more) => {
    const state = line(charMsAt(baud));
    expect(asked(state, read(fc, most))).toBe("send 1/1 normal 200/40");
    expect(asked(state, read(fc, more))).toBe(`answer 1 8${fc}03`);
    const data = fc <= 2 ? Math.ceil(more / 8) : 2 * more;
    expect(((5 + data) * 11_000) / baud).toBeGreaterThan(frameMsMax);
  });

  it("the greatest read goes at 115200 baud, over TCP, and where no speed is known", () => {
    expect(asked(line(charMsAt(115_200)), read(3, 125))).toMatch(/^send/);
    expect(asked(tcp(), read(3, 125))).toMatch(/^send/);
    expect(asked(line(), read(3, 125))).toMatch(/^send/);
  });
});
