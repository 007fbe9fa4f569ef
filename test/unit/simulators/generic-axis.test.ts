/**
 * The simulated generic positioner at its registers.
 * The idea: the map at the head of its profile, with a clock in the test's hand. It refuses
 * sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, linearAxis, profileOf } from "../../fixtures/simulators/profiles.js";

let bench: Bench;
const status = () => bench.word(0x10);
const control = (word: number) => bench.write(0x20, word);
const place = () => {
  const [high = 0, low = 0] = bench.read(0, 2);
  return (high << 16) | low;
};
const target = (counts: number) => bench.block(0x30, [counts >>> 16, counts & 0xffff]);

beforeEach(() => {
  bench = new Bench({
    id: "a",
    profile: profileOf("generic/axis"),
    setup: { unit: 1, axis: linearAxis },
  });
});
function homed() {
  control(0x01);
  control(0x11);
  bench.pass(30_000);
  control(0x01);
  expect(status() & 0x15).toBe(0x11);
}

test("home, then a start takes target and speed at its edge and clears in position", () => {
  homed();
  target(100_000);
  bench.write(0x40, 3000);
  bench.pass(1000);
  expect(place()).toBe(0);
  control(0x03);
  expect(status() & 0x06).toBe(0x04);
  bench.pass(3000);
  expect(status() & 0x06).toBe(0x02);
  expect(place()).toBe(100_000);
  target(0);
  control(0x03);
  bench.pass(1000);
  expect(place()).toBe(100_000);
});

test("stop ramps down and forgets the target; while it is set nothing starts", () => {
  homed();
  target(600_000);
  bench.write(0x40, 3000);
  control(0x03);
  bench.pass(1000);
  control(0x09);
  bench.pass(2000);
  const there = place();
  expect(there).toBeLessThan(550_000);
  control(0x0b);
  bench.pass(1000);
  control(0x01);
  bench.pass(5000);
  expect(place()).toBe(there);
});

test("stop without enable takes the power away after the ramp, and switches nothing on", () => {
  control(0x08);
  bench.pass(100);
  expect(status() & 1).toBe(0);
  homed();
  target(600_000);
  bench.write(0x40, 3000);
  control(0x03);
  bench.pass(1000);
  control(0x08);
  bench.pass(20);
  expect(status() & 0x05).toBe(0x05);
  bench.pass(2000);
  expect(status() & 0x05).toBe(0);
});

test("an alarm takes the power at once and is reset by an edge, once its cause is gone", () => {
  homed();
  bench.device.setFault("trip", "hold", bench.nowMs);
  expect(status() & 0x09).toBe(0x08);
  control(0x00);
  control(0x04);
  expect(status() & 0x08).toBe(0x08);
  bench.device.clearFaults();
  control(0x00);
  control(0x04);
  expect(status() & 0x08).toBe(0);
});
