/**
 * The stopping of a run: one order to all its axes, standstill confirmed one by one.
 *
 * The idea: whatever goes wrong, the first thing that leaves is a stop to every axis of the run;
 * what follows waits until each axis is confirmed still or is known not to be. Pure. It refuses
 * to let anything move before that.
 */
import type { Ms, Verdict } from "#drivers/reading.js";
import { enterSafe } from "./run-safing.js";
import {
  type Cause,
  causeDetail,
  lastWordMsMax,
  type Phase,
  type Run,
  type RunEffect,
  type RunTurn,
  type SafeScope,
  type StopHow,
  stoppingMsMax,
} from "./run-state.js";
import { endOf, endStep, noVerdict, takeId } from "./run-steps.js";

type Stopping = Extract<Phase, { at: "stopping" }>;
export interface Now {
  readonly ms: Ms;
  readonly ts: number;
}

export interface StopReason {
  readonly next: Stopping["next"];
  /** Absent: the run keeps the cause it has. */
  readonly cause?: Cause;
  /** @default "stop" */
  readonly how?: StopHow;
  /** @default "all" */
  readonly scope?: SafeScope;
  readonly doubt?: Stopping["doubt"];
}

/** The stop goes first in the list: it leaves before anything is written or said. */
export function enterStopping(run: Run, reason: StopReason, nowMs: Ms): RunTurn {
  const cause = reason.cause ?? run.cause;
  const how = reason.how ?? "stop";
  const { run: next, id } = takeId(run);
  const axes = run.saga.uses;
  const phase: Stopping = {
    at: "stopping",
    order: id,
    how,
    next: reason.next,
    scope: reason.scope ?? "all",
    left: axes,
    unstopped: [],
    ...(reason.doubt === undefined ? {} : { doubt: reason.doubt }),
    endByMs: nowMs + stoppingMsMax,
  };
  const stop: RunEffect = { kind: "stop", id, how, axes };
  const told: RunEffect = { kind: "event", type: "stopping", data: causeDetail(cause) };
  const interrupted = interruptWaiting({ ...next, cause, phase }, cause, nowMs);
  const settled = axes.length === 0 ? settle(interrupted.state, nowMs) : undefined;
  return {
    state: settled?.state ?? interrupted.state,
    effects: [stop, told, ...interrupted.effects, ...(settled?.effects ?? [])],
  };
}

/** A dwell or a wait has no command that could still answer: it ends with the cause. */
function interruptWaiting(run: Run, cause: Cause, nowMs: Ms): RunTurn {
  const index = run.steps.findIndex((step) => step.status === "running" && step.id === undefined);
  if (index === -1) return { state: run, effects: [] };
  return endStep(run, index, { status: "faulted", error: cause }, nowMs);
}

/** A command whose verdict has not come while its run is past it. */
export function runningCommand(
  run: Run,
): { readonly id: string; readonly device: string } | undefined {
  for (const [index, step] of run.steps.entries()) {
    const action = run.saga.steps[index]?.action;
    if (step.status !== "running" || step.id === undefined) continue;
    if (action?.kind === "operation") return { id: step.id, device: action.operation.device };
  }
  return undefined;
}

/** A verdict of an interrupted step: corrects its record, decides nothing. */
export function recordLate(run: Run, id: string, verdict: Verdict, nowMs: Ms): RunTurn | undefined {
  const index = run.steps.findIndex((step) => step.id === id);
  const step = run.steps[index];
  if (step === undefined) return undefined;
  // A step that timed out keeps its end: the late verdict of an attempt changes nothing.
  if (step.status !== "running" && step.error?.text !== noVerdict.text) return undefined;
  const { error: _old, ...rest } = step;
  const bare: Run = { ...run, steps: run.steps.map((s, i) => (i === index ? rest : s)) };
  return endStep(bare, index, endOf(verdict), nowMs);
}

