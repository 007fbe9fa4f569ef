/**
 * A driver under stop: both roads, interleavings of the protocol, and what stays owed.
 *
 * The idea: the real app on a scripted device; judged by the frames at its lanes. It refuses
 * real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Rig } from "../../fixtures/driver/rig.js";

const stopFrame = "stop 0600220001";
const trigger = "command 0600210001";

let rig: Rig;
beforeEach(() => {
  vi.useFakeTimers();
  rig = new Rig();
});
afterEach(async () => {
  await rig.end();
  vi.useRealTimers();
});

/** The first moving command of a test: a long way, so that it is under way for seconds. */
async function moving(): Promise<string> {
  const lease = await rig.lease();
  const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
  await rig.advance(300);
  expect(rig.device.moving).toBe(true);
  return id;
}

function writesAfter(atMs: number): string[] {
  const late = rig.frames.filter((frame) => frame.write && frame.atMs > atMs);
  return late.map(({ lane, hex }) => `${lane} ${hex}`);
}

describe("stop", () => {
  it("goes out in the tick of the order, before any await, by the local socket", async () => {
    await rig.ready();
    await moving();
    const before = rig.frames.length;
    rig.now.door.order("stop", { id: "S1" });
    const first = rig.frames[before];
    expect(first && `${first.lane} ${first.hex}`).toBe(stopFrame);
    expect(rig.now.door.acks.map(({ status }) => status)).toEqual(["received"]);
    await rig.advance(300);
    expect(rig.now.door.acks.map(({ status }) => status)).toEqual(["received", "confirmed"]);
    expect(rig.device.moving).toBe(false);
  });

  it("ends the move with both positions, the lease, and latches by id (both roads, one stop)", async () => {
    await rig.ready();
    const id = await moving();
    rig.now.door.order("stop", { id: "S1" });
    await rig.cellStop("S1");
    await rig.advance(400);
    expect(rig.last(id)).toMatchObject({
      status: "cancelled",
      verdict: { verdict: "faulted", code: "STOPPED_SHORT", detail: { target: 700 } },
    });
    const verdict = rig.last(id)?.verdict;
    const actual = verdict?.verdict === "faulted" ? verdict.detail?.actual : undefined;
    expect(actual).toBe(Math.round(rig.device.position));
    expect(rig.events("axis.stop.began")).toEqual([{ stop: "S1", reason: "stop" }]);
    expect(rig.events("axis.lease.ended")).toMatchObject([{ epoch: 1, reason: "stop" }]);
    expect(rig.state()).toMatchObject({
      latched: ["S1"],
      stop: { id: "S1", status: "confirmed" },
    });
    expect(rig.state()?.lease).toBeUndefined();
  });

  it("of a run (latch false) ends the lease and leaves no latch", async () => {
    await rig.ready();
    await moving();
    await rig.now.stop.deliver("axisStop", { axis: "x", verb: "stop" }, { id: "R1", latch: false });
    await rig.advance(300);
    expect(rig.acks("R1")).toEqual(["received", "confirmed"]);
    expect(rig.state()?.latched).toEqual([]);
    expect((await rig.lease()).epoch).toBe(2);
  });

  it("meant for other axes does nothing here", async () => {
    await rig.ready();
    await moving();
    await rig.now.stop.deliver("cellStop", { verb: "stop" }, { id: "S1", axes: ["y"] });
    await rig.advance(50);
    expect(rig.device.moving).toBe(true);
    expect(rig.acks("S1")).toEqual([]);
  });

  it("repeated every 50 ms sends no further frame while it is in progress or confirmed", async () => {
    await rig.ready();
    await moving();
    for (let i = 0; i < 10; i += 1) {
      await rig.cellStop("S1");
      await rig.advance(50);
    }
    expect(rig.writes().filter((w) => w === stopFrame)).toHaveLength(1);
    expect(rig.acks("S1").filter((ack) => ack === "received")).toHaveLength(10);
  });

  it("is obeyed before the store was read, and what the store remembers is not lost by it", async () => {
    await rig.ready();
    await rig.cellStop("OLD");
    await rig.advance(300);
    rig.crash();
    rig.device.velocity = 100;
    void rig.boot(({ store }) => {
      store.slowMs = 500;
    });
    rig.now.door.order("stop", { id: "NEW" });
    expect(rig.writes().at(-1)).toBe(stopFrame);
    await rig.advance(2500);
    expect(rig.device.moving).toBe(false);
    expect(rig.state()?.latched).toEqual(["OLD", "NEW"]);
  });

  it("interleaving 7: moveTo is published, STOP overtakes it, the command arrives: refused, no trigger", async () => {
    await rig.ready();
    const lease = await rig.lease();
    await rig.cellStop("S1");
    const id = rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
    await rig.advance(500);
    expect(rig.last(id)).toMatchObject({ status: "expired", verdict: { code: "EXPIRED" } });
    expect(rig.device.edges).toBe(0);
  });

  it.each([
    ["target block and trigger", "command 0600300064"],
    ["low edge and trigger", "command 0600210000"],
  ])(
    "interleaving 8: STOP between %s: the trigger is never sent, refused SUPERSEDED",
    async (_, last) => {
      await rig.ready();
      const lease = await rig.lease();
      const id = rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
      rig.now.field.onFrame = (frame) => {
        rig.frames.push(frame);
        if (`${frame.lane} ${frame.hex}` === last) rig.now.door.order("stop", { id: "S1" });
      };
      await rig.advance(500);
      // Once more when the frame that it met on the wire has settled.
      expect(rig.writes().slice(-3)).toEqual([last, stopFrame, stopFrame]);
      expect(rig.device.edges).toBe(0);
      expect(rig.last(id)).toMatchObject({
        status: "failed",
        verdict: { verdict: "refused", code: "SUPERSEDED" },
      });
    },
  );

  it("interleaving 8: STOP while the trigger waits for its turn behind a poll: it is not sent", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("moveTo", { position: 100, velocity: 200 }, { lease });
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      if (frame.hex === "0600210000") rig.now.field.hold = true;
    };
    await rig.advance(100);
    rig.now.door.order("stop", { id: "S1" });
    rig.now.field.release();
    await rig.advance(500);
    expect(rig.writes()).not.toContain(trigger);
  });

  it.each([1, 40, 400])(
    "interleaving 8: STOP overtakes the trigger on the wire by %i ms: the stop has the last word",
    async (lateMs) => {
      await rig.ready();
      const lease = await rig.lease();
      const id = rig.command("moveTo", { position: 700, velocity: 200 }, { lease });
      rig.now.field.onFrame = (frame) => {
        rig.frames.push(frame);
        if (`${frame.lane} ${frame.hex}` === trigger) rig.now.field.hold = true;
      };
      await rig.advance(50);
      rig.now.door.order("stop", { id: "S1" });
      await rig.advance(lateMs);
      // Still out: whatever stands now may start yet.
      expect(rig.now.door.acks.map(({ status }) => status)).toEqual(["received"]);
      rig.now.field.release();
      await rig.advance(200);
      expect(rig.device.edges).toBe(1);
      expect(rig.device.moving).toBe(false);
      expect(rig.now.door.acks.at(-1)?.status).toBe("confirmed");
      expect(rig.last(id)).toMatchObject({
        verdict: { verdict: "faulted", code: "STOPPED_SHORT" },
      });
    },
  );

  it("interleaving 9: STOP during half-open with the probe in flight to a silent unit: sent at once, then owed", async () => {
    await rig.ready();
    rig.now.field.silent = true;
    await rig.advance(1200);
    expect(rig.now.breaker.state).toBe("open");
    while (rig.now.breaker.state !== "half-open") await rig.advance(10);
    const before = rig.frames.length;
    rig.now.door.order("stop", { id: "S1" });
    const first = rig.frames[before];
    expect(first && `${first.lane} ${first.hex}`).toBe(stopFrame);
    await rig.advance(10_000);
    expect(rig.acks("S1")).toEqual(["received", "unconfirmed"]);
    expect(rig.state()).toMatchObject({ stop: { id: "S1", status: "owed" }, latched: ["S1"] });
    // A silent unit's polls are rationed by the bus, to one in many seconds where many are silent.
    expect(rig.frames.at(-1)?.lane).toBe("command");
    // The first frame after the sign of life is the stop, before any full read.
    const back = rig.frames.length;
    rig.now.field.silent = false;
    await rig.advance(4000);
    const seen = rig.frames.slice(back).map(({ lane, hex }) => `${lane} ${hex}`);
    expect(seen[0]).toBe("command 0300000003");
    expect(seen[1]).toBe("stop 0600220002");
    expect(seen.indexOf("poll 0300640002")).toBeGreaterThan(1);
    expect(rig.acks("S1").at(-1)).toBe("confirmed");
  });

  it("interleaving 19: the disk is full and STOP arrives: frames go out, latched in memory, confirmed", async () => {
    await rig.ready();
    await moving();
    rig.now.store.full = true;
    const beforeMs = performance.now();
    rig.now.door.order("stop", { id: "S1" });
    expect(rig.writes().at(-1)).toBe(stopFrame);
    await rig.advance(500);
    expect(rig.acks("S1")).toEqual(["received", "confirmed"]);
    expect(writesAfter(beforeMs)).toEqual([]);
    const lease = rig.command("lease", { holder: "coordinator", bootId: "b" });
    await rig.advance(10);
    expect(rig.last(lease)?.error?.code).toBe("LATCHED");
  });

  it("interleaving 19: with the disk full no lease is granted, because its epoch cannot be stored", async () => {
    await rig.ready();
    rig.now.store.full = true;
    const lease = rig.command("lease", { holder: "coordinator", bootId: "b" });
    await rig.advance(10);
    expect(rig.last(lease)?.error?.code).toBe("STORE_FULL");
    rig.now.store.full = false;
    expect((await rig.lease()).epoch).toBe(2);
  });

  it("interleaving 20: STOP while the driver is down: back 1 s later it adopts the latch from state/stop", async () => {
    await rig.ready();
    rig.crash();
    await rig.advance(1000);
    await rig.boot();
    await rig.advance(600);
    const early = rig.command("lease", { holder: "coordinator", bootId: "b" });
    await rig.advance(10);
    expect(rig.last(early)?.error?.code).toBe("LATCHED");
    await rig.seen(["S9"]);
    await rig.advance(200);
    expect(rig.state()?.latched).toEqual(["S9"]);
    const reset = rig.command("reset", { stops: ["S9"] });
    await rig.advance(10);
    expect(rig.last(reset)?.result).toEqual({ latched: [] });
    // The retained list may still name it: it was reset here, and stays so over a restart.
    await rig.seen(["S9"]);
    rig.crash();
    await rig.boot();
    await rig.seen(["S9"]);
    await rig.advance(600);
    expect(rig.state()?.latched).toEqual([]);
  });

  it("interleaving 20: a stop that was missed is carried out when the axis still moves", async () => {
    await rig.ready();
    await moving();
    await rig.seen(["S9"]);
    await rig.advance(300);
    expect(rig.device.moving).toBe(false);
    expect(rig.state()?.latched).toEqual(["S9"]);
  });

  it("interleaving 21: a reset for stop 1 crosses stop 2: the axis stays latched by stop 2", async () => {
    await rig.ready();
    await rig.cellStop("S1");
    await rig.advance(200);
    const reset = rig.command("reset", { stops: ["S1"] });
    await rig.cellStop("S2");
    await rig.advance(300);
    expect(rig.last(reset)?.result).toBeDefined();
    expect(rig.state()?.latched).toEqual(["S2"]);
    const lease = rig.command("lease", { holder: "coordinator", bootId: "b" });
    await rig.advance(10);
    expect(rig.last(lease)?.error?.code).toBe("LATCHED");
  });

  it("controlled does not help: fast follows, then it is unconfirmed and repeated, never disabled", async () => {
    await rig.ready();
    await moving();
    rig.device.runaway = true;
    await rig.cellStop("S1");
    await rig.advance(10_000);
    const stops = rig.writes().filter((write) => write.startsWith("stop"));
    expect(stops.slice(0, 2)).toEqual([stopFrame, "stop 0600220002"]);
    expect(stops.length).toBeGreaterThan(4);
    expect(stops.length).toBeLessThan(16);
    expect(rig.acks("S1")).toEqual(["received", "unconfirmed"]);
    expect(rig.events("axis.stop.unconfirmed")).toMatchObject([{ stop: "S1", critical: true }]);
    expect(rig.device.enabled).toBe(true);
  });

  it("quickStop takes the fast class at once", async () => {
    await rig.ready();
    await moving();
    await rig.cellStop("S1", "quickStop");
    expect(rig.writes().at(-1)).toBe("stop 0600220002");
  });

  it("MO-19: SIGTERM in velocity mode: refused from then on, stopped, seen standing, closed", async () => {
    await rig.ready();
    const lease = await rig.lease();
    rig.command("velocity", { velocity: 50 }, { lease });
    await rig.advance(200);
    expect(rig.device.moving).toBe(true);
    let over = false;
    void rig.now.app.stop("SIGTERM").then(() => {
      over = true;
    });
    expect(rig.writes().at(-1)).toBe(stopFrame);
    await rig.advance(1000);
    expect([rig.device.moving, over]).toEqual([false, true]);
    expect(rig.now.main.of("avail").at(-1)).toMatchObject({ status: "offline" });
  });

  it("MO-19: SIGTERM with a device that does not answer ends within its bound", async () => {
    await rig.ready();
    await rig.lease();
    rig.now.field.silent = true;
    let over = false;
    void rig.now.app.stop("SIGTERM").then(() => {
      over = true;
    });
    await rig.advance(6000);
    expect(over).toBe(true);
  });

  it("MO-19: the guardian has the blind frames before the first lease, and pulses that say still", async () => {
    await rig.boot();
    await rig.seen([]);
    await rig.advance(600);
    expect(rig.now.field.guards).toEqual([["0600220001"]]);
    await moving();
    await rig.advance(200);
    expect(rig.now.field.pulses.at(-1)?.still).toBe(false);
    await rig.cellStop("S1");
    await rig.advance(500);
    expect(rig.now.field.pulses.at(-1)?.still).toBe(true);
  });

  it("the pulse never says still while a stop is not confirmed, although nothing moves", async () => {
    await rig.ready();
    await rig.advance(500);
    expect(rig.now.field.pulses.at(-1)?.still).toBe(true);
    rig.now.field.onFrame = (frame) => {
      rig.frames.push(frame);
      rig.now.field.hold = true;
    };
    await rig.cellStop("S1");
    const sinceMs = performance.now();
    await rig.advance(150);
    const during = rig.now.field.pulses.filter(({ atMs }) => atMs > sinceMs);
    expect(during.map(({ still }) => still)).toEqual([false]);
    expect(rig.acks("S1")).toEqual(["received"]);
    rig.now.field.onFrame = (frame) => rig.frames.push(frame);
    rig.now.field.release();
    await rig.advance(300);
    expect(rig.acks("S1").at(-1)).toBe("confirmed");
    expect(rig.now.field.pulses.at(-1)?.still).toBe(true);
  });

  it("MO-19: link cut in motion: the lease ends; the stop is the first frame when it is back", async () => {
    await rig.ready();
    const id = await moving();
    rig.now.field.set(false);
    await rig.advance(8000);
    expect(rig.last(id)).toMatchObject({ status: "unknown", verdict: { verdict: "unknown" } });
    const back = rig.frames.length;
    rig.now.field.set(true);
    await rig.advance(3000);
    const seen = rig.frames.slice(back).map(({ lane, hex }) => `${lane} ${hex}`);
    expect(seen.filter((frame) => /^command (?!03)/.test(frame))).toEqual([]);
    const stop = seen.findIndex((frame) => frame.startsWith("stop"));
    expect(stop).toBeGreaterThanOrEqual(0);
    expect(seen.slice(0, stop).every((frame) => frame.endsWith(" 0300000003"))).toBe(true);
    expect(rig.device.moving).toBe(false);
  });
});
