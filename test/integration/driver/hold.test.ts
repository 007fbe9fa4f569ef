/**
 * Hold-to-run in one driver, on a simulated servo without a watchdog: the leash, the echoes, the
 * end of the hold in each way that it may come [PROTOCOL 16].
 *
 * The idea: the real app on the real profile and its simulated device in virtual time; a finger is
 * a loop that echoes the newest nonce until the test takes it away. Every way to end is judged by
 * where the axis stands. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { DeviceSetup } from "#drivers/device-model.js";
import type { InterlockConfig } from "#kernel/config/cell.js";
import type { HoldFeedback } from "#kernel/contract/hold-payloads.js";
import { makeSimDevice, type SimDevice } from "#simulators/device.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { axis, profileOf } from "../../unit/drivers/operation-walk.js";

/** From the last proof to the stop, and the ramp of the axis at the speed of these tests. */
const boundMs = 300 + 150;
const velocity = 50;
const targetPosition = 0x4000;
const countsPerUnit = axis.countsPerRev / axis.perRev;

let rig: Rig;
let sim: SimDevice;
/** Writes of this point are refused with exception 4. */
let refused: number | undefined;
beforeEach(() => {
  vi.useFakeTimers();
  refused = undefined;
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

/** The simulated axis, whose writes to `refused` it does not take. */
function handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined {
  const [fc = 0, high = 0, low = 0] = pdu;
  if (fc === 16 && high * 256 + low === refused) return Uint8Array.of(fc + 0x80, 4);
  return sim.handle(pdu, nowMs);
}

function bench(change: Partial<DeviceSetup> = {}, interlocks: readonly InterlockConfig[] = []) {
  const profile = profileOf("kinco/fd5p");
  const setup: DeviceSetup = { device: "x", unit: 1, axis, constants: {}, ...change };
  const simulate = { start: 50, homingVelocity: 200 };
  sim = makeSimDevice({ id: "x", profile, setup, simulate });
  rig = new Rig({ model: compileDevice(profile, setup), plant: { handle }, interlocks });
}

async function run(verb: string, args: { [name: string]: number } = {}): Promise<void> {
  const lease = await rig.lease();
  const id = rig.command(verb, args, { lease });
  await rig.advance(8000);
  expect([verb, rig.last(id)?.status]).toEqual([verb, "succeeded"]);
}

/** Enabled, homed, at 200 mm, lent to nobody. */
async function standing(): Promise<void> {
  bench();
  await rig.ready();
  await run("enable");
  await run("home");
  await run("moveTo", { position: 200, velocity: 200 });
  const { holder, epoch } = await rig.lease();
  rig.command("release-lease", {}, { lease: { holder, epoch } });
  rig.beats(false);
  await rig.advance(300);
}

const feedback = (): HoldFeedback[] => rig.now.stop.of("holdFeedback") as HoldFeedback[];
const newest = (hold: string) => feedback().findLast((one) => one.hold === hold);

interface Press {
  readonly hold: string;
  readonly epoch: number;
}

function ask(hold: string, more: { [name: string]: number | string | string[] } = {}): string {
  const granter = { granter: "coordinator", granterBootId: "coordinator-boot" };
  const who = { holder: "gateway", bootId: "gateway-boot", kind: "hold", hold };
  return rig.command("lease", { ...who, ...granter, velocity, ...more });
}

async function press(hold: string, more: { [name: string]: number } = {}): Promise<Press> {
  const id = ask(hold, more);
  await rig.advance(5);
  const epoch = rig.last(id)?.result?.epoch;
  if (typeof epoch !== "number") throw new RangeError(JSON.stringify(rig.last(id)));
  return { hold, epoch };
}

async function echo({ hold, epoch }: Press, nonce: string | undefined, ttlMs = 200) {
  const word = { v: 1 as const, hold, epoch, ttlMs };
  const payload = nonce === undefined ? word : { ...word, nonce };
  await rig.now.stop.deliver("holdBeat", { axis: "x" }, payload);
}

/** The finger stays on the button for so long: each nonce is echoed as it comes. */
async function holdFor(press: Press, ms: number): Promise<void> {
  let said: string | undefined;
  for (let at = 0; at < ms; at += 10) {
    const nonce = newest(press.hold)?.nonce;
    if (nonce !== undefined && nonce !== said) await echo(press, nonce);
    said = nonce;
    await rig.advance(10);
  }
}

const where = () => {
  const { position } = sim.view();
  if (position === undefined) throw new RangeError("the simulated axis has no position");
  return position / countsPerUnit;
};

describe("a button that is held", () => {
  it("moves the axis at its speed while it is held, and let go it is done where it stands", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 1500);
    expect(sim.moving).toBe(true);
    const before = where();
    await holdFor(held, 1000);
    expect(where() - before).toBeGreaterThan(velocity * 0.9);
    expect(where() - before).toBeLessThan(velocity * 1.1);
    await echo(held, undefined);
    await rig.advance(1000);
    expect(sim.moving).toBe(false);
    expect(rig.last("h1")).toMatchObject({ status: "succeeded", verdict: { verdict: "done" } });
    expect(newest("h1")).toMatchObject({ state: "ended", reason: "released" });
    expect(rig.state()?.lease).toBeUndefined();
  });

  it("nothing moves before the first echo, and an unused press ends by itself", async () => {
    await standing();
    const at = where();
    await press("h1");
    await rig.advance(1100);
    expect(where()).toBe(at);
    expect(newest("h1")).toMatchObject({ state: "ended", reason: "lapsed" });
  });

  it("a tap leaves the drive switched on, for the next press", async () => {
    await standing();
    for (const [i, ms] of [20, 60, 90, 140, 210].entries()) {
      const held = await press(`h${i}`);
      await holdFor(held, ms);
      await echo(held, undefined);
      await rig.advance(700);
      expect([ms, sim.view().state, sim.moving]).toEqual([ms, "enabled", false]);
    }
  });

  it.each(["1040", "063100002f", "063100003f"])(
    "let go while %s… of a place further on is on the wire: it stands, and stays switched on",
    async (frame) => {
      await standing();
      const held = await press("h1");
      await holdFor(held, 1000);
      let met = false;
      rig.now.field.onFrame = (one) => {
        rig.frames.push(one);
        if (met || one.lane !== "command" || !one.hex.startsWith(frame)) return;
        met = true;
        void echo(held, undefined);
      };
      await holdFor(held, 300);
      rig.now.field.onFrame = (one) => rig.frames.push(one);
      await rig.advance(2000);
      expect([met, sim.moving, sim.view().state]).toEqual([true, false, "enabled"]);
      expect(rig.writes()).not.toContain("stop 063100000b");
      await holdFor(await press("h2"), 300);
      expect(sim.moving).toBe(true);
    },
  );

  it("the driver is killed: the drive comes to rest within v × 2 ttl, by itself", async () => {
    await standing();
    const held = await press("h1", { velocity: 200 });
    await holdFor(held, 1000);
    expect(sim.moving).toBe(true);
    const at = where();
    rig.crash();
    await vi.advanceTimersByTimeAsync(2000);
    sim.advance(performance.now());
    expect(sim.moving).toBe(false);
    expect(where() - at).toBeLessThanOrEqual(200 * 0.4);
    expect(where() - at).toBeGreaterThan(200 * 0.1);
  });

  it("the end of the travel is where it comes to rest, however long the button is held", async () => {
    await standing();
    const held = await press("h1", { velocity: 100 });
    await holdFor(held, 8000);
    expect(where()).toBeCloseTo(axis.travel?.max ?? 0, 1);
    expect(sim.moving).toBe(false);
    expect(newest("h1")?.state).toBe("pressed");
  });
});

