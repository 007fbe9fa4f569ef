/**
 * What is told of a stop order, a little after its frames.
 *
 * The idea: on a PC with few cores many drivers wake for one stop, and what the first of them
 * tells (events, rows, states) would stand before the last one's frame. So it is told in order,
 * some milliseconds later. It refuses to hold frames, and to hold more than its bound.
 */
import type { Ms } from "#drivers/reading.js";

export const tellAfterMs: Ms = 10;
/** Things to tell at a time; one more, and all are told at once. */
const untoldMax = 256;

export class Aftermath {
  #untold: (() => void)[] = [];

  later(what: () => void): void {
    this.#untold.push(what);
    if (this.#untold.length === 1) setTimeout(() => this.now(), tellAfterMs);
    if (this.#untold.length >= untoldMax) this.now();
  }

  /** Whatever is still untold, before what comes next. */
  now(): void {
    const untold = this.#untold;
    this.#untold = [];
    for (const tell of untold) tell();
  }
}
