/**
 * The records of a run's steps, and how one is begun and ended.
 *
 * The idea: a step's makeSafe is registered in the same change as its intent, before anything
 * leaves, so an obeyed command whose answer was lost is made safe as well. Pure. It refuses to
 * decide what follows.
 */
import type { Ms, Verdict } from "#drivers/reading.js";
import type { RunEffect, RunTurn } from "./run-events.js";
import { acceptMsMax, causeTextMax, releasingMsMax } from "./run-limits.js";
import type { Cause, Epochs, Flight, Phase, Run, StepRecord, Unknown } from "./run-state.js";

/**
 * Refused because a stop or the end of the lease came first, which a driver calls by what it saw of
 * it: nothing of the run moves anything else beside a stop whose own word is still on its way
 * [PROTOCOL 1, 13].
 */
export const stoppedFirst: ReadonlySet<string> = new Set([
  "EXPIRED",
  "SUPERSEDED",
  "LATCHED",
  "LEASE_LOST",
  "LEASE_REQUIRED",
]);

export function withStep(run: Run, index: number, change: Partial<StepRecord>): Run {
  const step = run.steps[index];
  if (step === undefined) return run;
  return { ...run, steps: run.steps.with(index, changed(step, change)) };
}

/**
 * One shape for all records. What a spread adds beyond its source gets a shape of its own, each
 * time: that takes some 3 µs, and whatever reads the record later is slow as well.
 */
export function changed(record: StepRecord, change: Partial<StepRecord>): StepRecord {
  return Object.assign({}, record, change);
}

/** The next id of this run; the same journal gives the same ids. */
export function takeId(run: Run): { readonly run: Run; readonly id: string } {
  return { run: { ...run, serial: run.serial + 1 }, id: `${run.key}-${run.serial}` };
}

export function newFlight(order: Omit<Flight, "sends" | "acceptByMs">, nowMs: Ms): Flight {
  return { sends: 1, acceptByMs: nowMs + acceptMsMax, ...order };
}

export interface StepEnd {
  readonly status: StepRecord["status"];
  readonly error?: Cause;
}

/** Ends the running step `index`; a step that has ended before keeps its end. */
export function endStep(run: Run, index: number, end: StepEnd, nowMs: Ms): RunTurn {
  const { change, told } = endingOf(run, index, end, nowMs);
  return { state: withStep(run, index, change), effects: [told] };
}

/** What the end of a step changes in its record, and what is told of it. */
export function endingOf(
  run: Run,
  index: number,
  { status, error }: StepEnd,
  nowMs: Ms,
): { readonly change: Partial<StepRecord>; readonly told: RunEffect } {
  const step = run.saga.steps[index]?.name ?? "";
  const durationMs = Math.max(0, nowMs - (run.steps[index]?.startedMs ?? nowMs));
  const change = { status, durationMs, ...(error === undefined ? {} : { error }) };
  const failure = error === undefined ? {} : { code: error.code, text: error.text };
  const data = { step, status, durationMs, ...failure };
  return { change, told: { kind: "event", type: "step.ended", data } };
}

export function endOf(verdict: Verdict): StepEnd {
  if (verdict.verdict === "done") return { status: "done" };
  return { status: verdict.verdict, error: { code: verdict.code, text: verdict.text } };
}

/** Asks for the lease of the first device that is wanted. */
export function askLease(
  run: Run,
  rest: Omit<Extract<Phase, { at: "pending" }>, "at" | "request">,
): RunTurn {
  const { run: next, id } = takeId(run);
  const device = rest.want[0] ?? "";
  return {
    state: { ...next, phase: { at: "pending", ...rest, request: id } },
    effects: [{ kind: "lease", id, device }],
  };
}

/** The devices that this run has a right to stop: all but those it goes without. */
export function axesOf(run: Run): readonly string[] {
  const { missing } = run;
  if (missing === undefined) return run.saga.uses;
  return run.saga.uses.filter((axis) => !missing.some(({ device }) => device === axis));
}

/** Its devices in the order of their leases: what it cannot do without comes first. */
export function wantsOf(run: Run): readonly string[] {
  const axes = axesOf(run);
  const { spare = [] } = run.saga;
  const needed = axes.filter((axis) => !spare.includes(axis));
  return [...needed, ...axes.filter((axis) => spare.includes(axis))];
}

/** A cause with what came to it, never longer than its bound. */
export function withText(cause: Cause, more: string): Cause {
  return { code: cause.code, text: `${cause.text}; ${more}`.slice(0, causeTextMax) };
}

export interface Releasing {
  readonly result: "completed" | "madeSafe" | "needsOperator";
  readonly unknowns: readonly Unknown[];
  readonly leases: Epochs;
  readonly nowMs: Ms;
}

/** Nothing is commanded any more: the leases go back, then the run has its result. */
export function enterReleasing(run: Run, what: Releasing): RunTurn {
  const { result, unknowns, leases, nowMs } = what;
  const endByMs = nowMs + releasingMsMax;
  const state: Run = { ...run, phase: { at: "releasing", result, unknowns, endByMs } };
  return { state, effects: [{ kind: "release", leases }] };
}

/** What a lost answer leaves behind: a record that a late verdict may still correct. */
export const noVerdict: Cause = {
  code: "OUTCOME_UNKNOWN",
  text: "the command was interrupted and no verdict has come",
};
