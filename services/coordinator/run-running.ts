/**
 * What may happen to a run while its steps are run.
 *
 * The idea: every event is for the thread that waits for it, found by the id it names or the step;
 * what the thread does next follows in the same turn. Pure. It refuses words that no thread waits
 * for: late verdicts of old attempts, answers to questions that are over.
 */
import type { Verdict } from "#drivers/reading.js";
import type { SagaAction } from "#kernel/config/saga.js";
import type { RunEvent, RunTurn } from "./run-events.js";
import { flightDue } from "./run-flights.js";
import { metEventsMax } from "./run-limits.js";
import { afterPause, go, onReadings } from "./run-program.js";
import {
  askAgain,
  giveUp,
  onLeaseBack,
  onLeaseNo,
  onStill,
  refuse,
  setBack,
  tryAgain,
} from "./run-retry.js";
import type { Cause, Now, Phase, Run, Thread, Wait, WaitKind } from "./run-state.js";
import { Stepper } from "./run-stepper.js";
import { stoppedFirst } from "./run-steps.js";
import { eventValues, noReadings, scopeKeyOf, scopeOf, workOut } from "./run-values.js";

type Running = Extract<Phase, { at: "running" }>;
type On<K extends RunEvent["kind"]> = Extract<RunEvent, { kind: K }>;
type WaitOf<K extends WaitKind> = Extract<Wait, { kind: K }>;

/** Calls `then` for the first thread that waits like this. */
function forThread<K extends WaitKind>(
  s: Stepper,
  kind: K,
  is: (wait: WaitOf<K>, thread: Thread) => boolean,
  then: (thread: Thread, wait: WaitOf<K>) => void,
): RunTurn | undefined {
  for (const thread of s.threads) {
    if (thread.wait.kind !== kind) continue;
    const wait = thread.wait as WaitOf<K>;
    if (!is(wait, thread)) continue;
    then(thread, wait);
    return go(s);
  }
  return undefined;
}

/** Stopped by its interlock, not merely refused by it: nothing moves by itself [PROTOCOL 1]. */
export function isTrip(verdict: Verdict): boolean {
  if (verdict.verdict === "done" || verdict.verdict === "refused") return false;
  return [verdict.code, verdict.detail?.cause].includes("INTERLOCKED");
}

export function onStepVerdict(
  run: Run,
  phase: Running,
  event: On<"verdict">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const { verdict } = event;
  return forThread(
    s,
    "verdict",
    ({ flight }) => flight.id === event.id,
    (thread) => {
      if (verdict.verdict === "done") {
        s.moved(thread.id);
        s.done(thread.id);
        return;
      }
      const error = { code: verdict.code, text: verdict.text };
      if (verdict.verdict === "refused" && stoppedFirst.has(verdict.code)) {
        giveUp(s, thread, { status: verdict.verdict, error });
      } else if (verdict.verdict === "refused") refuse(s, thread.id, error);
      else if (isTrip(verdict)) giveUp(s, thread, { status: verdict.verdict, error }, "stopped");
      else {
        const repeatable = verdict.verdict === "faulted";
        setBack(s, thread.id, { status: verdict.verdict, error }, repeatable);
      }
    },
  );
}

export function onConditionMet(
  run: Run,
  phase: Running,
  event: On<"conditionMet">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const is = (_: Wait, { step }: Thread) => step === event.step;
  return forThread(s, "condition", is, ({ id }) => s.done(id));
}

export function onEvaluated(
  run: Run,
  phase: Running,
  event: On<"evaluated">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const is = ({ token }: WaitOf<"readings">) => token === event.token;
  return forThread(s, "readings", is, (thread) => onReadings(s, thread, event.readings));
}

/** Events arrive at least once: one that was met before this wait began is not met again. */
export function onHappened(
  run: Run,
  phase: Running,
  event: On<"happened">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const { id, data } = event.event;
  const is = (_: Wait, thread: Thread) => {
    if (thread.step !== event.step) return false;
    const begun = run.steps[thread.step]?.order ?? 0;
    if (run.met?.some((met) => met.id === id && met.entered < begun) === true) return false;
    return isMeant(s, thread, event);
  };
  return forThread(s, "event", is, (thread) => {
    const met = [...(run.met ?? []), { id, entered: run.entered }].slice(-metEventsMax);
    s.run = { ...s.run, met };
    s.keep(`${scopeKeyOf(s.threads, thread)}/event`, eventValues(data));
    s.done(thread.id);
  });
}

/** The filter's own condition, over the fields of this event. */
function isMeant(s: Stepper, thread: Thread, event: On<"happened">): boolean {
  const action = s.definition(thread.step)?.action;
  if (action?.kind !== "waitForEvent") return false;
  if (action.event.where === undefined) return true;
  const values = eventValues(event.event.data);
  const scope = scopeOf(s.run, scopeKeyOf(s.threads, thread), noReadings);
  const field = (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);
  const worked = workOut(action.event.where, { ...scope, event: field });
  return worked.ok && worked.value === true;
}

export function onQuestionAnswered(
  run: Run,
  phase: Running,
  event: On<"answered">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const { step, choice, user } = event;
  const action = s.definition(step)?.action;
  if (action?.kind !== "ask" || !action.choices.includes(choice)) return undefined;
  const is = (_: Wait, thread: Thread) => thread.step === step;
  return forThread(s, "ask", is, (thread) => {
    s.tell("answered", { step: s.nameOf(step), choice, user });
    const key = scopeKeyOf(s.threads, thread);
    if (action.as !== undefined) s.keep(key, { ...s.run.values[key], [action.as]: choice });
    s.done(thread.id);
  });
}

