/**
 * The stopping of a run: one order to all its axes, standstill confirmed one by one.
 *
 * The idea: whatever goes wrong, the first thing that leaves is a stop to every axis of the run;
 * what follows waits until each axis is confirmed still or is known not to be. Pure. It refuses
 * to let anything move before that.
 */
import type { Ms, Verdict } from "#drivers/reading.js";
import type { RunEffect, RunTurn } from "./run-events.js";
import { lastWordMsMax, leasingMsMax, stoppingMsMax } from "./run-limits.js";
import { enterSafe } from "./run-safing.js";
import {
  type Cause,
  causeDetail,
  type Doubt,
  type Now,
  type Phase,
  type Run,
  type SafeScope,
  type StopHow,
  type Thread,
} from "./run-state.js";
import { askLease, axesOf, endOf, endStep, noVerdict, takeId, wantsOf } from "./run-steps.js";

type Stopping = Extract<Phase, { at: "stopping" }>;

export interface StopReason {
  readonly next: Stopping["next"];
  /** Absent: the run keeps the cause it has. */
  readonly cause?: Cause;
  /** @default "stop" */
  readonly how?: StopHow;
  /** @default "all" */
  readonly scope?: SafeScope;
  readonly doubts?: readonly Doubt[];
  /** Where the run may go on once everything is known [onRestart: resume]. */
  readonly threads?: readonly Thread[];
}

/** The stop goes first in the list: it leaves before anything is written or said. */
export function enterStopping(run: Run, reason: StopReason, nowMs: Ms): RunTurn {
  const cause = reason.cause ?? run.cause;
  const how = reason.how ?? "stop";
  const { run: next, id } = takeId(run);
  const axes = axesOf(run);
  const phase: Stopping = {
    at: "stopping",
    order: id,
    how,
    next: reason.next,
    scope: reason.scope ?? "all",
    left: axes,
    unstopped: [],
    doubts: reason.doubts ?? [],
    ...(reason.threads === undefined ? {} : { threads: reason.threads }),
    endByMs: nowMs + stoppingMsMax,
  };
  const stop: RunEffect = { kind: "stop", id, how, axes };
  const told: RunEffect = { kind: "event", type: "stopping", data: causeDetail(cause) };
  const entered: Run = { ...next, cause, phase, steps: withoutRunningSafes(next.steps) };
  const interrupted =
    reason.threads === undefined
      ? interruptWaiting(entered, nowMs)
      : { state: entered, effects: [] };
  const settled = axes.length === 0 ? settle(interrupted.state, nowMs) : undefined;
  return {
    state: settled?.state ?? interrupted.state,
    effects: [stop, told, ...interrupted.effects, ...(settled?.effects ?? [])],
  };
}

/** A makeSafe that a stop breaks into is open again. */
function withoutRunningSafes(steps: Run["steps"]): Run["steps"] {
  if (!steps.some(({ safe }) => safe === "running")) return steps;
  return steps.map((step) => (step.safe === "running" ? { ...step, safe: "pending" } : step));
}

/** What has no command that could still answer ends with the cause. */
function interruptWaiting(run: Run, nowMs: Ms): RunTurn {
  const effects: RunEffect[] = [];
  let state = run;
  for (const [index, step] of run.steps.entries()) {
    if (step.status !== "running" || step.id !== undefined) continue;
    const turn = endStep(state, index, { status: "faulted", error: run.cause }, nowMs);
    state = turn.state;
    effects.push(...turn.effects);
  }
  return { state, effects };
}

