/**
 * How much an outbox holds and how old it is, and what has to leave it.
 *
 * The idea: numbers, bytes and ages are counted in small heaps and not event by event, so that a
 * week of events costs a service next to no memory. Ages are monotonic; what an earlier start has
 * left is given at least an hour, so that a clock that was set cannot empty an outbox. It refuses
 * to touch an event.
 */
import type { Ms } from "#drivers/reading.js";

/** Bounds of an outbox; whatever is met first counts [PROTOCOL 17]. */
export interface OutboxBounds {
  readonly bytesMax: number;
  readonly ageMsMax: Ms;
}
export const outboxBounds: OutboxBounds = {
  bytesMax: 100_000_000,
  ageMsMax: 7 * 24 * 3_600_000,
};
/** Events in a heap, and how much younger than its oldest the others may be: they go with it. */
export const heapMax = 64;
export const heapMsMax: Ms = 3_600_000;
/** The least that is left to events of an earlier start. */
export const graceMs: Ms = 3_600_000;
/** Share of the bounds below which an outbox that overflowed is well again. */
const roomyShare = 0.8;

export interface Heap {
  /** The newest number in it. */
  readonly last: number;
  readonly count: number;
  readonly bytes: number;
  /** When its oldest came; wall clock where it is read from the disk, monotonic here. */
  readonly at: number;
}

export class OutboxBook {
  readonly #bounds: OutboxBounds;
  #heaps: Heap[] = [];
  #bytes = 0;

  constructor(bounds: OutboxBounds = outboxBounds) {
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#heaps.reduce((sum, { count }) => sum + count, 0);
  }

  /** What stands on the disk, oldest first. */
  restore(heaps: readonly Heap[], nowMs: Ms, nowTs: number): void {
    const oldest = Math.max(0, this.#bounds.ageMsMax - graceMs);
    const left = heaps.map((heap) => {
      const ageMs = Math.min(Math.max(0, nowTs - heap.at), oldest);
      return { ...heap, at: nowMs - ageMs };
    });
    this.#heaps = [...left, ...this.#heaps];
    for (const { bytes } of left) this.#bytes += bytes;
  }

  add(seq: number, bytes: number, nowMs: Ms): void {
    this.#bytes += bytes;
    const heap = this.#heaps.at(-1);
    if (heap === undefined || heap.count >= heapMax || nowMs - heap.at >= heapMsMax) {
      this.#heaps.push({ last: seq, count: 1, bytes, at: nowMs });
      return;
    }
    const grown = { ...heap, last: seq, count: heap.count + 1, bytes: heap.bytes + bytes };
    this.#heaps[this.#heaps.length - 1] = grown;
  }

  /** Nothing up to here is kept; a heap counts until all of it has gone. */
  dropped(upTo: number): void {
    while (this.#heaps[0] !== undefined && this.#heaps[0].last <= upTo) this.#takeOldest();
  }

  /** What has to go, oldest first: up to which number, and how many; undefined: all may stay. */
  overflow(nowMs: Ms): { readonly upTo: number; readonly count: number } | undefined {
    let upTo: number | undefined;
    let count = 0;
    for (let heap = this.#heaps[0]; heap !== undefined; heap = this.#heaps[0]) {
      const { bytesMax, ageMsMax } = this.#bounds;
      if (this.#bytes <= bytesMax && nowMs - heap.at <= ageMsMax) break;
      upTo = heap.last;
      count += heap.count;
      this.#takeOldest();
    }
    return upTo === undefined ? undefined : { upTo, count };
  }

  /** All numbers are higher by so much. */
  shift(by: number): void {
    this.#heaps = this.#heaps.map((heap) => ({ ...heap, last: heap.last + by }));
  }

  /** Well below its bounds. */
  isRoomy(nowMs: Ms): boolean {
    const { bytesMax, ageMsMax } = this.#bounds;
    const ageMs = nowMs - (this.#heaps[0]?.at ?? nowMs);
    return this.#bytes <= bytesMax * roomyShare && ageMs <= ageMsMax * roomyShare;
  }

  #takeOldest(): void {
    this.#bytes -= this.#heaps.shift()?.bytes ?? 0;
  }
}
