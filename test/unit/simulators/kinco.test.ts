/**
 * The simulated Kinco drive at its registers: handshake, halt, quick stop, homing, faults.
 *
 * The idea: frames in, frames out, with a clock in the test's hand; addresses and bits are written
 * here from the register facts. It refuses sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, servoSetup } from "../../fixtures/simulators/profiles.js";

const [CW, SW, MODE, POS, VEL] = [0x3100, 0x3200, 0x3500, 0x3700, 0x3b00];
const [TARGET, PSPEED, TSPEED] = [0x4000, 0x4a00, 0x6f00];
/** 100 mm/s at 2000 counts/mm, in the drive's unit. */
const speed100 = Math.round(100 * 2000 * 16.384);

let bench: Bench;
const bit = (n: number) => (bench.word(SW) >> n) & 1;
const acknowledged = () => bit(12);
const reached = () => bit(10);

function enable() {
  for (const word of [0x06, 0x07, 0x0f]) bench.write(CW, word);
  bench.write32(PSPEED, speed100);
  bench.pass(5);
}

function start(counts: number, words: readonly [number, number] = [0x2f, 0x3f]) {
  bench.write32(TARGET, counts);
  bench.write(CW, words[0]);
  bench.write(CW, words[1]);
}

beforeEach(() => {
  bench = new Bench(servoSetup());
});

test("golden frames: status word read and control word 0x0F are answered as printed", () => {
  expect(bench.send(0x03, 0x32, 0x00, 0x00, 0x02)).toEqual([3, 4, 0x02, 0x40, 0, 0]);
  expect(bench.send(0x06, 0x31, 0x00, 0x00, 0x0f)).toEqual([0x06, 0x31, 0x00, 0x00, 0x0f]);
  const speed = [0x10, 0x6f, 0x00, 0x00, 0x02, 0x04, 0x4e, 0x82, 0x00, 0x1b];
  expect(bench.send(...speed)).toEqual([0x10, 0x6f, 0x00, 0x00, 0x02]);
  expect(bench.read32(TSPEED)).toBe(0x1b4e82);
});

test("0x0F from switch-on-disabled does nothing; from ready it goes through to enabled", () => {
  bench.write(CW, 0x0f);
  expect(bench.word(SW) & 0x4f).toBe(0x40);
  bench.write(CW, 0x06);
  bench.write(CW, 0x0f);
  expect(bench.word(SW) & 0x6f).toBe(0x27);
});

test("a move: bit 12 follows bit 4, bit 10 drops with it and rises at the target", () => {
  enable();
  expect(reached()).toBe(1);
  bench.write32(TARGET, 20_000);
  bench.write(CW, 0x2f);
  expect(acknowledged()).toBe(0);
  bench.write(CW, 0x3f);
  expect([acknowledged(), reached()]).toEqual([1, 0]);
  bench.write(CW, 0x2f);
  expect([acknowledged(), reached()]).toEqual([0, 0]);
  bench.pass(60);
  expect(bench.read32(VEL)).toBeGreaterThan(0);
  bench.pass(400);
  expect([reached(), bench.read32(POS), bench.read32(VEL)]).toEqual([1, 20_000, 0]);
});

test("MO-03: bit 4 left high, a second target: no edge, no move", () => {
  enable();
  start(2000);
  bench.pass(500);
  bench.write32(TARGET, 9000);
  bench.write(CW, 0x3f);
  bench.pass(500);
  expect(bench.read32(POS)).toBe(2000);
  bench.write(CW, 0x2f);
  bench.write(CW, 0x3f);
  bench.pass(500);
  expect(bench.read32(POS)).toBe(9000);
});

test("MO-04: a move to where it stands is acknowledged and reached at once", () => {
  enable();
  start(0);
  bench.pass(2);
  expect([acknowledged(), reached()]).toEqual([1, 1]);
});

test("relative (bit 6): twice +1000 is +2000; negative distances too", () => {
  enable();
  for (const distance of [1000, 1000, -500]) {
    start(distance, [0x4f, 0x5f]);
    bench.write(CW, 0x4f);
    bench.pass(400);
  }
  expect(bench.read32(POS)).toBe(1500);
});

