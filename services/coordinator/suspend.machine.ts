/**
 * One suspend condition: when it suspends production and when it lets it go on.
 *
 * The idea: a condition counts once it has said the same for a while, so a part that passes the
 * sensor does not stop the cell; one that cannot be known changes nothing. Pure. It refuses to know
 * the cell: whether the cell follows is the cell's own table.
 */
import type { Ms } from "#drivers/reading.js";

/** A condition has to hold, or not to hold, for this long. */
export const suspendAfterMs = 300;

export interface SuspendState {
  /** What it counts as. */
  readonly holds: boolean;
  /** Since when the readings say otherwise. */
  readonly changedMs?: Ms;
}
export const suspendAtBoot: SuspendState = { holds: false };

export interface SuspendTurn {
  readonly state: SuspendState;
  /** It counts as this from now on. */
  readonly changed?: boolean;
  /** When to look again. */
  readonly dueMs?: Ms;
}

/** `says`: undefined when it cannot be known. */
export function nextSuspend(
  state: SuspendState,
  says: boolean | undefined,
  nowMs: Ms,
): SuspendTurn {
  const { holds, changedMs } = state;
  if (says === undefined || says === holds) return { state: { holds } };
  const sinceMs = changedMs ?? nowMs;
  if (nowMs - sinceMs >= suspendAfterMs) return { state: { holds: says }, changed: says };
  return { state: { holds, changedMs: sinceMs }, dueMs: sinceMs + suspendAfterMs };
}
