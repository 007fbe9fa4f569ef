/**
 * A device that is quiet may be left alone for any time.
 *
 * The idea: two drives get the same requests at the same moments. One is looked at each
 * millisecond, the other only while it says that it is busy; both must be the same after every
 * request. So nothing that moves calls itself quiet, and what rests does not creep. It refuses
 * times between milliseconds: there the two would cut a motion differently.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeSimDevice, type SimDevice } from "#simulators/device.js";
import { servoSetup } from "../../fixtures/simulators/profiles.js";

const [controlword, mode, target, speed, wanted] = [0x3100, 0x3500, 0x4000, 0x4a00, 0x6f00];

function write(address: number, ...words: readonly number[]): Uint8Array {
  const bytes = words.flatMap((word) => [(word >> 8) & 0xff, word & 0xff]);
  return Uint8Array.of(16, address >> 8, address & 0xff, 0, words.length, bytes.length, ...bytes);
}

/** Low word first, as the drive has it. */
const write32 = (address: number, value: number) => write(address, value & 0xffff, value >> 16);

const requests = fc.oneof(
  fc.constantFrom(0x06, 0x07, 0x0f, 0x2f, 0x3f, 0x5f, 0x10f, 0x02, 0x86).map((word) => {
    return write(controlword, word);
  }),
  fc.constantFrom(1, 3, 6).map((value) => write(mode, value)),
  fc.integer({ min: -40_000, max: 40_000 }).map((counts) => write32(target, counts)),
  fc.integer({ min: 0, max: 4_000_000 }).map((value) => write32(speed, value)),
  fc.integer({ min: -2_000_000, max: 2_000_000 }).map((value) => write32(wanted, value)),
  fc.constant(Uint8Array.of(3, 0x32, 0x00, 0, 2)),
);

function enabled(): SimDevice {
  const device = makeSimDevice(servoSetup());
  for (const word of [0x06, 0x07, 0x0f]) device.handle(write(controlword, word), 0);
  device.handle(write32(speed, 3_000_000), 0);
  return device;
}

test("looked at each millisecond, or only while busy: the same after every request", () => {
  const step = fc.tuple(requests, fc.integer({ min: 1, max: 900 }));
  let rested = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) => {
      const [watched, left] = [enabled(), enabled()];
      let nowMs = 0;
      for (const [pdu, waitMs] of steps) {
        for (let i = 0; i < waitMs; i += 1) {
          nowMs += 1;
          watched.advance(nowMs);
          if (left.busy) left.advance(nowMs);
          else rested += 1;
        }
        expect(left.handle(pdu, nowMs)).toEqual(watched.handle(pdu, nowMs));
        expect(left.view()).toEqual(watched.view());
      }
    }),
    { numRuns: 40 },
  );
  expect(rested).toBeGreaterThan(1000);
});
