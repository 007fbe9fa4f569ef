/**
 * What happens to a run after a restart and by a person's choice.
 *
 * The idea: after a restart the stop comes first and a ruling says whether anything may move by
 * itself [PROTOCOL 1]; a stopped run waits for a person, whose choice of makeSafe names and resets
 * the latches that hold it. Pure. It refuses to move anything on its own after a person's stop.
 */
import {
  isActive,
  isWaiting,
  type Phase,
  type Run,
  type RunEvent,
  type RunTurn,
  unlatchingMsMax,
} from "./run-state.js";
import { enterStopping, type Now, runningCommand, settle } from "./run-stopping.js";

type On<K extends RunEvent["kind"]> = Extract<RunEvent, { kind: K }>;
type At<K extends Phase["at"]> = Extract<Phase, { at: K }>;

export function onReleased(run: Run, phase: At<"releasing">, now: Now): RunTurn {
  const { result, unknowns } = phase;
  const end: Phase =
    result === "needsOperator" ? { at: result, unknowns } : { at: result, endedTs: now.ts };
  return { state: { ...run, phase: end }, effects: [] };
}

/**
 * The stop ends the epoch of whatever may still be on its way, so it settles what a new epoch
 * would; the new epoch follows with makeSafe. Then the command in doubt is asked for.
 */
export function onRestarted(run: Run, event: On<"restarted">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "releasing") return onReleased(run, phase, now);
  if (!isActive(run)) return undefined;
  const doubt = runningCommand(run);
  const cause = { code: "LEASE_LOST", text: event.text };
  const decided =
    phase.at === "unlatching" || (phase.at === "stopping" && phase.next === "stopped");
  const next = decided ? "stopped" : "undecided";
  // What has been made safe stays so: nothing has moved since.
  const scope = phase.at === "stopping" ? phase.scope : "failed";
  const why = phase.at === "running" || phase.at === "pending" ? { cause } : {};
  const about = doubt === undefined ? {} : { doubt };
  return enterStopping(run, { next, scope, ...why, ...about }, now.ms);
}

export function onRuled(run: Run, event: On<"ruled">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "stopping" || phase.next !== "undecided") return undefined;
  const cause = { code: run.cause.code, text: `${run.cause.text}; ${event.text}` };
  const next = event.makeSafe ? "makeSafe" : "stopped";
  return settle({ ...run, cause, phase: { ...phase, next } }, now.ms);
}

export function onUnlatched(run: Run, event: On<"unlatched">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "unlatching") return undefined;
  if (!event.ok) return stillLatched(run, event.text);
  const { scope } = phase;
  return enterStopping({ ...run, stops: [] }, { next: "makeSafe", scope }, now.ms);
}

export function stillLatched(run: Run, text: string): RunTurn {
  const cause = { code: "LATCHED", text: `makeSafe was not begun: ${text}` };
  return { state: { ...run, cause, phase: { at: "stopped" } }, effects: [] };
}

/** The choice names the latches of this run's stops; a stop it does not know stays latched. */
export function onChoice(run: Run, event: On<"makeSafe" | "retry">, now: Now): RunTurn | undefined {
  const { at } = run.phase;
  const { kind: choice, user } = event;
  const may = choice === "makeSafe" ? isWaiting(run) : at === "needsOperator";
  if (!may) return undefined;
  const scope = choice === "retry" ? "failed" : "all";
  if (run.stops.length === 0) return enterStopping(run, { next: "makeSafe", scope }, now.ms);
  return {
    state: { ...run, phase: { at: "unlatching", scope, endByMs: now.ms + unlatchingMsMax } },
    effects: [{ kind: "unlatch", user, stops: run.stops, devices: run.saga.uses }],
  };
}

export function onAbandon(run: Run, event: On<"abandon">, now: Now): RunTurn | undefined {
  if (!isWaiting(run)) return undefined;
  const cause = { code: "ABANDONED", text: `${event.text} (before: ${run.cause.text})` };
  return { state: { ...run, cause, phase: { at: "abandoned", endedTs: now.ts } }, effects: [] };
}
