/**
 * Waiting until a moment of the monotonic clock.
 *
 * The idea: timers count whole milliseconds, moments do not; a wait that ends a fraction too early
 * would be asked for again at once, for ever. It refuses to end before its moment.
 */
import type { Ms } from "#drivers/reading.js";

export function sleepUntil(atMs: Ms): Promise<void> {
  const forMs = Math.max(0, Math.ceil(atMs - performance.now()));
  return new Promise((resolve) => setTimeout(resolve, forMs));
}
