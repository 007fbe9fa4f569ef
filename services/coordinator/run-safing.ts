/**
 * Making a run safe: its steps' makeSafe in reverse order of intents, one at a time.
 *
 * The idea: each is bounded, takes a new lease of its device (older epochs can run nothing any
 * more), and a failing one is left to a person while those of other devices go on. Pure. It
 * refuses to command a device that is not confirmed still, and to repeat what may have moved.
 */
import type { Ms, Verdict } from "#drivers/reading.js";
import type { SagaOperation, SagaStepDefinition } from "#kernel/config/saga.js";
import type { RunEffect, RunTurn } from "./run-events.js";
import { leaseAgainMs, leaseAgainSoonMs, safeAttemptsMax, safeMsMax } from "./run-limits.js";
import type { Cause, Phase, Run, SafeItem, SafeWork, Unknown } from "./run-state.js";
import { enterReleasing, newFlight, stoppedFirst, takeId, withStep } from "./run-steps.js";

type Stopping = Extract<Phase, { at: "stopping" }>;
type MakingSafe = Extract<Phase, { at: "makingSafe" }>;

/** Of a makeSafe that was left alone because another one of its device had failed. */
export const notTriedCode = "STATE_CONFLICT";

/** Makes a turn out of several, in order. */
class Builder {
  run: Run;
  phase: MakingSafe;
  readonly effects: RunEffect[] = [];
  constructor(run: Run, phase: MakingSafe) {
    this.run = run;
    this.phase = phase;
  }
  turn(): RunTurn {
    return { state: { ...this.run, phase: this.phase }, effects: this.effects };
  }
  takeId(): string {
    const taken = takeId(this.run);
    this.run = taken.run;
    return taken.id;
  }
}

/** All axes have been heard of: builds the list and begins with the newest intent. */
export function enterSafe(run: Run, stopping: Stopping, nowMs: Ms): RunTurn {
  const queue: SafeItem[] = [];
  let state = run;
  for (const step of safeOrder(run)) {
    const record = run.steps[step];
    const makeSafe = run.saga.steps[step]?.makeSafe;
    if (record === undefined || makeSafe === undefined || makeSafe.kind === "none") continue;
    if (stopping.scope === "failed" && (record.safe === "done" || record.safe === "none")) continue;
    const { safeError: _old, ...rest } = record;
    const fresh = { ...rest, safe: "pending" } as const;
    state = { ...state, steps: state.steps.map((s, i) => (i === step ? fresh : s)) };
    if (makeSafe.kind === "still") queue.push({ step, index: -1 });
    else queue.push(...makeSafe.operations.map((_, index) => ({ step, index })));
  }
  const phase: MakingSafe = {
    at: "makingSafe",
    order: stopping.order,
    queue,
    leases: {},
    unstopped: stopping.unstopped,
    failed: [],
  };
  return advance(new Builder(state, phase), nowMs);
}

/**
 * The steps that were begun, over all threads: first those that the saga names, because reverse
 * order would be wrong for them, then the newest intent first. A step that was never sent to
 * anything, because its device was missing, has nothing registered.
 */
function safeOrder(run: Run): readonly number[] {
  const orderOf = (step: number) => run.steps[step]?.order ?? 0;
  const begun = [...run.steps.keys()].filter((step) => {
    const record = run.steps[step];
    return (
      record?.order !== undefined && (record.safe !== "none" || record.safeError !== undefined)
    );
  });
  const { safeFirst = [] } = run.saga;
  const rank = (step: number) => safeFirst.indexOf(run.saga.steps[step]?.name ?? "");
  const first = begun.filter((step) => rank(step) !== -1).sort((a, b) => rank(a) - rank(b));
  const rest = begun.filter((step) => rank(step) === -1).sort((a, b) => orderOf(b) - orderOf(a));
  return [...first, ...rest];
}

function definitionOf(run: Run, item: SafeItem): SagaStepDefinition | undefined {
  return run.saga.steps[item.step];
}

