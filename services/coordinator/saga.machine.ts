/**
 * The life of a run: leases, steps, stop, makeSafe, and who may decide when.
 *
 * The idea: one pure function from a run and an event to the next run and what is to be done.
 * Every event that changes a run is journalled before its effects leave, and a restart feeds the
 * journal through this same function. Whatever fails, the stop to all axes of the run comes first
 * [PROTOCOL 1]; a stop by a person is never overtaken by anything. It refuses results of commands
 * that the run no longer waits for.
 */
import type { Ms } from "#drivers/reading.js";
import {
  onAbandon,
  onChoice,
  onReleased,
  onResolve,
  onRestarted,
  onRuled,
  onSkip,
  onUnlatched,
  stillLatched,
} from "./run-choices.js";
import type { RunEvent, RunTurn } from "./run-events.js";
import {
  flightDue,
  flightOf,
  flightsOf,
  onAccepted,
  onReconnected,
  withFlight,
} from "./run-flights.js";
import { onHold, onUnhold } from "./run-holding.js";
import { onFailed, onLeaseLost, onOperatorStop, onTripped } from "./run-interrupts.js";
import { onLeasingTick, onLocked, onStartLeased, onStartRefused } from "./run-leasing.js";
import {
  isTrip,
  onConditionMet,
  onEvaluated,
  onHappened,
  onLeaseBackRefused,
  onLeasedBack,
  onNotStilled,
  onQuestionAnswered,
  onRunningTick,
  onSignalled,
  onStepVerdict,
  onStilled,
} from "./run-running.js";
import {
  onSafeGivenUp,
  onSafeLeased,
  onSafeLeaseRefused,
  onSafeStill,
  onSafeTick,
  onSafeVerdict,
} from "./run-safing.js";
import { isEnded, type Now, type Phase, type Run } from "./run-state.js";
import {
  enterStopping,
  onNotStill,
  onQueried,
  onStill,
  onStopTimeout,
  recordLate,
  settle,
} from "./run-stopping.js";

type On<K extends RunEvent["kind"]> = Extract<RunEvent, { kind: K }>;
type At<K extends Phase["at"]> = Extract<Phase, { at: K }>;

/** Undefined: the event changes nothing in this state. */
export function next(run: Run, event: RunEvent, nowMs: Ms): RunTurn | undefined {
  const now: Now = { ms: nowMs, ts: event.ts };
  const turn = dispatch(run, event, now);
  return turn === undefined ? undefined : finishing(run, turn);
}

function dispatch(run: Run, event: RunEvent, now: Now): RunTurn | undefined {
  switch (event.kind) {
    case "leased":
      return onLeased(run, event, now);
    case "leaseRefused":
      return onLeaseRefused(run, event, now);
    case "leaseLost":
      return onLeaseLost(run, event, now);
    case "tripped":
      return onTripped(run, event, now);
    case "accepted":
      return onAccepted(run, event.id);
    case "verdict":
      return onVerdict(run, event, now);
    case "conditionMet":
    case "evaluated":
    case "happened":
    case "answered":
    case "signalled":
      return onAnswer(run, event, now);
    case "hold":
      return onHold(run, event);
    case "unhold":
      return onUnhold(run, event, now);
    case "failed":
      return onFailed(run, { code: event.code, text: event.text }, now);
    case "cancelled":
      return onFailed(run, { code: "CANCELLED", text: event.text }, now);
    case "operatorStop":
      return onOperatorStop(run, event, now);
    case "still":
      return onAxisStill(run, event, now);
    case "notStill":
      return onAxisNotStill(run, event, now);
    case "queried":
      return onDoubtAnswered(run, event, now);
    case "tick":
      return onTick(run, event, now);
    default:
      return dispatchRare(run, event, now);
  }
}

type Often =
  | "leased"
  | "leaseRefused"
  | "leaseLost"
  | "tripped"
  | "accepted"
  | "verdict"
  | Answer
  | "hold"
  | "unhold"
  | "failed"
  | "cancelled"
  | "operatorStop"
  | "still"
  | "notStill"
  | "queried"
  | "tick";
type Answer = "conditionMet" | "evaluated" | "happened" | "answered" | "signalled";

/** What happens around a run's start and end, and by a person's choice. */
function dispatchRare(
  run: Run,
  event: Exclude<RunEvent, { readonly kind: Often }>,
  now: Now,
): RunTurn | undefined {
  switch (event.kind) {
    case "locked":
      return run.phase.at === "waiting" ? onLocked(run, now) : undefined;
    case "restarted":
      return onRestarted(run, event, now);
    case "ruled":
      return onRuled(run, event, now);
    case "unlatched":
      return onUnlatched(run, event, now);
    case "released":
      return run.phase.at === "releasing" ? onReleased(run, run.phase, now) : undefined;
    case "makeSafe":
    case "retry":
      return onChoice(run, event, now);
    case "skip":
      return onSkip(run, event, now);
    case "resolve":
      return onResolve(run, event, now);
    case "abandon":
      return onAbandon(run, event, now);
    case "reconnected":
      return onReconnected(run);
    default:
      return event satisfies never;
  }
}

