/**
 * Leases of a driver and what ends them: beats, wills, stalls, lost continuity.
 *
 * The idea: the real app on a scripted device; judged by frames, answers and events. It refuses
 * real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceModel } from "#drivers/device-model.js";
import { Rig } from "../../fixtures/driver/rig.js";
import { scriptedModel } from "../../fixtures/driver/scripted-model.js";

let rig: Rig;
beforeEach(() => {
  vi.useFakeTimers();
  rig = new Rig();
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

const verdictOf = (id: string) => {
  const { verdict } = rig.last(id) ?? {};
  return verdict?.verdict === "done" ? "done" : `${verdict?.verdict} ${verdict?.code}`;
};

describe("lease", () => {
  it("of the same holder again: epoch + 1, the older epoch is EXPIRED", async () => {
    await rig.ready();
    const first = await rig.lease();
    const second = await rig.lease();
    expect([first.epoch, second.epoch]).toEqual([1, 2]);
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease: first });
    await rig.advance(50);
    expect(verdictOf(id)).toBe("refused EXPIRED");
    expect(rig.events("axis.lease.ended")).toMatchObject([{ epoch: 1, reason: "superseded" }]);
  });

  it("of another holder while one lives is LEASE_HELD; after its release it is granted", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const asked = rig.command("lease", { holder: "bench", bootId: "x" });
    await rig.advance(10);
    expect(rig.last(asked)?.error?.code).toBe("LEASE_HELD");
    rig.command("release-lease", {}, { lease });
    await rig.advance(10);
    expect((await rig.lease("bench")).epoch).toBe(2);
    expect(rig.writes()).toEqual([]);
  });

  it("a repeated lease request gets the answer it had, not another epoch", async () => {
    await rig.ready();
    const args = { holder: "coordinator", bootId: "b" };
    const id = rig.command("lease", args);
    await rig.advance(10);
    rig.command("lease", args, { id });
    await rig.advance(10);
    expect(rig.answers(id).map((answer) => answer.result?.epoch)).toEqual([1, 1]);
  });

  it("a lease request that outlived its ttl is EXPIRED", async () => {
    await rig.ready();
    const id = rig.command("lease", { holder: "c", bootId: "b" }, { ts: Date.now() - 5000 });
    await rig.advance(10);
    expect(rig.last(id)?.status).toBe("expired");
  });

  it("lapses at leaseMs without beats: the axis is stopped by leaseMs + 50 ms", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(350);
    rig.beats(false);
    await rig.beat();
    const lastMs = performance.now();
    await rig.advance(1100);
    const stop = rig.frames.find((frame) => frame.lane === "stop");
    expect(stop?.hex).toBe("0600220001");
    expect((stop?.atMs ?? 0) - lastMs).toBeGreaterThanOrEqual(1000);
    expect((stop?.atMs ?? 0) - lastMs).toBeLessThanOrEqual(1050);
    await rig.advance(300);
    expect(verdictOf(id)).toBe("faulted STOPPED_SHORT");
    expect(rig.events("axis.lease.ended")).toMatchObject([{ epoch: 1, reason: "lapsed" }]);
  });

  it("interleaving 15: the driver stalls 2 s and wakes with beats in its socket: lapsed, stopped, not renewed", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(300);
    rig.beats(false);
    rig.stall(2000);
    await rig.beat();
    await rig.beat();
    expect(rig.writes().at(-1)).toBe("stop 0600220001");
    await rig.beat();
    await rig.advance(300);
    expect(rig.state()?.lease).toBeUndefined();
    expect(rig.events("axis.lease.ended")).toMatchObject([{ epoch: 1, reason: "lapsed" }]);
  });

  it("interleaving 15: a stall between low edge and trigger outlasts the lease: the trigger is never sent", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (frame.hex === "0600210000") rig.stall(2000);
    };
    await rig.advance(8);
    rig.beats(false);
    expect(rig.writes()).not.toContain("command 0600210001");
    await rig.advance(500);
    expect([verdictOf(id), rig.device.edges]).toEqual(["refused SUPERSEDED", 0]);
    expect(rig.events("axis.lease.ended")).toMatchObject([{ epoch: 1, reason: "lapsed" }]);
  });

  it("its end stops an axis that stands after a blocked move: the drive still holds the rest", async () => {
    const real = scriptedModel();
    const verdict = { verdict: "faulted", code: "STOPPED_SHORT", text: "it stands" } as const;
    const next: DeviceModel["next"] = (state, input) => {
      const over = state.verb === "moveTo" && state.triggered && input.kind === "read";
      return over ? { state, effects: [{ kind: "end", verdict }] } : real.next(state, input);
    };
    rig = new Rig({ model: { next } });
    await rig.ready();
    const lease = await rig.lease();
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (frame.hex !== "0600210001") return;
      setTimeout(() => {
        rig.device.velocity = 0;
      }, 2);
    };
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(400);
    expect([verdictOf(id), rig.device.moving]).toEqual(["faulted STOPPED_SHORT", false]);
    expect(rig.now.field.pulses.at(-1)?.still).toBe(false);
    rig.command("release-lease", {}, { lease });
    await rig.advance(5);
    expect(rig.writes().at(-1)).toBe("stop 0600220001");
    await rig.advance(400);
    expect(rig.now.field.pulses.at(-1)?.still).toBe(true);
  });

  it("the holder's will ends it at once; a late will of its older start does not", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(300);
    const avail = { v: 1 as const, status: "offline" as const, ts: 0, version: "0" };
    const say = (bootId: string) => {
      return rig.now.stop.deliver("avail", { service: "coordinator" }, { ...avail, bootId });
    };
    await say("older-boot");
    await rig.advance(100);
    expect(rig.device.moving).toBe(true);
    await say("coordinator-boot");
    expect(rig.writes().at(-1)).toBe("stop 0600220001");
    await rig.advance(100);
    expect(rig.events("axis.lease.ended")).toMatchObject([{ reason: "holder-offline" }]);
  });

  it("epochs go on over a restart: 1, crash, 2", async () => {
    await rig.ready();
    await rig.lease();
    rig.beats(false);
    rig.crash();
    await rig.ready();
    expect((await rig.lease()).epoch).toBe(2);
  });
});

describe("continuity", () => {
  it.each([
    [
      "enable is lost",
      () => {
        rig.device.enabled = false;
      },
      "the drive is no longer enabled",
    ],
    [
      "home is lost",
      () => {
        rig.device.homed = false;
      },
      "the position reference was lost",
    ],
    [
      "remote is lost",
      () => {
        rig.device.remote = false;
      },
      "the drive was taken under local control",
    ],
    [
      "the axis moves without a command",
      () => {
        rig.device.velocity = 100;
      },
      "the axis moved without a command",
    ],
    [
      "three polls are missed",
      () => {
        rig.now.field.silent = true;
      },
      "3 polls were missed",
    ],
  ])("while leased, %s: the lease ends with that reason", async (_, change, reason) => {
    rig = new Rig({ device: { breakerFailures: 10 } });
    await rig.ready();
    await rig.lease();
    await rig.advance(200);
    change();
    await rig.advance(400);
    expect(rig.state()?.lease).toBeUndefined();
    expect(rig.events("axis.lease.ended")).toMatchObject([{ epoch: 1, reason }]);
  });

  it("a fault in motion: stopped, verdict DRIVE_FAULT with both positions", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(300);
    rig.device.fault = true;
    await rig.advance(400);
    expect(rig.last(id)).toMatchObject({
      status: "failed",
      verdict: { verdict: "faulted", code: "DRIVE_FAULT", detail: { target: 700 } },
    });
  });

  it("the drive reboots: lease ended, full read, no write", async () => {
    await rig.ready();
    await rig.lease();
    await rig.advance(200);
    const before = rig.frames.length;
    Object.assign(rig.device, { enabled: false, homed: false });
    rig.device.velocity = 0;
    await rig.advance(400);
    expect(rig.events("device.rebooted")).toEqual([{}]);
    expect(rig.events("axis.lease.ended")).toMatchObject([{ reason: "the drive rebooted" }]);
    const after = rig.frames.slice(before);
    expect(after.filter((frame) => frame.write)).toEqual([]);
    expect(after.map(({ hex }) => hex)).toContain("0300640002");
  });

  it("the breaker opens on a moving axis: stop at once, verdict unknown, stop owed", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
    await rig.advance(300);
    rig.now.field.silent = true;
    await rig.advance(400);
    expect(verdictOf(id)).toBe("unknown OUTCOME_UNKNOWN");
    expect(rig.writes().filter((write) => write.startsWith("stop")).length).toBeGreaterThan(0);
    expect(rig.now.main.of("stateDevice").at(-1)).toMatchObject({ breaker: "open", link: "down" });
    await rig.advance(8000);
    expect(rig.state()?.stop?.status).toBe("owed");
  });
});
