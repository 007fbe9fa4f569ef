/**
 * What happens to a run after a restart and by a person's choice.
 *
 * The idea: after a restart the stop comes first and a ruling says whether anything may move by
 * itself [PROTOCOL 1]; a stopped run waits for a person, whose choice of makeSafe names and resets
 * the latches that hold it. Pure. It refuses to move anything on its own after a person's stop.
 */
import type { RunEffect, RunEvent, RunTurn } from "./run-events.js";
import { endWaiting } from "./run-leasing.js";
import { unlatchingMsMax } from "./run-limits.js";
import { notTriedCode } from "./run-safing.js";
import {
  isActive,
  isWaiting,
  type Now,
  type Phase,
  type Run,
  type SafeScope,
  type StepRecord,
  type Thread,
} from "./run-state.js";
import { axesOf, withText } from "./run-steps.js";
import { enterStopping, runningCommands, settle } from "./run-stopping.js";

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
export function onRestarted(found: Run, event: On<"restarted">, now: Now): RunTurn | undefined {
  const run: Run = { ...found, serial: Math.max(found.serial, event.above ?? 0) };
  const { phase } = run;
  if (phase.at === "releasing") return onReleased(run, phase, now);
  if (!isActive(run)) return onWaiterRestarted(found, run);
  const cause = { code: "LEASE_LOST", text: event.text };
  if (phase.at === "waiting") return onWaitingRestarted(run, cause, now);
  const doubts = runningCommands(run);
  const decided =
    phase.at === "unlatching" || (phase.at === "stopping" && phase.next === "stopped");
  const next = decided ? "stopped" : "undecided";
  // What has been made safe stays so: nothing has moved since.
  const scope = phase.at === "stopping" ? phase.scope : "failed";
  const why = phase.at === "running" || phase.at === "pending" ? { cause } : {};
  const threads = decided ? undefined : threadsOf(run);
  const about = threads === undefined ? { doubts } : { doubts, threads };
  return enterStopping(run, { next, scope, ...why, ...about }, now.ms);
}

/** It waits for a person; but the stop of its next choice must be no repeat either. */
function onWaiterRestarted(found: Run, run: Run): RunTurn | undefined {
  if (!isWaiting(run) || run.serial === found.serial) return undefined;
  return { state: run, effects: [] };
}

/** Nothing restarts by itself: it has not begun, and begins only where its saga says so. */
function onWaitingRestarted(run: Run, cause: Run["cause"], now: Now): RunTurn | undefined {
  if (run.saga.onRestart === "resume") return undefined;
  return endWaiting(run, cause, now);
}

/** Where the run may go on; undefined: it is not to be resumed. */
function threadsOf(run: Run): readonly Thread[] | undefined {
  const { phase, saga } = run;
  if (saga.onRestart !== "resume") return undefined;
  const has = phase.at === "running" || phase.at === "stopping" || phase.at === "pending";
  return has ? phase.threads : undefined;
}

export function onRuled(run: Run, event: On<"ruled">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const cause = withText(run.cause, event.text);
  // It would begin by itself once its devices are free.
  if (phase.at === "waiting") return event.makeSafe ? undefined : endWaiting(run, cause, now);
  if (phase.at !== "stopping" || phase.next !== "undecided") return undefined;
  const goesOn = phase.threads === undefined ? "makeSafe" : "resume";
  const next = event.makeSafe ? goesOn : "stopped";
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
  const cause = withText(run.cause, `${choice} by ${user}`);
  return goOnSafely({ ...run, cause }, { choice, user, text: "" }, scope, now);
}

interface Chosen {
  readonly choice: string;
  readonly user: string;
  readonly text: string;
}

function toldOf({ choice, user, text }: Chosen): RunEffect {
  return { kind: "event", type: "chosen", data: { choice, user, text } };
}

/** By way of the latches, where this run's stops hold it. */
function goOnSafely(run: Run, chosen: Chosen, scope: SafeScope, now: Now): RunTurn {
  const told = toldOf(chosen);
  if (run.stops.length === 0) {
    const turn = enterStopping(run, { next: "makeSafe", scope }, now.ms);
    return { state: turn.state, effects: [...turn.effects, told] };
  }
  const { user } = chosen;
  const unlatch = { kind: "unlatch", user, stops: run.stops, devices: axesOf(run) } as const;
  return {
    state: { ...run, phase: { at: "unlatching", scope, endByMs: now.ms + unlatchingMsMax } },
    effects: [unlatch, told],
  };
}

/**
 * Leaves out the makeSafes that were tried and failed, because the person says so; those that were
 * not tried because of them are run, after a stop like any makeSafe.
 */
export function onSkip(run: Run, event: On<"skip">, now: Now): RunTurn | undefined {
  if (run.phase.at !== "needsOperator") return undefined;
  const { user, text } = event;
  const steps = run.steps.map((step): StepRecord => {
    if (step.safe !== "failed" || step.safeError?.code === notTriedCode) return step;
    const safeError = withText(step.safeError ?? run.cause, `left out by ${user}: ${text}`);
    return { ...step, safe: "none", safeError };
  });
  const cause = withText(run.cause, `skipped by ${user}: ${text}`);
  return goOnSafely({ ...run, steps, cause }, { choice: "skip", user, text }, "failed", now);
}

/** The person vouches for what is unknown: the run ends made safe, and nothing moves. */
export function onResolve(run: Run, event: On<"resolve">, now: Now): RunTurn | undefined {
  if (run.phase.at !== "needsOperator") return undefined;
  const { user, text } = event;
  const cause = withText(run.cause, `resolved by ${user}: ${text}`);
  const told = toldOf({ choice: "resolve", user, text });
  return {
    state: { ...run, cause, phase: { at: "madeSafe", endedTs: now.ts } },
    effects: [told],
  };
}

export function onAbandon(run: Run, event: On<"abandon">, now: Now): RunTurn | undefined {
  if (!isWaiting(run)) return undefined;
  const cause = { code: "ABANDONED", text: `${event.text} (before: ${run.cause.text})` };
  return { state: { ...run, cause, phase: { at: "abandoned", endedTs: now.ts } }, effects: [] };
}
