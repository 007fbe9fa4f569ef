/**
 * Expressions of sagas and rules: what they are made of and what they are worth.
 *
 * The idea: the text is parsed once, with its units (expression-text.ts), into this tree over
 * plain numbers in base units; evaluating it is pure and knows three answers: a value, or that it
 * cannot be known and why. `and` and `or` decide as soon as one side does. It refuses to take a
 * reading that is missing or too old for a value.
 */
import type { Reading } from "#drivers/reading.js";

/** What a variable, an input or an argument may hold. Numbers stand in their base unit. */
export type Value = number | boolean | string;

export type BinaryOp = "+" | "-" | "*" | "/" | "<" | "<=" | ">" | ">=" | "==" | "!=" | "and" | "or";
export type FunctionName = "min" | "max" | "abs" | "round";

export type Expression =
  | { readonly kind: "literal"; readonly value: Value }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "variable"; readonly name: string }
  /** A field of a device as its driver publishes it, such as `z.position`. */
  | { readonly kind: "reading"; readonly device: string; readonly field: string }
  /** A field of the event that a wait or a rule has met. */
  | { readonly kind: "event"; readonly name: string }
  | { readonly kind: "not" | "negate"; readonly of: Expression }
  | {
      readonly kind: "binary";
      readonly op: BinaryOp;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "call"; readonly name: FunctionName; readonly of: readonly Expression[] };

/** An expression with the text it was written as, for people. */
export interface Written {
  readonly text: string;
  readonly expression: Expression;
}

/** Where the names of an expression get their values from. */
export interface Scope {
  input(name: string): Value | undefined;
  variable(name: string): Value | undefined;
  event(name: string): Value | undefined;
  /** Undefined: never read. */
  reading(device: string, field: string): Reading<number | boolean> | undefined;
}

/** In which no name has a value; where some have, it is spread and they are put in. */
export const emptyScope: Scope = {
  input: () => undefined,
  variable: () => undefined,
  event: () => undefined,
  reading: () => undefined,
};

/** In which only the fields of one event have values. */
export function eventScope(fields: { readonly [name: string]: Value }): Scope {
  const event = (name: string) => (Object.hasOwn(fields, name) ? fields[name] : undefined);
  return { ...emptyScope, event };
}

export type Valued =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string };

/** The expression and all its parts, in the order in which they stand. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "not":
    case "negate":
      return [expression, ...partsOf(expression.of)];
    case "binary":
      return [expression, ...partsOf(expression.left), ...partsOf(expression.right)];
    case "call":
      return [expression, ...expression.of.flatMap(partsOf)];
    case "literal":
    case "input":
    case "variable":
    case "reading":
    case "event":
      return [expression];
    default:
      return expression satisfies never;
  }
}

/** The readings that an expression asks for, each once, in order of their first use. */
export function readingsOf(
  expression: Expression,
): readonly { readonly device: string; readonly field: string }[] {
  const found = new Map<string, { readonly device: string; readonly field: string }>();
  for (const part of partsOf(expression)) {
    if (part.kind !== "reading") continue;
    const { device, field } = part;
    found.set(`${device}.${field}`, { device, field });
  }
  return [...found.values()];
}

/** What the expression is worth in `scope`. A result that is no finite number is no value. */
export function evaluateExpression(expression: Expression, scope: Scope): Valued {
  switch (expression.kind) {
    case "literal":
      return { ok: true, value: expression.value };
    case "input":
      return named("input", expression.name, scope.input(expression.name));
    case "variable":
      return named("variable", expression.name, scope.variable(expression.name));
    case "event":
      return named("field of the event", expression.name, scope.event(expression.name));
    case "reading": {
      const { device, field } = expression;
      const reading = scope.reading(device, field);
      if (reading?.ok === true) return { ok: true, value: reading.value };
      return fail(`${device}.${field} is not known: ${reading?.reason ?? "never-read"}`);
    }
    case "not": {
      const of = evaluateExpression(expression.of, scope);
      if (!of.ok) return of;
      return typeof of.value === "boolean"
        ? { ok: true, value: !of.value }
        : fail("not needs true or false");
    }
    case "negate": {
      const of = evaluateExpression(expression.of, scope);
      if (!of.ok) return of;
      return typeof of.value === "number" ? finite(-of.value) : fail("- needs a number");
    }
    case "binary":
      return binary(expression, scope);
    case "call":
      return call(expression, scope);
    default:
      return expression satisfies never;
  }
}

function named(what: string, name: string, value: Value | undefined): Valued {
  return value === undefined ? fail(`the ${what} ${name} has no value`) : { ok: true, value };
}

function fail(reason: string): Valued {
  return { ok: false, reason };
}

function finite(value: number): Valued {
  return Number.isFinite(value) ? { ok: true, value } : fail("the result is no number");
}

function binary(expression: Expression & { kind: "binary" }, scope: Scope): Valued {
  const { op } = expression;
  const left = evaluateExpression(expression.left, scope);
  if (op === "and" || op === "or") return logic(op, left, expression.right, scope);
  const right = evaluateExpression(expression.right, scope);
  if (!left.ok) return left;
  if (!right.ok) return right;
  if (op === "==" || op === "!=") {
    if (typeof left.value !== typeof right.value) return fail(`${op} needs two of one kind`);
    return { ok: true, value: (left.value === right.value) === (op === "==") };
  }
  if (typeof left.value !== "number" || typeof right.value !== "number") {
    return fail(`${op} needs numbers`);
  }
  return numbers(op, left.value, right.value);
}

/** A side that is known to decide does so, even beside one that is not known. */
function logic(op: "and" | "or", left: Valued, other: Expression, scope: Scope): Valued {
  const decides = op === "or";
  if (left.ok && typeof left.value !== "boolean") return fail(`${op} needs true or false`);
  if (left.ok && left.value === decides) return left;
  const right = evaluateExpression(other, scope);
  if (right.ok && typeof right.value !== "boolean") return fail(`${op} needs true or false`);
  if (right.ok && right.value === decides) return right;
  return left.ok ? right : left;
}

function numbers(op: Exclude<BinaryOp, "and" | "or" | "==" | "!=">, a: number, b: number): Valued {
  switch (op) {
    case "+":
      return finite(a + b);
    case "-":
      return finite(a - b);
    case "*":
      return finite(a * b);
    case "/":
      return b === 0 ? fail("a division by zero") : finite(a / b);
    case "<":
      return { ok: true, value: a < b };
    case "<=":
      return { ok: true, value: a <= b };
    case ">":
      return { ok: true, value: a > b };
    case ">=":
      return { ok: true, value: a >= b };
    default:
      return op satisfies never;
  }
}

function call(expression: Expression & { kind: "call" }, scope: Scope): Valued {
  const given: number[] = [];
  for (const part of expression.of) {
    const value = evaluateExpression(part, scope);
    if (!value.ok) return value;
    if (typeof value.value !== "number") return fail(`${expression.name} needs numbers`);
    given.push(value.value);
  }
  switch (expression.name) {
    case "min":
      return finite(Math.min(...given));
    case "max":
      return finite(Math.max(...given));
    case "abs":
      return finite(Math.abs(given[0] ?? Number.NaN));
    case "round":
      return finite(Math.round(given[0] ?? Number.NaN));
    default:
      return expression.name satisfies never;
  }
}
