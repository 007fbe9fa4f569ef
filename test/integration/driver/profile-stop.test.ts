/**
 * A driver's stop on real profiles: abort, a stop that crosses a disable, a device with nothing
 * to stop.
 *
 * The idea: the real app, a real profile and its simulated device, so frames are judged by what
 * the device makes of them. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import type { DeviceModel, DeviceSetup, WhenOff } from "#drivers/device-model.js";
import { makeSimDevice, type SimDevice } from "#simulators/device.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { axis, profileOf } from "../../unit/drivers/operation-walk.js";

const off = "stop 0631000006";
const quickStop = "stop 063100000b";

let rig: Rig;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

interface Bench {
  readonly model: DeviceModel;
  readonly sim: SimDevice;
}

function bench(id: string, setup: Omit<DeviceSetup, "device" | "unit">, simulate = {}): Bench {
  const profile = profileOf(id);
  const full = { device: "x", unit: 1, ...setup };
  const sim = makeSimDevice({ id: "x", profile, setup: full, simulate });
  const model = compileDevice(profile, full);
  rig = new Rig({ model, plant: sim });
  return { model, sim };
}

function servo(whenOff: WhenOff): Bench {
  const setup = { axis: { ...axis, whenOff }, constants: {}, acceptNoWatchdog: "a test" };
  return bench("kinco/fd5p", setup, { start: 50, homingVelocity: 200 });
}

/** Runs a command to its end under a lease. */
async function run(verb: string, args: { [name: string]: number } = {}): Promise<string> {
  const lease = await rig.lease();
  const id = rig.command(verb, args, { lease });
  await rig.advance(8000);
  expect([verb, rig.last(id)?.status]).toEqual([verb, "succeeded"]);
  return id;
}

async function movingServo(whenOff: WhenOff): Promise<Bench> {
  const made = servo(whenOff);
  await rig.ready();
  await run("enable");
  await run("home");
  const lease = await rig.lease();
  rig.command("moveTo", { position: 700, velocity: 100 }, { lease });
  await rig.advance(500);
  expect(made.sim.moving).toBe(true);
  return made;
}

function writesSince(count: number): string[] {
  return rig.writes().slice(count);
}

describe("abort", () => {
  it("quick stop at once, then power off after the standstill where the axis stays", async () => {
    const { sim } = await movingServo("stays");
    const before = rig.writes().length;
    await rig.cellStop("A1", "abort");
    expect(writesSince(before)).toEqual([quickStop]);
    await rig.advance(4000);
    expect(rig.acks("A1")).toEqual(["received", "confirmed"]);
    expect(writesSince(before)).toEqual([quickStop, off]);
    expect([sim.moving, sim.view().state]).toEqual([false, "ready"]);
  });

  it.each(["falls", "coasts"] as const)(
    "quick stop only, and never power off, where the axis %s without power",
    async (whenOff) => {
      const { sim } = await movingServo(whenOff);
      const before = rig.writes().length;
      await rig.cellStop("A1", "abort");
      await rig.advance(20_000);
      expect(rig.acks("A1")).toEqual(["received", "confirmed"]);
      expect(writesSince(before)).toEqual([quickStop]);
      expect(sim.moving).toBe(false);
    },
  );

  it("that joins a controlled stop under way takes the power, too", async () => {
    await movingServo("stays");
    await rig.cellStop("S1", "stop");
    await rig.advance(30);
    await rig.cellStop("A1", "abort");
    await rig.advance(4000);
    expect(rig.writes().at(-1)).toBe(off);
    expect([rig.acks("S1").at(-1), rig.acks("A1").at(-1)]).toEqual(["confirmed", "confirmed"]);
  });

  it("under the id of a quick stop under way takes the power, too", async () => {
    await movingServo("stays");
    await rig.cellStop("P", "quickStop");
    await rig.advance(30);
    await rig.cellStop("P", "abort");
    await rig.advance(4000);
    expect(rig.writes().at(-1)).toBe(off);
    expect(rig.acks("P").at(-1)).toBe("confirmed");
  });

  it("under the id of a stop that is confirmed takes the power, once", async () => {
    await movingServo("stays");
    await rig.cellStop("P");
    await rig.advance(4000);
    expect(rig.acks("P").at(-1)).toBe("confirmed");
    const before = rig.writes().length;
    await rig.cellStop("P", "abort");
    await rig.advance(4000);
    expect(writesSince(before)).toEqual([quickStop, off]);
    await rig.cellStop("P", "abort");
    await rig.advance(1000);
    expect(writesSince(before)).toEqual([quickStop, off]);
    expect(rig.acks("P").at(-1)).toBe("confirmed");
  });

  it("under the id of an abort before its reset takes the power again", async () => {
    await movingServo("stays");
    await rig.cellStop("P", "abort");
    await rig.advance(4000);
    rig.command("reset", { stops: ["P"] });
    await rig.advance(2500);
    await run("enable");
    const before = rig.writes().length;
    await rig.cellStop("P", "abort");
    await rig.advance(4000);
    expect(writesSince(before)).toEqual([quickStop, off]);
  });

  it("lends nothing before the power is off", async () => {
    await movingServo("stays");
    await rig.cellStop("A1", "abort");
    while (rig.acks("A1").at(-1) !== "confirmed") await rig.advance(1);
    rig.command("reset", { stops: ["A1"] });
    const id = rig.command("lease", { holder: "coordinator", bootId: "b" });
    await rig.advance(1);
    expect(rig.last(id)?.error?.code).toBe("NOT_READY");
    await rig.advance(4000);
    expect((await rig.lease()).epoch).toBeGreaterThan(1);
  });
});

