/**
 * One suspend condition: when it suspends production and when it lets it go on.
 *
 * The idea: a condition counts once it has said the same for a while, so a part that passes the
 * sensor does not stop the cell; one that cannot be known changes nothing. Pure. It refuses to know
 * the cell: whether the cell follows is the cell's own table.
 */
import type { Ms } from "#drivers/reading.js";

/** By default a condition has to hold, or not to hold, for this long. */
export const suspendAfterMs = 300;

export interface SuspendState {
  /** What it counts as. */
  readonly holds: boolean;
  /** Since when the readings say otherwise. */
  readonly changedMs?: Ms;
  /** A person has let production go on although it holds: it suspends nothing until it has not. */
  readonly overruled?: true;
}
export const suspendAtBoot: SuspendState = { holds: false };

export type SuspendInput =
  /** What the readings say; undefined: it cannot be known. */
  | { readonly kind: "says"; readonly holds: boolean | undefined }
  | { readonly kind: "overruled" }
  /** Production is over: the next one begins with what the conditions say. */
  | { readonly kind: "over" };

export interface SuspendTurn {
  readonly state: SuspendState;
  /** When to look again. */
  readonly dueMs?: Ms;
}

export function nextSuspend(
  state: SuspendState,
  input: SuspendInput,
  nowMs: Ms,
  afterMs: Ms = suspendAfterMs,
): SuspendTurn {
  switch (input.kind) {
    case "overruled":
      return { state: state.holds ? { ...state, overruled: true } : state };
    case "over": {
      const { overruled: _over, ...rest } = state;
      return { state: rest };
    }
    case "says":
      return onSays(state, input.holds, { nowMs, afterMs });
    default:
      return input satisfies never;
  }
}

function onSays(
  state: SuspendState,
  says: boolean | undefined,
  { nowMs, afterMs }: { readonly nowMs: Ms; readonly afterMs: Ms },
): SuspendTurn {
  const { changedMs, ...settled } = state;
  if (says === undefined || says === state.holds) return { state: settled };
  const sinceMs = changedMs ?? nowMs;
  if (nowMs - sinceMs >= afterMs) return { state: { holds: says } };
  return { state: { ...settled, changedMs: sinceMs }, dueMs: sinceMs + afterMs };
}

/** Whether it asks for the cell to be suspended. */
export function suspends({ holds, overruled }: SuspendState): boolean {
  return holds && overruled !== true;
}
