/**
 * Which units of an endpoint are silent, and how often such a unit is asked.
 *
 * The idea: three timeouts in a row make a unit silent; from then on one request per interval is
 * let through as a probe, and the interval grows with what a probe costs, so that all silent units
 * together use at most two hundredths of a wire that others share (ST-01). What a probe costs ends
 * where its wire is heard again: a gateway may hold its port far longer than anybody waits. The
 * first good reply lets the unit's requests through again, three in a row make it a unit like any
 * other (ST-04). Pure. It refuses to know lanes and clocks.
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
/** The same where requests queue behind a probe: what gives up there is lost to its asker, too. */
export const queuedProbeShare = 0.01;

/** A unit that owes replies. */
export interface Silence {
  /** In a row, counted up to `silentAfter`. */
  readonly timeouts: number;
  readonly probedAtMs: Ms;
  /** Good replies in a row since it fell silent. */
  readonly good: number;
  /** How long its last request without a reply kept the wire from others. */
  readonly costMs: Ms;
}

/** So long a probe may keep the port of a gateway while others wait behind it. */
export const heldMsMax: Ms = 2000;
/** A probe is charged no more: the unit is asked once in a while in any case. */
export const costMsMax: Ms = 1000;

/** A wire that queues has not been heard since a request to this unit had no reply. */
export interface Held {
  readonly unit: number;
  readonly sinceMs: Ms;
  /** Until when its time is charged. */
  readonly atMs: Ms;
}

export type Silences = ReadonlyMap<number, Silence>;

/** Whether a unit is left alone but for probes. */
export function isSilent(silence: Silence | undefined): boolean {
  return silence !== undefined && silence.timeouts >= silentAfter && silence.good === 0;
}

/** From one probe of a unit to the next; `share` is what all may use, absent: all of the wire. */
export function probeIntervalMs(silences: Silences, unit: number, share?: number): Ms {
  const costMs = silences.get(unit)?.costMs ?? 0;
  if (share === undefined) return probeMs;
  const silent = [...silences.values()].filter(isSilent).length;
  return Math.max(probeMs, (silent * costMs) / share);
}

/** Whether a request without a reply only waited behind the probe of another unit. */
export function isBehind(
  silences: Silences,
  held: Held | undefined,
  { unit, nowMs }: { readonly unit: number; readonly nowMs: Ms },
): boolean {
  if (held === undefined || held.unit === unit || nowMs >= held.sinceMs + heldMsMax) return false;
  return isSilent(silences.get(held.unit)) && !isSilent(silences.get(unit));
}

/** What is told here of a request on a wire that queues. */
export interface Sent {
  readonly key: number;
  readonly unit: number;
  readonly sinceMs: Ms;
  readonly sentAtMs: Ms;
  readonly heldMs?: Ms | undefined;
}

/**
 * How long a request without a reply kept a gateway's wire from others: until a neighbour that was
 * sent behind it was heard, or since one waits behind it; who had nobody behind it kept it from
 * nobody.
 */
export function keptMs(
  { key, unit, sentAtMs, heldMs }: Sent,
  now: {
    readonly nowMs: Ms;
    readonly inFlight: readonly Sent[];
    readonly waiting: readonly Sent[];
  },
): Ms {
  if (heldMs !== undefined) return heldMs;
  const isLater = (r: Sent) => r.sentAtMs > sentAtMs || (r.sentAtMs === sentAtMs && r.key > key);
  const behind = now.inFlight.filter((r) => r.unit !== unit && isLater(r));
  const queued = now.waiting.filter((r) => r.unit !== unit);
  const since = [...behind.map((r) => r.sentAtMs), ...queued.map((r) => r.sinceMs)];
  return Math.max(0, now.nowMs - Math.max(sentAtMs, Math.min(now.nowMs, ...since)));
}

/** Charges a probe with the time in which a neighbour's request waited behind it. */
export function afterWait(
  before: Silence,
  held: Held,
  { sentAtMs, nowMs }: { readonly sentAtMs: Ms; readonly nowMs: Ms },
): Silence {
  const costMs = before.costMs + nowMs - Math.max(held.atMs, sentAtMs);
  return { ...before, costMs: Math.min(costMs, costMsMax) };
}

/** What a request without a reply makes of its unit. */
export function afterTimeout(
  before: Silence | undefined,
  { sentAtMs, costMs }: { readonly sentAtMs: Ms; readonly costMs: Ms },
): Silence {
  return {
    timeouts: Math.min((before?.timeouts ?? 0) + 1, silentAfter),
    probedAtMs: Math.max(sentAtMs, before?.probedAtMs ?? 0),
    good: 0,
    costMs,
  };
}

/** What a reply makes of it; undefined: a unit like any other. */
export function afterReply(before: Silence | undefined): Silence | undefined {
  if (before === undefined || before.timeouts < silentAfter) return undefined;
  const good = before.good + 1;
  return good < backAfter ? { ...before, good } : undefined;
}
