/**
 * The simulated OnRobot gripper at its registers.
 * The idea: numbers as in the maker's table, with a clock in the test's hand. It refuses sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, profileOf } from "../../fixtures/simulators/profiles.js";

let bench: Bench;
const status = () => bench.word(268);
const width = () => bench.word(267);
const go = (mm: number, control = 1, newton = 20) =>
  bench.block(0, [10 * newton, 10 * mm, control]);

beforeEach(() => {
  bench = new Bench({ id: "g", profile: profileOf("onrobot/rg2"), setup: { unit: 65 } });
});

test("a motion is busy until it ends; a free one has no grip", () => {
  go(70);
  expect(status()).toBe(1);
  bench.pass(2000);
  expect([status(), width()]).toEqual([0, 700]);
});

test("closing on the part detects a grip, opening loses it", () => {
  go(0);
  bench.pass(2000);
  expect([status(), width()]).toEqual([2, 500]);
  go(60, 16);
  expect(status()).toBe(1);
  bench.pass(1000);
  expect(status()).toBe(0);
});

test("a command while busy is ignored without an error", () => {
  go(70);
  bench.pass(50);
  expect(go(20)?.[0]).toBe(16);
  bench.pass(2000);
  expect(width()).toBe(700);
});

test("8 stops where it is; the width alone starts nothing", () => {
  go(20);
  bench.pass(300);
  bench.write(2, 8);
  const there = width();
  expect(there).toBeGreaterThan(550);
  bench.write(1, 100);
  bench.pass(2000);
  expect([status(), width()]).toEqual([0, there]);
});

test("a finger switch that acts holds it until it is power cycled", () => {
  go(20);
  bench.pass(100);
  bench.device.setFault("trip", undefined, bench.nowMs);
  const there = width();
  expect(status()).toBe(0x0c);
  go(60);
  bench.pass(2000);
  expect([status(), width()]).toEqual([0x0c, there]);
  bench.device.setFault("reboot", 50, bench.nowMs);
  bench.pass(100);
  expect(status()).toBe(0);
});
