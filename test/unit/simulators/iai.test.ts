/**
 * The simulated IAI controller at its coils and registers.
 * The idea: numbers as in the manual, with a clock in the test's hand. It refuses sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, linearAxis, profileOf } from "../../fixtures/simulators/profiles.js";

let bench: Bench;
const coil = (address: number, on: boolean) =>
  bench.send(5, address >> 8, address & 0xff, on ? 0xff : 0, 0);
const status = () => bench.word(0x9005);
const moves = () => (bench.word(0x9007) & 0x20) !== 0;
const place = () => {
  const [high = 0, low = 0] = bench.read(0x9000, 2);
  return (high << 16) | low;
};
/** Position and speed in 0.01 mm; 0.3 G. */
const move = (position: number, speed: number) =>
  bench.block(0x9900, [0, position, 0, 10, 0, speed, 30, 0, 0]);

beforeEach(() => {
  const setup = { unit: 1, axis: linearAxis };
  bench = new Bench({ id: "a", profile: profileOf("iai/robo-cylinder"), setup });
});
function homed() {
  coil(0x0403, true);
  coil(0x040b, false);
  coil(0x040b, true);
  bench.pass(30_000);
  coil(0x040b, false);
  expect(status() & 0x1010).toBe(0x1010);
}

test("coils are answered as they came; a move without home is an alarm, reset by 1 then 0", () => {
  expect(coil(0x0403, true)).toEqual([5, 0x04, 0x03, 0xff, 0]);
  expect(status() & 0x1000).toBe(0x1000);
  move(5000, 10_000);
  expect(status() & 0x0400).toBe(0x0400);
  expect(bench.word(0x9002)).toBe(0x83);
  coil(0x0407, true);
  coil(0x0407, false);
  expect(status() & 0x0400).toBe(0);
});

test("the block moves; then speed alone, written again, starts a move too", () => {
  homed();
  move(5000, 10_000);
  expect([moves(), status() & 8]).toEqual([true, 0]);
  bench.pass(2000);
  expect([place(), moves(), status() & 8]).toEqual([5000, false, 8]);
  bench.block(0x9900, [0, 9000]);
  bench.pass(2000);
  expect(place()).toBe(9000);
});

test("pause keeps the rest and its end resumes it; an alarm reset while paused cancels it", () => {
  homed();
  move(30_000, 10_000);
  bench.pass(1000);
  coil(0x040a, true);
  bench.pass(1000);
  const there = place();
  expect([there < 20_000, moves(), status() & 0x20]).toEqual([true, false, 0x20]);
  coil(0x040a, false);
  bench.pass(500);
  expect(place()).toBeGreaterThan(there);
  coil(0x040a, true);
  bench.pass(1000);
  const stood = place();
  coil(0x0407, true);
  coil(0x0407, false);
  coil(0x040a, false);
  bench.pass(5000);
  expect(place()).toBe(stood);
});

test("nothing moves while the pause is on, and servo off ends it", () => {
  homed();
  coil(0x040a, true);
  move(5000, 10_000);
  bench.pass(1000);
  expect([place(), moves()]).toEqual([0, false]);
  coil(0x0403, false);
  coil(0x040a, false);
  coil(0x0403, true);
  bench.pass(2000);
  expect(place()).toBe(0);
});
