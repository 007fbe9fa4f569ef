/**
 * The simulated Robotiq gripper at its registers: activation, grip, watchdog, faults.
 *
 * The idea: bytes as in the register facts, with a clock in the test's hand. It refuses sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, gripperSetup } from "../../fixtures/simulators/profiles.js";

let bench: Bench;

/** Passes time with a read every 100 ms, so that the watchdog is fed. */
function pass(ms: number) {
  for (let t = 0; t < ms; t += 100) {
    bench.pass(100);
    status();
  }
}
function status() {
  const [gripper = 0, fault = 0, place = 0] = bench.read(0x07d0, 3);
  return {
    active: (gripper >> 8) & 1,
    goes: (gripper >> 11) & 1,
    state: (gripper >> 12) & 3,
    object: (gripper >> 14) & 3,
    fault: fault >> 8,
    echo: fault & 0xff,
    position: place >> 8,
  };
}
function command(action: number, position = 0, speed = 255, force = 128) {
  bench.block(0x03e8, [action << 8, position, (speed << 8) | force]);
}
function activate() {
  command(0);
  command(1);
  pass(2500);
}

beforeEach(() => {
  bench = new Bench(gripperSetup());
});

test("activation runs the full stroke: gSTA 0, 1 while the fingers move, then 3", () => {
  expect(status()).toMatchObject({ active: 0, state: 0 });
  command(0);
  command(1);
  expect(status()).toMatchObject({ active: 1, state: 1, goes: 0 });
  let widest = 0;
  for (let t = 0; t < 2500; t += 50) {
    bench.pass(50);
    widest = Math.max(widest, status().position);
  }
  expect(widest).toBeGreaterThan(200);
  expect(status()).toMatchObject({ state: 3, object: 0, fault: 0, position: 3 });
});

test("a grip ends at the part with contact (gOBJ 2), a free move at its place (gOBJ 3)", () => {
  activate();
  command(0x09, 255);
  expect(status()).toMatchObject({ goes: 1, object: 0, echo: 255 });
  pass(1000);
  expect(status()).toMatchObject({ object: 2, position: 140 });
  command(0x09, 40);
  pass(1000);
  expect(status()).toMatchObject({ object: 3, position: 40 });
});

test("noPart: the grip ends at the finger's own limit with gOBJ 3, not at 255", () => {
  activate();
  bench.device.setFault("noPart", undefined, bench.nowMs);
  command(0x09, 255);
  pass(1500);
  expect(status()).toMatchObject({ object: 3, position: 228 });
});

test("rGTO = 0 stops the fingers where they are, and gOBJ says nothing then", () => {
  activate();
  command(0x09, 255, 0);
  bench.pass(500);
  const { position } = status();
  expect(position).toBeGreaterThan(10);
  command(0x01, 255, 0);
  pass(1000);
  expect(status()).toMatchObject({ goes: 0, object: 0, position });
});

test("watchdog: silent for 1 s in motion: fault 9, the fingers stand until a new request", () => {
  activate();
  bench.device.setFault("noPart", undefined, bench.nowMs);
  command(0x09, 255, 0);
  bench.pass(900);
  expect(status().fault).toBe(0);
  bench.pass(1001);
  const { position } = status();
  expect(status()).toMatchObject({ fault: 9, goes: 0, state: 3 });
  expect(position).toBeLessThan(228);
  pass(1000);
  expect(status()).toMatchObject({ fault: 9, position });
  command(0x09, 255, 255);
  expect(status().fault).toBe(9);
  command(0x01, 255, 255);
  command(0x09, 255, 255);
  pass(1500);
  expect(status()).toMatchObject({ fault: 0, object: 3, position: 228 });
});

test("watchdog: silent for 1 s at rest: fault 9 is reported once and clears itself", () => {
  activate();
  bench.pass(5000);
  expect([status().fault, status().fault]).toEqual([9, 0]);
});

test("watchdog: a gripper that nobody has spoken to yet has no fault", () => {
  bench.pass(60_000);
  expect(status().fault).toBe(0);
});

test("a request before activation is fault 7, during it fault 5 and carried out after it", () => {
  command(0x08, 200);
  expect(status().fault).toBe(7);
  command(0);
  command(1);
  command(0x09, 40);
  expect(status()).toMatchObject({ fault: 5, state: 1, goes: 0 });
  pass(3000);
  expect(status()).toMatchObject({ fault: 0, state: 3, object: 3, position: 40 });
});

test("a major fault (trip, 14) holds the fingers and needs a new edge of rACT", () => {
  activate();
  bench.device.setFault("trip", undefined, bench.nowMs);
  command(0x09, 100);
  pass(500);
  expect(status()).toMatchObject({ fault: 14, goes: 0, position: 3 });
  command(0);
  command(1);
  pass(2500);
  expect(status()).toMatchObject({ fault: 0, state: 3 });
});

test("rATR opens slowly (fault 11), then asks for a new activation (fault 15)", () => {
  activate();
  command(0x09, 100);
  pass(500);
  command(0x11);
  expect(status().fault).toBe(11);
  pass(3000);
  expect(status()).toMatchObject({ fault: 15, position: 3, state: 0 });
});

test("reboot loses the activation but not the place of the fingers", () => {
  activate();
  command(0x09, 100);
  pass(500);
  bench.device.setFault("reboot", 50, bench.nowMs);
  bench.pass(50);
  expect(status()).toMatchObject({ active: 0, state: 0, position: 100, fault: 0 });
});
