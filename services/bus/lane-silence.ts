/**
 * Which units of an endpoint are silent, and how often such a unit is asked.
 *
 * The idea: three timeouts in a row make a unit silent; from then on one request per interval is
 * let through as a probe, and the interval grows with what a probe costs, so that all silent units
 * together use at most two hundredths of a wire that others share (ST-01). The first good reply
 * lets its requests through again, three in a row make it a unit like any other (ST-04). Pure. It
 * refuses to know lanes and clocks.
 */
import type { Ms } from "#drivers/reading.js";

/** So many timeouts in a row make a unit silent. */
export const silentAfter = 3;
/** So many good replies in a row bring it back. */
export const backAfter = 3;
/** A silent unit is asked at most once in this time. */
export const probeMs: Ms = 2000;
/** What the probes of all silent units may use of a shared wire. */
export const probeShare = 0.02;

/** A unit that owes replies. */
export interface Silence {
  /** In a row, counted up to `silentAfter`. */
  readonly timeouts: number;
  readonly probedAtMs: Ms;
  /** Good replies in a row since it fell silent. */
  readonly good: number;
  /** How long its last request without a reply kept the wire. */
  readonly costMs: Ms;
}

export type Silences = ReadonlyMap<number, Silence>;

/** Whether a unit is left alone but for probes. */
export function isSilent(silence: Silence | undefined): boolean {
  return silence !== undefined && silence.timeouts >= silentAfter && silence.good === 0;
}

/** From one probe of a unit to the next. */
export function probeIntervalMs(silences: Silences, unit: number, shared: boolean): Ms {
  const costMs = silences.get(unit)?.costMs ?? 0;
  if (!shared) return probeMs;
  const silent = [...silences.values()].filter(isSilent).length;
  return Math.max(probeMs, (silent * costMs) / probeShare);
}

/** What a request without a reply makes of its unit. */
export function afterTimeout(
  before: Silence | undefined,
  { sentAtMs, nowMs }: { readonly sentAtMs: Ms; readonly nowMs: Ms },
): Silence {
  return {
    timeouts: Math.min((before?.timeouts ?? 0) + 1, silentAfter),
    probedAtMs: Math.max(sentAtMs, before?.probedAtMs ?? 0),
    good: 0,
    costMs: nowMs - sentAtMs,
  };
}

/** What a reply makes of it; undefined: a unit like any other. */
export function afterReply(before: Silence | undefined): Silence | undefined {
  if (before === undefined || before.timeouts < silentAfter) return undefined;
  const good = before.good + 1;
  return good < backAfter ? { ...before, good } : undefined;
}