function operationOf(run: Run, item: SafeItem): SagaOperation | undefined {
  const makeSafe = definitionOf(run, item)?.makeSafe;
  return makeSafe?.kind === "operations" ? makeSafe.operations[item.index] : undefined;
}

/** The device an item needs; undefined: standstill of the whole run is all it asks. */
function deviceOf(run: Run, item: SafeItem): string | undefined {
  const operation = operationOf(run, item);
  if (operation !== undefined) return operation.device;
  const action = definitionOf(run, item)?.action;
  return action?.kind === "operation" ? action.operation.device : undefined;
}

/** Begins items until one has to wait; with none left, gives the leases back. */
function advance(b: Builder, nowMs: Ms): RunTurn {
  for (;;) {
    const item = b.phase.queue[0];
    if (item === undefined) return finish(b, nowMs);
    begin(b, item);
    const device = deviceOf(b.run, item);
    const lost = b.phase.failed.find((unknown) => unknown.device === device);
    if (lost !== undefined) {
      const text = `not tried, because of ${lost.device}: ${lost.text}`;
      endItem(b, item, { code: notTriedCode, text });
      continue;
    }
    if (device === undefined) {
      const [unstopped] = b.phase.unstopped;
      endItem(b, item, unstopped === undefined ? undefined : notStill(unstopped));
      continue;
    }
    if (work(b, item, device, nowMs)) return b.turn();
  }
}

function begin(b: Builder, item: SafeItem): void {
  const record = b.run.steps[item.step];
  if (record === undefined || record.safe !== "pending") return;
  b.run = withStep(b.run, item.step, { safe: "running" });
  const step = definitionOf(b.run, item)?.name ?? "";
  b.effects.push({ kind: "event", type: "safe.started", data: { step } });
}

function notStill(unknown: Unknown): Cause {
  return { code: "NOT_DELIVERED", text: `${unknown.device}: ${unknown.text}` };
}

/** A step may wait for a day; the way to the safe state may not. */
function safeMsOf(run: Run, item: SafeItem): Ms {
  return Math.min(definitionOf(run, item)?.timeoutMs ?? 0, safeMsMax);
}

/** True when the item now waits for something. */
function work(b: Builder, item: SafeItem, device: string, nowMs: Ms): boolean {
  const timeoutMs = safeMsOf(b.run, item);
  const base = { item, device, attempt: 1, endByMs: nowMs + timeoutMs };
  if (b.phase.unstopped.some((unknown) => unknown.device === device)) {
    b.phase = { ...b.phase, current: { ...base, doing: { kind: "standstill" } } };
    return true;
  }
  if (item.index === -1) {
    endItem(b, item, undefined);
    return false;
  }
  command(b, base, nowMs);
  return true;
}

/** Asks for the lease, or sends the operation when the run has it. */
function command(b: Builder, base: Omit<SafeWork, "doing">, nowMs: Ms): void {
  const epoch = b.phase.leases[base.device];
  const id = b.takeId();
  if (epoch === undefined) {
    b.phase = { ...b.phase, current: { ...base, doing: { kind: "lease", id, tries: 1 } } };
    b.effects.push({ kind: "lease", id, device: base.device });
    return;
  }
  const operation = operationOf(b.run, base.item);
  const definition = definitionOf(b.run, base.item);
  if (operation === undefined || definition === undefined) return;
  const { device, verb, args } = operation;
  const ttlMs = safeMsOf(b.run, base.item);
  const flight = newFlight({ id, device, verb, args, epoch, ttlMs }, nowMs);
  b.phase = { ...b.phase, current: { ...base, doing: { kind: "operation", flight } } };
  const intent = { step: definition.name, part: "makeSafe" } as const;
  b.effects.push({ kind: "send", flight, intent });
}

