/**
 * Latches of a stop machine: how they are adopted from state/stop and taken away by a reset.
 *
 * The idea: a latch is an id; a driver adopts every id that it sees in state/stop and has not
 * itself reset, and a reset removes exactly the ids it names [PROTOCOL 2]. Pure; it refuses to
 * clear what was not named, and state/stop alone never clears anything.
 */
import {
  latchesMax,
  resetsMax,
  type StopInput,
  type StopState,
  type StopStep,
} from "./stop-state.js";

export function reset(state: StopState, ids: readonly string[]): StopStep | undefined {
  const fresh = ids.filter((id) => !state.resets.includes(id));
  const latches = state.latches.filter((id) => !ids.includes(id));
  if (fresh.length === 0 && latches.length === state.latches.length) return undefined;
  // Also ids never seen here: their state/stop may still be on its way to this driver.
  const resets = [...state.resets, ...fresh].slice(-resetsMax);
  return { state: { ...state, latches, resets }, effects: [{ kind: "persist" }] };
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
