/**
 * Latches of a stop machine: how they are adopted from state/stop and taken away by a reset.
 *
 * The idea: a latch is an id; a driver adopts every id that it sees in state/stop and has not
 * itself reset, and a reset removes exactly the ids it names [PROTOCOL 2]. Pure; it refuses to
 * clear what was not named, and state/stop alone never clears anything.
 */
import type { Ms } from "#drivers/reading.js";
import { latchesMax } from "#kernel/stop-order.js";
import {
  lateCopyMs,
  resetsMax,
  type StopInput,
  type StopRules,
  type StopState,
  type StopStep,
} from "./stop-state.js";

export function reset(state: StopState, ids: readonly string[], nowMs: Ms): StopStep | undefined {
  const fresh = ids.filter((id) => !state.resets.includes(id));
  const latches = state.latches.filter((id) => !ids.includes(id));
  if (fresh.length === 0 && latches.length === state.latches.length) return undefined;
  // Also ids never seen here: their state/stop may still be on its way to this driver.
  const resets = [...state.resets, ...fresh].slice(-resetsMax);
  const times = resets.flatMap((id) => {
    const atMs = ids.includes(id) ? nowMs : state.resetAtMs.get(id);
    return atMs === undefined ? [] : [[id, atMs] as const];
  });
  const now = { ...state, latches, resets, resetAtMs: new Map(times) };
  return { state: now, effects: [{ kind: "persist" }] };
}

export function wasReset({ resets }: StopState, id: string): boolean {
  return resets.includes(id);
}

/**
 * An order under an id that was reset a moment ago: a copy that was under way, or the next press of
 * somebody who always stops under one id. Nobody can tell, so it stops and does not latch.
 */
export function isLateCopy(
  { resets, resetAtMs }: StopState,
  { id, kept }: StopInput & { kind: "order" },
  nowMs: Ms,
): boolean {
  const atMs = resetAtMs.get(id);
  return kept !== true && resets.includes(id) && atMs !== undefined && nowMs - atMs < lateCopyMs;
}

/**
 * Of a stop that has ended, and nothing was begun since: it is answered and not run again. What
 * would latch is a new stop, for its latch was reset; so is an abort of what was only stopped.
 */
export function isCopy(
  state: StopState,
  input: StopInput & { kind: "order" },
  rules: StopRules,
): boolean {
  const ends = input.stop === "abort" ? state.aborted : state.recent;
  return ends.includes(input.id) && !latchesAnew(state, input) && rules.still && !rules.begun;
}

export function latchesAnew(
  { latches }: StopState,
  { id, latch }: StopInput & { kind: "order" },
): boolean {
  return latch && !latches.includes(id) && latches.length < latchesMax;
}

/** The id stops again, like any other. */
export function forgetReset(state: StopState, id: string): StopState {
  return { ...state, resets: state.resets.filter((reset) => reset !== id) };
}

/** `carryOut` runs the newest missed stop; the others of the list only latch. */
export function adopt(
  state: StopState,
  input: StopInput & { kind: "adopt" },
  carryOut: (state: StopState, id: string) => StopStep,
): StopStep | undefined {
  const missed = input.ids.filter((id) => {
    return !state.latches.includes(id) && !state.resets.includes(id);
  });
  const room = Math.max(0, latchesMax - state.latches.length);
  const newest = missed.at(-1);
  if (newest === undefined || room === 0) {
    return state.seen ? undefined : { state: { ...state, seen: true }, effects: [] };
  }
  if (input.act) {
    const others = missed.slice(0, -1).slice(0, room - 1);
    return carryOut({ ...state, seen: true, latches: [...state.latches, ...others] }, newest);
  }
  const latches = [...state.latches, ...missed.slice(0, room)];
  return {
    state: { ...state, seen: true, latches, generation: state.generation + 1 },
    effects: [{ kind: "endLease", reason: "stop" }, { kind: "persist" }],
  };
}
