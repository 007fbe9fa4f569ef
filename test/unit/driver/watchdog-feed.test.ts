/**
 * Feeding a drive's watchdog where a register of its own does that.
 * The idea: the model and the lanes are a few lines, the time is played. It refuses real clocks.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DeviceModel } from "#drivers/device-model.js";
import type { Exchange } from "#kernel/ports.js";
import type { DeviceIo } from "../../../services/driver/device-io.js";
import { WatchdogKeeper, type WatchdogParts } from "../../../services/driver/watchdog-keeper.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const frames = [Uint8Array.of(6, 0, 9, 0, 1), Uint8Array.of(6, 0, 9, 0, 0)];

function rig(given: { readonly ackMs?: number; readonly feeds?: boolean } = {}) {
  const { ackMs = 1, feeds = true } = given;
  const sent: { readonly atMs: number; readonly value: number }[] = [];
  let allowed = true;
  const commandFrame = async (pdu: Uint8Array, may: () => boolean) => {
    if (!may()) return undefined;
    const sentAtMs = performance.now();
    sent.push({ atMs: sentAtMs, value: pdu[4] ?? -1 });
    await new Promise((resolve) => setTimeout(resolve, ackMs));
    return { kind: "reply", pdu, sentAtMs } satisfies Exchange;
  };
  const model = { ...(feeds ? { watchdogFeed: { frames, everyMs: 100 } } : {}) };
  const keeper = new WatchdogKeeper({
    model: model as unknown as DeviceModel,
    io: { commandFrame } as unknown as DeviceIo,
    readings: {} as WatchdogParts["readings"],
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    mayWrite: () => allowed,
    onChange: () => {},
  });
  const play = async (ms: number) => {
    for (let i = 0; i < ms / 10; i += 1) {
      keeper.tick(performance.now());
      await vi.advanceTimersByTimeAsync(10);
    }
  };
  const allow = (is: boolean) => {
    allowed = is;
  };
  return { sent, play, allow };
}

describe("a watchdog with a register of its own (every 100 ms)", () => {
  it("gets its values in turn, each in its time", async () => {
    const { sent, play } = rig();
    await play(1000);
    expect(sent.map(({ value }) => value)).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
    for (const [i, one] of sent.slice(1).entries()) {
      expect(one.atMs - (sent[i]?.atMs ?? 0)).toBe(100);
    }
  });

  it("a feed held up for 350 ms has no second one beside it", async () => {
    const { sent, play } = rig({ ackMs: 350 });
    await play(1000);
    expect(sent.length).toBe(3);
  });

  it("nothing while nothing may be written, and at once afterwards with the value that is due", async () => {
    const { sent, play, allow } = rig();
    await play(200);
    allow(false);
    await play(1000);
    expect(sent.length).toBe(2);
    allow(true);
    await play(10);
    expect(sent.map(({ value }) => value)).toEqual([1, 0, 1]);
  });

  it("a drive without such a register is not written to", async () => {
    const { sent, play } = rig({ feeds: false });
    await play(1000);
    expect(sent).toEqual([]);
  });
});
