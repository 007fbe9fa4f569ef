/**
 * The simulator's Modbus TCP server over real sockets, and its tap.
 *
 * The idea: the client cuts and joins segments by hand. It refuses to look inside the server.
 */
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Simulation, startSim } from "#simulators/simulation.js";
import { RawClient, until } from "../../fixtures/simulators/modbus-client.js";
import { conveyorSetup, gripperSetup, servoSetup } from "../../fixtures/simulators/profiles.js";

const status = [3, 0x32, 0, 0, 2];
const statusReply = [3, 4, 0x02, 0x40, 0, 0];

let sim: Simulation;
let client: RawClient;
let tapFile: string;
const clients: RawClient[] = [];

async function connect(bus = "bus"): Promise<RawClient> {
  const one = await RawClient.connect(sim.ports[bus] ?? 0);
  clients.push(one);
  return one;
}
function tap(): Record<string, unknown>[] {
  const lines = readFileSync(tapFile, "utf8").trim().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

beforeEach(async () => {
  tapFile = join(mkdtempSync(join(tmpdir(), "sim-")), "tap.jsonl");
  const devices = [servoSetup("x", 1), servoSetup("y", 2), gripperSetup(), conveyorSetup()];
  sim = await startSim({ devices, tapFile });
  client = await connect();
});
afterEach(async () => {
  for (const one of clients.splice(0)) one.close();
  await sim.close();
});

test("a request cut at each of its bytes is answered once (12 cuts)", async () => {
  for (let cut = 1; cut < 12; cut += 1) {
    const { bytes, id } = client.frame(1, status);
    const reply = client.reply(id);
    client.send(bytes.subarray(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.send(bytes.subarray(cut));
    expect(await reply).toEqual(statusReply);
  }
});

test("a request that comes byte by byte is answered once", async () => {
  const { bytes, id } = client.frame(1, status);
  const reply = client.reply(id);
  for (const byte of bytes) {
    client.send(Uint8Array.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(await reply).toEqual(statusReply);
});

test("ten requests to four units in one segment and a half: ten replies, in order", async () => {
  const units = [1, 2, 9, 5, 1, 2, 9, 5, 1, 2];
  const pdus: Record<number, number[]> = { 9: [4, 0x07, 0xd0, 0, 3], 5: [3, 0, 3, 0, 1] };
  const frames = units.map((unit) => client.frame(unit, pdus[unit] ?? status));
  const replies = frames.map(({ id }) => client.reply(id));
  const all = Buffer.concat(frames.map(({ bytes }) => bytes));
  client.send(all.subarray(0, all.length - 5));
  await new Promise((resolve) => setTimeout(resolve, 5));
  client.send(all.subarray(all.length - 5));
  const got = await Promise.all(replies);
  expect(got.map((pdu) => pdu[0])).toEqual(units.map((unit) => (unit === 9 ? 4 : 3)));
  expect(client.order).toEqual(frames.map(({ id }) => id));
});

test("three clients at once see the same drive", async () => {
  const others = [await connect(), await connect()];
  await client.write(1, 0x3100, 0x06);
  for (const other of others) expect((await other.word(1, 0x3200)) & 0x6f).toBe(0x21);
});

test("an unknown unit gets no reply, and its neighbours do", async () => {
  await expect(client.ask(77, status, 100)).rejects.toThrow("no reply");
  expect(await client.ask(1, status)).toEqual(statusReply);
  expect(tap()[0]).toMatchObject({ unit: 77, pdu: "0332000002", note: "no such unit" });
  await sim.close();
  sim = await startSim({ devices: [servoSetup()], unknownUnit: "exception" });
  client = await connect();
  expect(await client.ask(77, status)).toEqual([0x83, 0x0b]);
});

test.each([
  ["a foreign protocol number", [0, 1, 0, 9, 0, 6, 1, 3, 0x32, 0, 0, 1]],
  ["an absurd length", [0, 1, 0, 0, 0xff, 0xff, 1, 3]],
])("FR-06: %s closes that connection; another goes on", async (_what, bytes) => {
  const other = await connect();
  client.send(Uint8Array.from(bytes));
  await until(() => client.closed);
  expect(await other.ask(1, status)).toEqual(statusReply);
});

test("a client that leaves in the middle of a frame disturbs nobody", async () => {
  const other = await connect();
  client.send(client.frame(1, status).bytes.subarray(0, 9));
  client.close();
  expect(await other.ask(1, status)).toEqual(statusReply);
});

test("delay holds back one unit's replies only; drop and exception are per unit too", async () => {
  sim.setFault("x", "delay", 150);
  const late = client.frame(1, status);
  const soon = client.frame(2, status);
  const both = [client.reply(late.id), client.reply(soon.id)];
  client.send(Buffer.concat([late.bytes, soon.bytes]));
  await Promise.all(both);
  expect(client.order).toEqual([soon.id, late.id]);
  sim.clear("x");
  sim.setFault("x", "drop");
  sim.setFault("y", "exception", 6);
  await expect(client.ask(1, status, 100)).rejects.toThrow("no reply");
  expect(await client.ask(2, status)).toEqual([0x83, 6]);
  sim.clear();
  expect(await client.ask(1, status)).toEqual(statusReply);
});

async function moveX(counts: number) {
  for (const word of [0x06, 0x07, 0x0f]) await client.write(1, 0x3100, word);
  await client.write32(1, 0x4a00, Math.round(200 * 2000 * 16.384));
  await client.write32(1, 0x4000, counts);
  await client.write(1, 0x3100, 0x2f);
  await client.write(1, 0x3100, 0x3f);
}

test("a move over the wire takes real time and ends at its target", async () => {
  const begun = performance.now();
  await moveX(40_000);
  expect((await client.word(1, 0x3200)) & 0x1400).toBe(0x1000);
  await client.write(1, 0x3100, 0x2f);
  await until(async () => ((await client.word(1, 0x3200)) & 0x1400) === 0x0400);
  // The drive says "reached" within its window, the shaft settles a moment later.
  expect(Math.abs((await client.read32(1, 0x3700)) - 40_000)).toBeLessThanOrEqual(10);
  await until(async () => (await client.read32(1, 0x3700)) === 40_000);
  // 20 mm at 200 mm/s with 2000 mm/s² take at least 0.15 s.
  expect(performance.now() - begun).toBeGreaterThan(140);
});

test("the tap has every request with its reply, and motion without a poll", async () => {
  const before = Number(process.hrtime.bigint()) / 1e6;
  await moveX(40_000);
  await until(() => tap().filter((line) => line.kind === "motion").length === 2);
  const after = Number(process.hrtime.bigint()) / 1e6;
  const lines = tap();
  const frames = lines.filter((line) => line.kind === undefined);
  expect(frames.map((line) => line.pdu)).toEqual([
    "0631000006",
    "0631000007",
    "063100000f",
    // 200 mm/s are 6553600 in the drive's unit, 0x640000: the low word first.
    "104a0000020400000064",
    "1040000002049c400000",
    "063100002f",
    "063100003f",
  ]);
  expect(frames.at(-1)).toMatchObject({
    bus: "bus",
    unit: 1,
    device: "x",
    pdu: "063100003f",
    reply: "063100003f",
  });
  const [start, end] = lines.filter((line) => line.kind === "motion");
  expect(start).toMatchObject({ device: "x", moving: true });
  expect(end).toMatchObject({ device: "x", moving: false, position: 40_000 });
  for (const line of lines) {
    expect(line.tMs).toBeGreaterThanOrEqual(before);
    expect(line.tMs).toBeLessThanOrEqual(after);
  }
});

test("state shows faults and plants; unknown devices and faults are refused by name", () => {
  sim.setFault("gripper", "noPart");
  sim.setFault("x", "stuck", "trip");
  expect(sim.state()).toMatchObject({
    x: { unit: 1, profile: "kinco/fd5p", state: "switchOnDisabled", faults: { stuck: "trip" } },
    gripper: { moving: false, faults: { noPart: true } },
  });
  expect(() => sim.setFault("q", "drop")).toThrow(/There is no simulated device q; there are x, y/);
  expect(() => sim.setFault("x", "explode")).toThrow(/the faults are drop/);
});

test("two devices at one address of a bus are refused", async () => {
  const devices = [servoSetup("x", 1), servoSetup("y", 1)];
  await expect(startSim({ devices })).rejects.toThrow(/unit 1 of bus bus is taken/);
});
