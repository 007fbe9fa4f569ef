/**
 * A step that did not succeed: again, by its backup plan, or the end of the run.
 *
 * The idea: what was refused may be tried again as it is; what may have moved is first stopped and
 * seen still, takes a new lease, and is then given again under a new id, so that two attempts never
 * overlap (an old one's late verdict finds nobody). A backup plan is taken only where nothing was
 * sent. Pure. It refuses to repeat what is unknown.
 */
import type { SagaStepDefinition } from "#kernel/config/saga.js";
import {
  backoffMsMax,
  leaseAgainMs,
  leaseAgainSoonMs,
  leasingMsMax,
  stoppingMsMax,
} from "./run-limits.js";
import type { AfterStilling, Cause, Frame, Thread, Wait } from "./run-state.js";
import type { Stepper } from "./run-stepper.js";
import type { StepEnd } from "./run-steps.js";

type WaitOf<K extends Wait["kind"]> = Extract<Wait, { kind: K }>;

/** Nothing was sent. */
export function refuse(s: Stepper, id: number, cause: Cause): void {
  const thread = s.thread(id);
  const definition = thread === undefined ? undefined : s.definition(thread.step);
  if (thread === undefined || definition === undefined) return;
  if (mayRetry(thread, definition) && !isMissing(s, definition)) {
    tellRetry(s, thread, { status: "refused", error: cause });
    s.forget(thread.step, { error: cause });
    waitAgain(s, thread);
    return;
  }
  if (takeBackup(s, thread, cause)) return;
  giveUp(s, thread, { status: "refused", error: cause });
}

/** A device that this run goes without will not come back to it. */
function isMissing(s: Stepper, { action }: SagaStepDefinition): boolean {
  if (action.kind !== "operation") return false;
  return s.run.missing?.some(({ device }) => device === action.operation.device) === true;
}

function mayRetry(thread: Thread, { retry }: SagaStepDefinition): boolean {
  return retry !== undefined && thread.attempt < retry.attempts;
}

function tellRetry(s: Stepper, thread: Thread, { status, error }: StepEnd): void {
  const why = error === undefined ? {} : { code: error.code, text: error.text };
  const { attempt } = thread;
  s.tell("step.retried", { step: s.nameOf(thread.step), attempt, status, ...why });
}

/**
 * It may have moved, or may still: `end` is what is known of it. Where the operation may be given
 * again, its axis is stopped first.
 */
export function setBack(s: Stepper, id: number, end: StepEnd, repeatable: boolean): void {
  const thread = s.thread(id);
  const definition = thread === undefined ? undefined : s.definition(thread.step);
  if (thread === undefined || definition === undefined) return;
  s.moved(id);
  const { action } = definition;
  if (!repeatable || action.kind !== "operation" || !mayRetry(thread, definition)) {
    giveUp(s, thread, end);
    return;
  }
  tellRetry(s, thread, end);
  s.forget(thread.step, end.error === undefined ? {} : { error: end.error });
  still(s, id, [action.operation.device], "retry");
}

/** Stops these axes and waits until they are seen still. */
export function still(s: Stepper, id: number, axes: readonly string[], after: AfterStilling): void {
  const order = s.stop(axes);
  const endByMs = s.now.ms + stoppingMsMax;
  s.wait(id, { kind: "stilling", order, axes, left: axes, endByMs, after });
}

/** The step's own cause: with its name before it, as the run gives it. */
export function giveUp(s: Stepper, thread: Thread, end: StepEnd, next?: "stopped"): void {
  s.end(thread.step, end);
  const { code, text } = end.error ?? { code: "INTERNAL", text: "it failed" };
  s.fail({ code, text: `${s.nameOf(thread.step)}: ${text}` }, next);
}

/** The pause before the next attempt; it grows with their number. */
export function waitAgain(s: Stepper, thread: Thread): void {
  const { backoffMs = 0, factor = 1 } = s.definition(thread.step)?.retry ?? {};
  const pauseMs = Math.min(backoffMsMax, backoffMs * factor ** (thread.attempt - 1));
  s.wait(thread.id, { kind: "backoff", untilMs: s.now.ms + pauseMs });
}

/** The pause is over: the next attempt, which would start a motion anew and so waits while held. */
export function tryAgain(s: Stepper, id: number): void {
  const thread = s.thread(id);
  if (thread === undefined) return;
  if (s.run.held !== undefined) {
    s.wait(id, { kind: "parked", again: true });
    return;
  }
  const attempt = thread.attempt + 1;
  if (!s.enter(thread.step, attempt, true)) return;
  s.put({ ...thread, attempt });
  s.do(id, "attempt");
}

