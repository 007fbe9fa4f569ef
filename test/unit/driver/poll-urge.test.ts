/**
 * A device that may be back, or that somebody waits for: the poll loop's probe at once.
 * The idea: the breaker and the lanes are a few lines, the time is played. It refuses real clocks.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ReadRequest } from "#drivers/device-model.js";
import type { Breaker, Lane } from "#kernel/ports.js";
import type { DeviceIo } from "../../../services/driver/device-io.js";
import { PollLoop, type PollPlan } from "../../../services/driver/poll-loop.js";
import type { Readings } from "../../../services/driver/readings.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const periodMs = 2000;

function rig(state: Breaker["state"], name: PollPlan["name"] = "probe", tookMs = 10) {
  const reads: { readonly atMs: number; readonly lane: Lane }[] = [];
  let probes = 0;
  let owed = false;
  const beganMs = performance.now();
  const io = {
    read: async (_requests: readonly ReadRequest[], lane: Lane) => {
      reads.push({ atMs: performance.now() - beganMs, lane });
      await new Promise((resolve) => setTimeout(resolve, tookMs));
      return { ok: true, points: new Map() };
    },
  };
  const breaker = {
    state,
    probeNow: () => {
      probes += 1;
    },
    run: <T>(work: () => Promise<T>) => work(),
  };
  const loop = new PollLoop({
    io: io as unknown as DeviceIo,
    breaker: breaker as unknown as Breaker,
    readings: { evidence: () => new Map() } as unknown as Readings,
    periodMs: () => periodMs,
    insist: () => owed,
    plan: (done) => (done.length === 0 ? { name, requests: [] } : undefined),
    onOutcome: () => {},
  });
  const insist = (is: boolean) => {
    owed = is;
  };
  return { loop, reads, probes: () => probes, insist };
}

describe("urge [PROTOCOL 14]", () => {
  it.each([["open"], ["half-open"]] as const)(
    "breaker %s: a probe now, on the command lane, and the next again as a poll",
    async (state) => {
      const { loop, reads, probes } = rig(state);
      loop.start();
      await vi.advanceTimersByTimeAsync(500);
      expect(reads.map(({ lane }) => lane)).toEqual(["poll"]);
      loop.urge();
      await vi.advanceTimersByTimeAsync(100);
      expect(reads.map(({ lane }) => lane)).toEqual(["poll", "command"]);
      expect(reads[1]?.atMs).toBeLessThan(510);
      expect(probes()).toBe(1);
      await vi.advanceTimersByTimeAsync(periodMs);
      expect(reads.map(({ lane }) => lane)).toEqual(["poll", "command", "poll"]);
      loop.stop();
    },
  );

  it("while a probe is under way: the next one right behind it, never beside it", async () => {
    const { loop, reads } = rig("open", "probe", 300);
    loop.start();
    await vi.advanceTimersByTimeAsync(100);
    loop.urge();
    await vi.advanceTimersByTimeAsync(400);
    expect(reads.map(({ lane }) => lane)).toEqual(["poll", "command"]);
    expect((reads[1]?.atMs ?? 0) - (reads[0]?.atMs ?? 0)).toBeGreaterThanOrEqual(300);
    loop.stop();
  });

  it("breaker closed: nothing, the device is polled as it is", async () => {
    const { loop, reads, probes } = rig("closed", "status");
    loop.start();
    await vi.advanceTimersByTimeAsync(500);
    loop.urge();
    await vi.advanceTimersByTimeAsync(500);
    expect([reads.length, probes()]).toEqual([1, 0]);
    loop.stop();
  });

  it("only the probe is urgent: another read stays a poll", async () => {
    const { loop, reads } = rig("open", "full");
    loop.start();
    loop.urge();
    await vi.advanceTimersByTimeAsync(100);
    expect(reads.map(({ lane }) => lane)).toEqual(["poll"]);
    loop.stop();
  });

  it("a stop is owed: every probe is a command until it is not any more", async () => {
    const { loop, reads, insist } = rig("open");
    insist(true);
    loop.start();
    await vi.advanceTimersByTimeAsync(periodMs + 100);
    insist(false);
    await vi.advanceTimersByTimeAsync(periodMs);
    expect(reads.map(({ lane }) => lane)).toEqual(["command", "command", "poll"]);
    loop.stop();
  });
});