describe("a jog that cannot go on", () => {
  it("a place further on that the drive refuses ends a jog that has moved: not as refused", async () => {
    await standing();
    const at = where();
    const held = await press("h1");
    await holdFor(held, 500);
    refused = targetPosition;
    await holdFor(held, 1000);
    expect(where()).toBeGreaterThan(at + 10);
    expect(rig.last("h1")?.verdict).toMatchObject({ verdict: "faulted", code: "DEVICE_EXCEPTION" });
    expect(newest("h1")?.state).toBe("ended");
    expect(sim.moving).toBe(false);
  });

  it("an axis outside its travel is not led back on a longer leash", async () => {
    bench({ axis: { ...axis, travel: { min: 100, max: 800 } } });
    await rig.ready();
    await run("enable");
    await run("home");
    const { holder, epoch } = await rig.lease();
    rig.command("release-lease", {}, { lease: { holder, epoch } });
    rig.beats(false);
    await rig.advance(300);
    const id = ask("h1");
    await rig.advance(5);
    expect(rig.last(id)?.error?.code).toBe("LIMIT_EXCEEDED");
    const held = await press("h2", { velocity: 300 });
    await holdFor(held, 1500);
    expect(where()).toBeGreaterThan(100);
  });
});

describe("a finger that is gone", () => {
  it("the axis stands within the bound of the hold, and the verdict says why", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    await rig.advance(boundMs);
    expect(sim.moving).toBe(false);
    await rig.advance(500);
    expect(rig.last("h1")?.verdict).toMatchObject({ verdict: "faulted", code: "STOPPED_SHORT" });
    expect(rig.events("axis.lease.ended").at(-1)).toMatchObject({ reason: "lapsed" });
  });

  it("echoes that waited in a stalled gateway bring nothing back", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    const waiting = newest("h1")?.nonce;
    await rig.advance(boundMs + 500);
    const at = where();
    await echo(held, waiting);
    await echo(held, newest("h1")?.nonce ?? waiting);
    await echo(held, undefined);
    await rig.advance(1000);
    expect(where()).toBe(at);
  });

  it("the same echo again and again does not hold the axis", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    const nonce = newest("h1")?.nonce;
    for (let i = 0; i < boundMs / 10; i += 1) {
      await echo(held, nonce, 60_000);
      await rig.advance(10);
    }
    expect(sim.moving).toBe(false);
  });

  it("beats of the holder's service do not hold it", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    for (let i = 0; i < boundMs / 10; i += 1) {
      await rig.beat("gateway");
      await rig.advance(10);
    }
    expect(sim.moving).toBe(false);
  });

  it.each([
    ["the gateway", "gateway"],
    ["the coordinator", "coordinator"],
  ])("the last will of %s stops the axis at once", async (_, service) => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    const status = "offline" as const;
    const will = { v: 1 as const, status, ts: 0, bootId: `${service}-boot`, version: "0" };
    await rig.now.stop.deliver("avail", { service }, will);
    await rig.advance(150);
    expect(sim.moving).toBe(false);
  });

  it("another start of the coordinator knows nothing of the hold: the axis stops", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    const online = { v: 1 as const, status: "online" as const, ts: 0, version: "0" };
    const avail = (bootId: string) =>
      rig.now.stop.deliver("avail", { service: "coordinator" }, { ...online, bootId });
    await avail("coordinator-boot");
    await holdFor(held, 300);
    expect(sim.moving).toBe(true);
    await avail("coordinator-boot-2");
    await holdFor(held, 300);
    expect([sim.moving, newest("h1")?.state]).toEqual([false, "ended"]);
  });

  it("the driver's own stall counts: what waits in its socket is too late", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    rig.stall(2000);
    await echo(held, newest("h1")?.nonce, 60_000);
    await rig.advance(boundMs);
    expect(sim.moving).toBe(false);
    expect(newest("h1")).toMatchObject({ state: "ended", reason: "lapsed" });
  });
});

