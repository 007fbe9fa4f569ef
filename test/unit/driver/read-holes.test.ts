/**
 * Reads of a device with holes, through the driver's side of the lanes.
 * The idea: a device written by hand, which refuses any read that touches a register it has not;
 * every request is counted. It refuses profiles of real drives.
 */
import { expect, test } from "vitest";
import type { DeviceModel, ReadRequest } from "#drivers/device-model.js";
import { matchReply } from "#drivers/pdu.js";
import type { PointSpec, Profile } from "#drivers/profile.js";
import { planReads } from "#drivers/read-plan.js";
import { splitRead } from "#drivers/read-split.js";
import type { Exchange, FieldLink } from "#kernel/ports.js";
import { DeviceIo } from "../../../services/driver/device-io.js";

interface Limits {
  readonly readRegisters?: number;
  readonly hole?: number;
  readonly neverMerge?: readonly string[];
}

/** Points by name: address and type. */
type Points = { readonly [name: string]: readonly [number, "u16" | "i32"] };

function profileOf(points: Points, limits: Limits = {}): Profile {
  const specs = Object.entries(points).map(([name, [address, type]]) => {
    return [name, { read: { fc: 3, address }, type } as unknown as PointSpec] as const;
  });
  const all = { readRegisters: 125, hole: 4, ...limits };
  return {
    points: Object.fromEntries(specs),
    transport: { limits: all, timing: {} },
  } as unknown as Profile;
}

/** A register n holds n; a read that touches a hole is refused with exception 2. */
class Device {
  readonly asked: string[] = [];
  readonly onChange: ((up: boolean) => void)[] = [];
  silent = false;

  constructor(readonly holes: ReadonlySet<number>) {}

  get field(): FieldLink {
    return {
      connected: true,
      exchange: async (_lane, pdu) => this.#answer(pdu),
      guard: async () => undefined,
      pulse: () => undefined,
      onChange: (listener) => void this.onChange.push(listener),
      close: async () => undefined,
    };
  }

  #answer(pdu: Uint8Array): Exchange {
    const bytes = Buffer.from(pdu);
    const address = bytes.readUInt16BE(1);
    const count = bytes.readUInt16BE(3);
    this.asked.push(`${address.toString(16)}+${count}`);
    if (this.silent) return { kind: "unknown", why: "timeout" };
    const words = Array.from({ length: count }, (_, i) => address + i);
    const refused = words.some((word) => this.holes.has(word));
    const hex = words.map((word) => word.toString(16).padStart(4, "0")).join("");
    const size = (2 * count).toString(16).padStart(2, "0");
    const reply = Buffer.from(refused ? "8302" : `03${size}${hex}`, "hex");
    return { kind: "reply", pdu: reply, sentAtMs: 0 };
  }
}

function driverOf(device: Device, profile: Profile) {
  const decode = (request: ReadRequest, reply: Uint8Array) => {
    if (matchReply(request.pdu, reply).kind === "exception") return "exception";
    const at = (name: string) => (profile.points[name]?.read?.address ?? 0) - request.address;
    const word = (name: string) => Buffer.from(reply).readUInt16BE(2 + 2 * at(name));
    return new Map(request.points.map((name) => [name, word(name)]));
  };
  return new DeviceIo(device.field, { decode } as unknown as DeviceModel, {
    onValues: () => undefined,
    onOvertaken: () => undefined,
    split: (request) => splitRead(profile, request),
  });
}

const three: Points = { a: [0x10, "u16"], b: [0x11, "u16"], c: [0x13, "u16"] };

test("BR-01: one hole in a span takes no value away, and its refusal is paid for once", async () => {
  const device = new Device(new Set([0x12]));
  const profile = profileOf(three);
  const io = driverOf(device, profile);
  const plan = planReads(profile, ["a", "b", "c"]);
  const first = await io.read(plan, "poll");
  expect(first.ok && [...first.values]).toEqual([
    ["a", 0x10],
    ["b", 0x11],
    ["c", 0x13],
  ]);
  expect(device.asked).toEqual(["10+4", "10+2", "13+1"]);
  device.asked.length = 0;
  for (let cycle = 0; cycle < 3; cycle += 1) expect((await io.read(plan, "poll")).ok).toBe(true);
  expect(device.asked).toEqual(["10+2", "13+1", "10+2", "13+1", "10+2", "13+1"]);
});

