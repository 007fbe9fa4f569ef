/**
 * Faults of TCP endpoints, spoilt replies behind a gateway, and RTU frames through TCP.
 *
 * The idea: raw sockets and bytes by hand against the running simulator. It refuses lines.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Simulation, startSim } from "#simulators/simulation.js";
import { RawClient, until } from "../../fixtures/simulators/modbus-client.js";
import { servoSetup } from "../../fixtures/simulators/profiles.js";
import { pause, rtu } from "../../fixtures/simulators/raw-master.js";

let sim: Simulation;
const clients: RawClient[] = [];
const status = [3, 0x32, 0, 0, 1];

async function client(): Promise<RawClient> {
  const made = await RawClient.connect(sim.ports.bus ?? 0);
  clients.push(made);
  return made;
}

beforeEach(async () => {
  sim = await startSim({ devices: [servoSetup("x", 1), servoSetup("y", 2)] });
});
afterEach(async () => {
  for (const one of clients.splice(0)) one.close();
  await sim.close();
});

test("max-clients:1 turns the second master away; cleared: it may come", async () => {
  sim.setFault("x", "max-clients", 1);
  const first = await client();
  await first.ask(1, status);
  const second = await client();
  await until(() => second.closed);
  expect(await first.ask(1, status)).toEqual([3, 2, 0x02, 0x40]);
  sim.clear();
  expect(await (await client()).ask(1, status)).toEqual([3, 2, 0x02, 0x40]);
});

test("half-open: old and new connections stand and get nothing", async () => {
  const old = await client();
  sim.setFault("bus", "half-open");
  const fresh = await client();
  await expect(old.ask(1, status, 150)).rejects.toThrow("no reply");
  await expect(fresh.ask(1, status, 150)).rejects.toThrow("no reply");
  expect([old.closed, fresh.closed]).toEqual([false, false]);
  sim.clear("bus");
  expect(await old.ask(1, status)).toEqual([3, 2, 0x02, 0x40]);
});

test.each(["echo", "unplug"])("%s is refused on TCP, with a sentence", (fault) => {
  expect(() => sim.setFault("bus", fault)).toThrow(/is a fault of a line/);
  expect(() => sim.setFault("nobody", fault)).toThrow(/no simulated bus or device nobody/);
});

test("truncate:2, corrupt and late spoil replies behind a gateway, too", async () => {
  const master = await client();
  sim.setFault("x", "truncate", 2);
  expect(await master.ask(1, status)).toEqual([3, 2]);
  sim.clear("x");
  sim.setFault("x", "corrupt");
  expect(await master.ask(1, status)).not.toEqual([3, 2, 0x02, 0x40]);
  sim.clear("x");
  sim.setFault("x", "late", 120);
  await expect(master.ask(1, status, 40)).rejects.toThrow("no reply");
  expect(await master.ask(1, status)).toEqual([3, 2, 0x02, 0x40]);
});

test("MO-03, MO-10: scan:60 misses what is taken back within it, and sees what stays", async () => {
  const master = await client();
  const word = () => master.word(1, 0x3200);
  sim.setFault("x", "scan", 60);
  await master.write(1, 0x3100, 0x06);
  await master.write(1, 0x3100, 0x00);
  await pause(130);
  expect((await word()) & 0x6f).toBe(0x40);
  await master.write(1, 0x3100, 0x06);
  await until(async () => ((await word()) & 0x6f) === 0x21);
});

test("clamp:targetPosition=5000: the write is echoed as asked, and kept as 5000", async () => {
  const master = await client();
  sim.setFault("x", "clamp", "targetPosition=5000");
  const reply = await master.write32(1, 0x4000, 70_000);
  expect(reply.slice(0, 3)).toEqual([16, 0x40, 0]);
  expect(await master.read32(1, 0x4000)).toBe(5000);
  sim.setFault("x", "clamp", "other=5000");
  await master.write32(1, 0x4000, 70_000);
  expect(await master.read32(1, 0x4000)).toBe(70_000);
  expect(() => sim.setFault("x", "clamp", "much")).toThrow(/clamp:number/);
});

test("following-error: a drive that is told to move trips", async () => {
  sim.setFault("x", "following-error");
  expect(sim.state().x?.faults).toEqual({ stuck: "trip" });
});

test("framing: rtu: frames with a checksum through TCP, glued and in pieces", async () => {
  const dir = mkdtempSync(join(tmpdir(), "servocell-sim-"));
  const file = join(dir, "cell.yaml");
  const axis = "{ countsPerRev: 10000, pitch: 5 mm, velocityMax: 1 m/s, accelerationMax: 1 m/s2 }";
  const lines = [
    'buses: { gw: { tcp: "127.0.0.1:1", framing: rtu } }',
    `devices: { x: { profile: kinco/fd5p, bus: gw, unit: 7, axis: ${axis} } }`,
  ];
  writeFileSync(file, lines.join("\n"));
  const gateway = await startSim({ cellFile: file, anyPort: true });
  const socket = net.connect(gateway.ports.gw ?? 0, "127.0.0.1");
  let got = "";
  socket.on("data", (bytes) => {
    got += bytes.toString("hex");
  });
  const frame = rtu(7, ...status);
  socket.write(Buffer.concat([frame, frame, frame.subarray(0, 5)]));
  await pause(30);
  socket.write(frame.subarray(5));
  const reply = rtu(7, 3, 2, 0x02, 0x40).toString("hex");
  await until(() => got === reply.repeat(3));
  socket.destroy();
  await gateway.close();
  rmSync(dir, { recursive: true });
});
