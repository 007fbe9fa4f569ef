/**
 * The simulated Festo controller at its eight bytes.
 * The idea: bytes as in the maker's tables, in exchanges of function 23, with a clock in the test's
 * hand. It refuses sockets.
 */
import { beforeEach, expect, test } from "vitest";
import { Bench, linearAxis, profileOf } from "../../fixtures/simulators/profiles.js";

let bench: Bench;

/** Writes an image and answers what came back with it. */
function exchange(ccon: number, cpos: number, speed = 0, setPoint = 0) {
  const raw = [24, 16, 8, 0].map((shift) => (setPoint >>> shift) & 0xff);
  const reply = bench.send(23, 0, 0, 0, 4, 0, 0, 0, 4, 8, ccon, cpos, 0, speed, ...raw) ?? [];
  expect(reply.slice(0, 2)).toEqual([23, 8]);
  return view(reply[2] ?? 0, reply[3] ?? 0, reply.slice(6, 10));
}
function view(scon: number, spos: number, place: readonly number[]) {
  return {
    scon: scon & 0x2b,
    ack: (spos >> 1) & 1,
    mc: (spos >> 2) & 1,
    mov: (spos >> 4) & 1,
    ref: (spos >> 7) & 1,
    place: place.reduce((sum, byte) => (sum << 8) | byte, 0),
  };
}
function read() {
  const words = bench.read(0, 4);
  const bytes = words.flatMap((word) => [word >> 8, word & 0xff]);
  return view(bytes[0] ?? 0, bytes[1] ?? 0, bytes.slice(4));
}

const make = (simulate = {}) => {
  const constants = { positionUnits: 100, speedBase: 400 };
  const setup = { unit: 1, axis: linearAxis, constants };
  bench = new Bench({ id: "f", profile: profileOf("festo/cmmo-st"), setup, simulate });
};
beforeEach(() => make());

function homed() {
  expect(exchange(0x43, 0x01).scon).toBe(0x03);
  expect(exchange(0x43, 0x05)).toMatchObject({ ack: 1, mc: 0, ref: 0 });
  exchange(0x43, 0x01);
  bench.pass(30_000);
  expect(read()).toMatchObject({ ack: 0, mc: 1, mov: 0, ref: 1 });
}

test("START is taken at its edge: ACK until it falls, MC at the end; the level starts nothing", () => {
  homed();
  expect(exchange(0x43, 0x03, 50, 5000)).toMatchObject({ ack: 1, mc: 0 });
  expect(exchange(0x43, 0x01, 50, 5000)).toMatchObject({ ack: 0, mc: 0 });
  bench.pass(3000);
  expect(read()).toMatchObject({ mc: 1, mov: 0, place: 5000 });
  exchange(0x43, 0x03, 50, 5000);
  bench.pass(1000);
  exchange(0x43, 0x03, 50, 100);
  bench.pass(3000);
  expect(read().place).toBe(5000);
});

test("STOP = 0 ramps down and holds the rest; CLEAR throws it away", () => {
  homed();
  exchange(0x43, 0x03, 25, 30_000);
  exchange(0x43, 0x01, 25, 30_000);
  bench.pass(1000);
  exchange(0x41, 0x00);
  bench.pass(1000);
  const { place, scon } = read();
  expect(scon).toBe(0x01);
  exchange(0x43, 0x01);
  bench.pass(500);
  expect(read().place).toBeGreaterThan(place);
  exchange(0x41, 0x00);
  bench.pass(1000);
  const stood = read().place;
  exchange(0x41, 0x40);
  exchange(0x41, 0x00);
  exchange(0x43, 0x01);
  bench.pass(5000);
  expect(read().place).toBe(stood);
});

test("all zero takes the power away", () => {
  homed();
  expect(exchange(0, 0).scon).toBe(0);
});

test("node guard: 50 ms act as 100; any message restarts it; its fault is reset by an edge", () => {
  make({ watchdogMs: 50 });
  exchange(0x43, 0x01);
  for (let i = 0; i < 20; i++) {
    bench.pass(90);
    expect(read().scon & 0x08).toBe(0);
  }
  bench.pass(110);
  expect(read().scon).toBe(0x08);
  exchange(0x40, 0);
  expect(exchange(0x48, 0).scon & 0x08).toBe(0);
});

test("with another master in control the bytes do nothing", () => {
  make({ remote: false });
  expect(exchange(0x43, 0x01).scon).toBe(0x20);
});
