/**
 * A driver under command: pipeline, repeats, limits, leases, continuity, boot.
 *
 * The idea: the real app on a scripted device; judged by frames, answers and state. It refuses
 * real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Rig } from "../../fixtures/driver/rig.js";

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

describe("command", () => {
  it("is accepted, running, succeeded; the axis is there; events tell it", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 110, velocity: 200 }, { lease });
    await rig.advance(1500);
    expect(rig.statuses(id)).toEqual(["accepted", "running", "succeeded"]);
    expect([rig.device.position, rig.device.edges]).toEqual([110, 1]);
    expect(rig.events("axis.command.accepted")).toMatchObject([{ command: id }]);
    expect(rig.events("axis.command.ended")).toMatchObject([{ command: id, verdict: "done" }]);
    expect(rig.state()).toMatchObject({ position: 110, moving: false, q: "good" });
    expect(rig.state()?.command).toBeUndefined();
  });

  it("sends no frame before the mark started is stored (store takes 100 ms)", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.store.slowMs = 100;
    const before = rig.writes().length;
    const id = rig.command("moveTo", { position: 110, velocity: 200 }, { lease });
    await rig.advance(95);
    expect(rig.statuses(id)).toEqual([]);
    await rig.advance(50);
    expect(rig.statuses(id)).toEqual(["accepted"]);
    expect(rig.writes().length).toBe(before);
    await rig.advance(100);
    expect(rig.writes().length).toBeGreaterThan(before);
  });

  it("MQ-01: the same id delivered thrice: one trigger, the second and third get its answer", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const given = { lease, id: "A" };
    rig.command("moveTo", { position: 110, velocity: 200 }, given);
    rig.command("moveTo", { position: 110, velocity: 200 }, given);
    await rig.advance(1500);
    rig.command("moveTo", { position: 110, velocity: 200 }, given);
    await rig.advance(500);
    expect(rig.device.edges).toBe(1);
    expect(rig.last("A")?.status).toBe("succeeded");
    expect(rig.statuses("A").filter((status) => status === "succeeded")).toHaveLength(2);
  });

  it("MQ-01: the same id after a restart on the same store: answered, not executed", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const given = { lease, id: "A" };
    rig.command("moveTo", { position: 110, velocity: 200 }, given);
    await rig.advance(1500);
    rig.crash();
    await rig.ready();
    rig.command("moveTo", { position: 110, velocity: 200 }, given);
    await rig.advance(500);
    expect([rig.device.edges, rig.last("A")?.status]).toEqual([1, "succeeded"]);
  });

  it("the same id with another body is DUPLICATE_ID and changes nothing", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("moveTo", { position: 110, velocity: 200 }, { lease, id: "A" });
    await rig.advance(1500);
    rig.command("moveTo", { position: 120, velocity: 200 }, { lease, id: "A" });
    await rig.advance(300);
    expect(rig.last("A")?.error?.code).toBe("DUPLICATE_ID");
    expect(rig.device.position).toBe(110);
  });

  it("MO-12: two moves within 20 ms: the second is BUSY, the first arrives", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const first = rig.command("moveTo", { position: 110, velocity: 200 }, { lease });
    await rig.advance(20);
    const second = rig.command("moveTo", { position: 20, velocity: 200 }, { lease });
    await rig.advance(1500);
    expect([verdictOf(first), verdictOf(second)]).toEqual(["done", "refused BUSY"]);
    expect([rig.device.position, rig.device.edges]).toEqual([110, 1]);
  });

  it("MO-03: two equal relative moves are two rising edges", async () => {
    await rig.ready();
    const lease = await rig.lease();
    for (const step of [1, 2]) {
      const id = rig.command("moveBy", { distance: 50, velocity: 200 }, { lease });
      await rig.advance(1000);
      expect([verdictOf(id), rig.device.edges]).toEqual(["done", step]);
    }
    expect(rig.device.position).toBe(110);
  });

  it.each([
    ["position above the travel", "moveTo", { position: 900, velocity: 100 }, 800],
    ["position below the travel", "moveTo", { position: -1, velocity: 100 }, 0],
    ["velocity above the greatest", "moveTo", { position: 100, velocity: 501 }, 500],
    ["acceleration above the greatest", "moveTo", { position: 100, acceleration: 9000 }, 2000],
    ["a distance that leaves the travel", "moveBy", { distance: 795, velocity: 100 }, 800],
    ["a backward velocity above the greatest", "velocity", { velocity: -501 }, 500],
  ])("%s is LIMIT_EXCEEDED and names the limit; nothing is sent", async (_, verb, args, limit) => {
    await rig.ready();
    const lease = await rig.lease();
    const before = rig.writes().length;
    const id = rig.command(verb, args, { lease });
    await rig.advance(100);
    expect(rig.last(id)).toMatchObject({
      status: "failed",
      verdict: { verdict: "refused", code: "LIMIT_EXCEEDED", detail: { limit } },
    });
    expect(rig.writes().length).toBe(before);
  });

  it.each([
    [
      "not enabled",
      "NOT_ENABLED",
      () => {
        rig.device.enabled = false;
      },
    ],
    [
      "not homed",
      "NOT_HOMED",
      () => {
        rig.device.homed = false;
      },
    ],
    [
      "in fault",
      "DRIVE_FAULT",
      () => {
        rig.device.fault = true;
      },
    ],
    [
      "under local control",
      "DEVICE_LOCAL",
      () => {
        rig.device.remote = false;
      },
    ],
  ])("moveTo on a drive that is %s is refused %s", async (_, code, prepare) => {
    await rig.ready();
    prepare();
    await rig.advance(600);
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 100, velocity: 100 }, { lease });
    await rig.advance(100);
    expect([verdictOf(id), rig.device.edges]).toEqual([`refused ${code}`, 0]);
  });

  it("without a lease is LEASE_REQUIRED, with a wrong holder as well, with an ended epoch EXPIRED", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const args = { position: 100, velocity: 100 };
    const bare = rig.command("moveTo", args);
    const wrong = rig.command("moveTo", args, { lease: { holder: "bench", epoch: 1 } });
    const old = rig.command("moveTo", args, { lease: { ...lease, epoch: 0 } });
    await rig.advance(100);
    expect([bare, wrong, old].map(verdictOf)).toEqual([
      "refused LEASE_REQUIRED",
      "refused LEASE_REQUIRED",
      "refused EXPIRED",
    ]);
    expect(rig.last(old)?.status).toBe("expired");
  });

  it("16: a clock 6 h ahead at receipt does not make a command with a lease stale", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const ts = Date.now() - 6 * 3600_000;
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease, ts });
    await rig.advance(1000);
    expect(verdictOf(id)).toBe("done");
  });

  it("19: with the disk full a command is refused STORE_FULL and nothing is sent", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.store.full = true;
    const before = rig.writes().length;
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease });
    await rig.advance(200);
    expect([verdictOf(id), rig.writes().length]).toEqual(["refused STORE_FULL", before]);
    // Space is back: the same id may be tried again.
    rig.now.store.full = false;
    rig.command("moveTo", { position: 60, velocity: 200 }, { lease, id });
    await rig.advance(1000);
    expect(verdictOf(id)).toBe("done");
  });

  it("a status that has become old is read again before a command is judged by it", async () => {
    await rig.ready();
    const lease = await rig.lease();
    await rig.advance(100);
    rig.stall(300);
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease });
    await rig.advance(1000);
    expect(verdictOf(id)).toBe("done");
  });

  it("an answer that found no broker is told when it is back", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease });
    await rig.advance(50);
    rig.now.main.set(false);
    await rig.advance(1000);
    expect(rig.last(id)?.status).not.toBe("succeeded");
    rig.now.main.set(true);
    await rig.advance(50);
    expect(rig.last(id)?.status).toBe("succeeded");
    expect(rig.events("axis.command.ended")).toMatchObject([{ command: id }]);
  });
});

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

  it("15: the driver stalls 2 s and wakes with beats in its socket: lapsed, stopped, not renewed", async () => {
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

  it("15: a stall between low edge and trigger outlasts the lease: the trigger is never sent", async () => {
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

describe("boot", () => {
  it("writes nothing but stop before a full read (axis moving)", async () => {
    rig.device.velocity = 100;
    await rig.boot();
    await rig.seen([]);
    await rig.advance(2000);
    const seen = rig.frames.map(({ lane, hex }) => `${lane} ${hex}`);
    const full = seen.indexOf("poll 0300640002");
    expect(seen[0]).toBe("poll 0300000003");
    expect(seen[1]).toBe("stop 0600220001");
    expect(full).toBeGreaterThan(1);
    const writes = rig.frames.slice(0, full).filter((frame) => frame.write);
    expect(writes.every((frame) => frame.lane === "stop")).toBe(true);
    expect(rig.device.moving).toBe(false);
  });

  it("with a still axis writes nothing at all", async () => {
    await rig.ready();
    await rig.advance(3000);
    expect(rig.writes()).toEqual([]);
  });

  it("without an answer owes a stop; it is the first frame after the sign of life", async () => {
    await rig.boot(({ field }) => {
      field.silent = true;
    });
    await rig.advance(500);
    expect(rig.writes()).toEqual(["stop 0600220001"]);
    const back = rig.frames.length;
    rig.now.field.silent = false;
    await rig.advance(5000);
    const seen = rig.frames.slice(back).map(({ lane, hex }) => `${lane} ${hex}`);
    expect(seen.slice(0, 2)).toEqual(["poll 0300000003", "stop 0600220002"]);
    expect(seen).toContain("poll 0300640002");
  });

  it("a device that is not its profile is refused motion", async () => {
    rig.device.registers.set(100, 1);
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("moveTo", { position: 100, velocity: 100 }, { lease });
    await rig.advance(50);
    expect(verdictOf(id)).toBe("refused IDENTITY_MISMATCH");
    expect(rig.now.main.of("stateDevice").at(-1)?.identity).toBe("mismatch");
  });

  it("killed between received and started: the command is refused, and was not sent", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.store.slowMs = 50;
    const args = { position: 100, velocity: 100 };
    rig.command("moveTo", args, { lease, id: "A" });
    await rig.advance(60);
    rig.crash();
    await rig.ready();
    rig.command("moveTo", args, { lease, id: "A" });
    await rig.advance(100);
    expect([verdictOf("A"), rig.device.edges]).toEqual(["refused SUPERSEDED", 0]);
  });

  it("5: killed in motion: unknown until read, then stopped short with both positions", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const args = { position: 700, velocity: 200 };
    rig.command("moveTo", args, { lease, id: "A" });
    await rig.advance(300);
    rig.crash();
    await rig.boot(({ field }) => {
      field.hold = true;
    });
    const early = rig.command("query", { id: "A" });
    await rig.advance(10);
    expect(rig.last(early)?.result).toMatchObject({
      known: true,
      status: "started",
      verdict: { verdict: "unknown" },
    });
    rig.now.field.release();
    await rig.advance(2000);
    const late = rig.command("query", { id: "A" });
    await rig.advance(10);
    expect(rig.last(late)?.result).toMatchObject({
      status: "ended",
      verdict: {
        verdict: "faulted",
        code: "STOPPED_SHORT",
        detail: { target: 700, actual: Math.round(rig.device.position) },
      },
    });
    expect([rig.device.edges, rig.device.moving]).toEqual([1, false]);
  });

  it("events that nobody has received are sent again after a crash, with their ids", async () => {
    await rig.ready();
    await rig.lease();
    const sent = rig.now.main.of("event").map(({ id }) => id);
    rig.now.main.set(false);
    rig.beats(false);
    await rig.advance(1200);
    rig.crash();
    await rig.ready();
    const again = rig.now.main.of("event");
    expect(again.map(({ type }) => type)).toContain("axis.lease.ended");
    expect(again.filter(({ id }) => sent.includes(id))).toEqual([]);
  });
});

describe("readings", () => {
  it("EX-01: busy for 10 s: the last value as stale, then absent with its reason, never 0", async () => {
    await rig.ready();
    const before = rig.now.main.of("stateAxis").length;
    rig.device.exception = 6;
    await rig.advance(500);
    expect(rig.state()).toMatchObject({ q: "stale", position: 10 });
    expect(rig.state()?.reasons.position).toMatch(/last known/);
    await rig.advance(9500);
    expect(rig.state()).toMatchObject({ q: "bad" });
    expect(rig.state()?.position).toBeUndefined();
    expect(rig.state()?.inTarget).toBeUndefined();
    const values = rig.now.main
      .of("stateAxis")
      .slice(before)
      .map(({ position }) => position);
    expect(values).not.toContain(0);
    const telemetry = rig.now.main.of("telemetryAxis").map(({ position }) => position);
    expect(telemetry).not.toContain(0);
    const lease = rig.command("lease", { holder: "c", bootId: "b" });
    await rig.advance(10);
    rig.device.exception = undefined;
    await rig.advance(5000);
    expect(rig.state()).toMatchObject({ q: "good", position: 10 });
    expect(rig.last(lease)?.status).toBe("failed");
  });

  it("CB-01, CB-03: one failure keeps the breaker closed; open, it costs one probe per pause", async () => {
    await rig.ready();
    rig.now.field.silent = true;
    await rig.advance(240);
    rig.now.field.silent = false;
    await rig.advance(600);
    expect(rig.now.breaker.state).toBe("closed");
    rig.now.field.silent = true;
    await rig.advance(1500);
    expect(rig.now.breaker.state).toBe("open");
    const before = rig.frames.length;
    await rig.advance(10_000);
    const probes = rig.frames.slice(before);
    expect(probes.length).toBeGreaterThanOrEqual(3);
    expect(probes.length).toBeLessThanOrEqual(6);
    expect(new Set(probes.map(({ hex }) => hex))).toEqual(new Set(["0300000003"]));
  });
});
