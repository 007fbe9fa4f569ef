/**
 * The quiet after a stop order: first the frames of all drives, then everything else.
 *
 * The idea: on a PC with few cores many drivers wake for one stop, and what the first of them
 * tells, stores and reads would stand before the last one's frame. So for some milliseconds
 * after an order's frames this driver only sends stop frames; what there is to tell waits in
 * order, and reads wait for the end. It refuses to hold frames, to hold more than its bound, and
 * to be quiet again before it has been loud for a while: a flood of orders must not end the reads
 * that prove a standstill.
 */
import type { Ms } from "#drivers/reading.js";

/** How long it is quiet after an order (docs/adr/0010). */
export const quietMs: Ms = 20;
/** The least time from one quiet to the next: verifications come five times a second. */
export const quietEveryMs: Ms = 200;
/** Things to tell at a time; one more, and all are told at once. */
const untoldMax = 256;

export class Aftermath {
  #untold: (() => void)[] = [];
  #waiting: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #beganAtMs = Number.NEGATIVE_INFINITY;

  /** The frames of an order have just left. */
  begin(): void {
    const nowMs = performance.now();
    if (this.quiet || nowMs - this.#beganAtMs < quietEveryMs) return;
    this.#beganAtMs = nowMs;
    this.#timer = setTimeout(() => this.now(), quietMs);
  }

  get quiet(): boolean {
    return this.#timer !== undefined;
  }

  /** Told when it is no longer quiet; at once where it is not. */
  later(what: () => void): void {
    if (!this.quiet) {
      what();
      return;
    }
    this.#untold.push(what);
    if (this.#untold.length >= untoldMax) this.now();
  }

  /** Resolves with the end of the quiet; undefined: it is not quiet. */
  over(): Promise<void> | undefined {
    if (!this.quiet) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the quiet: whatever is still untold, before what comes next. */
  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const untold = this.#untold;
    const waiting = this.#waiting;
    this.#untold = [];
    this.#waiting = [];
    for (const tell of untold) tell();
    for (const go of waiting) go();
  }
}
