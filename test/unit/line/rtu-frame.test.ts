/**
 * The reply in a stream of bytes.
 * The idea: frames by hand, cut and dirtied everywhere. It refuses the product's own checksum.
 */
import { describe, expect, it } from "vitest";
import { crc16, keptBytesMax, RtuAssembler, replyBytes } from "#kernel/edge/rtu-frame.js";
import { crc16 as crcOfSpec } from "../../fixtures/crc.js";

const bytes = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
const framed = (hex: string) => {
  const body = bytes(hex);
  const crc = crcOfSpec(body);
  return Buffer.concat([body, Buffer.from([crc & 0xff, crc >> 8])]);
};
const text = (pdu: Uint8Array | undefined) =>
  pdu === undefined ? undefined : Buffer.from(pdu).toString("hex");

const read1 = bytes("03 0020 0001");
const read2 = bytes("03 0020 0002");
const write6 = bytes("06 0020 0003");

function waitingFor(pdu: Uint8Array, unit = 1): RtuAssembler {
  return new RtuAssembler({ unit, pdu });
}

describe("the checksum", () => {
  it("of report frames and of 300 random ones is the specification's", () => {
    expect(crc16(bytes("01 83 02"))).toBe(0xf1c0);
    for (let i = 0; i < 300; i += 1) {
      const some = Uint8Array.from({ length: 1 + (i % 255) }, (_, at) => (at * 31 + i * 7) & 0xff);
      expect(crc16(some)).toBe(crcOfSpec(some));
    }
  });
});

describe("the length of a reply", () => {
  it.each([
    ["01 0000 0009", 7],
    ["02 0000 0008", 6],
    ["03 0000 007d", 255],
    ["04 0000 0001", 7],
    ["05 0000 ff00", 8],
    ["06 0000 0001", 8],
    ["0f 0000 0003 01 05", 8],
    ["10 0000 0001 02 0001", 8],
    ["16 0000 ffff 0000", 10],
    ["17 0000 0002 0010 0001 02 0007", 9],
    ["2b 0e 01 00", 0],
  ])("request=%s: %i bytes", (pdu, length) => expect(replyBytes(bytes(pdu))).toBe(length));
});

describe("one good reply", () => {
  it.each([
    ["read of one register", read1, "01 03 02 1234"],
    ["read that looks like an exception", read2, "01 03 04 0183 02c0"],
    ["coils", bytes("01 0000 0009"), "01 01 02 ff01"],
    ["write echo", write6, "01 06 0020 0003"],
    ["write of several", bytes("10 0020 0001 02 0007"), "01 10 0020 0001"],
    ["mask write", bytes("16 0004 00f2 0025"), "01 16 0004 00f2 0025"],
    ["read and write at once", bytes("17 0000 0001 0010 0001 02 0007"), "01 17 02 00fe"],
    ["exception", read1, "01 83 02"],
  ])("FR-09: %s, cut at every byte: the same PDU", (_, pdu, reply) => {
    const whole = framed(reply);
    const wanted = bytes(reply).subarray(1).toString("hex");
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const assembler = waitingFor(pdu);
      const early = assembler.push(whole.subarray(0, cut));
      expect(text(early ?? assembler.push(whole.subarray(cut)))).toBe(wanted);
      if (cut < whole.length) expect(early).toBeUndefined();
    }
  });
});

