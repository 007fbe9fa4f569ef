/**
 * A driver under command: pipeline, repeats, limits, refusals.
 *
 * The idea: the real app on a scripted device; judged by frames, answers and state. It refuses
 * real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceModel } from "#drivers/device-model.js";
import { inboxMax } from "../../../services/driver/journal.js";
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
    expect(rig.writes().length).toBe(before);
    await rig.advance(10);
    expect(rig.statuses(id)[0]).toBe("accepted");
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

  it("MQ-01: the same id a thousand commands later in one lease: unknown, not executed", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const first = rig.command("moveTo", { position: 110, velocity: 200 }, { lease });
    await rig.advance(1500);
    for (let i = 0; i < inboxMax; i += 1) {
      rig.command("moveTo", { position: 110, velocity: 9000 }, { lease });
      if (i % 100 === 0) await rig.advance(100);
    }
    const back = rig.command("moveTo", { position: 0, velocity: 200 }, { lease });
    await rig.advance(2000);
    expect([verdictOf(back), rig.device.position]).toEqual(["done", 0]);
    rig.command("moveTo", { position: 110, velocity: 200 }, { lease, id: first });
    const query = rig.command("query", { id: first });
    await rig.advance(1500);
    expect([verdictOf(first), rig.device.position]).toEqual(["unknown OUTCOME_UNKNOWN", 0]);
    expect(rig.last(query)?.result).toMatchObject({ verdict: { verdict: "unknown" } });
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

  it("a velocity of 0 ends the motion: the lease may go back without another stop", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("velocity", { velocity: 50 }, { lease });
    await rig.advance(200);
    rig.command("velocity", { velocity: 0 }, { lease });
    await rig.advance(200);
    rig.command("release-lease", {}, { lease });
    await rig.advance(200);
    expect(rig.writes().filter((write) => write.startsWith("stop"))).toEqual([]);
    expect((await rig.lease()).epoch).toBe(2);
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

  it("interleaving 16: a clock 6 h ahead at receipt does not make a command with a lease stale", async () => {
    await rig.ready();
    const lease = await rig.lease();
    const ts = Date.now() - 6 * 3600_000;
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease, ts });
    await rig.advance(1000);
    expect(verdictOf(id)).toBe("done");
  });

  it("interleaving 19: with the disk full a command is refused STORE_FULL and nothing is sent", async () => {
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

  it.each([200, 500])(
    "a velocity of %i mm/s ends inside the travel of 0 to 800 mm",
    async (velocity) => {
      rig.device.position = 400;
      await rig.ready();
      const lease = await rig.lease();
      const id = rig.command("velocity", { velocity }, { lease });
      await rig.advance(200);
      expect([verdictOf(id), rig.device.moving]).toEqual(["done", true]);
      let most = 400;
      for (let ms = 0; ms < 5000; ms += 10) {
        await rig.advance(10);
        most = Math.max(most, rig.device.position);
      }
      expect(rig.device.moving).toBe(false);
      expect([most > 650, most <= 800]).toEqual([true, true]);
      const again = rig.command("velocity", { velocity }, { lease: await rig.lease() });
      await rig.advance(50);
      expect(verdictOf(again)).toBe("refused LIMIT_EXCEEDED");
    },
  );

  it("a velocity that was faulted and goes on ends inside the travel, too", async () => {
    const { next: plain } = scriptedModel();
    const next: DeviceModel["next"] = (state, input) => {
      if (state.verb !== "velocity") return plain(state, input);
      const atMs = input.nowMs + 300;
      if (input.kind === "wrote") return { state, effects: [{ kind: "wake", atMs }] };
      if (!state.triggered) return plain(state, input);
      const verdict = { verdict: "faulted", code: "NOT_DONE_IN_TIME", text: "slow" } as const;
      return { state, effects: [{ kind: "end", verdict }] };
    };
    rig = new Rig({ model: { next } });
    rig.device.position = 400;
    await rig.ready();
    const lease = await rig.lease();
    const id = rig.command("velocity", { velocity: 100 }, { lease });
    await rig.advance(500);
    expect([verdictOf(id), rig.device.moving]).toEqual(["faulted NOT_DONE_IN_TIME", true]);
    await rig.advance(6000);
    expect([rig.device.position > 700, rig.device.position <= 800]).toEqual([true, true]);
    expect(rig.device.moving).toBe(false);
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

  it("a poll that takes 80 ms on a busy machine is slow and not stale: the command runs", async () => {
    await rig.ready();
    const lease = await rig.lease();
    await rig.advance(100);
    rig.now.field.hold = true;
    await rig.advance(100);
    const id = rig.command("moveTo", { position: 60, velocity: 200 }, { lease });
    rig.now.field.release();
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
