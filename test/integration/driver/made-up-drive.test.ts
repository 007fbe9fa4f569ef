/**
 * A drive that nobody has seen before: its profile was written from one page, and it moves.
 *
 * The idea: the real driver with a profile of the user's own folder, once on the simulated device
 * that the profile declares, once on a peer whose bytes are written here by hand from the page
 * (test/fixtures/made-up-drive). It refuses a line of code for the model.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { DeviceSetup } from "#drivers/device-model.js";
import { loadProfile } from "#drivers/profile-loader.js";
import { makeSimDevice } from "#simulators/device.js";
import type { FieldDevice } from "../../fixtures/driver/fake-ports.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { axis } from "../../unit/drivers/operation-walk.js";

const folder = "test/fixtures/made-up-drive/profiles";
const stopFrame = "stop 06001e0001";

function mx2() {
  const loaded = loadProfile("velmar/mx2", [folder]);
  if (!loaded.ok) throw new TypeError(loaded.problems.map((one) => one.message).join("; "));
  return loaded.value;
}

/** The page as a peer: registers by number, motion in straight lines, replies byte by byte. */
class Page implements FieldDevice {
  readonly words = new Map<number, number>([
    [50, 0x4d58],
    [70, 3],
    [41, 1],
  ]);
  position = 4000;
  speed = 0;
  target: number | undefined;
  homed = false;
  taken = false;
  jogUntilMs = 0;
  #atMs = 0;

  handle(pdu: Uint8Array, nowMs: number): Uint8Array {
    this.#pass(nowMs);
    const [fc = 0, a = 0, b = 0, c = 0, d = 0] = pdu;
    const at = a * 256 + b;
    if (fc === 3) {
      this.#show();
      const bytes: number[] = [];
      for (let i = 0; i < c * 256 + d; i++) {
        const word = this.words.get(at + i) ?? 0;
        bytes.push(word >> 8, word & 0xff);
      }
      return Uint8Array.of(3, bytes.length, ...bytes);
    }
    if (fc === 6) {
      this.#write(at, c * 256 + d, nowMs);
      return pdu.slice();
    }
    for (let i = 0; i < d; i++) {
      this.#write(at + i, (pdu[6 + 2 * i] ?? 0) * 256 + (pdu[7 + 2 * i] ?? 0), nowMs);
    }
    return pdu.slice(0, 5);
  }

  #write(at: number, word: number, nowMs: number): void {
    const before = this.words.get(at) ?? 0;
    this.words.set(at, word);
    const powered = this.words.get(0) === 1 && (this.words.get(30) ?? 0) === 0;
    if (at === 0 && word === 0) this.speed = 0;
    if (at === 30 && word !== 0) {
      this.target = undefined;
      this.speed = 0;
    }
    if (at === 13) this.taken = word === 1 && powered;
    if (at === 13 && word === 1 && powered) {
      const raw = (this.words.get(10) ?? 0) * 0x1_0000 + (this.words.get(11) ?? 0);
      this.target = raw > 0x7fff_ffff ? raw - 0x1_0000_0000 : raw;
      const rpm = this.words.get(12) ?? 0;
      this.speed = (Math.sign(this.target - this.position) * rpm * 10_000) / 60;
    }
    if (at === 15 && word === 1 && powered) {
      const rpm = this.words.get(14) ?? 0;
      this.speed = ((rpm > 0x7fff ? rpm - 0x1_0000 : rpm) * 10_000) / 60;
      this.jogUntilMs = nowMs + 200;
    }
    if (at === 60 && word === 1 && before === 0 && powered) {
      this.homed = true;
      this.position = 0;
    }
  }

  #pass(nowMs: number): void {
    const forMs = nowMs - this.#atMs;
    this.#atMs = nowMs;
    this.position += (this.speed * forMs) / 1000;
    if (this.target !== undefined && (this.target - this.position) * this.speed <= 0) {
      this.position = this.target;
      this.speed = 0;
    }
    if (this.words.get(15) === 1 && this.target === undefined && nowMs > this.jogUntilMs) {
      this.speed = 0;
    }
  }

  #show(): void {
    const on = this.words.get(0) === 1 ? 1 : 0;
    const moving = this.speed === 0 ? 0 : 2;
    const there = this.target !== undefined && this.position === this.target ? 4 : 0;
    const rest = (this.homed ? 16 : 0) + (this.taken ? 32 : 0);
    this.words.set(20, on + moving + there + rest);
    const counts = Math.round(this.position) >>> 0;
    this.words.set(21, counts >>> 16);
    this.words.set(22, counts & 0xffff);
    this.words.set(23, Math.round((this.speed * 60) / 10_000) & 0xffff);
  }
}

const setup: DeviceSetup = { device: "x", unit: 1, axis, constants: {} };

interface Peer {
  readonly plant: FieldDevice;
  /** Sets a register as somebody at the keypad would. */
  readonly set: { readonly source?: number; readonly watchdogReaction?: number };
}