test.each([["lanes"], ["device"]])(
  "BR-01: the split is forgotten when the %s went away: another device may have come",
  async (what) => {
    const device = new Device(new Set([0x12]));
    const profile = profileOf(three);
    const io = driverOf(device, profile);
    const plan = planReads(profile, ["a", "b", "c"]);
    await io.read(plan, "poll");
    if (what === "device") {
      device.silent = true;
      expect((await io.read(plan, "poll")).ok).toBe(false);
      device.silent = false;
    } else {
      for (const tell of device.onChange) tell(false);
    }
    device.asked.length = 0;
    await io.read(plan, "poll");
    expect(device.asked[0]).toBe("10+4");
  },
);

test("BR-01: two holes are two splits, and every value comes", async () => {
  const device = new Device(new Set([0x12, 0x15]));
  const profile = profileOf({ ...three, d: [0x14, "u16"], e: [0x16, "u16"] });
  const io = driverOf(device, profile);
  const plan = planReads(profile, Object.keys(profile.points));
  const read = await io.read(plan, "poll");
  expect(read.ok && [...read.values.values()]).toEqual([0x10, 0x11, 0x13, 0x14, 0x16]);
  device.asked.length = 0;
  await io.read(plan, "poll");
  expect(device.asked).toEqual(["10+2", "13+2", "16+1"]);
});

test("BR-01: a value of two registers is never cut, and a single one that is not there fails", async () => {
  const device = new Device(new Set([0x21]));
  const profile = profileOf({ low: [0x1e, "i32"], bad: [0x20, "i32"] });
  const io = driverOf(device, profile);
  const outcome = await io.read(planReads(profile, ["low", "bad"]), "poll");
  expect(outcome).toMatchObject({ ok: false, answered: true, exception: 2 });
  expect(device.asked).toEqual(["1e+4", "1e+2", "20+2"]);
});

test("BR-01: what must be read alone is alone from the start", () => {
  const profile = profileOf(three, { neverMerge: ["b"] });
  const plan = planReads(profile, ["a", "b", "c"]);
  expect(plan.map(({ address, count }) => [address, count])).toEqual([
    [0x10, 1],
    [0x11, 1],
    [0x13, 1],
  ]);
  expect(plan.map((request) => splitRead(profile, request))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test.each([125, 32, 2])(
  "BR-03: 346 registers in reads of at most %i, all values right",
  async (most) => {
    const names = Array.from({ length: 173 }, (_, i) => [`p${i}`, [2 * i, "i32"]] as const);
    const profile = profileOf(Object.fromEntries(names), { readRegisters: most });
    const device = new Device(new Set());
    const io = driverOf(device, profile);
    const plan = planReads(profile, Object.keys(profile.points));
    const read = await io.read(plan, "poll");
    expect(plan.every(({ address, count }) => count <= most && address % 2 === 0)).toBe(true);
    expect(plan.every(({ count }) => count % 2 === 0)).toBe(true);
    expect(read.ok && [...read.values.values()]).toEqual(names.map(([, [address]]) => address));
  },
);

test("BR-05: the last registers of the address space are read, and the span does not wrap", async () => {
  const device = new Device(new Set());
  const profile = profileOf({ near: [65_531, "u16"], last: [65_534, "i32"] });
  const plan = planReads(profile, ["near", "last"]);
  expect(plan.map(({ address, count }) => address + count)).toEqual([65_536]);
  expect((await driverOf(device, profile).read(plan, "poll")).ok).toBe(true);
});

test("EX-05: no other exception splits a read", async () => {
  const profile = profileOf(three);
  const device = new Device(new Set([0x12]));
  const { field } = device;
  for (const code of [0, 1, 3, 4, 5, 6, 7, 8, 0x0c, 0x7f]) {
    let asked = 0;
    const refusing: FieldLink = {
      ...field,
      exchange: async () => {
        asked += 1;
        return { kind: "reply", pdu: Uint8Array.of(0x83, code), sentAtMs: 0 };
      },
    };
    const model = { decode: () => "exception" } as unknown as DeviceModel;
    const io = new DeviceIo(refusing, model, {
      onValues: () => undefined,
      onOvertaken: () => undefined,
      split: (request) => splitRead(profile, request),
    });
    const outcome = await io.read(planReads(profile, ["a", "b", "c"]), "poll");
    expect(outcome).toMatchObject({ ok: false, answered: true, exception: code });
    expect(asked).toBe(1);
  }
});
