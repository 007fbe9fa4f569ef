/**
 * One request at a time on a line, in a time that stands still.
 * The idea: the moments of a line to the millisecond, with a port that only notes. It refuses
 * real clocks.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rtuFrame } from "#kernel/edge/rtu-frame.js";
import { broadcastTurnaroundMs, lineBusyMsMax } from "#kernel/edge/rtu-master.js";
import {
  frameSilenceMs,
  lineOf,
  pass,
  quietMs,
  read1,
  reply,
  requestMs,
  timing,
  write6,
} from "./master-rig.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("silence before a frame", () => {
  it.each([
    ["nothing asked", {}, {}, frameSilenceMs],
    ["the next unit asks for 9 ms", {}, { silenceMs: 9 }, 9],
    ["the last unit asked for 9 ms", { silenceMs: 9 }, {}, 9],
    ["less than t3.5 asked", { silenceMs: 1 }, { silenceMs: 2 }, frameSilenceMs],
  ])("%s: %o then %o: %i ms after the last byte", async (_, last, next, ms) => {
    const { master, sent, ask } = lineOf([timing(1, last), timing(2, next)]);
    ask(1);
    await pass(20);
    master.received(reply(1));
    const heardMs = performance.now();
    await pass(0);
    ask(2);
    await pass(50);
    expect(sent[1]).toEqual({ atMs: heardMs + ms, unit: 2 });
  });

  it.each([
    ["a read", read1, frameSilenceMs],
    ["a write", write6, 30],
  ])("afterWriteMs=30 after %s: %s", async (_, pdu, ms) => {
    const { master, sent, ask } = lineOf([timing(1, { afterWriteMs: 30 })]);
    ask(1, pdu);
    await pass(20);
    master.received(pdu === read1 ? reply(1) : rtuFrame(1, write6));
    const heardMs = performance.now();
    await pass(0);
    ask(2);
    await pass(100);
    expect(sent[1]?.atMs).toBe(heardMs + ms);
  });

  it("bytes of nobody push the frame on; a line that never falls silent is not sent into", async () => {
    const { master, sent, results, ask, noise } = lineOf();
    master.received(Uint8Array.of(0x55));
    ask(1);
    for (let ms = 0; ms < lineBusyMsMax + 10; ms += 2) {
      await pass(2);
      master.received(Uint8Array.of(0x55));
    }
    expect(sent).toEqual([]);
    expect(results.map((r) => r.result)).toEqual([{ kind: "notSent", why: "not-sent" }]);
    expect(noise.length).toBeGreaterThan(10);
  });
});

describe("the wait", () => {
  it("counts from the end of the request: firstByteMs=50 and 8 ms of frame, then quiet", async () => {
    const { results, ask } = lineOf();
    ask(1, read1, 200, 50);
    await pass(300);
    expect(results).toEqual([
      {
        atMs: requestMs + 50 + frameSilenceMs + quietMs,
        result: { kind: "noReply", why: "timeout" },
      },
    ]);
  });

  it("FR-09: a first byte in time makes it timeoutMs=200, whatever the gaps", async () => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 200, 50);
    const whole = reply(1);
    for (let i = 0; i < whole.length; i += 1) {
      await pass(25);
      master.received(whole.subarray(i, i + 1));
    }
    await pass(0);
    expect(results.map((r) => r.result.kind)).toEqual(["reply"]);
  });

  it("FR-09: bytes until past timeoutMs=200: malformed, at the deadline and its quiet", async () => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 200, 50);
    await pass(requestMs + 40);
    master.received(Uint8Array.of(1, 3));
    await pass(300);
    expect(results).toEqual([
      {
        atMs: requestMs + 200 + frameSilenceMs + quietMs,
        result: { kind: "noReply", why: "malformed" },
      },
    ]);
  });

  it("the unit answers something else: no longer waited for than firstByteMs=50", async () => {
    const { master, results, ask } = lineOf();
    ask(1, write6, 1000, 50);
    await pass(20);
    master.received(rtuFrame(1, Uint8Array.of(6, 0, 0x20, 0, 2)));
    await pass(500);
    expect(results).toEqual([
      { atMs: 20 + 50 + frameSilenceMs + quietMs, result: { kind: "noReply", why: "malformed" } },
    ]);
  });
});

describe("the drain", () => {
  it("a late reply goes into it and makes it longer", async () => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 50);
    await pass(requestMs + 55);
    master.received(reply(1));
    await pass(100);
    expect(results).toEqual([
      {
        atMs: requestMs + 55 + frameSilenceMs + quietMs,
        result: { kind: "noReply", why: "timeout" },
      },
    ]);
  });

  it.each([
    ["in it, the line long silent", 52, undefined, 52],
    ["in it, 1 ms after a byte", 52, 51, 51 + frameSilenceMs],
    ["before it", 10, undefined, 50],
  ])("hurry %s: ends at t3.5 of silence", async (_, hurryMs, byteMs, endMs) => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 50);
    await pass(requestMs + Math.min(hurryMs, byteMs ?? hurryMs));
    if (byteMs !== undefined) master.received(Uint8Array.of(0x55));
    await pass(byteMs === undefined ? 0 : hurryMs - byteMs);
    master.hurry();
    await pass(100);
    expect(results.map((r) => r.atMs)).toEqual([requestMs + endMs]);
  });

  it("bytes keep coming: it ends after its bound", async () => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 50);
    for (let ms = 0; ms < 400; ms += 5) {
      await pass(5);
      if (performance.now() > requestMs + 50) master.received(Uint8Array.of(0x55));
    }
    expect(results.map((r) => r.atMs)).toEqual([requestMs + 50 + lineBusyMsMax]);
  });
});

describe("what is not sent", () => {
  it("a second request while one is open", async () => {
    const { results, ask, sent } = lineOf();
    ask(1);
    ask(2);
    await pass(1);
    expect(results.map((r) => r.result)).toEqual([{ kind: "notSent", why: "not-sent" }]);
    expect(sent.length).toBe(1);
  });

  it.each([
    ["a PDU that has no frame", 1, new Uint8Array(0)],
    ["BC-01: a read of unit 0", 0, read1],
  ])("%s", async (_, unit, pdu) => {
    const { results, ask, sent } = lineOf();
    ask(unit, pdu);
    await pass(1);
    expect(results.map((r) => r.result)).toEqual([{ kind: "notSent", why: "invalid-value" }]);
    expect(sent).toEqual([]);
  });
});

describe("broadcast", () => {
  it("BC-01: settled a turnaround after its last bit, hurried or not, marked", async () => {
    const { master, results, ask, sent } = lineOf();
    ask(0, write6);
    await pass(10);
    master.hurry();
    await pass(300);
    expect(sent.length).toBe(1);
    expect(results).toEqual([
      {
        atMs: requestMs + broadcastTurnaroundMs,
        result: { kind: "reply", pdu: write6, broadcast: true },
      },
    ]);
  });
});

describe("the line goes", () => {
  it.each([
    ["before the frame", 0, { kind: "notSent", why: "link-down" }],
    ["in the wait", 20, { kind: "noReply", why: "link-down" }],
    ["in the drain", 60, { kind: "noReply", why: "timeout" }],
  ])("%s: %i ms in: %o", async (_, ms, result) => {
    const { master, results, ask } = lineOf();
    master.received(Uint8Array.of(0x55));
    ask(1, read1, 50);
    if (ms > 0) await pass(frameSilenceMs + ms);
    master.lost();
    await pass(0);
    expect(results.map((r) => r.result)).toEqual([result]);
    expect(master.busy).toBe(false);
  });

  it("as the frame is written: nobody knows", async () => {
    const { results, ask } = lineOf([], false);
    ask(1);
    await pass(1);
    expect(results.map((r) => r.result)).toEqual([{ kind: "noReply", why: "link-down" }]);
  });
});