/** Says `ended` exactly once, whichever way a run came to its end. */
function finishing(before: Run, turn: RunTurn): RunTurn {
  if (!isEnded(turn.state) || before.phase.at === turn.state.phase.at) return turn;
  const { at } = turn.state.phase;
  const { code, text } = turn.state.cause;
  const told = { kind: "event", type: "ended", data: { state: at, code, text } } as const;
  return { state: turn.state, effects: [...turn.effects, told] };
}

function onLeased(run: Run, event: On<"leased">, now: Now): RunTurn {
  const { phase } = run;
  const { device, epoch } = event;
  if (phase.at === "pending" && phase.request === event.id) {
    return onStartLeased(run, phase, event, now);
  }
  const mine =
    phase.at === "makingSafe" &&
    phase.current?.doing.kind === "lease" &&
    phase.current.doing.id === event.id;
  const turn =
    phase.at === "running"
      ? onLeasedBack(run, phase, event, now)
      : mine
        ? onSafeLeased(run, phase, { device, epoch }, now.ms)
        : undefined;
  // Granted to a request that nobody waits for: beats would keep it alive for ever.
  return turn ?? { state: run, effects: [{ kind: "release", leases: { [device]: epoch } }] };
}

function onLeaseRefused(run: Run, event: On<"leaseRefused">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "pending" && phase.request === event.id) {
    return onStartRefused(run, phase, event, now);
  }
  if (phase.at === "running") return onLeaseBackRefused(run, phase, event, now);
  if (phase.at !== "makingSafe" || phase.current?.doing.kind !== "lease") return undefined;
  if (phase.current.doing.id !== event.id) return undefined;
  return onSafeLeaseRefused(run, phase, event.text, now.ms);
}

function onVerdict(run: Run, event: On<"verdict">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const { verdict } = event;
  if (phase.at === "running") return onStepVerdict(run, phase, event, now);
  if (flightOf(run, event.id) === undefined) {
    if (isEnded(run)) return undefined;
    const late = recordLate(run, event.id, verdict, now.ms);
    if (late === undefined || phase.at !== "stopping") return late;
    const turn = settle(late.state, now.ms);
    return { state: turn.state, effects: [...late.effects, ...turn.effects] };
  }
  if (phase.at !== "makingSafe") return undefined;
  if (verdict.verdict === "done" || !isTrip(verdict)) {
    return onSafeVerdict(run, phase, verdict, now.ms);
  }
  const cause = { code: "INTERLOCKED", text: verdict.text };
  return enterStopping(run, { next: "stopped", cause }, now.ms);
}

function onAnswer(run: Run, event: On<Answer>, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "running") return undefined;
  switch (event.kind) {
    case "conditionMet":
      return onConditionMet(run, phase, event, now);
    case "evaluated":
      return onEvaluated(run, phase, event, now);
    case "happened":
      return onHappened(run, phase, event, now);
    case "answered":
      return onQuestionAnswered(run, phase, event, now);
    case "signalled":
      return onSignalled(run, phase, event, now);
    default:
      return event satisfies never;
  }
}

function onAxisStill(run: Run, event: On<"still">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "running") return onStilled(run, phase, event, now);
  if (phase.at === "stopping" && phase.order === event.order) {
    return onStill(run, phase, event.device, now);
  }
  if (phase.at !== "makingSafe" || phase.order !== event.order) return undefined;
  return onSafeStill(run, phase, event.device, now.ms);
}

function onAxisNotStill(run: Run, event: On<"notStill">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "running") return onNotStilled(run, phase, event, now);
  if (phase.at !== "stopping" || phase.order !== event.order) return undefined;
  return onNotStill(run, phase, { device: event.device, text: event.text }, now);
}

function onDoubtAnswered(run: Run, event: On<"queried">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "stopping" || !phase.doubts.some(({ id }) => id === event.id)) return undefined;
  return onQueried(run, phase, event, now.ms);
}

function onTick(run: Run, event: On<"tick">, now: Now): RunTurn | undefined {
  const { phase } = run;
  switch (phase.at) {
    case "pending":
      return onLeasingTick(run, phase, now);
    case "running":
      return onRunningTick(run, phase, event, now);
    case "stopping":
      return now.ms < phase.endByMs ? undefined : onStopTimeout(run, phase, now.ms);
    case "unlatching":
      if (now.ms < phase.endByMs) return undefined;
      return stillLatched(run, "the drivers did not answer the reset in time");
    case "makingSafe":
      return onSafeDue(run, phase, event, now);
    case "releasing":
      return now.ms < phase.endByMs ? undefined : onReleased(run, phase, now);
    case "waiting":
    case "completed":
    case "madeSafe":
    case "stopped":
    case "needsOperator":
    case "abandoned":
      return undefined;
    default:
      return phase satisfies never;
  }
}

function onSafeDue(
  run: Run,
  phase: At<"makingSafe">,
  event: On<"tick">,
  now: Now,
): RunTurn | undefined {
  const [flight] = flightsOf(run);
  const due = flight === undefined ? undefined : flightDue(flight, now.ms, event.held);
  if (due?.kind === "again" && now.ms < (phase.current?.endByMs ?? 0)) {
    const send = { kind: "send", flight: due.flight } as const;
    return { state: withFlight(run, due.flight), effects: [send] };
  }
  if (due?.kind === "givenUp") return onSafeGivenUp(run, phase, due.cause, now.ms);
  return onSafeTick(run, phase, now.ms);
}
