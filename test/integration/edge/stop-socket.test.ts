/**
 * The local stop sockets, both sides.
 * The idea: a stop reaches the driver whatever the line looks like, and whoever was there first.
 * It refuses a broker.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import type { StopAck, StopOrder } from "#kernel/contract/payloads.js";
import { makeRunDir } from "#kernel/edge/run-dir-maker.js";
import { openStopDoor } from "#kernel/edge/stop-door.js";
import { openStopFanOut } from "#kernel/edge/stop-fan-out.js";
import { stopPath } from "#kernel/run-dir.js";
import { keptLog, pause, until } from "../../fixtures/kept-log.js";

const root = mkdtempSync(join(tmpdir(), "servocell-stop-"));
const log = keptLog();
const opened: { close(): Promise<void> }[] = [];
let dirs = 0;
function newRunDir(): string {
  const dir = join(root, `run${++dirs}`);
  makeRunDir(dir);
  return dir;
}
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function door(runDir: string, device: string) {
  const got: [string, StopOrder][] = [];
  const made = await openStopDoor({
    path: stopPath(runDir, device),
    newId: () => `made-${got.length}`,
    log,
  });
  opened.push(made);
  made.onOrder((kind, order, answer) => {
    got.push([kind, order]);
    const ack = { v: 1, ts: 1, bootId: "b", axis: device, id: order.id, latched: true } as const;
    answer({ ...ack, status: "received" });
    answer({ ...ack, status: "confirmed", position: 1.5 });
  });
  return { made, got };
}
function fanOut(runDir: string, devices: string[]) {
  const acks: StopAck[] = [];
  const made = openStopFanOut({ runDir, devices, log });
  opened.push(made);
  made.onAck((ack) => void acks.push(ack));
  return { made, acks };
}

it("one send reaches every driver, and their answers come back (drivers=3)", async () => {
  const runDir = newRunDir();
  const devices = ["x", "y", "z"];
  const doors = await Promise.all(devices.map((device) => door(runDir, device)));
  const { made, acks } = fanOut(runDir, devices);
  await until(() => {
    made.send("quickStop", { id: "s1", latch: false });
    return acks.length >= 6;
  });
  for (const { got } of doors) expect(got[0]).toEqual(["quickStop", { id: "s1", latch: false }]);
  expect(new Set(acks.map((ack) => `${ack.axis} ${ack.status}`)).size).toBe(6);
});

it("only the service user reaches it: directory 0700, socket 0600", async () => {
  const runDir = newRunDir();
  await door(runDir, "x");
  expect(statSync(runDir).mode & 0o777).toBe(0o700);
  expect(statSync(stopPath(runDir, "x")).mode & 0o777).toBe(0o600);
});

const lines: [string, string, object][] = [
  ["not JSON at all", "stop", { id: "made-0" }],
  [`{"kind":"abort"`, "stop", { id: "made-0" }],
  [`{"kind":"faster","order":{"id":"s"}}`, "stop", { id: "s" }],
  [`{"id":"s","reason":"bare"}`, "stop", { id: "s", reason: "bare" }],
  [`{"kind":"abort","order":null}`, "abort", { id: "made-0" }],
  [`{"kind":"abort","order":{"id":"s","axes":[1]}}`, "abort", { id: "s" }],
  ["[]", "stop", { id: "made-0" }],
  ["0", "stop", { id: "made-0" }],
];
it.each(lines)("a malformed line is a stop: %s", async (line, kind, order) => {
  const runDir = newRunDir();
  const { got } = await door(runDir, "x");
  const socket = connect(stopPath(runDir, "x"));
  socket.write(`${line}\n`);
  await until(() => got.length === 1);
  expect(got).toEqual([[kind, order]]);
  socket.destroy();
});

it("a line without its end is a stop when the peer goes; an empty line is none", async () => {
  const runDir = newRunDir();
  const { got } = await door(runDir, "x");
  const socket = connect(stopPath(runDir, "x"));
  socket.end(`\n\r\n{"kind":"quickStop","order":{"id":"s"}}`);
  await until(() => got.length === 1);
  expect(got).toEqual([["quickStop", { id: "s" }]]);
});

it("a line split into single bytes is one stop; an endless one is a stop too", async () => {
  const runDir = newRunDir();
  const { got } = await door(runDir, "x");
  const socket = connect(stopPath(runDir, "x"));
  for (const byte of `{"kind":"abort","order":{"id":"s"}}\n`) {
    socket.write(byte);
    await pause(1);
  }
  await until(() => got.length === 1);
  socket.write("x".repeat(70_000));
  await until(() => got.length === 2);
  expect(got.map(([kind]) => kind)).toEqual(["abort", "stop"]);
  socket.destroy();
});

it("orders that come before the app listens are kept for it", async () => {
  const runDir = newRunDir();
  const made = await openStopDoor({ path: stopPath(runDir, "x"), newId: () => "m", log });
  opened.push(made);
  const socket = connect(stopPath(runDir, "x"));
  socket.write(`{"kind":"abort","order":{"id":"early"}}\n`);
  await pause(100);
  const got: string[] = [];
  made.onOrder((kind, order) => void got.push(`${kind} ${order.id}`));
  await until(() => got.length > 0);
  expect(got).toEqual(["abort early"]);
  socket.destroy();
});

it("a socket file left by a dead driver is replaced; a living driver's is not", async () => {
  const runDir = newRunDir();
  const path = stopPath(runDir, "x");
  writeFileSync(path, "");
  const { got } = await door(runDir, "x");
  await expect(openStopDoor({ path, newId: () => "m", log })).rejects.toMatchObject({
    code: "STORE_LOCKED",
  });
  const socket = connect(path);
  socket.write("still here\n");
  await until(() => got.length === 1);
  socket.destroy();
});

it("a driver that comes back is reached again by itself", async () => {
  const runDir = newRunDir();
  const first = await door(runDir, "x");
  const { made } = fanOut(runDir, ["x"]);
  await until(() => {
    made.send("stop", { id: "a" });
    return first.got.length > 0;
  });
  await first.made.close();
  const second = await door(runDir, "x");
  await until(() => {
    made.send("stop", { id: "b" });
    return second.got.length > 0;
  });
  expect(second.got[0]?.[1].id).toBe("b");
});

it("a driver that does not read holds nobody up, and what waits for it is bounded", async () => {
  const runDir = newRunDir();
  const paused: Socket[] = [];
  const stalled = createServer((socket) => void paused.push(socket.pause()));
  await new Promise<void>((resolve) => stalled.listen(stopPath(runDir, "y"), resolve));
  const { got } = await door(runDir, "x");
  const { made, acks } = fanOut(runDir, ["x", "y"]);
  const reason = "r".repeat(10_000);
  await until(() => {
    made.send("stop", { id: "first" });
    return got.length > 0;
  });
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 3000; i++) {
    made.send("stop", { id: `s${i}`, reason });
    if (i % 100 === 0) await pause(1);
  }
  await until(() => {
    made.send("stop", { id: "last" });
    return acks.some((ack) => ack.id === "last");
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  await made.close();
  for (const socket of paused) socket.destroy();
  await new Promise((resolve) => stalled.close(resolve));
});
