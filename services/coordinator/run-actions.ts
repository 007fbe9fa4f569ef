/**
 * What each kind of step does when it begins.
 *
 * The idea: one function per kind, each ending in a wait, in a block to go into, or in the step's
 * own end. What cannot be worked out, or lies outside its limits, is refused here, before anything
 * is sent. Pure. It refuses to say what a refusal leads to (run-retry.ts).
 */
import type { Written } from "#kernel/config/expression.js";
import type { SagaAction, SagaOperation, SagaStepDefinition } from "#kernel/config/saga.js";
import { dwellMsMax, threadsMax } from "./run-limits.js";
import type { Cause, Frame, Thread } from "./run-state.js";
import type { Stepper } from "./run-stepper.js";
import { newFlight } from "./run-steps.js";
import {
  type Readings,
  scopeKeyOf,
  scopeOf,
  type Worked,
  workOut,
  workOutBoolean,
  workOutNumber,
} from "./run-values.js";

type Act<K extends SagaAction["kind"]> = Extract<SagaAction, { kind: K }>;
interface At {
  readonly thread: Thread;
  readonly definition: SagaStepDefinition;
  readonly readings: Readings;
}

/** Begins the thread's step; returns why nothing was sent, where it is refused. */
export function act(s: Stepper, id: number, readings: Readings): Cause | undefined {
  const thread = s.thread(id);
  const definition = thread === undefined ? undefined : s.definition(thread.step);
  if (thread === undefined || definition === undefined) return undefined;
  const at: At = { thread, definition, readings };
  const { action } = definition;
  const endByMs = s.now.ms + definition.timeoutMs;
  switch (action.kind) {
    case "operation":
      return command(s, at, action.operation);
    case "dwell":
      return dwell(s, at, action);
    case "waitFor":
      s.wait(id, { kind: "condition", endByMs });
      return undefined;
    case "waitForEvent":
      s.wait(id, { kind: "event", endByMs });
      return undefined;
    case "signal":
      s.wait(id, { kind: "signal", endByMs });
      return undefined;
    case "ask": {
      const { text, choices } = action;
      s.tell("asked", { step: definition.name, text, choices });
      s.wait(id, { kind: "ask", endByMs });
      return undefined;
    }
    case "set":
      return set(s, at, action);
    case "parallel":
      return parallel(s, at, action);
    case "choose":
      return choose(s, at, action);
    case "repeat":
      return repeat(s, at, action);
    case "call":
      return call(s, at, action);
    default:
      return action satisfies never;
  }
}

function scopeAt(s: Stepper, { thread, readings }: At) {
  return scopeOf(s.run, scopeKeyOf(s.threads, thread), readings);
}

function command(s: Stepper, at: At, operation: SagaOperation): Cause | undefined {
  const { thread, definition } = at;
  const { device, verb } = operation;
  const missing = s.run.missing?.find((other) => other.device === device);
  if (missing !== undefined) return { code: missing.code, text: missing.text };
  const args = argsOf(s, at, operation);
  if (!args.ok) return args.cause;
  const epoch = s.leases[device];
  if (epoch === undefined) {
    return { code: "STATE_CONFLICT", text: `${device} is being stopped by another branch` };
  }
  const id = s.takeId();
  const ttlMs = definition.timeoutMs;
  const flight = newFlight({ id, device, verb, args: args.value, epoch, ttlMs }, s.now.ms);
  s.change(thread.step, { id });
  s.wait(thread.id, { kind: "verdict", flight, endByMs: s.now.ms + ttlMs });
  s.emit({ kind: "send", flight, intent: { step: definition.name, part: "run" } });
  return undefined;
}

/** The limits of a number that is only known now are checked now. */
function argsOf(
  s: Stepper,
  at: At,
  operation: SagaOperation,
): Worked<{ readonly [name: string]: number }> {
  const args: { [name: string]: number } = { ...operation.args };
  for (const [name, { value, min, max }] of Object.entries(operation.worked ?? {})) {
    const worked = workOutNumber(value, scopeAt(s, at));
    if (!worked.ok) return worked;
    if (worked.value < (min ?? worked.value) || worked.value > (max ?? worked.value)) {
      const limits = `${min ?? "no limit"} to ${max ?? "no limit"}`;
      const text = `${name} of ${operation.device} would be ${worked.value}; it may be ${limits}`;
      return { ok: false, cause: { code: "LIMIT_EXCEEDED", text } };
    }
    args[name] = worked.value;
  }
  return { ok: true, value: args };
}

