/**
 * Whose reply it is, where an earlier request of the same unit had none, in a time that stands
 * still.
 * The idea: the bytes are written by hand and the moments counted. It refuses real clocks.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rtuFrame } from "#kernel/edge/rtu-frame.js";
import { owedMsMax, secondMsMax } from "#kernel/edge/rtu-owed.js";
import {
  frameSilenceMs,
  lineOf,
  pass,
  quietMs,
  read1,
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

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const read2 = bytes("03 0030 0001");
const readLong = bytes("03 0030 0002");
const value = (hex: string) => bytes(`03 02 ${hex}`);
const drainMs = frameSilenceMs + quietMs;
/** From a read that nobody answers to the next request. */
const apartMs = frameSilenceMs + requestMs + 50 + drainMs;

type Rig = ReturnType<typeof lineOf>;
type Pdu = typeof read1;
const sendMs = (pdu: Pdu) => frameSilenceMs + pdu.length + 3;
const came = (rig: Rig, pdu: Uint8Array, unit = 1) => rig.master.received(rtuFrame(unit, pdu));

/** Requests of unit 1 that are given up, one after another. */
async function given(requests: readonly Pdu[], rig = lineOf()): Promise<Rig> {
  for (const pdu of requests) {
    rig.ask(1, pdu, 200, 50);
    await pass(sendMs(pdu) + 50 + drainMs);
  }
  expect(rig.results.map(({ result }) => result.kind)).toEqual(requests.map(() => "noReply"));
  return rig;
}

/** One more request and what comes 5 ms after it: at once, or when it has settled. */
async function asked(rig: Rig, pdu: Pdu, replies: readonly Uint8Array[], unit = 1) {
  const before = rig.results.length;
  rig.ask(unit, pdu, 200, 50);
  await pass(sendMs(pdu) + 5);
  for (const reply of replies) came(rig, reply, unit);
  await pass(0);
  const atOnce = rig.results.length > before;
  await pass(secondMsMax + drainMs);
  const result = rig.results[before]?.result;
  return { atOnce, result };
}

const taken = (pdu: Uint8Array, atOnce = true) => ({ atOnce, result: { kind: "reply", pdu } });
const doubted = {
  atOnce: false,
  result: { kind: "noReply", why: "malformed", restMs: expect.any(Number) },
};

describe("one reply alone, an earlier request had none", () => {
  it.each([
    ["another register", read1, read2, value("0001")],
    ["other coils", bytes("01 0000 0003"), bytes("01 0010 0007"), bytes("01 01 05")],
    [
      "another register, both written to, too",
      bytes("17 0020 0001 0040 0001 02 0007"),
      bytes("17 0030 0001 0040 0001 02 0007"),
      bytes("17 02 0001"),
    ],
    [
      "other data for the same place",
      bytes("10 0020 0001 02 0001"),
      bytes("10 0020 0001 02 0002"),
      bytes("10 0020 0001"),
    ],
    ["a refusal, other register", write6, bytes("06 0030 0001"), bytes("86 02")],
    ["a refusal, other length", read1, readLong, bytes("83 02")],
  ])("%s: no value, no word of the unit", async (_, first, pdu, reply) => {
    const rig = await given([first]);
    expect(await asked(rig, pdu, [reply])).toEqual(doubted);
  });

  it.each([
    ["another length", read1, readLong, bytes("03 04 0001 0002")],
    ["another function", read1, bytes("04 0030 0001"), bytes("04 02 0001")],
    ["a write", read1, write6, write6],
    ["a write of another register", write6, bytes("06 0030 0003"), bytes("06 0030 0003")],
    [
      "a write of another place",
      bytes("10 0020 0001 02 0001"),
      bytes("10 0021 0001 02 0001"),
      bytes("10 0021 0001"),
    ],
    ["a refusal, other function", read1, write6, bytes("86 02")],
  ])("%s: it can be told apart and is taken at once", async (_, first, pdu, reply) => {
    const rig = await given([first]);
    expect(await asked(rig, pdu, [reply])).toEqual(taken(reply));
  });

  it("0x81 for every function: a refusal fits whatever was asked", async () => {
    const rig = await given([read1], lineOf([timing(1, { functionBytes: [0x81] })]));
    expect(await asked(rig, write6, [bytes("81 02")])).toEqual(doubted);
  });

  it("the same read: taken when 50 ms have brought no other, later ones at once", async () => {
    const rig = await given([read1]);
    expect(await asked(rig, read1, [value("0001")])).toEqual(taken(value("0001"), false));
    for (const more of ["0002", "0003", "0004"]) {
      expect(await asked(rig, read1, [value(more)])).toEqual(taken(value(more)));
    }
  });

  it("the same read, a write between that nobody answered: it may be from before that", async () => {
    const rig = await given([read1, write6]);
    expect(await asked(rig, read1, [value("0001")])).toEqual(doubted);
  });

  it("the same write three times: never at once", async () => {
    const rig = await given([write6]);
    expect(await asked(rig, write6, [write6])).toEqual(taken(write6, false));
    expect(await asked(rig, write6, [write6])).toEqual(taken(write6, false));
  });
});

