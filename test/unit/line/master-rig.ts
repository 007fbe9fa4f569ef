/**
 * A line in a time that stands still, for the tests of the master.
 * The idea: a port that only notes what is sent, and when. It refuses to judge.
 */
import { vi } from "vitest";
import type { UnitTiming } from "#kernel/config/cell.js";
import { rtuFrame } from "#kernel/edge/rtu-frame.js";
import { RtuMaster } from "#kernel/edge/rtu-master.js";
import type { WireResult } from "#kernel/ports.js";

export const characterMs = 1;
export const frameSilenceMs = 4;
export const quietMs = 10;
export const requestMs = 8 * characterMs;
export const read1 = Uint8Array.of(3, 0, 0x20, 0, 1);
export const write6 = Uint8Array.of(6, 0, 0x20, 0, 3);
export const reply = (unit: number) => rtuFrame(unit, Uint8Array.of(3, 2, 0x12, 0x34));

export const timing = (unit: number, wish: Partial<UnitTiming> = {}): UnitTiming => ({
  unit,
  silenceMs: 0,
  afterWriteMs: 0,
  firstByteMs: 50,
  turnaroundMs: 1,
  broadcast: false,
  ...wish,
});

export function lineOf(
  units: readonly UnitTiming[] = [],
  plugged = true,
  onSent: (pdu: Uint8Array) => void = () => undefined,
) {
  const sent: { readonly atMs: number; readonly unit: number }[] = [];
  const noise: number[] = [];
  const master = new RtuMaster({
    line: {
      encode: (unit, pdu) => (pdu.length === 0 ? undefined : rtuFrame(unit, pdu)),
      send: (frame) => {
        if (!plugged) return undefined;
        sent.push({ atMs: performance.now(), unit: frame[0] ?? 0 });
        onSent(frame.slice(1, -2));
        return performance.now() + frame.length * characterMs;
      },
      at: (moment, then) => {
        const timer = setTimeout(then, Math.max(0, moment - performance.now()));
        return () => clearTimeout(timer);
      },
    },
    units,
    frameSilenceMs,
    quietMs,
    echo: false,
    onNoise: (bytes) => noise.push(bytes),
  });
  const results: { readonly atMs: number; readonly result: WireResult }[] = [];
  const ask = (unit: number, pdu = read1, timeoutMs = 200, firstByteMs?: number) => {
    const how = { timeoutMs, ...(firstByteMs !== undefined && { firstByteMs }) };
    void master.exchange({ unit, pdu, ...how }).then((result) => {
      results.push({ atMs: performance.now(), result });
    });
  };
  const stop = (unit: number) => {
    void master.exchange({ unit, pdu: write6, timeoutMs: 200, firstByteMs: 50, urgent: true });
  };
  return { master, sent, results, noise, ask, stop };
}

export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
