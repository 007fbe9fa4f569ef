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
  onRestarted,
  onRuled,
  onUnlatched,
  stillLatched,
} from "./run-choices.js";
import { flightOf, flightTick, onAccepted, onReconnected } from "./run-flights.js";
import { askLease, giveUpLeasing } from "./run-leasing.js";
import {
  onSafeGivenUp,
  onSafeLeased,
  onSafeLeaseLost,
  onSafeLeaseRefused,
  onSafeStill,
  onSafeTick,
  onSafeVerdict,
} from "./run-safing.js";
import {
  type Cause,
  isEnded,
  leaseAgainMs,
  type Phase,
  type Run,
  type RunEvent,
  type RunTurn,
} from "./run-state.js";
import { endOf, endStep, enterStep } from "./run-steps.js";
import {
  enterStopping,
  type Now,
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
      return onConditionMet(run, event, now);
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
      return onAnswered(run, event, now);
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
    case "abandon":
      return onAbandon(run, event, now);
    case "reconnected":
      return onReconnected(run);
    case "tick":
      return onTick(run, now);
    default:
      return event satisfies never;
  }
}

/** Says `ended` exactly once, whichever way a run came to its end. */
function finishing(before: Run, turn: RunTurn): RunTurn {
  const { at } = turn.state.phase;
  const ended = at === "completed" || at === "madeSafe" || at === "abandoned";
  if (!ended || before.phase.at === at) return turn;
  const { code, text } = turn.state.cause;
  const told = { kind: "event", type: "ended", data: { state: at, code, text } } as const;
  return { state: turn.state, effects: [...turn.effects, told] };
}

function onLeased(run: Run, event: On<"leased">, now: Now): RunTurn {
  const { phase } = run;
  const { device, epoch } = event;
  if (phase.at === "pending" && phase.request === event.id) {
    const leases = { ...phase.leases, [device]: epoch };
    const want = phase.want.filter((other) => other !== device);
    if (want.length === 0) return enterStep(run, 0, leases, now);
    return askLease(run, { want, leases, endByMs: phase.endByMs });
  }
  if (phase.at === "makingSafe") {
    const { current } = phase;
    const mine = current?.doing.kind === "lease" && current.doing.id === event.id;
    const turn = mine ? onSafeLeased(run, phase, { device, epoch }, now.ms) : undefined;
    if (turn !== undefined) return turn;
  }
  // Granted to a request that nobody waits for: beats would keep it alive for ever.
  return { state: run, effects: [{ kind: "release", leases: { [device]: epoch } }] };
}

function onLeaseRefused(run: Run, event: On<"leaseRefused">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "pending" && phase.request === event.id) {
    // It is reading its device or settling a stop: it says so itself, and is asked again.
    if (event.code === "NOT_READY" && now.ms < phase.endByMs) {
      const againAtMs = now.ms + leaseAgainMs;
      return { state: { ...run, phase: { ...phase, againAtMs } }, effects: [] };
    }
    const text = `no lease of ${event.device}: ${event.text}`;
    return giveUpLeasing(run, phase, { code: event.code, text }, now);
  }
  if (phase.at !== "makingSafe" || phase.current?.doing.kind !== "lease") return undefined;
  if (phase.current.doing.id !== event.id) return undefined;
  return onSafeLeaseRefused(run, phase, event.text, now.ms);
}

function onLeaseLost(run: Run, event: On<"leaseLost">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const cause = { code: "LEASE_LOST", text: `${event.device}: ${event.text}` };
  if (!run.saga.uses.includes(event.device)) return undefined;
  if (phase.at === "pending") return giveUpLeasing(run, phase, cause, now);
  if (phase.at === "running") {
    return enterStopping(run, { next: "makeSafe", cause }, now.ms);
  }
  return phase.at === "makingSafe" ? onSafeLeaseLost(run, phase, event, now.ms) : undefined;
}

