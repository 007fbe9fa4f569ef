/**
 * A command that counts only while it is repeated, on a bus that holds a repetition up.
 * The idea: the lanes are a promise that the test keeps. It refuses real clocks.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Exchange } from "#kernel/ports.js";
import type { DeviceIo } from "../../../services/driver/device-io.js";
import { RefreshRunner } from "../../../services/driver/refresh-runner.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const jog = Uint8Array.of(6, 0, 15, 0, 1);
const duty = { frames: [jog], everyMs: 50, deadlineMs: 200 };
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The nth repetition is acknowledged after so many milliseconds. */
function rig(ackMs: (repetition: number) => number) {
  const sent: number[] = [];
  let lapsed = 0;
  const commandFrame = async (pdu: Uint8Array, allowed: () => boolean) => {
    if (!allowed()) return undefined;
    const sentAtMs = performance.now();
    sent.push(sentAtMs);
    await new Promise((resolve) => setTimeout(resolve, ackMs(sent.length)));
    return { kind: "reply", pdu, sentAtMs } satisfies Exchange;
  };
  const io = { commandFrame } as unknown as DeviceIo;
  const onLapsed = () => {
    lapsed += 1;
  };
  const runner = new RefreshRunner({ io, log: quiet, onLapsed });
  return { runner, sent, lapsed: () => lapsed };
}

describe("a repetition", () => {
  it("each in time (30 ms): goes on, and ends with its motion", async () => {
    const { runner, sent, lapsed } = rig(() => 30);
    runner.begin(duty, () => true);
    await vi.advanceTimersByTimeAsync(1000);
    expect([sent.length > 10, lapsed()]).toEqual([true, 0]);
    runner.end();
    const before = sent.length;
    await vi.advanceTimersByTimeAsync(1000);
    expect(sent.length).toBe(before);
  });

  it("the third waits 400 ms in the bus: the device had lapsed and began anew, so it is stopped", async () => {
    const { runner, sent, lapsed } = rig((repetition) => (repetition === 3 ? 400 : 5));
    runner.begin(duty, () => true);
    // Three periods, two quick ones and the slow one.
    await vi.advanceTimersByTimeAsync(3 * 50 + 2 * 5 + 400);
    expect([sent.length, lapsed()]).toEqual([3, 1]);
    await vi.advanceTimersByTimeAsync(2000);
    expect([sent.length, lapsed()]).toEqual([3, 1]);
  });

  it("a stop came meanwhile: nothing more is sent, nothing is said to have lapsed", async () => {
    let allowed = true;
    const { runner, sent, lapsed } = rig(() => 400);
    runner.begin(duty, () => allowed);
    await vi.advanceTimersByTimeAsync(100);
    allowed = false;
    await vi.advanceTimersByTimeAsync(2000);
    expect([sent.length, lapsed()]).toEqual([1, 0]);
  });
});
