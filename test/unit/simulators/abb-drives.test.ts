/**
 * The simulated ABB inverter: its states by full table, and the belt at its registers.
 *
 * The idea: bit meanings written from the register facts. It refuses sockets.
 */

import { beforeEach, expect, test } from "vitest";
import { type AbbPower, abbStates, nextAbbPower } from "#simulators/behaviours/abb-drives.js";
import { Bench, conveyorSetup } from "../../fixtures/simulators/profiles.js";

const words = {
  prepare: 0x0476,
  run: 0x047f,
  noRun: 0x0477,
  off1: 0x047e,
  off2: 0x047d,
  off3: 0x047b,
  reset: 0x04f6,
} as const;
type Word = keyof typeof words;

const table: Record<AbbPower, Record<Word, AbbPower>> = {
  inhibited: same("inhibited", { prepare: "ready", off1: "ready", reset: "ready" }),
  ready: same("ready", {
    run: "operating",
    noRun: "readyToRun",
    off2: "inhibited",
    off3: "inhibited",
  }),
  readyToRun: same("ready", {
    run: "operating",
    noRun: "readyToRun",
    off2: "inhibited",
    off3: "inhibited",
  }),
  operating: {
    prepare: "off1",
    run: "operating",
    noRun: "readyToRun",
    off1: "off1",
    off2: "off2",
    off3: "off3",
    reset: "off1",
  },
  off1: {
    prepare: "off1",
    run: "operating",
    noRun: "readyToRun",
    off1: "off1",
    off2: "off2",
    off3: "off3",
    reset: "off1",
  },
  off2: same("off2", {}),
  off3: same("off3", { off2: "off2" }),
  tripped: same("tripped", { reset: "inhibited" }),
};

function same(state: AbbPower, others: Partial<Record<Word, AbbPower>>): Record<Word, AbbPower> {
  const all = Object.fromEntries(Object.keys(words).map((name) => [name, state]));
  return { ...(all as Record<Word, AbbPower>), ...others };
}

test("every state × every control word has its one successor (8 × 7)", () => {
  let cells = 0;
  for (const state of abbStates) {
    for (const [name, now] of Object.entries(words)) {
      cells += 1;
      const next = nextAbbPower(state, { before: 0, now });
      expect(`${state} ${name} ${next}`).toBe(`${state} ${name} ${table[state][name as Word]}`);
    }
  }
  expect(cells).toBe(56);
});

let bench: Bench;
const status = () => bench.word(3);
const speed = () => ((bench.word(4) << 16) >> 16) / 200;
const bit = (n: number) => (status() >> n) & 1;

function run(percent: number) {
  bench.write(0, 0x0476);
  bench.write(0, 0x047f);
  bench.write(1, percent * 200);
}

beforeEach(() => {
  bench = new Bench(conveyorSetup());
});

test("start: 0x0476, ready, 0x047F, running; the belt ramps to 50 % and says so", () => {
  bench.write(0, 0x0476);
  expect([bit(0), bit(1), bit(2), bit(6)]).toEqual([1, 0, 0, 0]);
  bench.write(0, 0x047f);
  expect([bit(1), bit(2), bit(9)]).toEqual([1, 1, 1]);
  bench.write(1, 10_000);
  bench.pass(100);
  expect(bit(8)).toBe(0);
  expect(speed()).toBeCloseTo(20, 0);
  bench.pass(500);
  expect([speed(), bit(8)]).toEqual([50, 1]);
});

test("0x047F straight after power-up does not run: OFF1 has to be 0 once", () => {
  bench.write(1, 10_000);
  bench.write(0, 0x047f);
  bench.pass(1000);
  expect([speed(), bit(6)]).toEqual([0, 1]);
});

test.each([
  ["OFF1 ramps and ends ready", 0x047e, 200, 1],
  ["OFF3 ramps three times as fast and ends inhibited", 0x047b, 600, 0],
  ["OFF2 coasts and ends inhibited", 0x047d, 300, 0],
])("%s", (_what, word, rate, ready) => {
  run(80);
  bench.pass(1000);
  bench.write(0, word);
  bench.pass(100);
  expect(speed()).toBeCloseTo(80 - rate / 10, 0);
  bench.pass(1000);
  expect([speed(), bit(0), bit(6)]).toEqual([0, ready, 1 - ready]);
  bench.write(0, 0x047f);
  bench.pass(500);
  expect(speed() > 0).toBe(ready === 1);
});

test("a control word without bit 10 is not looked at", () => {
  run(40);
  bench.pass(1000);
  bench.write(0, 0x0000);
  bench.pass(1000);
  expect(speed()).toBe(40);
});

test("a negative reference turns the belt the other way, through zero", () => {
  run(40);
  bench.pass(1000);
  bench.write(1, -40 * 200);
  bench.pass(200);
  expect(speed()).toBeCloseTo(0, 0);
  bench.pass(1000);
  expect(speed()).toBe(-40);
});

test("trip: coasts, b3; reset by the edge of bit 7; hold keeps it", () => {
  run(40);
  bench.pass(1000);
  bench.device.setFault("trip", "hold", bench.nowMs);
  bench.pass(1000);
  expect([bit(3), speed()]).toEqual([1, 0]);
  bench.write(0, 0x0476);
  bench.write(0, 0x04f6);
  expect(bit(3)).toBe(1);
  bench.device.clearFaults();
  bench.write(0, 0x0476);
  bench.write(0, 0x04f6);
  expect(bit(3)).toBe(0);
});

test("stuck: the belt stands and the set-point is never reached", () => {
  bench.device.setFault("stuck", undefined, bench.nowMs);
  run(40);
  bench.pass(2000);
  expect([speed(), bit(8), bit(2)]).toEqual([0, 0, 1]);
});

test("MO-19: a set watchdog (300 ms) trips in silence; without one the belt goes on", () => {
  run(40);
  bench.pass(10_000);
  expect(speed()).toBe(40);
  bench = new Bench(conveyorSetup("conveyor", 5, { watchdogMs: 300 }));
  run(40);
  bench.pass(250);
  expect(bit(3)).toBe(0);
  bench.pass(1000);
  expect([bit(3), speed()]).toEqual([1, 0]);
});
