/**
 * Makes the plan of a failing seed as short as it will go.
 *
 * The idea: delta debugging over the list of faults: leave out halves, then quarters, down to
 * single ones, and keep whatever still fails in the same way; then make each that is left simpler.
 * Every attempt plays a whole world, so their number has a bound. It refuses to change the seed.
 */
import type { Fault } from "./fault-plan.js";

export interface ShrinkOptions {
  /** Whether the plan still fails in the way that is looked for. */
  readonly fails: (plan: readonly Fault[]) => boolean;
  /** Worlds that may be played at most. @default 120 */
  readonly attemptsMax?: number;
}

export function shrinkPlan(plan: readonly Fault[], options: ShrinkOptions): readonly Fault[] {
  let left = options.attemptsMax ?? 120;
  const fails = (candidate: readonly Fault[]) => {
    left -= 1;
    return left >= 0 && options.fails(candidate);
  };
  let best = plan;
  let size = Math.ceil(best.length / 2);
  while (size >= 1 && best.length > 0 && left > 0) {
    const shorter = withoutOnePart(best, size, fails);
    if (shorter !== undefined) best = shorter;
    else if (size === 1) break;
    else size = Math.ceil(size / 2);
    size = Math.min(size, Math.max(1, best.length));
  }
  return simpler(best, fails);
}

function withoutOnePart(
  plan: readonly Fault[],
  size: number,
  fails: (plan: readonly Fault[]) => boolean,
): readonly Fault[] | undefined {
  for (let from = 0; from < plan.length; from += size) {
    const candidate = [...plan.slice(0, from), ...plan.slice(from + size)];
    if (fails(candidate)) return candidate;
  }
  return undefined;
}

/** A fault that strikes at its time is easier to follow than one that waits for a moment. */
function simpler(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => boolean,
): readonly Fault[] {
  let best = plan;
  for (const [i, fault] of plan.entries()) {
    if (fault.after === undefined) continue;
    const { after: _, ...plain } = fault;
    const candidate = best.map((one, k) => (k === i ? plain : one));
    if (fails(candidate)) best = candidate;
  }
  return best;
}
