/**
 * Conditions of a profile, made ready to be asked.
 *
 * The idea: three answers: true, false, and undefined when a value is missing; a missing value
 * never counts as either. All numbers in a condition are worked out once, when it is compiled. It
 * refuses conditions that the lint would refuse, by throwing.
 */
import type { DriveState } from "./device-model.js";
import type { Names } from "./expression.js";
import { evaluate } from "./expression.js";
import type { Condition, Profile } from "./profile.js";
import type { Operand } from "./profile-behaviour.js";
import { toNumber } from "./rational.js";

/** Arguments and captures of one run of an operation, in user units. */
export interface OperandValues {
  readonly args: { readonly [name: string]: number };
  readonly captures: { readonly [name: string]: number };
}
export const noOperands: OperandValues = { args: {}, captures: {} };

export type Lookup = (point: string) => number | undefined;

export interface Test {
  /** Points that must be read to decide it. */
  readonly points: readonly string[];
  readonly ask: (look: Lookup, values: OperandValues) => boolean | undefined;
  /** The target of the first `near` inside, for messages. */
  readonly target?: { readonly point: string; readonly operand: number | Operand };
}

export interface ConditionContext {
  readonly profile: Profile;
  readonly names: Names;
}

/** @throws RangeError when a name is not given by the setup. */
export function worth(expression: number | string, names: Names): number {
  const result = evaluate(expression, names);
  if (!result.ok) throw new RangeError(`${expression}: ${result.why}`);
  return toNumber(result.value);
}

/** The value of an operand; undefined when it has not been captured or given. */
export function operandValue(
  operand: number | Operand,
  { args, captures }: OperandValues,
): number | undefined {
  if (typeof operand === "number") return operand;
  const base = operand.arg !== undefined ? args[operand.arg] : captures[operand.capture ?? ""];
  const plus = operand.plus === undefined ? 0 : args[operand.plus];
  if (base === undefined || plus === undefined) return undefined;
  const { clear, set, toggle } = operand;
  if (clear === undefined && set === undefined && toggle === undefined) return base + plus;
  // Read, modify, write: the other bits of the word stay as they were read.
  return (((base & ~(clear ?? 0)) | (set ?? 0)) ^ (toggle ?? 0)) >>> 0;
}

/** The first pair that matches; undefined while the word is not there. */
export function stateOf(profile: Profile, look: Lookup): DriveState | undefined {
  const { point, pairs } = profile.status.state;
  const word = look(point);
  if (word === undefined) return undefined;
  for (const { mask, value, state } of pairs) if ((word & mask) === value) return state;
  return "unknown";
}

/** False as soon as one is `no`; undefined when one is missing; else true. */
function none(
  tests: readonly Test[],
  no: boolean,
  look: Lookup,
  values: OperandValues,
): boolean | undefined {
  let missing = false;
  for (const test of tests) {
    const answer = test.ask(look, values);
    if (answer === no) return false;
    if (answer === undefined) missing = true;
  }
  return missing ? undefined : true;
}

function not(answer: boolean | undefined): boolean | undefined {
  return answer === undefined ? undefined : !answer;
}

function joined(tests: readonly Test[], ask: Test["ask"]): Test {
  const target = tests.find((one) => one.target !== undefined)?.target;
  const points = [...new Set(tests.flatMap((one) => one.points))];
  return { points, ask, ...(target === undefined ? {} : { target }) };
}

export function compileCondition(condition: Condition, context: ConditionContext): Test {
  const { profile } = context;
  if (condition.all !== undefined) {
    const tests = condition.all.map((one) => compileCondition(one, context));
    return joined(tests, (look, values) => none(tests, false, look, values));
  }
  if (condition.any !== undefined) {
    const tests = condition.any.map((one) => compileCondition(one, context));
    return joined(tests, (look, values) => not(none(tests, true, look, values)));
  }
  if (condition.not !== undefined) {
    const test = compileCondition(condition.not, context);
    return joined([test], (look, values) => not(test.ask(look, values)));
  }
  if (condition.state !== undefined) {
    const wanted: readonly DriveState[] = condition.state;
    const ask = (look: Lookup) => {
      const state = stateOf(profile, look);
      return state === undefined ? undefined : wanted.includes(state);
    };
    return { points: [profile.status.state.point], ask };
  }
  if (condition.flag !== undefined) {
    const flag = profile.status.flags[condition.flag];
    if (flag === undefined) throw new RangeError(`there is no flag ${condition.flag}`);
    const test = compileCondition(flag.when, context);
    const wanted = condition.is ?? true;
    return joined([test], (look, values) =>
      wanted ? test.ask(look, values) : not(test.ask(look, values)),
    );
  }
  return compilePoint(condition, context);
}

/** A test of one value; `of` is asked only when the value is there. */
function onPoint(
  point: string,
  of: (value: number, values: OperandValues) => boolean | undefined,
): Test {
  const ask: Test["ask"] = (look, values) => {
    const value = look(point);
    return value === undefined ? undefined : of(value, values);
  };
  return { points: [point], ask };
}

function compilePoint(condition: Condition, { names }: ConditionContext): Test {
  const { point, mask, equals, near } = condition;
  if (point === undefined) throw new RangeError("an empty condition");
  if (equals !== undefined) {
    return onPoint(point, (value) => {
      return equals.includes(mask === undefined ? value : (value & mask) >>> 0);
    });
  }
  if (near !== undefined) {
    const within = worth(condition.within ?? 0, names);
    const test = onPoint(point, (value, values) => {
      const target = operandValue(near, values);
      return target === undefined ? undefined : Math.abs(value - target) <= within;
    });
    return { ...test, target: { point, operand: near } };
  }
  if (condition.absAtMost !== undefined) {
    const most = worth(condition.absAtMost, names);
    return onPoint(point, (value) => Math.abs(value) <= most);
  }
  if (condition.atMost !== undefined) {
    const most = worth(condition.atMost, names);
    return onPoint(point, (value) => value <= most);
  }
  const least = worth(condition.atLeast ?? 0, names);
  return onPoint(point, (value) => value >= least);
}
