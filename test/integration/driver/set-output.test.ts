/**
 * A driver of an I/O module: outputs under a lease, and what a stop does to them.
 *
 * The idea: the real app, a real profile and its simulated module. What a stop does must be seen
 * in the module's outputs and in the frames, not in words. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { compileDevice } from "#drivers/compile.js";
import { makeSimDevice, type SimDevice } from "#simulators/device.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { profileOf } from "../../unit/drivers/operation-walk.js";

let rig: Rig;
let sim: SimDevice;
beforeEach(() => {
  vi.useFakeTimers();
  const profile = profileOf("waveshare/relay");
  const setup = { device: "x", unit: 1, constants: {} };
  sim = makeSimDevice({ id: "x", profile, setup });
  rig = new Rig({ model: compileDevice(profile, setup), plant: sim });
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

const on = "command 050002ff00";
const shown = () => sim.view().values.output3;

async function set(value: number, lease: { holder: string; epoch: number }): Promise<string> {
  const id = rig.command("set", { output: 3, value }, { lease });
  await rig.advance(200);
  return id;
}

describe("set", () => {
  it("switches an output once, and says succeeded when it reads so", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = await set(1, lease);
    expect(rig.last(id)?.status).toBe("succeeded");
    expect(shown()).toBe(1);
    expect(rig.writes()).toEqual([on]);
    expect(rig.last(await set(0, lease))?.status).toBe("succeeded");
    expect(shown()).toBe(0);
  });

  it("says what its outputs are in state/axis, for conditions", async () => {
    await rig.ready();
    expect(rig.state()?.signals).toMatchObject({ output3: false });
    await set(1, await rig.lease());
    await rig.advance(500);
    expect(rig.state()?.signals).toMatchObject({ output2: false, output3: true });
  });

  it("without a lease sends nothing", async () => {
    await rig.ready();
    const id = rig.command("set", { output: 3, value: 1 });
    await rig.advance(200);
    expect(rig.last(id)).toMatchObject({ status: "failed", error: { code: "LEASE_REQUIRED" } });
    expect(rig.writes()).toEqual([]);
  });

  it("an output that the module does not have is refused, with nothing sent", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("set", { output: 9, value: 1 }, { lease });
    await rig.advance(200);
    expect(rig.last(id)).toMatchObject({ error: { code: "LIMIT_EXCEEDED" } });
    expect(rig.writes()).toEqual([]);
  });

  it.each(["stop", "quickStop", "abort"])(
    "%s: confirmed at once, no frame, the outputs stay; nothing is set until the reset",
    async (verb) => {
      await rig.ready();
      const lease = await rig.lease();
      await set(1, lease);
      const before = rig.writes().length;
      await rig.cellStop("S1", verb);
      await rig.advance(2000);
      expect(rig.acks("S1").at(-1)).toBe("confirmed");
      expect(rig.writes().slice(before)).toEqual([]);
      expect(shown()).toBe(1);
      const late = await set(0, lease);
      expect(rig.last(late)?.status).toBe("expired");
      expect(shown()).toBe(1);
      rig.command("reset", { stops: ["S1"] });
      await rig.advance(50);
      expect(rig.last(await set(0, await rig.lease()))?.status).toBe("succeeded");
      expect(shown()).toBe(0);
    },
  );

  it("interleaving 24: stopped, reset, leased again, ten seconds: no output has changed", async () => {
    await rig.ready();
    await set(1, await rig.lease());
    await rig.cellStop("S1");
    rig.command("reset", { stops: ["S1"] });
    await rig.advance(50);
    await rig.lease();
    const before = rig.writes().length;
    await rig.advance(10_000);
    expect([shown(), rig.writes().length - before]).toEqual([1, 0]);
  });

  it("a lease that lapses leaves the outputs, too", async () => {
    await rig.ready();
    await set(1, await rig.lease());
    rig.beats(false);
    await rig.advance(5000);
    expect([shown(), rig.writes()]).toEqual([1, [on]]);
  });

  it("a set whose lease ends before it is read back is unknown; the next runs", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (`${frame.lane} ${frame.hex}` === on) rig.command("release-lease", {}, { lease });
    };
    const id = await set(1, lease);
    await rig.advance(300);
    expect(rig.events("axis.lease.ended")).toHaveLength(1);
    expect(rig.last(id)?.verdict).toMatchObject({ verdict: "unknown", code: "OUTCOME_UNKNOWN" });
    expect(rig.last(await set(0, await rig.lease()))?.status).toBe("succeeded");
    expect(shown()).toBe(0);
  });

  it("a set that a stop comes behind, before it is read back, is faulted by the stop", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (`${frame.lane} ${frame.hex}` === on) rig.now.door.order("stop", { id: "S1" });
    };
    const id = await set(1, lease);
    expect(rig.last(id)?.verdict).toMatchObject({ verdict: "faulted", code: "STOPPED_SHORT" });
  });

  it("interleaving 7: a stop that overtakes a set keeps it back", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("set", { output: 3, value: 1 }, { lease });
    await rig.cellStop("S1");
    await rig.advance(500);
    expect(["failed", "cancelled", "expired", "succeeded"]).toContain(rig.last(id)?.status);
    expect(rig.writes().length).toBeLessThanOrEqual(1);
    expect(shown()).toBe(rig.writes().length);
  });
});
