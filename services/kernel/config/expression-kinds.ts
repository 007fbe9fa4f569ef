/**
 * What the parts of an expression are, and which of them go together.
 *
 * The idea: a value is true or false, a text, or a number in one base unit; every sign says what
 * it takes and what comes out. What is not known before the run (a field of an event) goes with
 * anything. It refuses to mix units, so that a length is never compared with a speed.
 */
import type { FieldKind } from "./condition.js";
import type { BinaryOp, FunctionName } from "./expression.js";

/** What a name or a part of an expression is worth. `unjudged`: not known before the run. */
export type ValueKind = FieldKind | { readonly kind: "text"; readonly choices?: readonly string[] };

export interface Mismatch {
  readonly message: string;
  readonly suggestion?: string;
}

const truth: ValueKind = { kind: "boolean" };
const unjudged: ValueKind = { kind: "unjudged" };

/** `a number in mm`, for messages. */
export function kindText(kind: ValueKind): string {
  switch (kind.kind) {
    case "boolean":
      return "true or false";
    case "text":
      return "a text";
    case "number":
      return kind.unit === undefined ? "a plain number" : `a number in ${kind.unit}`;
    case "unjudged":
      return "not known before the run";
    default:
      return kind satisfies never;
  }
}

/** What is wrong with `kind` where `wanted` belongs; undefined: nothing. */
export function misfit(kind: ValueKind, wanted: ValueKind): Mismatch | undefined {
  if (kind.kind === "unjudged" || wanted.kind === "unjudged") return undefined;
  if (kind.kind === "number" && wanted.kind === "number" && kind.unit !== wanted.unit) {
    const suggestion =
      wanted.unit === undefined ? `divide by 1 ${kind.unit}` : `write a value in ${wanted.unit}`;
    return { message: `it is ${kindText(kind)}, and ${kindText(wanted)} belongs here`, suggestion };
  }
  if (kind.kind === wanted.kind) return undefined;
  const said = { message: `it is ${kindText(kind)}, and ${kindText(wanted)} belongs here` };
  return wanted.kind === "boolean" ? { ...said, suggestion: "compare it, such as … >= 50" } : said;
}

/** What `left op right` is, or why the two do not go together. */
export function binaryKind(op: BinaryOp, left: ValueKind, right: ValueKind): ValueKind | Mismatch {
  switch (op) {
    case "and":
    case "or":
      return truths(op, left, right);
    case "==":
    case "!=":
      return equals(op, left, right);
    case "*":
      return product(left, right);
    case "/":
      return quotient(left, right);
    case "+":
    case "-":
      return likeNumbers(op, [left, right]);
    case "<":
    case "<=":
    case ">":
    case ">=":
      return ordered(op, left, right);
    default:
      return op satisfies never;
  }
}

/** What a function gives for arguments of these kinds. */
export function callKind(name: FunctionName, of: readonly ValueKind[]): ValueKind | Mismatch {
  const most = name === "min" || name === "max";
  const fits = most ? of.length >= 2 && of.length <= 8 : of.length === 1;
  const takes = most ? "two to eight numbers" : "one number";
  if (!fits) return { message: `${name} takes ${takes}, not ${of.length}` };
  return likeNumbers(name, of);
}

function truths(op: string, left: ValueKind, right: ValueKind): ValueKind | Mismatch {
  for (const side of [left, right]) {
    if (side.kind === "boolean" || side.kind === "unjudged") continue;
    const message = `${op} joins what is true or false; this is ${kindText(side)}`;
    return { message, suggestion: "compare it, such as … >= 50" };
  }
  return truth;
}

function ordered(op: string, left: ValueKind, right: ValueKind): ValueKind | Mismatch {
  if ([left, right].some(({ kind }) => kind === "boolean")) {
    return { message: `${op} compares numbers; this is true or false, use == or !=` };
  }
  const like = likeNumbers(op, [left, right]);
  return "message" in like ? like : truth;
}

function equals(op: string, left: ValueKind, right: ValueKind): ValueKind | Mismatch {
  if (left.kind === "unjudged" || right.kind === "unjudged") return truth;
  if (left.kind === "number" || right.kind === "number") {
    const like = likeNumbers(op, [left, right]);
    return "message" in like ? like : truth;
  }
  if (left.kind === right.kind) return truth;
  return { message: `${op} compares ${kindText(left)} with ${kindText(right)}` };
}

/** Numbers of one unit, whatever unit that is. */
function likeNumbers(op: string, kinds: readonly ValueKind[]): ValueKind | Mismatch {
  const known = kinds.filter((kind) => kind.kind !== "unjudged");
  const [first] = known;
  if (first === undefined) return unjudged;
  for (const kind of known) {
    if (kind.kind !== "number")
      return { message: `${op} takes numbers; this is ${kindText(kind)}` };
    if (first.kind !== "number" || kind.unit === first.unit) continue;
    const bare = kind.unit === undefined || first.unit === undefined;
    const unit = first.unit ?? kind.unit ?? "";
    const suggestion = bare
      ? `give the plain number its unit, such as … ${unit}`
      : `write both in ${unit}`;
    return { message: `${op} mixes ${kindText(first)} and ${kindText(kind)}`, suggestion };
  }
  return first;
}

function product(left: ValueKind, right: ValueKind): ValueKind | Mismatch {
  const wrong = notNumbers("*", left, right);
  if (wrong !== undefined) return wrong;
  if (left.kind !== "number") return left;
  if (right.kind !== "number") return right;
  if (left.unit === undefined) return right;
  if (right.unit === undefined) return left;
  const message = `* multiplies ${kindText(left)} by ${kindText(right)}`;
  const share = left.unit === "%" || right.unit === "%";
  return {
    message,
    suggestion: share ? "write 0.5 instead of 50 %" : "one of the two is a plain number",
  };
}

function quotient(left: ValueKind, right: ValueKind): ValueKind | Mismatch {
  const wrong = notNumbers("/", left, right);
  if (wrong !== undefined) return wrong;
  if (left.kind !== "number" || right.kind !== "number") return unjudged;
  if (right.unit === undefined) return left;
  if (left.unit === right.unit) return { kind: "number", unit: undefined };
  const message = `/ divides ${kindText(left)} by ${kindText(right)}`;
  return { message, suggestion: "divide by a plain number or by one of the same unit" };
}

function notNumbers(op: string, left: ValueKind, right: ValueKind): Mismatch | undefined {
  const odd = [left, right].find((one) => one.kind !== "number" && one.kind !== "unjudged");
  return odd === undefined
    ? undefined
    : { message: `${op} takes numbers; this is ${kindText(odd)}` };
}