test("bit 5 changes the path at once; without it a set-point waits and keeps bit 12", () => {
  enable();
  start(100_000);
  bench.pass(100);
  start(10_000, [0x2f, 0x3f]);
  bench.pass(1500);
  expect(bench.read32(POS)).toBe(10_000);
  start(20_000, [0x0f, 0x1f]);
  bench.write(CW, 0x0f);
  bench.pass(20);
  start(5000, [0x0f, 0x1f]);
  bench.write(CW, 0x0f);
  expect([acknowledged(), reached()]).toEqual([1, 0]);
  bench.pass(2000);
  expect([acknowledged(), bench.read32(POS)]).toEqual([0, 5000]);
});

test("interleaving 24: halt shows bit 10 at rest but keeps the path: its end resumes it", () => {
  enable();
  start(100_000);
  bench.write(CW, 0x2f);
  bench.pass(200);
  bench.write(CW, 0x12f);
  bench.pass(500);
  const rest = bench.read32(POS);
  expect([reached(), bench.read32(VEL)]).toEqual([1, 0]);
  expect(rest).toBeLessThan(60_000);
  bench.pass(10_000);
  expect(bench.read32(POS)).toBe(rest);
  bench.write(CW, 0x2f);
  bench.pass(3000);
  expect(bench.read32(POS)).toBe(100_000);
});

test("interleaving 24: a set-point taken during halt replaces the path; nothing resumes", () => {
  enable();
  start(100_000);
  bench.pass(200);
  bench.write(CW, 0x12f);
  bench.pass(500);
  const rest = bench.read32(POS);
  start(rest, [0x12f, 0x13f]);
  expect(acknowledged()).toBe(1);
  bench.write(CW, 0x12f);
  bench.write(CW, 0x0f);
  bench.pass(10_000);
  expect(Math.abs(bench.read32(POS) - rest)).toBeLessThanOrEqual(10);
});

test.each([0x0b, 0x02])("quick stop %i: ramps, stands, loses the path, and needs 0x06", (word) => {
  enable();
  start(100_000);
  bench.pass(200);
  const before = bench.read32(POS);
  bench.write(CW, word);
  expect(bench.word(SW) & 0x6f).toBe(0x07);
  bench.pass(1);
  expect(bench.read32(VEL)).toBeGreaterThan(0);
  bench.pass(400);
  expect(bench.read32(VEL)).toBe(0);
  const rest = bench.read32(POS);
  expect(rest).toBeGreaterThan(before);
  bench.write(CW, 0x0f);
  expect(bench.word(SW) & 0x6f).toBe(0x07);
  bench.write(CW, 0x06);
  bench.write(CW, 0x0f);
  bench.pass(10_000);
  expect(bench.word(SW) & 0x6f).toBe(0x27);
  expect(Math.abs(bench.read32(POS) - rest)).toBeLessThanOrEqual(1);
});

test("power off in motion: the path is gone, the shaft runs down, enabling moves nothing", () => {
  enable();
  start(100_000);
  bench.pass(200);
  bench.write(CW, 0x06);
  bench.pass(300);
  const rest = bench.read32(POS);
  bench.write(CW, 0x0f);
  bench.pass(5000);
  expect(bench.read32(POS)).toBe(rest);
});

test("homing: to the switch, back to its edge, zero there; bits 12 and 15, then a move", () => {
  enable();
  expect([bit(15), bench.read32(POS)]).toEqual([0, 0]);
  bench.write(MODE, 6);
  bench.write(CW, 0x0f);
  bench.write(CW, 0x1f);
  expect([acknowledged(), reached()]).toEqual([0, 0]);
  bench.pass(100);
  expect(bench.read32(VEL)).toBeLessThan(0);
  bench.pass(8000);
  expect([acknowledged(), reached(), bit(13), bit(15)]).toEqual([1, 1, 0, 1]);
  expect(bench.read32(POS)).toBe(0);
  expect(bench.device.view().state).toBe("enabled");
  bench.write(CW, 0x0f);
  bench.write(MODE, 1);
  start(4000);
  bench.pass(500);
  expect([bench.read32(POS), bit(15)]).toEqual([4000, 1]);
});

test("homing interrupted by bit 4: it stands, and is not homed", () => {
  enable();
  bench.write(MODE, 6);
  bench.write(CW, 0x1f);
  bench.pass(200);
  bench.write(CW, 0x0f);
  bench.pass(1000);
  expect([bench.read32(VEL), acknowledged(), bit(15)]).toEqual([0, 0, 0]);
});

