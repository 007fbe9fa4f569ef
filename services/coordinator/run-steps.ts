/**
 * The records of a run's steps, and how one is begun and ended.
 *
 * The idea: a step's makeSafe is registered in the same change as its intent, before anything
 * leaves, so an obeyed command whose answer was lost is made safe as well. Pure. It refuses to
 * decide what follows.
 */
import type { Ms, Verdict } from "#drivers/reading.js";
import {
  acceptMsMax,
  type Cause,
  type Epochs,
  type Flight,
  type Run,
  type RunEffect,
  type RunTurn,
  releasingMsMax,
  type StepRecord,
  type Unknown,
  type Wait,
} from "./run-state.js";

export function withStep(run: Run, index: number, change: Partial<StepRecord>): Run {
  const steps = run.steps.map((step, i) => (i === index ? { ...step, ...change } : step));
  return { ...run, steps };
}

/** The next id of this run; the same journal gives the same ids. */
export function takeId(run: Run): { readonly run: Run; readonly id: string } {
  return { run: { ...run, serial: run.serial + 1 }, id: `${run.key}-${run.serial}` };
}

export function newFlight(order: Omit<Flight, "sends" | "acceptByMs">, nowMs: Ms): Flight {
  return { ...order, sends: 1, acceptByMs: nowMs + acceptMsMax };
}

/** Ends the running step `index`; a step that has ended before keeps its end. */
export function endStep(
  run: Run,
  index: number,
  end: { readonly status: StepRecord["status"]; readonly error?: Cause },
  nowMs: Ms,
): RunTurn {
  const step = run.steps[index];
  const name = run.saga.steps[index]?.name ?? "";
  const durationMs = Math.max(0, nowMs - (step?.startedMs ?? nowMs));
  const state = withStep(run, index, {
    status: end.status,
    durationMs,
    ...(end.error === undefined ? {} : { error: end.error }),
  });
  const data = {
    step: name,
    status: end.status,
    durationMs,
    ...(end.error === undefined ? {} : { code: end.error.code, text: end.error.text }),
  };
  return { state, effects: [{ kind: "event", type: "step.ended", data }] };
}

export function endOf(verdict: Verdict): {
  readonly status: StepRecord["status"];
  readonly error?: Cause;
} {
  if (verdict.verdict === "done") return { status: "done" };
  return { status: verdict.verdict, error: { code: verdict.code, text: verdict.text } };
}

/** Begins step `index`, or gives the leases back when there is none left. */
export function enterStep(
  run: Run,
  index: number,
  leases: Epochs,
  now: { readonly ms: Ms; readonly ts: number },
): RunTurn {
  const definition = run.saga.steps[index];
  if (definition === undefined) {
    const done = { ...run, cause: { code: "COMPLETED", text: "every step is done" } };
    return enterReleasing(done, { result: "completed", unknowns: [], leases, nowMs: now.ms });
  }
  const safe = definition.makeSafe.kind === "none" ? "none" : "pending";
  const begun = { status: "running", startedTs: now.ts, startedMs: now.ms, safe } as const;
  const started: RunEffect = {
    kind: "event",
    type: "step.started",
    data: { step: definition.name, text: definition.text },
  };
  const running = (state: Run, wait: Wait): Run => ({
    ...state,
    phase: { at: "running", step: index, leases, wait },
  });
  const { action } = definition;
  switch (action.kind) {
    case "dwell": {
      const state = withStep(run, index, begun);
      const forMs = typeof action.forMs === "number" ? action.forMs : definition.timeoutMs;
      const wait = { kind: "dwell", untilMs: now.ms + forMs } as const;
      return { state: running(state, wait), effects: [started] };
    }
    case "waitFor": {
      const state = withStep(run, index, begun);
      const wait = { kind: "condition", endByMs: now.ms + definition.timeoutMs } as const;
      return { state: running(state, wait), effects: [started] };
    }
    case "operation": {
      const { device, verb, args } = action.operation;
      const { run: next, id } = takeId(run);
      const epoch = leases[device] ?? 0;
      const ttlMs = definition.timeoutMs;
      const flight = newFlight({ id, device, verb, args, epoch, ttlMs }, now.ms);
      const wait = { kind: "verdict", flight, endByMs: now.ms + ttlMs } as const;
      const intent = { step: definition.name, part: "run" } as const;
      return {
        state: running(withStep(next, index, { ...begun, id }), wait),
        effects: [started, { kind: "send", flight, intent }],
      };
    }
    case "waitForEvent":
    case "signal":
    case "ask":
    case "set":
    case "parallel":
    case "choose":
    case "repeat":
    case "call":
      throw new Error(`the step ${definition.name} is of a kind that no saga file can say`);
    default:
      return action satisfies never;
  }
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
