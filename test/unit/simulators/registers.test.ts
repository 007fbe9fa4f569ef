/**
 * What a simulated device refuses, and how faults change its answers.
 *
 * The idea: exceptions by table, reply faults one by one. It refuses plants.
 */

import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { parseFault } from "#simulators/faults.js";
import { MbapReader, mbapFrame } from "#simulators/mbap.js";
import { SimProblem } from "#simulators/problem.js";
import {
  Bench,
  conveyorSetup,
  gripperSetup,
  servoSetup,
} from "../../fixtures/simulators/profiles.js";

let bench: Bench;
beforeEach(() => {
  bench = new Bench(servoSetup());
});

const readStatus = [3, 0x32, 0, 0, 1] as const;

test.each([
  ["an unknown register", [3, 0x12, 0x34, 0, 1], [0x83, 2]],
  ["a read across a hole", [3, 0x37, 0x01, 0, 2], [0x83, 2]],
  ["more registers than the device allows", [3, 0x32, 0, 0, 3], [0x83, 3]],
  ["no registers", [3, 0x32, 0, 0, 0], [0x83, 3]],
  ["126 registers", [3, 0x32, 0, 0, 126], [0x83, 3]],
  ["an unknown function", [43, 14, 1, 0], [0xab, 1]],
  ["input registers of a drive that has none", [4, 0x32, 0, 0, 1], [0x84, 1]],
  ["coils", [1, 0, 0, 0, 1], [0x81, 1]],
  ["a write to the status word", [6, 0x32, 0, 0, 1], [0x86, 2]],
  ["a write to an unknown register", [6, 0x99, 0, 0, 1], [0x86, 2]],
  ["a block that runs past its point", [16, 0x40, 0x01, 0, 2, 4, 0, 0, 0, 0], [0x90, 2]],
  ["a wrong byte count", [16, 0x40, 0, 0, 2, 3, 0, 0, 0], [0x90, 3]],
  ["a block cut short", [16, 0x40, 0, 0, 2, 4, 0, 0, 0], [0x90, 3]],
  ["a block of nothing", [16, 0x40, 0, 0, 0, 0], [0x90, 3]],
  ["a mode that the drive does not have", [6, 0x35, 0, 0, 9], [0x86, 3]],
  ["a read cut short", [3, 0x32, 0], [0x83, 3]],
])("%s is refused", (_what, request, reply) => {
  expect(bench.send(...request)).toEqual(reply);
});

test("a refused write leaves no trace (mode stays 1)", () => {
  bench.write(0x3500, 9);
  expect(bench.word(0x3500)).toBe(1);
});

test("FC04 and FC23 of the gripper; FC06 is refused", () => {
  bench = new Bench(gripperSetup());
  expect(bench.send(4, 0x07, 0xd0, 0, 3)?.slice(0, 2)).toEqual([4, 6]);
  expect(bench.send(6, 0x03, 0xe8, 1, 0)).toEqual([0x86, 1]);
  const both = [23, 0x07, 0xd0, 0, 3, 0x03, 0xe8, 0, 3, 6, 1, 0, 0, 0, 0, 0];
  expect(bench.send(...both)?.[2]).toBe(0x11);
});

test("drop: nothing is carried out; drop:2 only twice; drop:replies carries out", () => {
  bench.device.setFault("drop", undefined, bench.nowMs);
  expect(bench.send(...readStatus)).toBeUndefined();
  bench.write(0x3100, 0x06);
  bench.device.clearFaults();
  expect(bench.word(0x3200) & 0x4f).toBe(0x40);
  bench.device.setFault("silent", 2, bench.nowMs);
  expect([1, 2, 3].map(() => bench.send(...readStatus) !== undefined)).toEqual([
    false,
    false,
    true,
  ]);
  bench.device.setFault("drop", "replies", bench.nowMs);
  expect(bench.write(0x3100, 0x06)).toBeUndefined();
  bench.device.clearFaults();
  expect(bench.word(0x3200) & 0x6f).toBe(0x21);
});

test("one fault ends while another goes on: drop over, exception still there", () => {
  bench.device.setFault("exception", 6, bench.nowMs);
  bench.device.setFault("silent", undefined, bench.nowMs);
  expect(bench.send(...readStatus)).toBeUndefined();
  bench.device.endFault("silent");
  expect(bench.send(...readStatus)).toEqual([0x83, 6]);
  bench.device.endFault("exception");
  expect(bench.word(0x3200) & 0x4f).toBe(0x40);
});

test("exception:6 refuses every request, and nothing is carried out; delay is told", () => {
  bench.device.setFault("exception", 6, bench.nowMs);
  expect(bench.send(...readStatus)).toEqual([0x83, 6]);
  expect(bench.write(0x3100, 0x06)).toEqual([0x86, 6]);
  bench.device.clearFaults();
  expect(bench.word(0x3200) & 0x4f).toBe(0x40);
  bench.device.setFault("delay", 80, bench.nowMs);
  expect(bench.device.replyDelayMs).toBe(80);
});

test.each(["stuck:fast", "delay:soon", "exception:-1"])("a fault value %s is refused", (text) => {
  const { fault, value } = parseFault(`x=${text}`);
  expect(() => bench.device.setFault(fault, value, bench.nowMs)).toThrow(SimProblem);
});

test.each(["z", "z=", "=stuck", "z=explode"])("--fault %s is refused with a sentence", (text) => {
  expect(() => parseFault(text)).toThrow(SimProblem);
});

test("an unknown key under simulate is refused with the known ones", () => {
  expect(() => new Bench(servoSetup("x", 1, { colour: "red" }))).toThrow(/homingVelocity/);
});

test("time that stands or runs backwards moves nothing", () => {
  bench = new Bench(conveyorSetup());
  const before = bench.device.view();
  bench.device.advance(bench.nowMs - 500);
  expect(bench.device.view()).toEqual(before);
});

test("MBAP: any cut of the stream gives the same frames", () => {
  const frame = fc.record({
    transaction: fc.integer({ min: 0, max: 0xffff }),
    unit: fc.integer({ min: 0, max: 255 }),
    pdu: fc.uint8Array({ minLength: 1, maxLength: 253 }),
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), cuts, (frames, sizes) => {
      const bytes = Uint8Array.from(frames.flatMap((one) => [...mbapFrame(one)]));
      const reader = new MbapReader();
      const got = [];
      for (let at = 0, i = 0; at < bytes.length; i += 1) {
        const size = sizes[i % sizes.length] ?? 1;
        got.push(...(reader.push(bytes.slice(at, at + size)) ?? []));
        at += size;
      }
      expect(got.map(({ pdu, ...rest }) => ({ ...rest, pdu: [...pdu] }))).toEqual(
        frames.map(({ pdu, ...rest }) => ({ ...rest, pdu: [...pdu] })),
      );
    }),
  );
});

test.each([
  ["a protocol number", [0, 1, 0, 1, 0, 6, 1]],
  ["length 0", [0, 1, 0, 0, 0, 0, 1]],
  ["length 65535", [0, 1, 0, 0, 255, 255, 1]],
])("MBAP: %s ends the stream", (_what, bytes) => {
  expect(new MbapReader().push(Uint8Array.from(bytes))).toBeUndefined();
});
