/**
 * A trace sorted for questions: lines by device, motions from start to end, the last one before.
 *
 * The idea: every judge asks the same few things of a trace that may have a hundred thousand lines,
 * so they are answered by one pass and by halving. It refuses opinions.
 */
import type { JudgeFacts } from "./judge.js";
import { linesOf, type TraceLine } from "./trace.js";

/** From the start of a motion to its end; `to` is Infinity where the trace ends before it. */
export interface Motion {
  readonly from: number;
  readonly to: number;
  /**
   * No motion: a set-point moved to where the axis stands settles by less than one raw unit, or a
   * shaft that was held comes, once, to where its drive holds it.
   */
  readonly settles: boolean;
}

export function exchangeMsOf(facts: JudgeFacts): number {
  return facts.exchangeMs ?? 50;
}

export function ms(at: number): string {
  return `${at.toFixed(1)} ms`;
}

/** Lines by their device, each list in order. */
export function byDevice<T extends { readonly device: string }>(
  lines: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const lists = new Map<string, T[]>();
  for (const line of lines) {
    const list = lists.get(line.device);
    if (list === undefined) lists.set(line.device, [line]);
    else list.push(line);
  }
  return lists;
}

/**
 * Works something out of a trace once for all judges that ask. A trace that has grown since, or
 * other facts, are worked out again.
 */
export function oncePerTrace<T>(
  make: (trace: readonly TraceLine[], facts: JudgeFacts) => T,
): (trace: readonly TraceLine[], facts: JudgeFacts) => T {
  type Kept = { readonly facts: JudgeFacts; readonly lines: number; readonly value: T };
  const known = new WeakMap<readonly TraceLine[], Kept>();
  return (trace, facts) => {
    const kept = known.get(trace);
    if (kept?.facts === facts && kept.lines === trace.length) return kept.value;
    const value = make(trace, facts);
    known.set(trace, { facts, lines: trace.length, value });
    return value;
  };
}

/** A shaft that comes free moves within this, and is where its drive holds it within that. */
const freedMs = { begins: 50, ends: 300 } as const;

/** Motions of each device, in order. */
export const motionsOf = oncePerTrace(sortMotions);

function sortMotions(trace: readonly TraceLine[]): ReadonlyMap<string, readonly Motion[]> {
  const motions = new Map<string, Motion[]>();
  const freed = linesOf(trace, "fault").filter((line) => line.freed !== undefined);
  for (const [device, lines] of byDevice(linesOf(trace, "motion"))) {
    const list: Motion[] = [];
    let begun: { readonly at: number; readonly position: number } | undefined;
    for (const line of lines) {
      if (line.moving) {
        begun ??= line;
      } else if (begun !== undefined) {
        const { at } = begun;
        const comesFree = freed.some((free) => {
          const begins = free.freed === device && at >= free.at && at <= free.at + freedMs.begins;
          return begins && line.at <= free.at + freedMs.ends;
        });
        const settles = comesFree || Math.abs(line.position - begun.position) < 1;
        list.push({ from: begun.at, to: line.at, settles });
        begun = undefined;
      }
    }
    if (begun !== undefined) {
      list.push({ from: begun.at, to: Number.POSITIVE_INFINITY, settles: false });
    }
    motions.set(device, list);
  }
  return motions;
}

/** Index of the last item whose moment is not after `at`, or -1. Items are in order. */
export function indexUpTo<T>(
  items: readonly T[],
  at: number,
  momentOf: (item: T) => number,
): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item !== undefined && momentOf(item) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The motion that goes on at a moment. */
export function motionAt(motions: readonly Motion[] | undefined, at: number): Motion | undefined {
  if (motions === undefined) return undefined;
  const last = motions[indexUpTo(motions, at, (motion) => motion.from)];
  return last !== undefined && at < last.to ? last : undefined;
}

/** Whether one of the moments lies between two others, both included. */
export function someWithin(
  lines: readonly { readonly at: number }[] | undefined,
  from: number,
  to: number,
): boolean {
  if (lines === undefined) return false;
  const last = lines[indexUpTo(lines, to, (line) => line.at)];
  return last !== undefined && last.at >= from;
}

/** Read functions of Modbus: 1 to 4. */
export function isRead(pdu: string): boolean {
  const code = Number.parseInt(pdu.slice(0, 2), 16);
  return code >= 1 && code <= 4;
}

/** Whether the reply is one, and no exception. */
export function isAnswered(reply: string | undefined): boolean {
  return reply !== undefined && Number.parseInt(reply.slice(0, 2), 16) < 0x80;
}