/** What stands between the refused step and the one whose plan is taken is refused with it. */
function takeBackup(s: Stepper, thread: Thread, cause: Cause): boolean {
  const found = thread.moved === true ? undefined : planOf(s, thread);
  if (found === undefined) return false;
  for (const step of found.refused) {
    s.end(step, { status: "refused", error: cause });
    // Nothing of it was ever sent, so nothing of it has to be made safe.
    if (s.run.steps[step]?.moved !== true) s.change(step, { safe: "none" });
  }
  const plan: Frame = { of: found.step, kind: "orElse", block: 0, at: -1, turn: 0 };
  s.put({ ...thread, frames: [...found.frames, plan], step: found.step });
  s.do(thread.id, "next");
  return true;
}

interface Plan {
  readonly step: number;
  readonly frames: readonly Frame[];
  readonly refused: readonly number[];
}

/** The step's own backup plan, or that of a container around it in which nothing was sent yet. */
function planOf(s: Stepper, thread: Thread): Plan | undefined {
  const own = thread.frames.at(-1);
  const inside = own?.kind === "repeat" && own.of === thread.step;
  if (inside && own.moved === true) return undefined;
  let frames: readonly Frame[] = inside ? thread.frames.slice(0, -1) : thread.frames;
  let { step } = thread;
  let usedUp = false;
  const refused: number[] = [];
  for (;;) {
    if (!usedUp) refused.push(step);
    if (!usedUp && s.definition(step)?.orElse !== undefined) return { step, frames, refused };
    const frame = frames.at(-1);
    if (frame === undefined || frame.moved === true) return undefined;
    if (frame.kind === "body" || frame.kind === "branch") return undefined;
    frames = frames.slice(0, -1);
    step = frame.of;
    // What has just been refused was its plan: only a container around it may have another.
    usedUp = frame.kind === "orElse";
  }
}

export function onStill(s: Stepper, thread: Thread, wait: WaitOf<"stilling">, axis: string): void {
  const left = wait.left.filter((other) => other !== axis);
  if (left.length > 0) {
    s.wait(thread.id, { ...wait, left });
    return;
  }
  const [device, ...more] = wait.axes;
  if (device !== undefined) askFor(s, thread.id, { device, more, after: wait.after });
}

function askFor(
  s: Stepper,
  id: number,
  rest: Pick<WaitOf<"lease">, "device" | "more" | "after">,
): void {
  const request = s.takeId();
  const endByMs = s.now.ms + leasingMsMax;
  s.wait(id, { kind: "lease", request, ...rest, tries: 1, endByMs });
  s.emit({ kind: "lease", id: request, device: rest.device });
}

export function onLeaseBack(
  s: Stepper,
  thread: Thread,
  wait: WaitOf<"lease">,
  epoch: number,
): void {
  s.leases = { ...s.leases, [wait.device]: epoch };
  const [device, ...more] = wait.more;
  if (device !== undefined) {
    askFor(s, thread.id, { device, more, after: wait.after });
    return;
  }
  goOn(s, thread, wait.after);
}

/** The stopped axes stand still and are the run's own again. */
export function goOn(s: Stepper, thread: Thread, after: AfterStilling): void {
  if (after === "leave") s.done(thread.id);
  else waitAgain(s, thread);
}

/** The driver settles the stop and says so: asked again soon, within the limit. */
export function onLeaseNo(s: Stepper, thread: Thread, wait: WaitOf<"lease">, no: Cause): void {
  if (no.code === "NOT_READY") {
    const pauseMs = wait.tries === 1 ? leaseAgainSoonMs : leaseAgainMs;
    s.wait(thread.id, { ...wait, againAtMs: s.now.ms + pauseMs });
    return;
  }
  giveUp(s, thread, {
    status: "faulted",
    error: { code: no.code, text: `no lease of ${wait.device}: ${no.text}` },
  });
}

export function askAgain(s: Stepper, thread: Thread, wait: WaitOf<"lease">): void {
  const request = s.takeId();
  const { againAtMs: _over, ...rest } = wait;
  s.wait(thread.id, { ...rest, request, tries: wait.tries + 1 });
  s.emit({ kind: "lease", id: request, device: wait.device });
}