describe("bytes that do not belong", () => {
  it.each(["00", "01", "ff", "01 03", "0101", "01 83", "01 03 02 01", "03", "01 06"])(
    "FR-02: stray=%s ahead of the reply: the reply, or nothing, never another",
    (stray) => {
      const assembler = waitingFor(read1);
      const got = text(assembler.push(Buffer.concat([bytes(stray), framed("01 03 02 1234")])));
      expect([undefined, "03021234"]).toContain(got);
    },
  );

  it.each(["00", "01", "01 03 02 01", "01 03 02 12", "02 03"])(
    "FR-02: stray=%s of one to four bytes is stepped over",
    (stray) => {
      const assembler = waitingFor(read1);
      const all = Buffer.concat([bytes(stray), framed("01 03 02 1234")]);
      const got = [...all].map((byte) => assembler.push(Uint8Array.of(byte))).find((r) => r);
      expect(text(got)).toBe("03021234");
    },
  );

  it("FR-02: a frame of 01 03 02 12 and no more is no reply, and is heard", () => {
    const assembler = waitingFor(read1);
    expect(assembler.push(bytes("01 03 02 12"))).toBeUndefined();
    expect(assembler.heardBytes).toBe(4);
  });

  it("TX-06: the neighbour's frame first, in one read or two: the right value", () => {
    const both = bytes("02 03 02 00 07 BD 86 01 03 02 00 02 39 85");
    for (let cut = 0; cut <= both.length; cut += 1) {
      const assembler = waitingFor(read1);
      const early = assembler.push(both.subarray(0, cut));
      expect(text(early ?? assembler.push(both.subarray(cut)))).toBe("03020002");
      expect(assembler.strangers).toBe(1);
    }
  });

  it("TX-05: only the neighbour answers: nothing, in any cut", () => {
    const assembler = waitingFor(read1);
    for (const byte of bytes("02 03 02 00 07 BD 86")) {
      expect(assembler.push(Uint8Array.of(byte))).toBeUndefined();
    }
    expect(assembler.strangers).toBe(1);
  });

  it("a frame of ours inside the data of another unit's whole reply is not read", () => {
    const inner = framed("01 83 02");
    const outer = framed(`02 03 06 ${inner.toString("hex")} 00`);
    const assembler = waitingFor(read1);
    expect(assembler.push(outer)).toBeUndefined();
    expect(text(assembler.push(framed("01 03 02 1234")))).toBe("03021234");
  });

  it.each([
    ["another function", read1, "01 04 02 1234"],
    ["another byte count", read1, "01 03 04 1234 5678"],
    ["an odd byte count", read1, "01 03 03 000102"],
    ["another register in the echo", write6, "01 06 0021 0003"],
    ["another value in the echo", write6, "01 06 0020 0002"],
    ["another function's exception", read1, "01 84 02"],
    ["another count written", bytes("10 0020 0001 02 0007"), "01 10 0020 0002"],
  ])("%s with a right checksum: no reply; the right one after it counts", (_, pdu, wrong) => {
    const assembler = waitingFor(pdu);
    expect(assembler.push(framed(wrong))).toBeUndefined();
    const right =
      pdu[0] === 3 ? "01 03 02 1234" : `01 ${Buffer.from(pdu.subarray(0, 5)).toString("hex")}`;
    expect(text(assembler.push(framed(right)))).toBe(bytes(right).subarray(1).toString("hex"));
  });

  it("the asked unit answers something else: counted as refused", () => {
    const assembler = waitingFor(write6);
    assembler.push(framed("01 06 0020 0002"));
    expect(assembler.refused).toBe(1);
  });

  it("FR-11: an exception without its checksum is no reply", () => {
    const assembler = new RtuAssembler({ unit: 10, pdu: bytes("01 04a1 0001") });
    expect(assembler.push(bytes("0A 81 02"))).toBeUndefined();
    expect(assembler.heardBytes).toBe(3);
  });
});

describe("function bytes of exceptions", () => {
  it.each([
    [undefined, undefined],
    [[0x81], "8302"],
  ])("0x81 in reply to FC03, functionBytes=%s: %s", (functionBytes, wanted) => {
    const assembler = new RtuAssembler({ unit: 1, pdu: read1, functionBytes });
    expect(text(assembler.push(framed("01 81 02")))).toBe(wanted);
  });
});

describe("echo", () => {
  const echo = framed("01 06 0020 0003");

  it("FR-05: the echo alone, with its checksum, is no acknowledgement", () => {
    const assembler = new RtuAssembler({ unit: 1, pdu: write6, echo });
    expect(assembler.push(echo)).toBeUndefined();
    expect(assembler.heardBytes).toBe(0);
  });

  it("FR-05: echo and reply in one read, and in any two: the reply", () => {
    const both = Buffer.concat([echo, echo]);
    for (let cut = 0; cut <= both.length; cut += 1) {
      const assembler = new RtuAssembler({ unit: 1, pdu: write6, echo });
      const early = assembler.push(both.subarray(0, cut));
      expect(text(early ?? assembler.push(both.subarray(cut)))).toBe("0600200003");
    }
  });

  it("FR-05: a stray byte or a spoiled echo never lets the echo through as the reply", () => {
    const spoiled = Buffer.from(echo);
    spoiled[3] = 0xff;
    const stray = new RtuAssembler({ unit: 1, pdu: write6, echo });
    expect(stray.push(Buffer.concat([bytes("00"), echo]))).toBeUndefined();
    const bad = new RtuAssembler({ unit: 1, pdu: write6, echo });
    expect(bad.push(Buffer.concat([spoiled, echo]))).toBeUndefined();
    expect(bad.echoMissing).toBe(false);
  });
});

describe("noise", () => {
  it("FR-12: 64 KiB of 01 03 and worse in one push: bounded, and the reply after it", () => {
    for (const noise of ["01 03", "01 03 fa", "02 03 fa", "01", "00", "01 83"]) {
      const one = bytes(noise);
      const burst = Buffer.alloc(65_536, one);
      const assembler = waitingFor(bytes("03 0000 007d"));
      const beganMs = performance.now();
      expect(assembler.push(burst)).toBeUndefined();
      expect(performance.now() - beganMs).toBeLessThan(2000);
    }
  });

  it("FR-12: after a burst longer than what is kept, the reply still counts", () => {
    const assembler = waitingFor(read1);
    expect(assembler.push(Buffer.alloc(10 * keptBytesMax, 0x55))).toBeUndefined();
    expect(text(assembler.push(framed("01 03 02 1234")))).toBe("03021234");
    expect(assembler.noiseBytes).toBeGreaterThan(9 * keptBytesMax);
  });
});
