/**
 * What a line must not be deceived by, in a time that stands still: stops behind broken replies and
 * noise, echoes that look like acknowledgements, replies that come after their request.
 * The idea: the bytes are written by hand and the moments counted. It refuses real clocks.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rtuFrame } from "#kernel/edge/rtu-frame.js";
import { gapMsMax, urgentBusyMsMax } from "#kernel/edge/rtu-master.js";
import { owedMsMax } from "#kernel/edge/rtu-owed.js";
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

describe("a stop waits", () => {
  it.each([
    ["it waits before the reply breaks off", 5],
    ["it comes after the reply has broken off", 60],
  ])(
    "the drive dies in its reply, %s: the stop is out a gap later, not at timeoutMs=900",
    async (_, hurryMs) => {
      const { master, sent, ask, stop, results } = lineOf();
      ask(1, read1, 900, 50);
      await pass(hurryMs === 5 ? 5 : 0);
      if (hurryMs === 5) master.hurry();
      await pass(requestMs + 40 - performance.now());
      master.received(Uint8Array.of(1, 3, 2));
      if (hurryMs === 60) {
        await pass(20);
        master.hurry();
      }
      await pass(gapMsMax + frameSilenceMs);
      expect(results.map((r) => r.result)).toEqual([{ kind: "noReply", why: "malformed" }]);
      stop(2);
      await pass(frameSilenceMs);
      expect(sent.map(({ unit }) => unit)).toEqual([1, 2]);
    },
  );

  it("FR-09: a reply in pieces 16 ms apart is still taken with a stop waiting", async () => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 900, 50);
    await pass(requestMs + 1);
    master.hurry();
    const whole = reply(1);
    for (const at of [0, 2, 4]) {
      await pass(16);
      master.received(whole.subarray(at, at === 4 ? whole.length : at + 2));
    }
    await pass(0);
    expect(results.map((r) => r.result.kind)).toEqual(["reply"]);
  });

  it("bytes never end, in the wait, in the drain, before it: it is sent all the same", async () => {
    const { master, sent, results, ask, stop } = lineOf();
    ask(1, read1, 900, 50);
    await pass(requestMs);
    master.hurry();
    for (let ms = 0; ms < 50 + 2 * urgentBusyMsMax + 2; ms += 2) {
      master.received(Uint8Array.of(0x55));
      await pass(2);
    }
    expect(results.map((r) => r.result)).toEqual([{ kind: "noReply", why: "malformed" }]);
    stop(2);
    for (let ms = 0; ms <= urgentBusyMsMax; ms += 2) {
      master.received(Uint8Array.of(0x55));
      await pass(2);
    }
    expect(sent.map(({ unit }) => unit)).toEqual([1, 2]);
  });

  it.each([
    ["another unit's stop", 2, frameSilenceMs],
    ["its own stop", 1, 200],
  ])(
    "a relay module was written to, which needs 200 ms: %s of unit %i waits %i ms",
    async (_, unit, ms) => {
      const { master, sent, ask, stop } = lineOf([timing(1, { afterWriteMs: 200 })]);
      ask(1, write6);
      await pass(20);
      master.received(rtuFrame(1, write6));
      const heardMs = performance.now();
      await pass(0);
      stop(unit);
      await pass(300);
      expect(sent[1]).toEqual({ atMs: heardMs + ms, unit });
    },
  );

  it.each([
    ["a relay module was written to and needs 200 ms", true],
    ["bytes come all the time", false],
  ])("%s: the poll that waits for silence is not sent, the stop is", async (_, wrote) => {
    const { master, sent, results, ask, stop } = lineOf([timing(1, { afterWriteMs: 200 })]);
    if (wrote) ask(1, write6);
    await pass(20);
    master.received(wrote ? rtuFrame(1, write6) : Uint8Array.of(0x55));
    const heardMs = performance.now();
    await pass(0);
    const before = sent.length;
    ask(2);
    await pass(wrote ? 5 : frameSilenceMs - 1);
    if (!wrote) master.received(Uint8Array.of(0x55));
    master.hurry();
    await pass(0);
    expect(results.at(-1)?.result).toEqual({ kind: "notSent", why: "not-sent" });
    const lastMs = wrote ? heardMs + 5 : performance.now();
    stop(2);
    await pass(frameSilenceMs);
    expect(sent.length).toBe(before + 1);
    expect(sent.at(-1)?.atMs).toBeLessThanOrEqual(lastMs + frameSilenceMs);
    await pass(300);
    expect(sent.length).toBe(before + 1);
  });

  it("a stop that waits for silence itself is sent although another waits", async () => {
    const { master, sent, stop } = lineOf();
    master.received(Uint8Array.of(0x55));
    stop(1);
    master.hurry();
    await pass(frameSilenceMs);
    expect(sent.map(({ unit }) => unit)).toEqual([1]);
  });
});

describe("a reply that comes after its request was given up", () => {
  const old = rtuFrame(1, Uint8Array.of(3, 2, 0x00, 0x01));
  const fresh = rtuFrame(1, Uint8Array.of(3, 2, 0x00, 0x02));
  const other = Uint8Array.of(3, 0, 0x30, 0, 1);

  /** The first request is given up; the second has just left. */
  async function second(pdu = other, first = read1) {
    const rig = lineOf();
    rig.ask(1, first, 200, 50);
    await pass(requestMs + 50 + frameSilenceMs + quietMs);
    rig.ask(1, pdu, 200, 50);
    await pass(requestMs + 1);
    expect(rig.sent.length).toBe(2);
    return { ...rig, sentMs: performance.now() };
  }

  it.each([
    ["in one piece", [Buffer.concat([old, fresh])]],
    ["one after the other", [old, fresh]],
  ])(
    "old and fresh reply, %s: the fresh one is the answer to another register",
    async (_, pieces) => {
      const { master, results } = await second();
      for (const piece of pieces) {
        master.received(piece);
        await pass(5);
      }
      await pass(100);
      expect(results[1]?.result).toEqual({ kind: "reply", pdu: fresh.slice(1, 5) });
    },
  );

  it("one reply alone: nobody knows whose when firstByteMs=50 more bring no other", async () => {
    const { master, results, sentMs } = await second();
    master.received(fresh);
    await pass(49);
    expect(results.length).toBe(1);
    await pass(100);
    expect(results[1]).toEqual({
      atMs: sentMs + 50 + frameSilenceMs + quietMs,
      result: {
        kind: "noReply",
        why: "malformed",
        restMs: 50 + requestMs + frameSilenceMs + quietMs,
      },
    });
  });

  it("one write's late acknowledgement is none of the next, same write", async () => {
    const { master, results } = await second(write6, write6);
    master.received(rtuFrame(1, write6));
    await pass(5);
    expect(results.length).toBe(1);
    master.hurry();
    await pass(100);
    expect(results[1]?.result).toMatchObject({ kind: "noReply" });
  });

  it.each([
    ["longer than another", Uint8Array.of(3, 0, 0x30, 0, 2), Uint8Array.of(3, 4, 0, 0, 0, 2)],
    ["of another function", write6, write6],
  ])("a reply %s cannot be mixed up with it: taken at once", async (_, pdu, answer) => {
    const { master, results } = await second(pdu);
    master.received(old);
    master.received(rtuFrame(1, answer));
    await pass(0);
    expect(results[1]?.result).toEqual({ kind: "reply", pdu: answer });
  });

  it("a stop is acknowledged by either", async () => {
    const { master, results, ask, sent } = lineOf();
    ask(1, write6, 200, 50);
    await pass(requestMs + 50 + frameSilenceMs + quietMs);
    const acked: unknown[] = [];
    const how = { timeoutMs: 200, firstByteMs: 50, urgent: true };
    void master.exchange({ unit: 1, pdu: write6, ...how }).then((came) => acked.push(came));
    await pass(requestMs + 1);
    master.received(rtuFrame(1, write6));
    await pass(0);
    expect([sent.length, results.length]).toEqual([2, 1]);
    expect(acked).toEqual([{ kind: "reply", pdu: write6 }]);
  });

  it(`no longer than ${owedMsMax} ms`, async () => {
    const { master, results, ask } = lineOf();
    ask(1, read1, 200, 50);
    await pass(requestMs + 50 + frameSilenceMs + quietMs + owedMsMax);
    ask(1, other, 200, 50);
    await pass(requestMs + 1);
    master.received(fresh);
    await pass(0);
    expect(results.length).toBe(2);
  });
});