describe("what ends the doubt", () => {
  it("its unit left alone for as long as the two were apart", async () => {
    const rig = await given([read1]);
    const { result } = await asked(rig, read2, [value("0001")]);
    expect(result).toMatchObject({ restMs: apartMs });
    await pass(apartMs);
    expect(await asked(rig, read1, [value("0002")])).toEqual(taken(value("0002")));
  });

  it("not less: until then the next register is not taken either", async () => {
    const rig = await given([read1]);
    await asked(rig, read2, [value("0001")]);
    expect(await asked(rig, read1, [value("0002")])).toEqual(doubted);
  });

  it("a unit that may take 120 ms: its own reply is waited for as long as ever", async () => {
    const rig = lineOf([timing(1, { firstByteMs: 120 })]);
    rig.ask(1, read1, 300, 120);
    await pass(requestMs + 120 + drainMs);
    rig.ask(1, read2, 300, 120);
    await pass(frameSilenceMs + requestMs + 5);
    came(rig, value("0001"));
    await pass(105);
    came(rig, value("0002"));
    await pass(0);
    expect(rig.results[1]?.result).toEqual({ kind: "reply", pdu: value("0002") });
  });

  it("one refused read, however many requests had no reply (lost=3)", async () => {
    const rig = await given([read1, read2, read1]);
    const { result } = await asked(rig, read2, [value("0001")]);
    expect(result).toMatchObject(doubted.result);
    await pass(result?.kind === "noReply" ? (result.restMs ?? 0) : 0);
    expect(await asked(rig, read1, [value("0002")])).toEqual(taken(value("0002")));
  });

  it("a reply that cannot be an earlier one's: the unit answers in order", async () => {
    const rig = await given([read1]);
    await asked(rig, write6, [write6]);
    expect(await asked(rig, read2, [value("0002")])).toEqual(taken(value("0002")));
  });

  it("both replies: the second is the answer, and nothing is owed", async () => {
    const rig = await given([read1]);
    const both = [value("0001"), value("0002")];
    expect(await asked(rig, read2, both)).toEqual(taken(value("0002")));
    expect(await asked(rig, read1, [value("0003")])).toEqual(taken(value("0003")));
  });

  it("of two owed replies and the own one it is the third", async () => {
    const rig = await given([read1, read1]);
    const all = [value("0001"), value("0002"), value("0003")];
    expect(await asked(rig, read2, all)).toEqual(taken(value("0003")));
  });

  it.each([
    ["in the drain", 2],
    ["on the idle line", drainMs + 30],
  ])("the late reply itself, %s, in two pieces", async (_, afterMs) => {
    const rig = lineOf();
    rig.ask(1, read1, 200, 50);
    await pass(requestMs + 50 + afterMs);
    const late = rtuFrame(1, value("0001"));
    rig.master.received(late.subarray(0, 3));
    await pass(1);
    rig.master.received(late.subarray(3));
    await pass(drainMs + frameSilenceMs);
    expect(await asked(rig, read2, [value("0002")])).toEqual(taken(value("0002")));
  });

  it("the late reply itself, while another unit is asked", async () => {
    const rig = await given([read1]);
    rig.ask(2, read1, 200, 50);
    await pass(frameSilenceMs + requestMs + 1);
    came(rig, value("0001"));
    came(rig, value("0002"), 2);
    await pass(0);
    expect(rig.results[1]?.result).toEqual({ kind: "reply", pdu: value("0002") });
    expect(await asked(rig, read2, [value("0003")])).toEqual(taken(value("0003")));
  });

  it(`${owedMsMax} ms without a reply`, async () => {
    const rig = await given([read1]);
    await pass(owedMsMax);
    expect(await asked(rig, read2, [value("0002")])).toEqual(taken(value("0002")));
  });

  it("nothing of it: another unit's missing reply is none of this one's", async () => {
    const rig = await given([read1]);
    expect(await asked(rig, read2, [value("0002")], 2)).toEqual(taken(value("0002")));
  });
});

