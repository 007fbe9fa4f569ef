/**
 * When one child of the supervisor is started, started again, ended and killed.
 *
 * The idea: a child is down, starting, up, waiting for its next start, ending or ended; failures
 * in a row double the pause (100 ms up to 5 s) and half a minute of life forgives them. An ended
 * child never starts again. Pure: the clock is an argument. It refuses to know what a child is.
 */
import type { Ms } from "#drivers/reading.js";

export const restartLimits = {
  backoffMinMs: 100,
  backoffMaxMs: 5_000,
  /** So long up, and earlier failures are forgotten. */
  forgiveAfterMs: 30_000,
  /** Greatest count of failures kept; the pause is at its longest well before. */
  failuresMax: 16,
} as const;

export type RestartState =
  /** Never started; nothing runs. */
  | { readonly at: "down" }
  /** A process runs and has not said that it is ready. */
  | { readonly at: "starting"; readonly failures: number; readonly untilMs: Ms }
  /** A process runs and has said that it is ready. */
  | { readonly at: "up"; readonly failures: number; readonly sinceMs: Ms }
  /** No process runs; the next start is due at `untilMs`. */
  | { readonly at: "waiting"; readonly failures: number; readonly untilMs: Ms }
  /** A process runs and was told to end; at `untilMs` it is killed. */
  | { readonly at: "ending"; readonly untilMs: Ms; readonly killed: boolean }
  /** No process runs, and none will. */
  | { readonly at: "ended" };

export type RestartInput =
  | { readonly kind: "start"; readonly nowMs: Ms }
  | { readonly kind: "ready"; readonly nowMs: Ms }
  | { readonly kind: "exited"; readonly nowMs: Ms }
  | { readonly kind: "tick"; readonly nowMs: Ms }
  /** End the child within `withinMs`; a second one can only shorten the time. */
  | { readonly kind: "end"; readonly nowMs: Ms; readonly withinMs: Ms };

export type RestartEffect =
  | { readonly kind: "spawn" }
  /** Ask it to end (SIGTERM). */
  | { readonly kind: "terminate" }
  /** End it now (SIGKILL). */
  | { readonly kind: "kill" }
  | { readonly kind: "wake"; readonly atMs: Ms };

export interface RestartStep {
  readonly state: RestartState;
  readonly effects: readonly RestartEffect[];
}

/** The pause before start number `failures` + 1. */
export function backoffMs(failures: number): Ms {
  const doubled = restartLimits.backoffMinMs * 2 ** Math.max(0, failures - 1);
  return Math.min(restartLimits.backoffMaxMs, doubled);
}

function starting(failures: number, nowMs: Ms, readyWithinMs: Ms): RestartStep {
  const untilMs = nowMs + readyWithinMs;
  return {
    state: { at: "starting", failures, untilMs },
    effects: [{ kind: "spawn" }, { kind: "wake", atMs: untilMs }],
  };
}

function waiting(before: number, nowMs: Ms): RestartStep {
  const failures = Math.min(restartLimits.failuresMax, before + 1);
  const untilMs = nowMs + backoffMs(failures);
  return {
    state: { at: "waiting", failures, untilMs },
    effects: [{ kind: "wake", atMs: untilMs }],
  };
}

function ending(nowMs: Ms, withinMs: Ms): RestartStep {
  const untilMs = nowMs + withinMs;
  return {
    state: { at: "ending", untilMs, killed: false },
    effects: [{ kind: "terminate" }, { kind: "wake", atMs: untilMs }],
  };
}

const ended: RestartStep = { state: { at: "ended" }, effects: [] };

/** Undefined: the input means nothing in this state. */
export function next(
  state: RestartState,
  input: RestartInput,
  readyWithinMs: Ms,
): RestartStep | undefined {
  const { nowMs } = input;
  switch (state.at) {
    case "down":
      if (input.kind === "start") return starting(0, nowMs, readyWithinMs);
      return input.kind === "end" ? ended : undefined;
    case "starting":
      if (input.kind === "exited") return waiting(state.failures, nowMs);
      if (input.kind === "end") return ending(nowMs, input.withinMs);
      if (input.kind === "ready") {
        return { state: { at: "up", failures: state.failures, sinceMs: nowMs }, effects: [] };
      }
      // A child that never gets ready is killed; its exit then counts as a failure.
      return input.kind === "tick" && nowMs >= state.untilMs
        ? { state, effects: [{ kind: "kill" }] }
        : undefined;
    case "up": {
      const forgiven = nowMs - state.sinceMs >= restartLimits.forgiveAfterMs;
      if (input.kind === "exited") return waiting(forgiven ? 0 : state.failures, nowMs);
      return input.kind === "end" ? ending(nowMs, input.withinMs) : undefined;
    }
    case "waiting":
      if (input.kind === "end") return ended;
      return input.kind === "tick" && nowMs >= state.untilMs
        ? starting(state.failures, nowMs, readyWithinMs)
        : undefined;
    case "ending":
      return whileEnding(state, input);
    case "ended":
      return undefined;
    default:
      return state satisfies never;
  }
}

function whileEnding(
  state: Extract<RestartState, { at: "ending" }>,
  input: RestartInput,
): RestartStep | undefined {
  if (input.kind === "exited") return ended;
  if (state.killed) return undefined;
  if (input.kind === "end") {
    const untilMs = Math.min(state.untilMs, input.nowMs + input.withinMs);
    return { state: { ...state, untilMs }, effects: [{ kind: "wake", atMs: untilMs }] };
  }
  return input.kind === "tick" && input.nowMs >= state.untilMs
    ? { state: { ...state, killed: true }, effects: [{ kind: "kill" }] }
    : undefined;
}