describe("stop of a real profile", () => {
  it("STOP crosses a disable that was just acknowledged: the drive stays off", async () => {
    const { sim } = servo("stays");
    await rig.ready();
    await run("enable");
    const lease = await rig.lease();
    await rig.advance(100);
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      // In the tick after the disable's acknowledgement, before any status of it was read.
      if (frame.hex === "0631000006" && frame.lane === "command") {
        setTimeout(() => rig.now.door.order("stop", { id: "S1" }), 2);
      }
    };
    rig.command("disable", {}, { lease });
    for (let ms = 0; ms < 4000; ms += 1) {
      await rig.advance(1);
      if (rig.writes().includes("command 0631000006") && ms > 300) {
        expect(sim.view().state).not.toBe("enabled");
      }
    }
    const halts = rig.writes().filter((write) => write === "stop 063100010f");
    expect(halts).toEqual([]);
    expect(rig.acks("S1").at(-1)).toBe("confirmed");
  });

  it("STOP on a gripper that is reset: nothing to send, still by two readings, confirmed", async () => {
    bench("robotiq/2f", { constants: { stroke: 85 } });
    await rig.ready();
    await rig.cellStop("S1");
    await rig.advance(1000);
    expect(rig.writes()).toEqual([]);
    expect(rig.acks("S1")).toEqual(["received", "confirmed"]);
  });

  it("STOP on a gripper that loses its power then: the frame for an active one is said once", async () => {
    const { sim } = bench("robotiq/2f", { constants: { stroke: 85 } });
    await rig.ready();
    await run("enable");
    await rig.advance(500);
    rig.now.field.silent = true;
    const before = rig.writes().length;
    await rig.cellStop("S1");
    sim.setFault("reboot", 300, performance.now());
    await rig.advance(600);
    rig.now.field.silent = false;
    await rig.advance(3000);
    expect(writesSince(before)).toEqual(["stop 1003e8000306010000000000"]);
    expect(sim.moving).toBe(false);
    expect(rig.acks("S1").at(-1)).toBe("confirmed");
  });

  it("STOP on a gripper while a poll is stuck: its first read takes no turn", async () => {
    bench("robotiq/2f", { constants: { stroke: 85 } });
    await rig.ready();
    rig.now.field.hold = true;
    await rig.advance(300);
    const before = rig.frames.length;
    rig.now.door.order("stop", { id: "S1" });
    const lanes = rig.frames.slice(before).map(({ lane }) => lane);
    expect(lanes).toEqual(["stop"]);
    rig.now.field.release();
    await rig.advance(1000);
    expect(rig.acks("S1")).toEqual(["received", "confirmed"]);
  });
});

/** Waits for what the device comes to by itself. */
async function until(what: () => boolean): Promise<void> {
  for (let ms = 0; ms < 20_000 && !what(); ms += 10) await rig.advance(10);
  expect(what()).toBe(true);
}