describe("the line was lost with the request out", () => {
  it("and is back: the late reply is none of the next", async () => {
    const rig = lineOf();
    rig.ask(1, read1, 200, 50);
    await pass(requestMs + 10);
    rig.master.lost();
    await pass(20);
    expect(await asked(rig, read2, [value("0001")])).toEqual(doubted);
  });
});

describe("a stop", () => {
  const speed = (hex: string) => bytes(`10 0020 0001 02 ${hex}`);
  const ack = bytes("10 0020 0001");

  async function stopped(rig: Rig, pdu: Pdu, replies: readonly Uint8Array[]) {
    const beganMs = performance.now();
    const how = { timeoutMs: 200, firstByteMs: 50, urgent: true };
    const results: unknown[] = [];
    void rig.master.exchange({ unit: 1, pdu, ...how }).then((result) => results.push(result));
    const sentBefore = rig.sent.length;
    await pass(frameSilenceMs);
    expect(rig.sent.length).toBe(sentBefore + 1);
    expect(rig.sent.at(-1)?.atMs).toBeLessThanOrEqual(beganMs + frameSilenceMs);
    await pass(sendMs(pdu) + 5);
    for (const reply of replies) came(rig, reply);
    await pass(0);
    const atOnce = results.length > 0;
    await pass(secondMsMax + drainMs);
    return { atOnce, result: results[0] };
  }

  it("waits for no owed read, neither to be sent nor to be acknowledged", async () => {
    const rig = await given([read1, read2]);
    expect(await stopped(rig, write6, [write6])).toEqual(taken(write6));
  });

  it("behind the late reply of a read it is acknowledged", async () => {
    const rig = await given([read1]);
    expect(await stopped(rig, write6, [value("0001"), write6])).toEqual(taken(write6));
  });

  it("is acknowledged by either reply to the same frame", async () => {
    const rig = await given([write6]);
    expect(await stopped(rig, write6, [write6])).toEqual(taken(write6));
  });

  it("is not acknowledged for another speed at the same place; its repeat is", async () => {
    const rig = await given([speed("01f4")]);
    expect(await stopped(rig, speed("0000"), [ack])).toEqual(doubted);
    expect(await stopped(rig, speed("0000"), [ack])).toEqual(taken(ack));
  });

  it("both acknowledgements: the second is its own", async () => {
    const rig = await given([speed("01f4")]);
    expect(await stopped(rig, speed("0000"), [ack, ack])).toEqual(taken(ack));
  });
});