function simulated(more: Record<string, number> = {}): Peer {
  const simulate = { start: 40, homingVelocity: 200, ...more };
  const plant = makeSimDevice({ id: "x", profile: mx2(), setup, simulate });
  return { plant, set: {} };
}

const peers: readonly [string, () => Peer][] = [
  ["the device that the profile declares", () => simulated()],
  ["a peer of raw bytes", () => ({ plant: new Page(), set: {} })],
];

let rig: Rig;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

async function up(peer: Peer, more: Partial<DeviceSetup> = {}): Promise<void> {
  rig = new Rig({ model: compileDevice(mx2(), { ...setup, ...more }), plant: peer.plant });
  await rig.ready();
  await rig.advance(1500);
}

async function run(verb: string, args: { [name: string]: number } = {}) {
  const id = rig.command(verb, args, { lease: await rig.lease() });
  await rig.advance(8000);
  return rig.last(id);
}

describe.each(peers)("the made-up drive on %s", (_name, peer) => {
  it("is enabled, referenced, moved to 120 mm and back, and switched off", async () => {
    await up(peer());
    expect(await run("enable")).toMatchObject({ status: "succeeded" });
    expect(await run("home")).toMatchObject({ status: "succeeded" });
    expect(await run("moveTo", { position: 120, velocity: 100 })).toMatchObject({
      status: "succeeded",
    });
    expect(rig.state()?.position).toBeCloseTo(120, 1);
    // 120 mm at 10 mm and 10000 counts a turn: 120000 = 0x0001D4C0; 100 mm/s = 600 rpm; start 1.
    expect(rig.writes()).toContain("command 10000a0004080001d4c002580001");
    expect(await run("moveTo", { position: 5, velocity: 100 })).toMatchObject({
      status: "succeeded",
    });
    expect(rig.state()?.position).toBeCloseTo(5, 1);
    expect(await run("disable")).toMatchObject({ status: "succeeded" });
  });

  it("a stop in the middle of a move: one frame, nothing left, not moved after the reset", async () => {
    await up(peer());
    await run("enable");
    await run("home");
    const id = rig.command("moveTo", { position: 600, velocity: 50 }, { lease: await rig.lease() });
    await rig.advance(1500);
    await rig.cellStop("S1");
    await rig.advance(2500);
    expect(rig.last(id)?.error?.code).toBe("STOPPED_SHORT");
    expect(rig.writes().filter((one) => one.startsWith("stop"))).toEqual([
      stopFrame,
      "stop 06000f0000",
    ]);
    const stoodAt = rig.state()?.position;
    await rig.advance(10_000);
    expect(rig.state()?.position).toBe(stoodAt);
  });

  it("MO-19: its watchdog off (factory) refuses velocity; set and read back allows it", async () => {
    await up(peer());
    await run("enable");
    expect(rig.state()?.watchdog).toBe("off");
    expect((await run("velocity", { velocity: 20 }))?.error?.code).toMatch(/NO_WATCHDOG/);
    await rig.end();
    await up(peer(), { watchdog: { setMs: 500 } });
    // 500 ms in units of 10 ms.
    expect(rig.writes()).toContain("command 0600280032");
    expect(rig.state()?.watchdog).toBe("verified");
    await run("enable");
    expect((await run("velocity", { velocity: 20 }))?.status).toBe("succeeded");
  });

  it("a velocity that counts 200 ms is repeated, until a stop", async () => {
    await up(peer(), { watchdog: { setMs: 500 } });
    await run("enable");
    await run("home");
    const before = rig.writes().length;
    await run("velocity", { velocity: 20 });
    const jogs = rig
      .writes()
      .slice(before)
      .filter((one) => one === "command 06000f0001");
    // The command lasts 8 s and the engine's beats go on: at least one each 150 ms.
    expect(jogs.length).toBeGreaterThan(50);
    expect(rig.state()?.velocity).toBeCloseTo(20, 0);
    await rig.cellStop("S1");
    await rig.advance(3000);
    const stopped = rig.writes().length;
    await rig.advance(2000);
    expect(rig.writes().slice(stopped)).not.toContain("command 06000f0001");
    expect(rig.state()?.velocity).toBe(0);
  });
});

describe("the made-up drive, set up otherwise than its page asks", () => {
  it("a parameter that differs refuses motion, with both values", async () => {
    await up(simulated({ "register.source": 1 }));
    await run("enable");
    const answer = await run("home");
    expect(answer?.error).toMatchObject({ code: "NOT_COMMISSIONED" });
    expect(answer?.error?.message).toMatch(/source must be 3, it is 1/);
  });

  it("a watchdog whose reaction goes on is not one", async () => {
    await up(simulated({ "register.watchdogReaction": 0, "register.watchdogTime": 50 }));
    expect(rig.state()?.watchdog).toBe("wrong-reaction");
    await run("enable");
    const answer = await run("velocity", { velocity: 20 });
    expect(answer?.error).toMatchObject({ code: "NO_WATCHDOG" });
    expect(answer?.error?.message).toMatch(/watchdogReaction is 0/);
  });
});