describe("stop of a device that has none", () => {
  const acceptNoStop = "a test";
  const gripper = () => bench("dh/ag-95", { constants: { openAt: 1000 }, acceptNoStop });
  const pointer = () => {
    const turns = { kind: "rotary", unit: "deg", countsPerRev: 4096, perRev: 360 } as const;
    const slow = { travel: { min: 0, max: 350 }, velocityMax: 90, accelerationMax: 300 };
    const falls = { ...axis, ...turns, ...slow, tolerance: 0.5, whenOff: "falls" } as const;
    return bench("feetech/sm-c002", { axis: falls, constants: { speedStep: 1 }, acceptNoStop });
  };
  /** Its fingers on their way to 5 mm. */
  async function closing() {
    const { sim } = gripper();
    await rig.ready();
    await run("enable");
    const lease = await rig.lease();
    const id = rig.command("moveTo", { width: 5 }, { lease });
    await until(() => rig.state()?.moving === true);
    expect(sim.moving).toBe(true);
    return { sim, id, lease };
  }
  const refused = async () => {
    const id = rig.command("lease", { holder: "coordinator", bootId: "b" });
    await rig.advance(5);
    return rig.last(id)?.error?.code;
  };

  it("STOP while the fingers close: an alarm, and confirmed only when they stand", async () => {
    const { sim, id } = await closing();
    await rig.cellStop("S1");
    await rig.advance(30);
    expect([sim.moving, rig.acks("S1")]).toEqual([true, ["unconfirmed"]]);
    expect(rig.events("axis.stop.unconfirmed")).toMatchObject([{ stop: "S1", critical: true }]);
    expect(rig.last(id)?.error?.code).toBe("OUTCOME_UNKNOWN");
    rig.command("reset", { stops: ["S1"] });
    expect(await refused()).toBe("NOT_READY");
    await until(() => !sim.moving);
    await rig.advance(1500);
    expect(rig.acks("S1").at(-1)).toBe("confirmed");
    expect((await rig.lease()).epoch).toBeGreaterThan(1);
  });

  it("STOP with the trigger: no standstill of before is a proof", async () => {
    const { sim } = gripper();
    await rig.ready();
    await run("enable");
    const lease = await rig.lease();
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      const trigger = frame.write && frame.hex.startsWith("060103");
      if (trigger) rig.now.door.order("stop", { id: "S1" });
    };
    rig.command("moveTo", { width: 5 }, { lease });
    await until(() => rig.acks("S1").includes("unconfirmed"));
    expect([sim.moving, rig.acks("S1").at(-1)]).toEqual([true, "unconfirmed"]);
    await until(() => rig.acks("S1").at(-1) === "confirmed");
    expect(sim.moving).toBe(false);
  });

  it("a grip that has failed at a standstill makes its stop no alarm", async () => {
    bench("dh/ag-95", { constants: { openAt: 1000 }, acceptNoStop }, { partWidth: false });
    await rig.ready();
    await run("enable");
    const lease = await rig.lease();
    const id = rig.command("grip", {}, { lease });
    await until(() => rig.last(id)?.error?.code === "NO_PART");
    await rig.cellStop("S1");
    await rig.advance(1500);
    expect(rig.acks("S1")).toEqual(["received", "confirmed"]);
  });

  it("the end of a lease while the fingers close lends nothing before they stand", async () => {
    const { sim, lease } = await closing();
    rig.command("release-lease", {}, { lease });
    await rig.advance(20);
    expect([sim.moving, await refused()]).toEqual([true, "NOT_READY"]);
    await until(() => !sim.moving);
    await rig.advance(1500);
    expect((await rig.lease()).epoch).toBeGreaterThan(lease.epoch);
  });

  it.each([
    ["gripper", gripper],
    ["pointer", pointer],
  ])("STOP at a standstill is no alarm, and lends again after its reset: %s", async (_, make) => {
    make();
    await rig.ready();
    await rig.cellStop("S1");
    await rig.advance(500);
    expect(rig.acks("S1")).toEqual(["received", "confirmed"]);
    rig.command("reset", { stops: ["S1"] });
    await rig.advance(5);
    expect((await rig.lease()).epoch).toBe(1);
    expect(rig.writes()).toEqual([]);
  });

  it.each([
    ["gripper", gripper],
    ["pointer", pointer],
  ])("no answer at boot: lent once it answers and stands: %s", async (_, make) => {
    make();
    await rig.boot(({ field }) => {
      field.silent = true;
    });
    await rig.advance(600);
    rig.now.field.silent = false;
    await rig.seen([]);
    await rig.advance(8000);
    expect((await rig.lease()).epoch).toBe(1);
  });

  it("the driver dies in a move: the next start lends when the axis stands", async () => {
    const { sim } = pointer();
    await rig.ready();
    await run("enable");
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 300, velocity: 40 }, { lease });
    await until(() => sim.moving);
    rig.beats(false);
    rig.crash();
    await rig.boot();
    await rig.seen([]);
    await until(() => !sim.moving);
    await rig.advance(3000);
    expect((await rig.lease()).epoch).toBeGreaterThan(lease.epoch);
    const query = rig.command("query", { id });
    await rig.advance(5);
    expect(JSON.stringify(rig.last(query))).toContain("STOPPED_SHORT");
  });
});
