/**
 * Held and suspended runs: they are parked between steps.
 *
 * The idea: no new step and no new attempt is begun from now on, what is under way ends, and each
 * thread stops where it would go on; the leases stay, so that nobody else moves these axes. A
 * person's hold outlives a suspension. Pure. It refuses to park a run on its way to the safe state.
 */
import type { RunEvent, RunTurn } from "./run-events.js";
import { goOnParked } from "./run-running.js";
import type { Now, Run } from "./run-state.js";

type On<K extends RunEvent["kind"]> = Extract<RunEvent, { kind: K }>;

export function onHold(run: Run, event: On<"hold">): RunTurn | undefined {
  const { at } = run.phase;
  if (at !== "waiting" && at !== "pending" && at !== "running") return undefined;
  const { how, text } = event;
  if (run.held === "hold" || run.held === how) return undefined;
  const told = { kind: "event", type: "held", data: { how, text } } as const;
  return { state: { ...run, held: how }, effects: [told] };
}

export function onUnhold(run: Run, event: On<"unhold">, now: Now): RunTurn | undefined {
  if (run.held !== event.how) return undefined;
  const { held: _over, ...free } = run;
  const told = { kind: "event", type: "unheld", data: { how: event.how } } as const;
  const turn = free.phase.at === "running" ? goOnParked(free, free.phase, now) : undefined;
  if (turn === undefined) return { state: free, effects: [told] };
  const stops = turn.effects.filter(({ kind }) => kind === "stop");
  const rest = turn.effects.filter(({ kind }) => kind !== "stop");
  return { state: turn.state, effects: [...stops, told, ...rest] };
}
