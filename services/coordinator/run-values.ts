/**
 * What the names in a run's expressions are worth.
 *
 * The idea: inputs and variables belong to the saga, or to the call that a thread is in; readings
 * come in with an event, so that the journal knows what was decided on. Pure. It refuses to keep
 * a reading beyond the step that asked for it.
 */
import type { Detail, Ms, Reading } from "#drivers/reading.js";
import {
  type Expression,
  evaluateExpression,
  readingsOf,
  type Scope,
  type Value,
  type Valued,
  type Written,
} from "#kernel/config/expression.js";
import { readingsAgeMsMax, type SagaAction, type SagaStepDefinition } from "#kernel/config/saga.js";
import type { ReadValue } from "./run-events.js";
import { eventFieldsMax } from "./run-limits.js";
import type { Cause, ReadingName, Run, Thread } from "./run-state.js";

export type Readings = { readonly [name: string]: ReadValue };
export const noReadings: Readings = {};
type Values = { readonly [name: string]: Value };

/** "" is the saga; else the call step that the thread is in. */
export function scopeKeyOf(threads: readonly Thread[], thread: Thread): string {
  let inside: Thread | undefined = thread;
  while (inside !== undefined) {
    const call = inside.frames.findLast(({ kind }) => kind === "call");
    if (call !== undefined) return String(call.of);
    const { parent }: Thread = inside;
    inside = threads.find(({ id }) => id === parent);
  }
  return "";
}

function valueIn(values: Values | undefined, name: string): Value | undefined {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
}

function readingIn(readings: Readings, name: string): Reading<number | boolean> | undefined {
  const read = Object.hasOwn(readings, name) ? readings[name] : undefined;
  if (read === undefined) return undefined;
  if (typeof read === "object") return { ok: false, reason: read.reason, atMs: 0 };
  return { ok: true, value: read, atMs: 0 };
}

export function scopeOf(run: Run, key: string, readings: Readings): Scope {
  const inputs = key === "" ? run.inputs : run.values[`${key}/inputs`];
  return {
    input: (name) => valueIn(inputs, name),
    variable: (name) => valueIn(run.values[key], name),
    event: (name) => valueIn(run.values[`${key}/event`], name),
    reading: (device, field) => readingIn(readings, `${device}.${field}`),
  };
}

/** The fields of an event that expressions may read. */
export function eventValues(data: Detail): Values {
  const plain = Object.entries(data).filter(
    (entry): entry is [string, Value] =>
      typeof entry[1] === "number" || typeof entry[1] === "boolean" || typeof entry[1] === "string",
  );
  return Object.fromEntries(plain.slice(0, eventFieldsMax));
}

/** The expressions that are worked out when a step of this action begins. */
function expressionsOf(action: SagaAction): readonly Expression[] {
  const written = (value: unknown): readonly Expression[] =>
    typeof value === "object" && value !== null ? [(value as Written).expression] : [];
  switch (action.kind) {
    case "operation":
      return Object.values(action.operation.worked ?? {}).map(({ value }) => value.expression);
    case "dwell":
      return written(action.forMs);
    case "set":
      return action.variables.map(({ value }) => value.expression);
    case "choose":
      return action.cases.map(({ when }) => when.expression);
    case "repeat":
      return written(action.times);
    case "call":
      return Object.values(action.inputs).flatMap(written);
    case "waitFor":
    case "waitForEvent":
    case "signal":
    case "ask":
    case "parallel":
      return [];
    default:
      return action satisfies never;
  }
}

export function readingsOfAction(action: SagaAction): readonly ReadingName[] {
  return unique(expressionsOf(action).flatMap(readingsOf));
}

export function readingsOfWhilst(action: SagaAction): readonly ReadingName[] {
  if (action.kind !== "repeat" || action.whilst === undefined) return [];
  return readingsOf(action.whilst.expression);
}

function unique(names: readonly ReadingName[]): readonly ReadingName[] {
  const found = new Map(names.map((name) => [`${name.device}.${name.field}`, name]));
  return [...found.values()];
}

export type Worked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly cause: Cause };

function refusal(code: string, text: string): { readonly ok: false; readonly cause: Cause } {
  return { ok: false, cause: { code, text } };
}

/** Nothing has been sent yet: what cannot be worked out is refused. */
export function workOut(written: Written, scope: Scope): Worked<Value> {
  const valued: Valued = evaluateExpression(written.expression, scope);
  if (valued.ok) return valued;
  return refusal("VALIDATION_FAILED", `${written.text}: ${valued.reason}`);
}

export function workOutNumber(written: Written, scope: Scope): Worked<number> {
  const worked = workOut(written, scope);
  if (!worked.ok) return worked;
  const { value } = worked;
  if (typeof value === "number") return { ok: true, value };
  return refusal("VALIDATION_FAILED", `${written.text} is ${value}, which is no number`);
}

export function workOutBoolean(written: Written, scope: Scope): Worked<boolean> {
  const worked = workOut(written, scope);
  if (!worked.ok) return worked;
  const { value } = worked;
  if (typeof value === "boolean") return { ok: true, value };
  return refusal("VALIDATION_FAILED", `${written.text} is ${value}, neither true nor false`);
}

/** A condition that a thread waits for; the desk looks at it as readings change. */
export interface OpenCondition {
  readonly step: number;
  readonly condition: Written;
  readonly scope: Scope;
  readonly ageMsMax: Ms;
}

export function conditionsOf(run: Run, reading: Scope["reading"]): readonly OpenCondition[] {
  const { phase } = run;
  if (phase.at !== "running") return [];
  return phase.threads.flatMap((thread) => {
    const definition = run.saga.steps[thread.step];
    if (thread.wait.kind !== "condition" || definition?.action.kind !== "waitFor") return [];
    const scope = scopeOf(run, scopeKeyOf(phase.threads, thread), noReadings);
    const { condition } = definition.action;
    const ageMsMax = ageOf(definition);
    return [{ step: thread.step, condition, scope: { ...scope, reading }, ageMsMax }];
  });
}

export function ageOf(definition: SagaStepDefinition): Ms {
  return definition.readingsAgeMsMax ?? readingsAgeMsMax;
}