describe("an adapter that echoes, with echo=false in the cell file", () => {
  const echoed = (unit: number, pdu: Uint8Array) => rtuFrame(unit, pdu);

  it.each([
    ["a living drive was read", reply(1)],
    ["a dead one was", new Uint8Array(0)],
  ])(
    "FR-05: %s: the echo of the next write is no acknowledgement of a dead drive",
    async (_, read) => {
      const { master, results, ask } = lineOf();
      ask(1, read1, 200, 50);
      await pass(requestMs);
      master.received(echoed(1, read1));
      if (read.length > 0) master.received(read);
      await pass(300);
      ask(1, write6, 200, 50);
      await pass(frameSilenceMs + requestMs);
      master.received(echoed(1, write6));
      await pass(300);
      expect(results[1]?.result).toEqual({ kind: "noReply", why: "timeout" });
      ask(1, write6, 200, 50);
      await pass(frameSilenceMs + requestMs);
      master.received(echoed(1, write6));
      master.received(echoed(1, write6));
      await pass(60);
      expect(results[2]?.result).toEqual({ kind: "reply", pdu: write6 });
    },
  );

  it("it echoes no more: one read is missed, then all is as before", async () => {
    const { master, results, ask } = lineOf();
    ask(1);
    await pass(requestMs);
    master.received(echoed(1, read1));
    master.received(reply(1));
    for (const _ of [1, 2]) {
      await pass(300);
      ask(1, read1, 200, 50);
      await pass(frameSilenceMs + requestMs);
      master.received(reply(1));
    }
    await pass(300);
    expect(results.map((r) => r.result.kind)).toEqual(["reply", "noReply", "reply"]);
  });
});
