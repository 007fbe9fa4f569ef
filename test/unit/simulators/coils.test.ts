/**
 * Coils, discrete inputs and input registers of a simulated device, byte by byte.
 *
 * The idea: a made-up profile with all four tables, and frames written by hand from MODBUS 6. It
 * refuses the product's codec.
 */
import { beforeEach, expect, test } from "vitest";
import type { Profile } from "#drivers/profile.js";
import type { Behaviour, Touched } from "#simulators/behaviours/behaviour.js";
import { modbusDevice, type SimDevice } from "#simulators/modbus-device.js";
import { profileOf } from "../../fixtures/simulators/profiles.js";

const base = profileOf("kinco/fd5p");
const common = {
  text: "x",
  quantity: "none",
  poll: "never",
  evidence: { confidence: "M" },
} as const;
const coil = (address: number) =>
  ({ ...common, type: "bool", read: { fc: 1, address }, write: { fc: 5, address } }) as const;
const points: Profile["points"] = {
  first: coil(0x10),
  second: coil(0x11),
  third: coil(0x12),
  input: { ...common, type: "bool", read: { fc: 2, address: 0x10 } },
  target: { ...common, type: "i32", read: { fc: 3, address: 5 }, write: { fc: 16, address: 5 } },
  actual: { ...common, type: "u16", read: { fc: 4, address: 5 } },
};
const limits = { ...base.transport.limits, readRegisters: 125, writeRegisters: 123 };
const transport = { ...base.transport, broadcast: true, limits };
const profile: Profile = { ...base, points, transport };

let touched: Touched[] = [];
let device: SimDevice;
const behaviour: Behaviour<{ readonly third: number }> = {
  functions: new Set([1, 2, 3, 4, 5, 8, 15, 16, 17, 23, 43]),
  defaults: { second: 1 },
  togglesCoils: true,
  initial: () => ({ third: 0 }),
  reboot: (state) => state,
  heard: (state) => state,
  written: (_state, registers, requests) => {
    touched.push(...requests);
    const third = registers("third");
    return registers("target") === 0xd_0000
      ? { ok: false, exception: 4 }
      : { ok: true, state: { third } };
  },
  step: (state) => state,
  quiet: () => true,
  values: () => ({ input: 1, actual: 0x1234 }),
  trip: (state) => state,
  released: (state) => state,
  motion: () => ({ moving: false, position: 0, velocity: 0 }),
  word: (state) => String(state.third),
};

beforeEach(() => {
  touched = [];
  device = modbusDevice({ id: "d", unit: 1, profile, behaviour });
});

function send(...bytes: number[]): number[] | undefined {
  const reply = device.handle(Uint8Array.from(bytes), 1000);
  return reply === undefined ? undefined : [...reply];
}

test.each([
  ["three coils: the default of one stands", [1, 0, 0x10, 0, 3], [1, 1, 0b010]],
  ["a discrete input", [2, 0, 0x10, 0, 1], [2, 1, 1]],
  ["a discrete input that is a coil", [2, 0, 0x11, 0, 1], [0x82, 2]],
  ["a holding register", [3, 0, 5, 0, 2], [3, 4, 0, 0, 0, 0]],
  ["an input register at the same address", [4, 0, 5, 0, 1], [4, 2, 0x12, 0x34]],
  ["an input register where only a holding one is", [4, 0, 6, 0, 1], [0x84, 2]],
  ["no coils", [1, 0, 0x10, 0, 0], [0x81, 3]],
  ["2001 coils", [1, 0, 0x10, 0x07, 0xd1], [0x81, 3]],
  ["a coil on", [5, 0, 0x10, 0xff, 0], [5, 0, 0x10, 0xff, 0]],
  ["a coil with a value that is none", [5, 0, 0x10, 1, 0], [0x85, 3]],
  ["a coil that is not there", [5, 0, 0x40, 0xff, 0], [0x85, 2]],
  ["three coils written", [15, 0, 0x10, 0, 3, 1, 0b101], [15, 0, 0x10, 0, 3]],
  ["coils with a wrong byte count", [15, 0, 0x10, 0, 3, 2, 0, 0], [0x8f, 3]],
  ["coils past the last", [15, 0, 0x12, 0, 2, 1, 3], [0x8f, 2]],
  ["the echo", [8, 0, 0, 0xa5, 0x37], [8, 0, 0, 0xa5, 0x37]],
  ["another diagnosis", [8, 0, 1, 0, 0], [0x88, 1]],
  ["a single register of a device without FC06", [6, 0, 5, 0, 1], [0x86, 1]],
  ["write and read in one", [23, 0, 5, 0, 2, 0, 5, 0, 2, 4, 0, 0, 0, 7], [23, 4, 0, 0, 0, 7]],
  ["a refused write in one exchange", [23, 0, 5, 0, 2, 0, 5, 0, 2, 4, 0, 0, 0, 13], [0x97, 4]],
])("%s", (_what, request, reply) => {
  expect(send(...request)).toEqual(reply);
});

test("coils keep what is written: FC05, FC15, and 0x5500 turns one over", () => {
  send(15, 0, 0x10, 0, 3, 1, 0b101);
  expect(send(1, 0, 0x10, 0, 3)).toEqual([1, 1, 0b101]);
  send(5, 0, 0x12, 0x55, 0);
  expect(send(1, 0, 0x10, 0, 3)).toEqual([1, 1, 0b001]);
  send(5, 0, 0x12, 0x55, 0);
  expect(device.view().state).toBe("1");
});

test("a behaviour is told each request that wrote, in order, with its points", () => {
  send(5, 0, 0x10, 0xff, 0);
  send(16, 0, 5, 0, 2, 4, 0, 0, 0, 9);
  send(15, 0, 0x11, 0, 2, 1, 3);
  expect(touched).toEqual([
    { fc: 5, address: 0x10, count: 1, words: [1], points: ["first"] },
    { fc: 16, address: 5, count: 2, words: [0, 9], points: ["target"] },
    { fc: 15, address: 0x11, count: 2, words: [1, 1], points: ["second", "third"] },
  ]);
});

test("FC17 and FC43/14 name maker and model", () => {
  const id = send(17) ?? [];
  expect(Buffer.from(id.slice(2, -1)).toString()).toContain("Kinco");
  expect(id[1]).toBe(id.length - 2);
  const objects = send(43, 14, 1, 0) ?? [];
  expect(objects.slice(0, 7)).toEqual([43, 14, 1, 0x81, 0, 0, 3]);
  expect(Buffer.from(objects.slice(9, 9 + (objects[8] ?? 0))).toString()).toContain("Kinco");
});

test.each([
  [true, 1],
  [false, 0],
])("a broadcast is carried out where the profile says so (%s)", (broadcast, third) => {
  device = modbusDevice({
    id: "d",
    unit: 1,
    profile: { ...profile, transport: { ...transport, broadcast } },
    behaviour,
  });
  device.broadcast(Uint8Array.of(5, 0, 0x12, 0xff, 0), 1000);
  expect(device.view().state).toBe(String(third));
});