/** Takes the item off the queue; the step has ended with its last item. */
function endItem(b: Builder, item: SafeItem, error: Cause | undefined): void {
  const { current: _done, ...rest } = b.phase;
  const queue = rest.queue.slice(1);
  b.phase = { ...rest, queue };
  const before = b.run.steps[item.step];
  if (before === undefined) return;
  const bad = error ?? before.safeError;
  const last = !queue.some((other) => other.step === item.step);
  if (bad !== undefined) b.run = withStep(b.run, item.step, { safeError: bad });
  if (!last) return;
  const safe = bad === undefined ? "done" : "failed";
  b.run = withStep(b.run, item.step, { safe });
  const step = definitionOf(b.run, item)?.name ?? "";
  const why = bad === undefined ? {} : { code: bad.code, text: bad.text };
  b.effects.push({ kind: "event", type: "safe.ended", data: { step, status: safe, ...why } });
}

function finish(b: Builder, nowMs: Ms): RunTurn {
  const { failed, unstopped, leases } = b.phase;
  const more = unstopped.filter((u) => !failed.some((f) => f.device === u.device));
  const unknowns = [...failed, ...more];
  const result = unknowns.length === 0 ? "madeSafe" : "needsOperator";
  const turn = enterReleasing(b.run, { result, unknowns, leases, nowMs });
  return { state: turn.state, effects: [...b.effects, ...turn.effects] };
}

/** The item of the present work has failed: its device is left alone from here on. */
function failItem(b: Builder, current: SafeWork, error: Cause, mayMove: boolean): void {
  const { device } = current;
  const failed = [...b.phase.failed, { device, text: error.text }];
  const { [device]: epoch, ...leases } = b.phase.leases;
  b.phase = { ...b.phase, failed, leases };
  // Whatever it still does must not go on beside the next item; the stop ends its lease too.
  if (mayMove) {
    b.effects.push({ kind: "stop", id: b.takeId(), how: "stop", axes: [device] });
  } else if (epoch !== undefined) {
    // Nothing was sent: the beats would keep its lease alive for ever.
    b.effects.push({ kind: "release", leases: { [device]: epoch } });
  }
  endItem(b, current.item, error);
}

export function onSafeStill(
  run: Run,
  phase: MakingSafe,
  device: string,
  nowMs: Ms,
): RunTurn | undefined {
  if (!phase.unstopped.some((unknown) => unknown.device === device)) return undefined;
  const unstopped = phase.unstopped.filter((unknown) => unknown.device !== device);
  const b = new Builder(run, { ...phase, unstopped });
  const { current } = phase;
  if (current?.doing.kind !== "standstill" || current.device !== device) return b.turn();
  if (current.item.index === -1) {
    endItem(b, current.item, undefined);
    return advance(b, nowMs);
  }
  command(b, current, nowMs);
  return b.turn();
}

export function onSafeLeased(
  run: Run,
  phase: MakingSafe,
  grant: { readonly device: string; readonly epoch: number },
  nowMs: Ms,
): RunTurn | undefined {
  const { current } = phase;
  if (current?.doing.kind !== "lease") return undefined;
  const leases = { ...phase.leases, [grant.device]: grant.epoch };
  const b = new Builder(run, { ...phase, leases });
  command(b, current, nowMs);
  return b.turn();
}

/** Refused leases are asked for again until the item's deadline [PROTOCOL 14]. */
export function onSafeLeaseRefused(
  run: Run,
  phase: MakingSafe,
  why: string,
  nowMs: Ms,
): RunTurn | undefined {
  const { current } = phase;
  if (current?.doing.kind !== "lease") return undefined;
  const pauseMs = current.doing.tries === 1 ? leaseAgainSoonMs : leaseAgainMs;
  const doing = { ...current.doing, againAtMs: nowMs + pauseMs, why };
  return { state: { ...run, phase: { ...phase, current: { ...current, doing } } }, effects: [] };
}