function dwell(s: Stepper, at: At, action: Act<"dwell">): Cause | undefined {
  const { forMs: given } = action;
  const worked: Worked<number> =
    typeof given === "number" ? { ok: true, value: given } : workOutNumber(given, scopeAt(s, at));
  if (!worked.ok) return worked.cause;
  const forMs = worked.value;
  if (typeof given !== "number" && (forMs < 0 || forMs > dwellMsMax)) {
    const text = `a dwell of ${forMs} ms; it may be 0 to ${dwellMsMax} ms`;
    return { code: "LIMIT_EXCEEDED", text };
  }
  const { ms, ts } = s.now;
  s.wait(at.thread.id, { kind: "dwell", untilMs: ms + forMs, dueTs: ts + forMs, forMs });
  return undefined;
}

/** In their order; each sees what those before it have set. */
function set(s: Stepper, at: At, action: Act<"set">): Cause | undefined {
  const key = scopeKeyOf(s.threads, at.thread);
  const before = s.run;
  for (const { name, value } of action.variables) {
    const worked = workOut(value, scopeOf(s.run, key, at.readings));
    if (!worked.ok) {
      s.run = before;
      return worked.cause;
    }
    s.keep(key, { ...s.run.values[key], [name]: worked.value });
  }
  s.done(at.thread.id);
  return undefined;
}

function enterBlock(s: Stepper, thread: Thread, frame: Omit<Frame, "at" | "turn">): void {
  s.put({ ...thread, frames: [...thread.frames, { ...frame, at: -1, turn: 0 }] });
}

function choose(s: Stepper, at: At, action: Act<"choose">): Cause | undefined {
  const { thread } = at;
  let block = action.cases.length;
  for (const [i, { when }] of action.cases.entries()) {
    const worked = workOutBoolean(when, scopeAt(s, at));
    if (!worked.ok) return worked.cause;
    if (!worked.value) continue;
    block = i;
    break;
  }
  enterBlock(s, thread, { of: thread.step, kind: "case", block });
  s.do(thread.id, "next");
  return undefined;
}

function repeat(s: Stepper, at: At, action: Act<"repeat">): Cause | undefined {
  const { thread } = at;
  const { times, whilst, turnsMax } = action;
  const frame = { of: thread.step, kind: "repeat", block: 0 } as const;
  const turns = turnsOf(s, at, times ?? (whilst === undefined ? turnsMax : undefined));
  if (turns !== undefined && !turns.ok) return turns.cause;
  if (turns !== undefined && turns.value > turnsMax) {
    const text = `${turns.value} turns; it may be at most ${turnsMax}`;
    return { code: "LIMIT_EXCEEDED", text };
  }
  enterBlock(s, thread, turns === undefined ? frame : { ...frame, turns: turns.value });
  s.do(thread.id, "turn");
  return undefined;
}

function turnsOf(
  s: Stepper,
  at: At,
  times: number | Written | undefined,
): Worked<number> | undefined {
  if (times === undefined) return undefined;
  if (typeof times === "number") return { ok: true, value: times };
  const worked = workOutNumber(times, scopeAt(s, at));
  if (!worked.ok || (Number.isInteger(worked.value) && worked.value >= 0)) return worked;
  const text = `${times.text} is ${worked.value}, which is no number of turns`;
  return { ok: false, cause: { code: "VALIDATION_FAILED", text } };
}

/** Its inputs are worked out by the caller's names; its variables begin empty. */
function call(s: Stepper, at: At, action: Act<"call">): Cause | undefined {
  const { thread } = at;
  const inputs: { [name: string]: string | number | boolean } = {};
  for (const [name, given] of Object.entries(action.inputs)) {
    if (typeof given !== "object") {
      inputs[name] = given;
      continue;
    }
    const worked = workOut(given, scopeAt(s, at));
    if (!worked.ok) return worked.cause;
    inputs[name] = worked.value;
  }
  const key = String(thread.step);
  s.keep(`${key}/inputs`, inputs);
  s.keep(`${key}/event`, {});
  s.keep(key, {});
  enterBlock(s, thread, { of: thread.step, kind: "call", block: 0 });
  s.do(thread.id, "next");
  return undefined;
}

/** One thread a branch; they begin in their order. */
function parallel(s: Stepper, at: At, action: Act<"parallel">): Cause | undefined {
  const { thread } = at;
  const { branches } = action;
  if (s.threads.length + branches.length > threadsMax) {
    const text = `${at.definition.name}: more than ${threadsMax} branches at the same time`;
    s.fail({ code: "LIMIT_EXCEEDED", text });
    return undefined;
  }
  if (branches.length === 0) {
    s.done(thread.id);
    return undefined;
  }
  const first = Math.max(...s.threads.map((other) => other.id)) + 1;
  const left = branches.map((_, i) => first + i);
  s.wait(thread.id, { kind: "join", left });
  for (const [block, id] of left.entries()) {
    const frame: Frame = { of: thread.step, kind: "branch", block, at: -1, turn: 0 };
    const wait = { kind: "join", left: [] } as const;
    s.put({ id, parent: thread.id, frames: [frame], step: thread.step, attempt: 1, wait });
  }
  for (const id of left.toReversed()) s.do(id, "next");
  return undefined;
}