export function onStill(run: Run, phase: Stopping, device: string, now: Now): RunTurn | undefined {
  const open = phase.left.includes(device) || phase.unstopped.some((u) => u.device === device);
  if (!open) return undefined;
  const left = phase.left.filter((axis) => axis !== device);
  const unstopped = phase.unstopped.filter((u) => u.device !== device);
  return proceed(run, { ...phase, left, unstopped }, device, now.ms);
}

export function onNotStill(
  run: Run,
  phase: Stopping,
  unknown: { readonly device: string; readonly text: string },
  now: Now,
): RunTurn | undefined {
  if (!phase.left.includes(unknown.device)) return undefined;
  const left = phase.left.filter((axis) => axis !== unknown.device);
  const unstopped = [...phase.unstopped, unknown];
  return proceed(run, { ...phase, left, unstopped }, unknown.device, now.ms);
}

/** The device has said what it will about the stop: now the command in doubt may be asked for. */
function proceed(run: Run, phase: Stopping, device: string, nowMs: Ms): RunTurn {
  const { doubt } = phase;
  const ask: RunEffect[] = doubt?.device === device ? [{ kind: "query", ...doubt }] : [];
  const turn = settle({ ...run, phase }, nowMs);
  return { state: turn.state, effects: [...ask, ...turn.effects] };
}

export function onQueried(run: Run, phase: Stopping, verdict: Verdict, nowMs: Ms): RunTurn {
  const { doubt, ...rest } = phase;
  const bare: Run = { ...run, phase: rest };
  const recorded = doubt === undefined ? undefined : recordLate(bare, doubt.id, verdict, nowMs);
  const turn = settle(recorded?.state ?? bare, nowMs);
  return { state: turn.state, effects: [...(recorded?.effects ?? []), ...turn.effects] };
}

/** Time is over: what has not been confirmed counts as not stopped. */
export function onStopTimeout(run: Run, phase: Stopping, nowMs: Ms): RunTurn {
  const text = "standstill was not confirmed in time: use the hardware stop";
  const late = phase.left.map((device) => ({ device, text }));
  const { doubt: _given, ...rest } = phase;
  // Undecided runs go on waiting for the ruling; it comes from the app, within its own bound.
  const endByMs = nowMs + stoppingMsMax;
  const unstopped = [...phase.unstopped, ...late];
  const phaseOver: Stopping = { ...rest, left: [], unstopped, endByMs, waited: true };
  return settle({ ...run, phase: phaseOver }, nowMs);
}

/** Goes on when every axis has been heard of and no command is in doubt. */
export function settle(run: Run, nowMs: Ms): RunTurn {
  const { phase } = run;
  if (phase.at !== "stopping") return { state: run, effects: [] };
  const open = phase.left.length > 0 || phase.doubt !== undefined;
  if (open || phase.next === "undecided") return { state: run, effects: [] };
  if (phase.next === "stopped" && phase.waited !== true && runningCommand(run) !== undefined) {
    const endByMs = Math.min(phase.endByMs, nowMs + lastWordMsMax);
    return { state: { ...run, phase: { ...phase, endByMs } }, effects: [] };
  }
  const finished = closeInterrupted(run, nowMs);
  if (phase.next === "makeSafe") {
    const turn = enterSafe(finished.state, phase, nowMs);
    return { state: turn.state, effects: [...finished.effects, ...turn.effects] };
  }
  const unknowns = phase.unstopped;
  const state: Run = {
    ...finished.state,
    phase: unknowns.length > 0 ? { at: "needsOperator", unknowns } : { at: "stopped" },
  };
  return { state, effects: finished.effects };
}

function closeInterrupted(run: Run, nowMs: Ms): RunTurn {
  const index = run.steps.findIndex((step) => step.status === "running");
  if (index === -1) return { state: run, effects: [] };
  return endStep(run, index, { status: "unknown", error: noVerdict }, nowMs);
}