export function onSafeLeaseLost(
  run: Run,
  phase: MakingSafe,
  lost: { readonly device: string; readonly text: string },
  nowMs: Ms,
): RunTurn | undefined {
  if (phase.leases[lost.device] === undefined) return undefined;
  const { [lost.device]: _ended, ...leases } = phase.leases;
  const b = new Builder(run, { ...phase, leases });
  const { current } = phase;
  if (current?.device !== lost.device) return b.turn();
  failItem(b, current, { code: "LEASE_LOST", text: lost.text }, true);
  return advance(b, nowMs);
}

export function onSafeVerdict(
  run: Run,
  phase: MakingSafe,
  verdict: Verdict,
  nowMs: Ms,
): RunTurn | undefined {
  const { current } = phase;
  if (current?.doing.kind !== "operation") return undefined;
  const b = new Builder(run, phase);
  if (verdict.verdict === "done") {
    endItem(b, current.item, undefined);
    return advance(b, nowMs);
  }
  // Only what was never sent may be tried again; a motion that may have happened may not.
  if (verdict.verdict === "refused") {
    const isAskedAgain = stoppedFirst.has(verdict.code) || comesBack.has(verdict.code);
    if (isAskedAgain) return waitForDevice(b, current, verdict.text, nowMs);
    if (current.attempt < safeAttemptsMax) {
      command(b, { ...current, attempt: current.attempt + 1 }, nowMs);
      return b.turn();
    }
  }
  const error = { code: verdict.code, text: verdict.text };
  failItem(b, current, error, verdict.verdict !== "refused");
  return advance(b, nowMs);
}

/** Refusals of a device that is being probed and may come back before the deadline. */
const comesBack: ReadonlySet<string> = new Set(["BREAKER_OPEN", "NOT_READY"]);

/**
 * The lease is asked for at the probe's pace until the driver grants it [PROTOCOL 14]; what ended
 * the one before, a person's stop perhaps, has that time to be heard of.
 */
function waitForDevice(b: Builder, current: SafeWork, why: string, nowMs: Ms): RunTurn {
  const { [current.device]: _given, ...leases } = b.phase.leases;
  const againAtMs = nowMs + leaseAgainMs;
  const doing = { kind: "lease", id: b.takeId(), tries: 2, againAtMs, why } as const;
  b.phase = { ...b.phase, leases, current: { ...current, doing } };
  return b.turn();
}

export function onSafeTick(run: Run, phase: MakingSafe, nowMs: Ms): RunTurn | undefined {
  const { current } = phase;
  if (current === undefined) return undefined;
  const b = new Builder(run, phase);
  if (nowMs >= current.endByMs) {
    failItem(b, current, lateness(current), current.doing.kind === "operation");
    return advance(b, nowMs);
  }
  const { doing } = current;
  if (doing.kind === "lease" && doing.againAtMs !== undefined && nowMs >= doing.againAtMs) {
    const id = b.takeId();
    const again = { kind: "lease", id, tries: doing.tries + 1 } as const;
    b.phase = { ...phase, current: { ...current, doing: again } };
    b.effects.push({ kind: "lease", id, device: current.device });
    return b.turn();
  }
  return undefined;
}

/** The driver does not answer the command at all. */
export function onSafeGivenUp(run: Run, phase: MakingSafe, cause: Cause, nowMs: Ms): RunTurn {
  const b = new Builder(run, phase);
  if (phase.current !== undefined) failItem(b, phase.current, cause, true);
  return advance(b, nowMs);
}

function lateness(current: SafeWork): Cause {
  const { doing } = current;
  switch (doing.kind) {
    case "standstill":
      return { code: "NOT_DELIVERED", text: "standstill was not confirmed in time" };
    case "lease":
      return { code: "NOT_READY", text: doing.why ?? "its driver did not answer" };
    case "operation":
      return { code: "NOT_DONE_IN_TIME", text: `${doing.flight.verb} did not end in its time` };
    default:
      return doing satisfies never;
  }
}