/** Commands whose verdict has not come while their run is past them. */
export function runningCommands(run: Run): readonly Doubt[] {
  return run.steps.flatMap((step, index) => {
    const action = run.saga.steps[index]?.action;
    if (step.status !== "running" || step.id === undefined) return [];
    if (action?.kind !== "operation") return [];
    return [{ id: step.id, device: action.operation.device }];
  });
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

/** The device has said what it will about the stop: its commands in doubt may be asked for. */
function proceed(run: Run, phase: Stopping, device: string, nowMs: Ms): RunTurn {
  const asked = phase.doubts.filter((doubt) => doubt.device === device);
  const ask: RunEffect[] = asked.map((doubt) => ({ kind: "query", ...doubt }));
  const turn = settle({ ...run, phase }, nowMs);
  return { state: turn.state, effects: [...ask, ...turn.effects] };
}

export function onQueried(
  run: Run,
  phase: Stopping,
  answer: { readonly id: string; readonly verdict: Verdict },
  nowMs: Ms,
): RunTurn {
  const doubts = phase.doubts.filter(({ id }) => id !== answer.id);
  const bare: Run = { ...run, phase: { ...phase, doubts } };
  const recorded = recordLate(bare, answer.id, answer.verdict, nowMs);
  const turn = settle(recorded?.state ?? bare, nowMs);
  return { state: turn.state, effects: [...(recorded?.effects ?? []), ...turn.effects] };
}

/** Time is over: what has not been confirmed counts as not stopped. */
export function onStopTimeout(run: Run, phase: Stopping, nowMs: Ms): RunTurn {
  const text = "standstill was not confirmed in time: use the hardware stop";
  const late = phase.left.map((device) => ({ device, text }));
  // Undecided runs go on waiting for the ruling; it comes from the app, within its own bound.
  const endByMs = nowMs + stoppingMsMax;
  const unstopped = [...phase.unstopped, ...late];
  const over = { left: [], doubts: [], unstopped, endByMs, waited: true } as const;
  const phaseOver: Stopping = { ...phase, ...over };
  return settle({ ...run, phase: phaseOver }, nowMs);
}

/** Goes on when every axis has been heard of and no command is in doubt. */
export function settle(run: Run, nowMs: Ms): RunTurn {
  const { phase } = run;
  if (phase.at !== "stopping") return { state: run, effects: [] };
  const open = phase.left.length > 0 || phase.doubts.length > 0;
  if (open || phase.next === "undecided") return { state: run, effects: [] };
  if (phase.next === "resume" && mayResume(run, phase)) return leaseAgain(run, phase, nowMs);
  if (phase.next === "stopped" && phase.waited !== true && runningCommands(run).length > 0) {
    const endByMs = Math.min(phase.endByMs, nowMs + lastWordMsMax);
    return { state: { ...run, phase: { ...phase, endByMs } }, effects: [] };
  }
  const finished = closeInterrupted(run, nowMs);
  if (phase.next !== "stopped") {
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

/** Waits end with the cause, commands without a verdict as unknown. */
function closeInterrupted(run: Run, nowMs: Ms): RunTurn {
  const waits = interruptWaiting(run, nowMs);
  const effects = [...waits.effects];
  let { state } = waits;
  for (const [index, step] of state.steps.entries()) {
    if (step.status !== "running") continue;
    const turn = endStep(state, index, { status: "unknown", error: noVerdict }, nowMs);
    state = turn.state;
    effects.push(...turn.effects);
  }
  return { state, effects };
}

/** Everything stands still, and no command is left of which nobody knows what came of it. */
function mayResume(run: Run, phase: Stopping): boolean {
  if (phase.threads === undefined || phase.unstopped.length > 0) return false;
  return phase.threads.every(({ step, attempt, wait }) => {
    if (wait.kind !== "verdict") return true;
    const status = run.steps[step]?.status;
    const retry = run.saga.steps[step]?.retry;
    const repeats = retry !== undefined && attempt < retry.attempts;
    return status === "done" || status === "refused" || (status === "faulted" && repeats);
  });
}

/** The leases of all its devices come back first, or the run does not go on. */
function leaseAgain(run: Run, phase: Stopping, nowMs: Ms): RunTurn {
  const { threads = [] } = phase;
  const want = wantsOf(run);
  // Without a device there is nothing to be waited for: the next tick goes on.
  const endByMs = want.length === 0 ? nowMs : nowMs + leasingMsMax;
  const pending = { want, leases: {}, endByMs, threads };
  if (want.length > 0) return askLease(run, pending);
  return { state: { ...run, phase: { at: "pending", ...pending, request: "" } }, effects: [] };
}

/** What would have gone on after a restart does not any more. */
export function onResumeFailed(
  run: Run,
  phase: Stopping,
  cause: Cause,
  nowMs: Ms,
): RunTurn | undefined {
  if (phase.threads === undefined) return undefined;
  const { threads: _left, ...rest } = phase;
  const next = phase.next === "resume" ? "makeSafe" : phase.next;
  const ended = interruptWaiting({ ...run, cause, phase: { ...rest, next } }, nowMs);
  const turn = settle(ended.state, nowMs);
  return { state: turn.state, effects: [...ended.effects, ...turn.effects] };
}
