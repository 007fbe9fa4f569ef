/**
 * The simulated FEETECH servo at its registers.
 * The idea: numbers as in the public program, with a clock in the test's hand. It refuses sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, profileOf } from "../../fixtures/simulators/profiles.js";

const axis = {
  countsPerRev: 4096,
  gear: { motor: 1, output: 1 },
  perRev: 360,
  travel: { min: 0, max: 350 },
  velocityMax: 120,
  accelerationMax: 600,
};
let bench: Bench;
const place = () => bench.word(0x101);

beforeEach(() => {
  bench = new Bench({
    id: "s",
    profile: profileOf("feetech/sm-c002"),
    setup: { unit: 1, axis, constants: { speedStep: 1 } },
    simulate: { start: 90 },
  });
});

test("torque makes it run to the goal that stands: that is why enable moves the goal first", () => {
  expect(place()).toBe(1024);
  bench.write(0x83, 100);
  bench.write(0x81, 1);
  bench.pass(3000);
  expect(Math.abs(place() - 2048)).toBeLessThan(4);
});

test("a goal on the way is followed at once; moving is 1 until it stands", () => {
  bench.write(0x80, 1024);
  bench.write(0x83, 60);
  bench.write(0x81, 1);
  bench.write(0x80, 3000);
  bench.pass(500);
  expect(bench.word(0x106)).toBe(1);
  bench.write(0x80, 1100);
  bench.pass(5000);
  expect(bench.word(0x106)).toBe(0);
  expect(Math.abs(place() - 1100)).toBeLessThan(4);
});

test("torque off ends it, the goal stays", () => {
  bench.write(0x80, 1024);
  bench.write(0x83, 60);
  bench.write(0x81, 1);
  bench.write(0x80, 3000);
  bench.pass(800);
  bench.write(0x81, 0);
  bench.pass(2000);
  const there = place();
  expect(there).toBeLessThan(2500);
  bench.pass(2000);
  expect(place()).toBe(there);
  expect(bench.word(0x80)).toBe(3000);
});

test("the goal written as the place that was read overshoots: no stop can be made of it", () => {
  bench.write(0x80, 1024);
  bench.write(0x83, 100);
  bench.write(0x81, 1);
  bench.write(0x80, 3000);
  bench.pass(900);
  const read = place();
  bench.pass(4);
  bench.write(0x80, read);
  let most = read;
  for (let t = 0; t < 2000; t += 5) {
    bench.pass(5);
    most = Math.max(most, place());
  }
  expect(most - read).toBeGreaterThan(40);
});