function onTripped(run: Run, event: On<"tripped">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const cause = { code: event.code, text: `${event.device}: ${event.text}` };
  if (!run.saga.uses.includes(event.device)) return undefined;
  switch (phase.at) {
    case "pending":
      return giveUpLeasing(run, phase, cause, now);
    case "running":
    case "makingSafe":
      return enterStopping(run, { next: "stopped", cause }, now.ms);
    case "stopping":
      if (phase.next === "stopped") return undefined;
      return settle({ ...run, cause, phase: { ...phase, next: "stopped" } }, now.ms);
    case "unlatching":
      return { state: { ...run, cause, phase: { at: "stopped" } }, effects: [] };
    case "releasing":
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

function onVerdict(run: Run, event: On<"verdict">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const { verdict } = event;
  if (flightOf(run)?.id !== event.id) {
    if (phase.at === "running" || isEnded(run)) return undefined;
    const late = recordLate(run, event.id, verdict, now.ms);
    if (late === undefined || phase.at !== "stopping") return late;
    const turn = settle(late.state, now.ms);
    return { state: turn.state, effects: [...late.effects, ...turn.effects] };
  }
  // Stopped by its interlock, not merely refused by it: nothing moves by itself [PROTOCOL 1].
  const tripped =
    verdict.verdict !== "done" &&
    verdict.verdict !== "refused" &&
    [verdict.code, verdict.detail?.cause].includes("INTERLOCKED");
  if (phase.at === "makingSafe") {
    if (!tripped) return onSafeVerdict(run, phase, verdict, now.ms);
    const cause = { code: "INTERLOCKED", text: verdict.text };
    return enterStopping(run, { next: "stopped", cause }, now.ms);
  }
  if (phase.at !== "running") return undefined;
  const ended = endStep(run, phase.step, endOf(verdict), now.ms);
  if (verdict.verdict === "done") {
    const turn = enterStep(ended.state, phase.step + 1, phase.leases, now);
    return { state: turn.state, effects: [...ended.effects, ...turn.effects] };
  }
  const name = run.saga.steps[phase.step]?.name ?? "";
  const cause = { code: verdict.code, text: `${name}: ${verdict.text}` };
  return stopAfter(ended, { next: tripped ? "stopped" : "makeSafe", cause }, now);
}

/** The stop leaves before anything else that the ended step had to say. */
function stopAfter(
  ended: RunTurn,
  reason: { readonly next: "makeSafe" | "stopped"; readonly cause: Cause },
  now: Now,
): RunTurn {
  const turn = enterStopping(ended.state, reason, now.ms);
  const stops = turn.effects.filter((effect) => effect.kind === "stop");
  const rest = turn.effects.filter((effect) => effect.kind !== "stop");
  return { state: turn.state, effects: [...stops, ...ended.effects, ...rest] };
}

function onConditionMet(run: Run, event: On<"conditionMet">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "running" || phase.wait.kind !== "condition") return undefined;
  if (phase.step !== event.step) return undefined;
  return doneStep(run, phase, now);
}

function doneStep(run: Run, phase: At<"running">, now: Now): RunTurn {
  const ended = endStep(run, phase.step, { status: "done" }, now.ms);
  const turn = enterStep(ended.state, phase.step + 1, phase.leases, now);
  return { state: turn.state, effects: [...ended.effects, ...turn.effects] };
}

/** makeSafe is shielded: once the run is on its way there, failing or cancelling adds nothing. */
function onFailed(run: Run, cause: Cause, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "pending") return giveUpLeasing(run, phase, cause, now);
  if (phase.at !== "running") return undefined;
  return enterStopping(run, { next: "makeSafe", cause }, now.ms);
}

function onOperatorStop(run: Run, event: On<"operatorStop">, now: Now): RunTurn | undefined {
  const { phase } = run;
  const known = event.stop === undefined || run.stops.includes(event.stop);
  const stops = known || event.stop === undefined ? run.stops : [...run.stops, event.stop];
  const cause = { code: "LATCHED", text: event.text };
  switch (phase.at) {
    case "pending":
    case "running":
    case "unlatching":
    case "makingSafe": {
      const { how } = event;
      return enterStopping({ ...run, stops }, { next: "stopped", cause, how }, now.ms);
    }
    case "stopping":
      if (phase.next === "stopped" && known) return undefined;
      return settle({ ...run, stops, cause, phase: { ...phase, next: "stopped" } }, now.ms);
    case "stopped":
    case "needsOperator":
    case "releasing":
      return known ? undefined : { state: { ...run, stops }, effects: [] };
    case "completed":
    case "madeSafe":
    case "abandoned":
      return undefined;
    default:
      return phase satisfies never;
  }
}

