/**
 * Replies of one unit that are lost or late, at random: never another register's value.
 * The idea: a unit that works off its requests one after another, in a time that stands still;
 * each register holds its own number, so a value says itself where it is from. The asker leaves
 * the unit alone when it is told to, as the lanes do. It refuses to look into the master.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { rtuFrame } from "#kernel/edge/rtu-frame.js";
import type { WireResult } from "#kernel/ports.js";
import { SeededRandom } from "#simulators/world/seeded-random.js";
import { lineOf, pass, requestMs } from "../unit/line/master-rig.js";

const seed = Number(process.env.RTU_SEED ?? 20_251);
/** Courses of each kind; more by RTU_OWED. */
const rounds = Math.min(10_000, Number(process.env.RTU_OWED ?? 20));
const requests = 40;
const firstByteMs = 50;
/** How often a read is given again, as in the lanes. */
const retryMax = 3;

/** A whole number below, from this seed. */
function randomFrom(start: number): (below: number) => number {
  const random = new SeededRandom(start);
  return (below) => random.whole(0, below - 1);
}
type Random = (below: number) => number;

/** How long the unit works at its n-th request; undefined: it never answers. */
type Pace = (n: number) => number | undefined;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What the unit says: the register's own number in each of its words. */
function answer(pdu: Uint8Array): Uint8Array {
  const [fc = 0, high = 0, low = 0, , count = 0] = pdu;
  if (fc === 6) return pdu;
  const words = Array.from({ length: count }, () => [high, low]).flat();
  return Uint8Array.of(fc, 2 * count, ...words);
}

/** Reads of a few registers; now and then a longer one or a write. */
function planOf(random: Random, mixed: boolean): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: requests }, () => {
    const register = 0x20 + random(3);
    if (mixed && random(6) === 0) return Uint8Array.of(6, 0, register, 0, random(4));
    return Uint8Array.of(3, 0, register, 0, mixed && random(4) === 0 ? 2 : 1);
  });
}

interface Told {
  readonly pdu: Uint8Array;
  readonly result: WireResult;
}

interface Course {
  readonly told: readonly Told[];
  /** Results without a reply, and such of which nobody knows whose the reply was. */
  readonly unanswered: number;
  readonly doubted: number;
}

/** A unit with one request in work and the others in its buffer; or each at its own pace. */
async function course(
  plan: readonly Uint8Array<ArrayBuffer>[],
  pace: Pace,
  { serial, restless, gapMs }: { serial: boolean; restless: boolean; gapMs: () => number },
): Promise<Course> {
  let freeAtMs = 0;
  let asked = 0;
  const { master, results, ask } = lineOf([], true, (pdu) => {
    const n = asked;
    asked += 1;
    const workMs = pace(n);
    if (workMs === undefined) return;
    const beganMs = performance.now() + requestMs;
    // Late or not, it answers in order.
    const asEverMs = Math.max(freeAtMs, beganMs + workMs);
    freeAtMs = serial ? Math.max(freeAtMs, beganMs) + workMs : asEverMs;
    const due = freeAtMs - performance.now();
    setTimeout(() => master.received(rtuFrame(1, answer(pdu))), due);
  });
  const told: Told[] = [];
  let [unanswered, doubted] = [0, 0];
  for (const pdu of plan) {
    for (let attempt = 0; attempt <= retryMax; attempt += 1) {
      const before = results.length;
      ask(1, pdu, 200, firstByteMs);
      while (results.length === before) await vi.advanceTimersToNextTimerAsync();
      const result = results[before]?.result;
      if (result === undefined) throw new Error("no result");
      told.push({ pdu, result });
      if (result.kind !== "noReply") break;
      if (result.restMs === undefined) unanswered += 1;
      else doubted += 1;
      if (result.restMs === undefined || pdu[0] === 6) break;
      if (!restless) await pass(result.restMs);
    }
    await pass(gapMs());
  }
  return { told, unanswered, doubted };
}

/** How many replies were taken. */
function expectNoOther(told: readonly Told[]): number {
  let taken = 0;
  for (const { pdu, result } of told) {
    if (result.kind !== "reply") continue;
    taken += 1;
    expect(Buffer.from(result.pdu).toString("hex")).toBe(Buffer.from(answer(pdu)).toString("hex"));
  }
  return taken;
}

const prompt = (random: Random) => 2 + random(30);

/** Each name: what a unit does, whether one after another, and its pace. */
const kinds: readonly [string, boolean, (random: Random) => Pace][] = [
  ["loses one in ten", true, (r) => () => (r(10) === 0 ? undefined : prompt(r))],
  [
    "is slow once in twelve, up to 400 ms, and keeps what comes meanwhile",
    true,
    (r) => (n) => (n % 12 === 4 ? 60 + r(340) : prompt(r)),
  ],
  [
    "is slow once in twelve, and loses what comes meanwhile",
    true,
    (r) => (n) => (n % 12 === 4 ? 60 + r(340) : n % 12 < 11 && n % 12 > 4 ? undefined : prompt(r)),
  ],
  [
    "answers everything as late as 55 to 250 ms",
    false,
    (r) => {
      const lateMs = 55 + r(195);
      return () => lateMs + r(15);
    },
  ],
];

describe.each([
  ["one length of reads", false],
  ["reads of two lengths and writes", true],
])("a unit that is asked %s", (_, mixed) => {
  it.each(kinds)(
    `seed=${seed}: %s: no other register's value`,
    async (_name, serial, kind) => {
      const random = randomFrom(seed);
      for (let round = 0; round < rounds; round += 1) {
        const gap = random(3) * 40;
        const how = { serial, restless: round % 3 === 0, gapMs: () => gap + random(10) };
        const { told } = await course(planOf(random, mixed), kind(random), how);
        expectNoOther(told);
      }
    },
    120_000,
  );

  it(`seed=${seed}: replies are lost: each costs one read more at most, all others come`, async () => {
    const random = randomFrom(seed);
    for (let round = 0; round < rounds; round += 1) {
      const pace: Pace = () => (random(10) === 0 ? undefined : prompt(random));
      const how = { serial: true, restless: false, gapMs: () => random(60) };
      const { told, unanswered, doubted } = await course(planOf(random, mixed), pace, how);
      expect(doubted).toBeLessThanOrEqual(unanswered);
      const had = told.filter(({ result }) => result.kind === "reply").length;
      expect(had).toBe(requests - unanswered);
    }
  }, 120_000);
});
