/**
 * A driver at boot and its readings: what it writes before it knows, what it says of what failed.
 *
 * The idea: the real app on a scripted device, killed and started again on the same store; judged
 * by frames, answers and state. It refuses real time.
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
    expect(seen.slice(0, 2)).toEqual(["command 0300000003", "stop 0600220002"]);
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

  it("killed before the mark started is on the disk: nothing was sent, and nothing is known", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.store.slowMs = 50;
    const args = { position: 100, velocity: 100 };
    rig.command("moveTo", args, { lease, id: "A" });
    await rig.advance(40);
    rig.crash();
    await rig.ready();
    const query = rig.command("query", { id: "A" });
    await rig.advance(10);
    expect(rig.last(query)?.result).toEqual({ known: false });
    rig.command("moveTo", args, { lease, id: "A" });
    await rig.advance(100);
    expect([verdictOf("A"), rig.device.edges]).toEqual(["refused EXPIRED", 0]);
  });

  it("killed with the mark on the disk and no frame sent: in doubt, then stopped short", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.now.field.hold = true;
    const args = { position: 100, velocity: 100 };
    rig.command("moveTo", args, { lease, id: "A" });
    await rig.advance(5);
    rig.crash();
    expect(rig.device.edges).toBe(0);
    await rig.ready();
    const query = rig.command("query", { id: "A" });
    await rig.advance(10);
    expect(rig.last(query)?.result).toMatchObject({
      status: "ended",
      verdict: { verdict: "faulted", code: "STOPPED_SHORT" },
    });
    expect(rig.device.edges).toBe(0);
  });

  it("a row of an earlier version that was received only: refused, for nothing was sent", async () => {
    await rig.ready();
    const sql = `INSERT INTO inbox (id, body, verb, epoch, status, at)
      VALUES ('A', '', 'moveTo', 1, 'received', 0)`;
    await rig.now.store.tx([{ sql }], { durable: false });
    rig.crash();
    await rig.ready();
    const query = rig.command("query", { id: "A" });
    await rig.advance(10);
    expect(rig.last(query)?.result).toMatchObject({
      status: "ended",
      verdict: { verdict: "refused", code: "SUPERSEDED" },
    });
  });

  it("interleaving 5: killed in motion: unknown until read, then stopped short with both positions", async () => {
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

  it("killed in motion, found standing: stopped all the same, for the drive may hold the rest", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("moveTo", { position: 700, velocity: 200 }, { lease, id: "A" });
    await rig.advance(300);
    rig.crash();
    rig.device.velocity = 0;
    const before = rig.frames.length;
    await rig.boot();
    await rig.advance(1500);
    const seen = rig.frames.slice(before).map(({ lane, hex }) => `${lane} ${hex}`);
    expect(seen.slice(0, 2)).toEqual(["poll 0300000003", "stop 0600220001"]);
    const query = rig.command("query", { id: "A" });
    await rig.advance(10);
    expect(rig.last(query)?.result).toMatchObject({ verdict: { code: "STOPPED_SHORT" } });
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
