/**
 * The simulated DH gripper at its registers.
 * The idea: numbers as in the maker's short manuals, with a clock in the test's hand. It refuses
 * sockets.
 */
import { expect, test } from "vitest";
import { Bench, profileOf } from "../../fixtures/simulators/profiles.js";

const benchOf = (openAt = 1000, simulate = {}) =>
  new Bench({
    id: "g",
    profile: profileOf("dh/ag-95"),
    setup: { unit: 1, constants: { openAt } },
    simulate,
  });
const state = (bench: Bench) => bench.read(0x0200, 3);

test.each([0, 1000])("initialization: 0, 2, 1, and the fingers at the open end (%i)", (openAt) => {
  const bench = benchOf(openAt);
  expect(state(bench)[0]).toBe(0);
  bench.write(0x0103, 500);
  bench.pass(1000);
  expect(state(bench)[0]).toBe(0);
  bench.write(0x0100, 1);
  expect(state(bench).slice(0, 2)).toEqual([2, 0]);
  bench.pass(3000);
  expect(state(bench)).toEqual([1, 1, openAt]);
});

test("0xA5 visits both ends", () => {
  const bench = benchOf();
  bench.write(0x0100, 0xa5);
  let least = 1000;
  for (let t = 0; t < 4000; t += 50) {
    bench.pass(50);
    least = Math.min(least, state(bench)[2] ?? 1000);
  }
  expect(least).toBeLessThan(50);
  expect(state(bench)).toEqual([1, 1, 1000]);
});

test("a position starts by itself: in motion, reached; caught at the part; dropped without it", () => {
  const bench = benchOf();
  bench.write(0x0100, 1);
  bench.pass(3000);
  bench.write(0x0103, 600);
  bench.pass(50);
  expect(state(bench)[1]).toBe(0);
  bench.pass(1000);
  expect(state(bench)).toEqual([1, 1, 600]);
  bench.write(0x0103, 0);
  bench.pass(2000);
  expect(state(bench)).toEqual([1, 2, 421]);
  bench.device.setFault("noPart", undefined, bench.nowMs);
  bench.pass(2000);
  expect(state(bench)).toEqual([1, 3, 0]);
});

test("the written position and force read back", () => {
  const bench = benchOf();
  bench.write(0x0101, 80);
  bench.write(0x0103, 123);
  expect([bench.word(0x0101), bench.word(0x0103)]).toEqual([80, 123]);
});
