/**
 * Wall clocks of services whose clocks are set while they run, as the one monotonic time.
 *
 * The idea: a stamp of a service is right but for the shift that its clock had; of the shifts that
 * it has had, the one is taken under which the stamp is possible and newest. It refuses stamps that
 * no shift explains.
 */
import { monotonicMs } from "../fixtures/cell-process.js";
import type { ClockNote } from "./harm.js";

/** Stamps are whole milliseconds, and a shift is noticed within this. */
const noticeMs = 120;

/** Wall clock minus monotonic clock of this process, which nobody sets: of the closest readings. */
export function wallOffsetMs(): number {
  const readings = Array.from({ length: 5 }, () => {
    const fromMs = monotonicMs();
    const wallMs = Date.now();
    const untilMs = monotonicMs();
    return { offsetMs: wallMs - fromMs, tookMs: untilMs - fromMs };
  });
  return readings.reduce((a, b) => (b.tookMs < a.tookMs ? b : a)).offsetMs;
}

export class WallTimes {
  readonly #offsetMs = wallOffsetMs();
  readonly #shifts: readonly ClockNote[];

  constructor(shifts: readonly ClockNote[]) {
    this.#shifts = shifts;
  }

  /** When the service wrote the stamp; `heardAt`: when it was heard. Undefined: nobody knows. */
  monotonic(service: string, wallMs: number, heardAt: number): number | undefined {
    const own = this.#shifts.filter((one) => one.service === service);
    const periods = [{ at: Number.NEGATIVE_INFINITY, shiftMs: 0 }, ...own];
    const possible = periods.flatMap(({ at, shiftMs }, i) => {
      const until = (own[i]?.at ?? Number.POSITIVE_INFINITY) + noticeMs;
      const then = wallMs - shiftMs - this.#offsetMs;
      return then >= at - noticeMs && then <= until && then <= heardAt + noticeMs ? [then] : [];
    });
    return possible.length === 0 ? undefined : Math.min(heardAt, Math.max(...possible));
  }
}
