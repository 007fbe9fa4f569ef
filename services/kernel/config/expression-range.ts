/**
 * Between which numbers an expression lies, for all the inputs that a saga allows.
 *
 * The idea: interval arithmetic over the limits of the inputs; what has no limit reaches to
 * infinity, and a name that stands twice is taken for two, so the range may be wider than what can
 * happen but never narrower. Pure. It refuses truth values and texts: they have no range.
 */
import { type Expression, partsOf } from "./expression.js";

export interface Range {
  readonly min: number;
  readonly max: number;
}

export const anyNumber: Range = {
  min: Number.NEGATIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
};

/** `rangeOf` of a name that is no number, or of which nothing is known: `anyNumber`. */
export interface NameRanges {
  readonly input: (name: string) => Range;
}

export function rangeOf(expression: Expression, names: NameRanges): Range {
  switch (expression.kind) {
    case "literal": {
      const { value } = expression;
      return typeof value === "number" ? { min: value, max: value } : anyNumber;
    }
    case "input":
      return names.input(expression.name);
    case "negate":
      return negative(rangeOf(expression.of, names));
    case "binary":
      return binary(expression, names);
    case "call":
      return called(expression, names);
    case "variable":
    case "reading":
    case "event":
    case "not":
      return anyNumber;
    default:
      return expression satisfies never;
  }
}

function negative({ min, max }: Range): Range {
  return { min: -max, max: -min };
}

/** Of these corners; a corner without a number (0 × ∞) makes it any number. */
function spanned(corners: readonly number[]): Range {
  if (corners.some(Number.isNaN)) return anyNumber;
  return { min: Math.min(...corners), max: Math.max(...corners) };
}

function binary(expression: Expression & { kind: "binary" }, names: NameRanges): Range {
  const a = rangeOf(expression.left, names);
  const b = rangeOf(expression.right, names);
  switch (expression.op) {
    case "+":
      return { min: a.min + b.min, max: a.max + b.max };
    case "-":
      return { min: a.min - b.max, max: a.max - b.min };
    case "*":
      return spanned([a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max]);
    case "/":
      if (b.min <= 0 && b.max >= 0) return anyNumber;
      return spanned([a.min / b.min, a.min / b.max, a.max / b.min, a.max / b.max]);
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "==":
    case "!=":
    case "and":
    case "or":
      return anyNumber;
    default:
      return expression.op satisfies never;
  }
}

function called(expression: Expression & { kind: "call" }, names: NameRanges): Range {
  const of = expression.of.map((one) => rangeOf(one, names));
  const mins = of.map((one) => one.min);
  const maxs = of.map((one) => one.max);
  const [first = anyNumber] = of;
  switch (expression.name) {
    case "min":
      return { min: Math.min(...mins), max: Math.min(...maxs) };
    case "max":
      return { min: Math.max(...mins), max: Math.max(...maxs) };
    case "abs": {
      const far = Math.max(Math.abs(first.min), Math.abs(first.max));
      const crosses = first.min <= 0 && first.max >= 0;
      return { min: crosses ? 0 : Math.min(Math.abs(first.min), Math.abs(first.max)), max: far };
    }
    case "round":
      return { min: Math.round(first.min), max: Math.round(first.max) };
    default:
      return expression.name satisfies never;
  }
}

/** Whether it is the same whatever the run finds: made of numbers, texts and truths alone. */
export function isConstant(expression: Expression): boolean {
  const named = new Set(["input", "variable", "reading", "event"]);
  return partsOf(expression).every(({ kind }) => !named.has(kind));
}