/** It reaches every thread that waits for it now; nobody keeps it for later. */
export function onSignalled(
  run: Run,
  phase: Running,
  event: On<"signalled">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const waits = (action: SagaAction | undefined) =>
    action?.kind === "signal" && action.signal === event.name;
  const meant = phase.threads.filter(
    ({ wait, step }) => wait.kind === "signal" && waits(s.definition(step)?.action),
  );
  if (meant.length === 0) return undefined;
  s.tell("signalled", { signal: event.name, user: event.user });
  for (const { id } of meant.toReversed()) s.done(id);
  return go(s);
}

/** An axis that a thread has stopped by itself stands still. */
export function onStilled(
  run: Run,
  phase: Running,
  event: On<"still">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const is = (wait: WaitOf<"stilling">) =>
    wait.order === event.order && wait.left.includes(event.device);
  return forThread(s, "stilling", is, (thread, wait) => onStill(s, thread, wait, event.device));
}

export function onNotStilled(
  run: Run,
  phase: Running,
  event: On<"notStill">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const is = (wait: WaitOf<"stilling">) =>
    wait.order === event.order && wait.left.includes(event.device);
  return forThread(s, "stilling", is, (thread) => {
    giveUp(s, thread, { status: "faulted", error: notStill(event.device, event.text) });
  });
}

function notStill(device: string, text: string): Cause {
  return { code: "NOT_DELIVERED", text: `${device} was not seen still after its stop: ${text}` };
}

export function onLeasedBack(
  run: Run,
  phase: Running,
  event: On<"leased">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const is = ({ request }: WaitOf<"lease">) => request === event.id;
  return forThread(s, "lease", is, (thread, wait) => onLeaseBack(s, thread, wait, event.epoch));
}

export function onLeaseBackRefused(
  run: Run,
  phase: Running,
  event: On<"leaseRefused">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  const is = ({ request }: WaitOf<"lease">) => request === event.id;
  return forThread(s, "lease", is, (thread, wait) => onLeaseNo(s, thread, wait, event));
}

/** Threads that were parked go on, in their order. */
export function goOnParked(run: Run, phase: Running, now: Now): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  for (const { id, wait } of phase.threads.toReversed()) {
    if (wait.kind !== "parked") continue;
    if (wait.again === true) tryAgain(s, id);
    else s.do(id, "next");
  }
  return go(s);
}

export function onRunningTick(
  run: Run,
  phase: Running,
  event: On<"tick">,
  now: Now,
): RunTurn | undefined {
  const s = new Stepper(run, phase, now);
  for (const { id } of phase.threads) {
    const thread = s.thread(id);
    if (thread !== undefined && s.failure === undefined) due(s, thread, event.held);
  }
  s.jobs.reverse();
  return go(s);
}

function due(s: Stepper, thread: Thread, held: readonly string[] | undefined): void {
  const { wait } = thread;
  const { ms } = s.now;
  switch (wait.kind) {
    case "verdict":
      flightIsDue(s, thread, wait, held);
      break;
    case "dwell":
      if (ms >= wait.untilMs) s.done(thread.id);
      break;
    case "backoff":
      if (ms >= wait.untilMs) tryAgain(s, thread.id);
      break;
    case "pause":
      if (ms >= wait.untilMs) afterPause(s, thread);
      break;
    case "lease":
      if (ms >= wait.endByMs) {
        tooLate(s, thread);
        break;
      }
      if (wait.againAtMs !== undefined && ms >= wait.againAtMs) askAgain(s, thread, wait);
      break;
    case "condition":
    case "event":
    case "signal":
    case "ask":
    case "readings":
    case "stilling":
      if (ms >= wait.endByMs) tooLate(s, thread);
      break;
    case "join":
    case "parked":
      break;
    default:
      wait satisfies never;
  }
}

function flightIsDue(
  s: Stepper,
  thread: Thread,
  wait: WaitOf<"verdict">,
  held: readonly string[] | undefined,
): void {
  if (s.now.ms >= wait.endByMs) {
    // SG-11: what the axis still does is ended by a stop, and its late verdict is refused.
    const error = { code: "NOT_DONE_IN_TIME", text: "it did not end in its time" };
    setBack(s, thread.id, { status: "unknown", error }, true);
    return;
  }
  const next = flightDue(wait.flight, s.now.ms, held);
  if (next.kind === "givenUp") {
    setBack(s, thread.id, { status: "unknown", error: next.cause }, false);
  } else if (next.kind === "again") {
    s.wait(thread.id, { ...wait, flight: next.flight });
    s.emit({ kind: "send", flight: next.flight });
  }
}

function tooLate(s: Stepper, thread: Thread): void {
  const { wait } = thread;
  const late = (code: string, text: string) =>
    giveUp(s, thread, { status: "faulted", error: { code, text } });
  switch (wait.kind) {
    case "condition":
      late("NOT_DONE_IN_TIME", "it was not met in its time");
      break;
    case "event":
      late("NOT_DONE_IN_TIME", "its event did not come in its time");
      break;
    case "signal":
      late("NOT_DONE_IN_TIME", "its signal did not come in its time");
      break;
    case "ask":
      late("NOT_DONE_IN_TIME", "nobody answered in its time");
      break;
    case "readings":
      refuse(s, thread.id, { code: "NOT_READY", text: "its readings were not given" });
      break;
    case "stilling":
      late("NOT_DELIVERED", "standstill was not confirmed in time: use the hardware stop");
      break;
    case "lease":
      late("NOT_READY", `no lease of ${wait.device} in time`);
      break;
    default:
      break;
  }
}