describe("a hold and everybody else", () => {
  it("a stop ends it, and echoes after the reset move nothing", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 800);
    await rig.cellStop("S1");
    await holdFor(held, 500);
    expect(sim.moving).toBe(false);
    const at = where();
    rig.command("reset", { stops: ["S1"] });
    await holdFor(held, 1000);
    expect(where()).toBe(at);
    const again = await press("h2");
    await holdFor(again, 800);
    expect(where()).toBeGreaterThan(at + 5);
  });

  it("an axis that is lent is not lent to a finger, and the other way round", async () => {
    await standing();
    await rig.lease();
    const refused = ask("h1");
    await rig.advance(5);
    expect(rig.last(refused)?.error?.code).toBe("LEASE_HELD");
    rig.beats(false);
    await rig.advance(1500);
    await press("h2");
    const run = rig.command("lease", { holder: "coordinator", bootId: "coordinator-boot" });
    await rig.advance(5);
    expect(rig.last(run)?.error?.code).toBe("LEASE_HELD");
  });

  it("a press under the id of an old one is refused at once: its motion would never begin", async () => {
    await standing();
    const held = await press("h1");
    await holdFor(held, 500);
    await echo(held, undefined);
    await rig.advance(1000);
    const id = ask("h1");
    await rig.advance(5);
    expect(rig.last(id)?.error?.code).toBe("DUPLICATE_ID");
  });

  it.each([
    ["no speed", { velocity: 0 }, "LIMIT_EXCEEDED"],
    ["too fast", { velocity: 501 }, "LIMIT_EXCEEDED"],
    ["an interlock bypassed, not slowly", { velocity: 51, bypass: ["z-up"] }, "LIMIT_EXCEEDED"],
    ["half a request", { velocity: "much" }, "VALIDATION_FAILED"],
  ])("a press is refused at once: %s", async (_, more, code) => {
    await standing();
    const id = ask("h1", more);
    await rig.advance(5);
    expect(rig.last(id)?.error?.code).toBe(code);
    expect(feedback().length).toBe(0);
  });

  it("an axis without reference has no leash", async () => {
    bench();
    await rig.ready();
    await run("enable");
    const { holder, epoch } = await rig.lease();
    rig.command("release-lease", {}, { lease: { holder, epoch } });
    rig.beats(false);
    await rig.advance(100);
    const id = ask("h1");
    await rig.advance(5);
    expect(rig.last(id)?.error?.code).toBe("NOT_HOMED");
  });
});
