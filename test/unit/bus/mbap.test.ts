/**
 * The framing of Modbus TCP: whatever the pieces, the frames are the same.
 * The idea: every cut of a stream, and every header that cannot be right. Refuses sockets.
 */
import { describe, expect, it } from "vitest";
import { encodeMbap, MbapReader } from "#kernel/edge/mbap.js";

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const reply = "00 07 00 00 00 07 01 03 04 00 01 86 a0";
const frame = { transaction: 7, unit: 1, pdu: bytes("03 04 00 01 86 a0") };

describe("a frame in pieces", () => {
  it("FR-03: is the same frame wherever it is cut in two (cuts=1..12)", () => {
    const whole = bytes(reply);
    for (let cut = 1; cut < whole.length; cut += 1) {
      const reader = new MbapReader();
      expect(reader.push(whole.subarray(0, cut)).frames).toEqual([]);
      expect(reader.push(whole.subarray(cut))).toEqual({ frames: [frame] });
    }
  });

  it("is the same frame byte by byte, and the next one follows", () => {
    const reader = new MbapReader();
    const frames = [...bytes(reply + reply)].flatMap((byte) => [
      ...reader.push(Uint8Array.of(byte)).frames,
    ]);
    expect(frames).toEqual([frame, frame]);
  });

  it("FR-04: two frames and the begin of a third in one read", () => {
    const reader = new MbapReader();
    const first = bytes(`00 11 00 00 00 05 01 03 02 00 13 ${reply} 00 13 00 00 00`);
    const { frames } = reader.push(first);
    expect(frames.map((f) => f.transaction)).toEqual([0x11, 7]);
    expect(reader.push(bytes("05 01 03 02 00 14")).frames).toEqual([
      { transaction: 0x13, unit: 1, pdu: bytes("03 02 00 14") },
    ]);
  });

  it("keeps no view into the bytes it was given", () => {
    const chunk = bytes(reply);
    const [got] = new MbapReader().push(chunk).frames;
    chunk.fill(0xff);
    expect(got).toEqual(frame);
  });
});

describe("FR-06: a header that cannot be right", () => {
  it.each([
    ["length 32767", "00 21 00 00 7f ff 01 03 02 00 13"],
    ["length 255", "00 21 00 00 00 ff 01 03"],
    ["length 1 (no function)", "00 21 00 00 00 01 01"],
    ["length 0", "00 21 00 00 00 00"],
    ["protocol id 1", "00 21 00 01 00 05 01 03 02 00 13"],
  ])("%s ends the stream, after the good frame before it", (_, hex) => {
    const reader = new MbapReader();
    const read = reader.push(bytes(reply + hex));
    expect(read.frames).toEqual([frame]);
    expect(read.bad).toBeTypeOf("string");
    expect(reader.push(bytes(reply))).toEqual({ frames: [], bad: read.bad });
  });

  it("takes the longest frame of the specification (length 254)", () => {
    const pdu = new Uint8Array(253).fill(9);
    const whole = encodeMbap({ transaction: 0xffff, unit: 255, pdu });
    expect(whole.length).toBe(260);
    expect(new MbapReader().push(whole).frames).toEqual([{ transaction: 0xffff, unit: 255, pdu }]);
  });
});

describe("encoding", () => {
  it("is the golden frame", () => {
    expect(Buffer.from(encodeMbap(frame)).toString("hex")).toBe(reply.replaceAll(" ", ""));
  });

  it.each([
    ["an empty PDU", { transaction: 1, unit: 1, pdu: new Uint8Array(0) }],
    ["a PDU of 254 bytes", { transaction: 1, unit: 1, pdu: new Uint8Array(254) }],
    ["unit 256", { transaction: 1, unit: 256, pdu: bytes("03") }],
    ["transaction 65536", { transaction: 65_536, unit: 1, pdu: bytes("03") }],
  ])("refuses %s", (_, bad) => {
    expect(() => encodeMbap(bad)).toThrow(RangeError);
  });
});
