/**
 * Modbus from a device: whatever bytes come, in whatever pieces, no wrong value and no end of it.
 *
 * The idea: right replies and streams, damaged, cut and merged anywhere, held against an oracle
 * that reads the bytes by itself. It refuses to trust the product's checksum or framing.
 */
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { matchReply } from "#drivers/pdu.js";
import { MbapReader } from "#kernel/edge/mbap.js";
import { keptBytesMax, RtuAssembler } from "#kernel/edge/rtu-frame.js";
import { lineBusyMsMax } from "#kernel/edge/rtu-master.js";
import { owedMsMax } from "#kernel/edge/rtu-owed.js";
import { MbapReader as ServerReader } from "#simulators/mbap.js";
import { RtuStream } from "#simulators/rtu.js";
import {
  anyPdu,
  asked,
  framesIn,
  onTcp,
  onTheLine,
  tcpFrame,
} from "../../fixtures/modbus-arbitraries.js";
import { bytesKept, damage, damaged, inPieces, outside } from "../../fixtures/outside.js";
import { lineOf, pass } from "../../unit/line/master-rig.js";

const unit = 1;
const cuts = fc.array(fc.nat(4096), { maxLength: 8 });
const stranger = fc.tuple(fc.integer({ min: 2, max: 247 }), asked).map(([other, { right }]) => {
  return onTheLine(other, right);
});
const garbageBytes = 1_048_576;
/** What the engine itself takes and gives back at will. */
const heapNoise = 512 * 1024;

afterEach(() => {
  vi.useRealTimers();
});

function stands(stream: Uint8Array, pdu: Uint8Array, codes: readonly number[] = []): boolean {
  const whole = Buffer.from(stream);
  if (whole.includes(Buffer.from(onTheLine(unit, pdu)))) return true;
  // An exception under another function byte that the profile names.
  return codes.some((code) =>
    whole.includes(Buffer.from(onTheLine(unit, Uint8Array.of(code, pdu[1] ?? 0)))),
  );
}

const rtuCase = fc.record({
  asked,
  before: fc.array(stranger, { maxLength: 2 }),
  after: fc.uint8Array({ maxLength: 20 }),
  what: fc.array(damage, { maxLength: 4 }),
  cuts,
  owed: fc.boolean(),
  echo: fc.boolean(),
  functionBytes: fc.option(fc.constant([0x81]), { nil: undefined }),
});

outside(
  "rtu",
  "a reply counts only where its frame stands in the stream, checksum and all",
  fc.property(rtuCase, ({ asked: { pdu, right }, before, after, what, ...rest }) => {
    const own = onTheLine(unit, pdu);
    const { echo, owed, functionBytes } = rest;
    const sent = Buffer.concat([
      ...(echo ? [own] : []),
      ...before,
      onTheLine(unit, right),
      ...(owed ? [onTheLine(unit, right)] : []),
      after,
    ]);
    const stream = damaged(sent, what);
    let earlier = owed ? 1 : 0;
    const assembler = new RtuAssembler({
      unit,
      pdu,
      doubtful: () => earlier-- > 0,
      functionBytes,
      echo: echo ? own : undefined,
    });
    const pieces = inPieces(stream, rest.cuts);
    let got: Uint8Array | undefined;
    for (const piece of pieces) got ??= assembler.push(piece);
    if (got !== undefined) {
      expect(stands(stream, got, functionBytes)).toBe(true);
      expect(matchReply(pdu, got).kind).not.toBe("malformed");
    } else if (what.length === 0) {
      expect.fail("a right reply behind whole frames of others was not found");
    }
  }),
  { runs: 1500 },
);

outside(
  "rtu",
  "a request on the line settles in bounded time, whatever is heard and when",
  fc.asyncProperty(
    fc.record({
      asked,
      heard: fc.array(
        fc.record({ afterMs: fc.nat(120), bytes: fc.uint8Array({ maxLength: 300 }) }),
        { maxLength: 12 },
      ),
      whole: fc.boolean(),
      hurryAt: fc.option(fc.nat(12)),
    }),
    async ({ asked: { pdu, right }, heard, whole, hurryAt }) => {
      vi.useFakeTimers();
      const { master, results, ask } = lineOf();
      ask(unit, Uint8Array.from(pdu), 200, 50);
      const stream: Uint8Array[] = [];
      for (const [i, { afterMs, bytes }] of heard.entries()) {
        await pass(afterMs);
        if (i === hurryAt) master.hurry();
        master.received(bytes);
        stream.push(bytes);
      }
      if (whole) {
        stream.push(onTheLine(unit, right));
        master.received(onTheLine(unit, right));
      }
      await pass(2 * lineBusyMsMax + owedMsMax + 500);
      expect(results).toHaveLength(1);
      expect(master.busy).toBe(false);
      const result = results[0]?.result;
      if (result?.kind === "reply") expect(stands(Buffer.concat(stream), result.pdu)).toBe(true);
    },
  ),
  { runs: 200 },
);