test("homing method 35: the place is zero at once, nothing moves", () => {
  bench = new Bench(servoSetup("x", 1, { "register.homingMethod": 35 }));
  enable();
  bench.write(MODE, 6);
  bench.write(CW, 0x1f);
  expect([acknowledged(), bit(15), bench.device.moving]).toEqual([1, 1, false]);
});

test("speed mode: the target speed counts at once, both ways; halt keeps it, 0 ends it", () => {
  enable();
  bench.write(MODE, 3);
  bench.write32(TSPEED, speed100);
  bench.pass(300);
  expect(bench.read32(VEL)).toBeCloseTo(speed100, -4);
  bench.write(CW, 0x10f);
  bench.pass(300);
  expect(bench.read32(VEL)).toBe(0);
  bench.write(CW, 0x0f);
  bench.pass(300);
  expect(bench.read32(VEL)).toBeGreaterThan(0);
  bench.write32(TSPEED, -speed100);
  bench.pass(600);
  expect(bench.read32(VEL)).toBeLessThan(0);
  bench.write32(TSPEED, 0);
  bench.pass(500);
  expect([bench.read32(VEL), bit(12)]).toEqual([0, 1]);
});

test("stuck: never reached, no trip; bit 13 once the error is beyond its limit", () => {
  enable();
  bench.device.setFault("stuck", undefined, bench.nowMs);
  start(100_000);
  bench.pass(3000);
  expect([reached(), bit(13), bit(3), bench.read32(POS)]).toEqual([0, 1, 0, 0]);
  expect(bench.device.moving).toBe(false);
  bench.device.clearFaults();
  bench.pass(3000);
  expect([reached(), bench.read32(POS)]).toEqual([1, 100_000]);
});

test("stuck:trip: the following error becomes a fault with an error state", () => {
  enable();
  bench.device.setFault("stuck", "trip", bench.nowMs);
  start(100_000);
  bench.pass(3000);
  expect([bit(3), bench.word(SW) & 0x4f, bench.word(0x1f00) === 0]).toEqual([1, 0x08, false]);
});

test("MO-10: trip, reset by the edge; with hold the cause persists until cleared", () => {
  enable();
  bench.device.setFault("trip", undefined, bench.nowMs);
  expect(bench.word(SW) & 0x4f).toBe(0x08);
  bench.write(CW, 0x06);
  expect(bench.word(SW) & 0x4f).toBe(0x08);
  bench.write(CW, 0x86);
  expect(bench.word(SW) & 0x4f).toBe(0x40);
  bench.write(CW, 0x06);
  expect(bench.word(SW) & 0x6f).toBe(0x21);
  bench.device.setFault("trip", "hold", bench.nowMs);
  bench.write(CW, 0x80);
  expect(bench.word(SW) & 0x4f).toBe(0x08);
  bench.device.clearFaults();
  bench.write(CW, 0x00);
  bench.write(CW, 0x80);
  expect(bench.word(SW) & 0x4f).toBe(0x40);
});

test("reboot: silent for 200 ms, then no enable, no home, old settings, position 0", () => {
  bench = new Bench(servoSetup("x", 1, { "register.homingMethod": 35 }));
  enable();
  bench.write(MODE, 6);
  bench.write(CW, 0x1f);
  bench.write(CW, 0x0f);
  bench.write(MODE, 1);
  start(8000);
  bench.pass(500);
  bench.device.setFault("reboot", undefined, bench.nowMs);
  expect(bench.send(3, 0x32, 0, 0, 1)).toBeUndefined();
  bench.pass(199);
  expect(bench.send(3, 0x32, 0, 0, 1)).toBeUndefined();
  bench.pass(1);
  expect(bench.word(SW) & 0x4f).toBe(0x40);
  expect([bit(15), bench.read32(POS), bench.read32(PSPEED), bench.word(MODE)]).toEqual([
    0, 0, 0, 1,
  ]);
});

test("a drive under local control takes no control word and shows bit 9 low", () => {
  bench = new Bench(servoSetup("x", 1, { remote: false }));
  bench.write(CW, 0x06);
  bench.write(CW, 0x0f);
  expect([bit(9), bench.word(SW) & 0x4f]).toEqual([0, 0x40]);
});