function onAxisStill(run: Run, event: On<"still">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at === "stopping" && phase.order === event.order) {
    return onStill(run, phase, event.device, now);
  }
  if (phase.at !== "makingSafe" || phase.order !== event.order) return undefined;
  return onSafeStill(run, phase, event.device, now.ms);
}

function onAxisNotStill(run: Run, event: On<"notStill">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "stopping" || phase.order !== event.order) return undefined;
  return onNotStill(run, phase, { device: event.device, text: event.text }, now);
}

function onAnswered(run: Run, event: On<"queried">, now: Now): RunTurn | undefined {
  const { phase } = run;
  if (phase.at !== "stopping" || phase.doubt?.id !== event.id) return undefined;
  return onQueried(run, phase, event.verdict, now.ms);
}

function onTick(run: Run, now: Now): RunTurn | undefined {
  const { phase } = run;
  switch (phase.at) {
    case "pending": {
      const { want, leases, endByMs, againAtMs } = phase;
      if (now.ms < endByMs) {
        if (againAtMs === undefined || now.ms < againAtMs) return undefined;
        return askLease(run, { want, leases, endByMs });
      }
      const text = `no lease of ${want[0]} in time`;
      return giveUpLeasing(run, phase, { code: "NOT_READY", text }, now);
    }
    case "running":
      return onRunningTick(run, phase, now);
    case "stopping":
      return now.ms < phase.endByMs ? undefined : onStopTimeout(run, phase, now.ms);
    case "unlatching":
      if (now.ms < phase.endByMs) return undefined;
      return stillLatched(run, "the drivers did not answer the reset in time");
    case "makingSafe":
      return onSafeDue(run, phase, now);
    case "releasing":
      return now.ms < phase.endByMs ? undefined : onReleased(run, phase, now);
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

function onSafeDue(run: Run, phase: At<"makingSafe">, now: Now): RunTurn | undefined {
  const due = flightTick(run, now.ms);
  if (due.kind === "again" && now.ms < (phase.current?.endByMs ?? 0)) return due.turn;
  if (due.kind === "givenUp") return onSafeGivenUp(run, phase, due.cause, now.ms);
  return onSafeTick(run, phase, now.ms);
}

function onRunningTick(run: Run, phase: At<"running">, now: Now): RunTurn | undefined {
  const { wait } = phase;
  if (wait.kind === "dwell") {
    return now.ms < wait.untilMs ? undefined : doneStep(run, phase, now);
  }
  if (now.ms >= wait.endByMs) {
    const name = run.saga.steps[phase.step]?.name ?? "";
    const what = wait.kind === "verdict" ? "did not end" : "was not met";
    const text = `${name} ${what} in its time`;
    // SG-11: what the axis still does is ended by the stop, and its late verdict is refused.
    const status = wait.kind === "verdict" ? "unknown" : "faulted";
    return failStep(run, phase, { status, cause: { code: "NOT_DONE_IN_TIME", text } }, now);
  }
  const due = flightTick(run, now.ms);
  if (due.kind === "again") return due.turn;
  if (due.kind === "nothing") return undefined;
  return failStep(run, phase, { status: "unknown", cause: due.cause }, now);
}

function failStep(
  run: Run,
  phase: At<"running">,
  end: { readonly status: "unknown" | "faulted"; readonly cause: Cause },
  now: Now,
): RunTurn {
  const { status, cause } = end;
  const ended = endStep(run, phase.step, { status, error: cause }, now.ms);
  return stopAfter(ended, { next: "makeSafe", cause }, now);
}