const stream = fc
  .record({ frames: fc.array(tcpFrame, { maxLength: 6 }), what: fc.array(damage), cuts })
  .map(({ frames, what, cuts: places }) => {
    const bytes = damaged(Buffer.concat(frames.map(onTcp)), what);
    return { bytes, pieces: inPieces(bytes, places) };
  });

outside(
  "mbap",
  "whatever the pieces, the frames are those that stand in the stream, and not one more",
  fc.property(stream, ({ bytes, pieces }) => {
    const reader = new MbapReader();
    const server = new ServerReader();
    const got = pieces.flatMap((piece) => [...reader.push(piece).frames]);
    expect(got).toEqual(framesIn(bytes));
    let closed = false;
    const served = pieces.flatMap((piece) => {
      const frames = closed ? undefined : server.push(piece);
      closed ||= frames === undefined;
      return [...(frames ?? [])];
    });
    // The simulated server closes at once, with what came in the same piece.
    expect(framesIn(bytes).slice(0, served.length)).toEqual(served);
  }),
  { runs: 2000 },
);

outside(
  "mbap",
  "a header that cannot be right ends the stream for good",
  fc.property(stream, fc.uint8Array({ maxLength: 40 }), ({ bytes }, more) => {
    const reader = new MbapReader();
    const { bad } = reader.push(Buffer.concat([bytes, Buffer.alloc(12, 0xff)]));
    if (bad === undefined) return;
    expect(reader.push(more)).toEqual({ frames: [], bad });
  }),
  { runs: 300 },
);

outside(
  "pdu",
  "a reply is what was asked for, byte by byte, or it is malformed",
  fc.property(asked, fc.array(damage, { maxLength: 3 }), anyPdu, ({ pdu, right }, what, any) => {
    for (const reply of [right, damaged(right, what), any, new Uint8Array(0)]) {
      const match = matchReply(pdu, reply);
      const code = pdu[0] ?? 0;
      if (match.kind === "malformed") continue;
      if (match.kind === "exception") {
        expect([...reply]).toEqual([expect.any(Number), match.code]);
        expect([code | 0x80, 0x81]).toContain(reply[0]);
      } else if (match.kind === "ack") {
        const echoed = code === 15 || code === 16 ? 5 : pdu.length;
        expect([...reply]).toEqual([...pdu.subarray(0, echoed)]);
      } else {
        const count = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0);
        const bytes = match.kind === "words" ? 2 * count : Math.ceil(count / 8);
        expect([...reply.subarray(0, 2)]).toEqual([code, bytes]);
        expect(reply).toHaveLength(2 + bytes);
        const words = match.kind === "words" ? match.words : [];
        const flat = words.flatMap((word) => [word >> 8, word & 0xff]);
        if (match.kind === "words") expect(flat).toEqual([...reply.subarray(2)]);
        else expect(match.bits).toHaveLength(count);
      }
    }
  }),
  { runs: 1500 },
);

outside(
  "rtu server",
  "requests over TCP in any pieces: only frames with a right checksum come out",
  fc.property(
    fc.array(asked, { maxLength: 4 }),
    fc.array(damage, { maxLength: 3 }),
    cuts,
    (requests, what, places) => {
      const sent = Buffer.concat(requests.map(({ pdu }) => onTheLine(unit, pdu)));
      const bytes = damaged(sent, what);
      const reader = new RtuStream();
      for (const piece of inPieces(bytes, places)) {
        for (const frame of reader.push(piece)) {
          expect(Buffer.from(bytes).includes(Buffer.from(onTheLine(frame.unit, frame.pdu)))).toBe(
            true,
          );
        }
      }
    },
  ),
  { runs: 500 },
);

test.each([
  ["nothing but the begin of one frame", () => Buffer.from([0, 1, 0, 0, 0, 254, 1])],
  ["noise", (i: number) => Buffer.alloc(512, (i * 37) & 0xff)],
  ["frames that all could be the begin of ours", () => Buffer.alloc(512, Buffer.from([1, 3]))],
])("a megabyte of %s is not kept", (_, piece) => {
  const readers = () => {
    const all = {
      rtu: new RtuAssembler({ unit, pdu: Uint8Array.of(3, 0, 0, 0, 125) }),
      tcp: new MbapReader(),
      server: new ServerReader(),
      stream: new RtuStream(),
    };
    for (let sent = 0; sent < garbageBytes; sent += piece(sent).length) {
      all.rtu.push(piece(sent));
      all.tcp.push(piece(sent));
      all.server.push(piece(sent));
      all.stream.push(piece(sent));
    }
    expect(all.rtu.heardBytes).toBeGreaterThanOrEqual(garbageBytes);
    return all;
  };
  expect(bytesKept(readers)).toBeLessThan(16 * keptBytesMax + heapNoise);
});
