/**
 * Expressions: any text is read or refused, and what is read means what was written.
 *
 * The idea: random texts, some of them made of the language's own words, must never throw; random
 * trees, printed here with as few brackets as the grammar asks for and with units, must come back
 * as they were and be worth what a reference interpreter says. It refuses devices.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type BinaryOp,
  type Expression,
  evaluateExpression,
  type FunctionName,
  type Scope,
} from "#kernel/config/expression.js";
import type { ValueKind } from "#kernel/config/expression-kinds.js";
import { type ExpressionNames, parseExpression } from "#kernel/config/expression-text.js";

const mm: ValueKind = { kind: "number", unit: "mm" };
const names: ExpressionNames = {
  input: (name) => (name === "depth" ? mm : { kind: "number", unit: undefined }),
  variable: () => ({ kind: "boolean" }),
  event: () => ({ kind: "unjudged" }),
  reading: (device, field) => {
    if (device !== "z") return "no such device";
    return field === "homed" ? { kind: "boolean" } : mm;
  },
};
const values = { depth: 12, count: 3 };
const scope: Scope = {
  input: (name) => (name === "depth" ? values.depth : values.count),
  variable: (name) => name === "yes",
  event: () => undefined,
  reading: (_, field) => ({ ok: true, atMs: 1, value: field === "homed" ? true : 40 }),
};

const words = fc.constantFrom(
  ..."input. var. event. z. x-1. depth homed and or not true false min( max( abs( round ( ) , ' '' "
    .concat('+ - * / < <= > >= == != = 5 0.5 1e9 007 0x1f mm mm/s s % mm/s^2 & | " µ 😀 \\ \0 \n')
    .split(" "),
);

test("expression: no text makes the reader throw (texts=100,000)", () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 60, unit: "binary" }),
    fc.array(words, { maxLength: 40 }).map((parts) => parts.join("")),
    fc.array(words, { maxLength: 40 }).map((parts) => parts.join(" ")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseExpression(text, names);
      if (!parsed.ok) {
        expect(parsed.problems.length).toBeGreaterThan(0);
        for (const { at } of parsed.problems) expect(at <= text.length).toBe(true);
      }
    }),
    { numRuns: 100_000 },
  );
}, 120_000);

type Kind = "mm" | "plain" | "truth";
/** A tree with its text; `level`: how tightly the text holds together, by the grammar. */
interface Tree {
  readonly expression: Expression;
  readonly kind: Kind;
  readonly text: string;
  readonly level: number;
}

const number = fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8 + 0);
const partLevel = 8;

function part(kind: Kind, expression: Expression, text: string): Tree {
  return { expression, kind, text, level: partLevel };
}

function literal(kind: Kind, value: number): Tree {
  return part(kind, { kind: "literal", value }, `${value}${kind === "mm" ? " mm" : ""}`);
}

function leaf(kind: Kind): fc.Arbitrary<Tree> {
  const { input, reading } = {
    input: (name: string) => part(kind, { kind: "input", name }, `input.${name}`),
    reading: (field: string) => part(kind, { kind: "reading", device: "z", field }, `z.${field}`),
  };
  if (kind === "truth") {
    const variable = (name: string) => part(kind, { kind: "variable", name }, `var.${name}`);
    const truths = [true, false].map((value) =>
      part(kind, { kind: "literal", value }, String(value)),
    );
    return fc.constantFrom(...truths, variable("yes"), variable("no"), reading("homed"));
  }
  const names = kind === "plain" ? [input("count")] : [input("depth"), reading("position")];
  return fc.oneof(
    number.map((value) => literal(kind, value)),
    fc.constantFrom(...names),
  );
}

const levels: { readonly [op in BinaryOp]: number } = {
  or: 1,
  and: 2,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "==": 4,
  "!=": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
};

/** The text as it stands where at least this level belongs: in brackets only where needed. */
function within(tree: Tree, level: number): string {
  return tree.level < level ? `(${tree.text})` : tree.text;
}

function joined(op: BinaryOp, kind: Kind, left: Tree, right: Tree): Tree {
  const level = levels[op];
  // Comparisons do not chain, so both sides stand one level up.
  const text = `${within(left, level === 4 ? 5 : level)} ${op} ${within(right, level + 1)}`;
  const sides = { left: left.expression, right: right.expression };
  return { expression: { kind: "binary", op, ...sides }, kind, text, level };
}

function negated(of: Tree): Tree {
  const { expression, kind } = of;
  // The reader makes one number of a sign and its number.
  if (expression.kind === "literal" && typeof expression.value === "number") {
    return literal(kind, 0 - expression.value);
  }
  const text = `-${within(of, 7)}`;
  return { expression: { kind: "negate", of: expression }, kind, text, level: 7 };
}

function denied(of: Tree): Tree {
  const expression = { kind: "not", of: of.expression } as const;
  return { expression, kind: "truth", text: `not ${within(of, 3)}`, level: 3 };
}

function called(name: FunctionName, kind: Kind, both: readonly Tree[]): Tree {
  const of = name === "min" || name === "max" ? both : both.slice(0, 1);
  const expressions = of.map((one) => one.expression);
  const text = `${name}(${of.map((one) => one.text).join(", ")})`;
  return part(kind, { kind: "call", name, of: expressions }, text);
}

function tree(kind: Kind, depth: number): fc.Arbitrary<Tree> {
  if (depth === 0) return leaf(kind);
  const sub = (of: Kind) => tree(of, depth - 1);
  const join = (ops: readonly BinaryOp[], left: Kind, right: Kind) =>
    fc
      .tuple(fc.constantFrom(...ops), sub(left), sub(right))
      .map(([op, a, b]) => joined(op, kind, a, b));
  if (kind === "truth") {
    const compared = fc
      .constantFrom<Kind>("mm", "plain")
      .chain((of) => join(["<", "<=", ">", ">=", "==", "!="], of, of));
    const logic = join(["and", "or", "==", "!="], kind, kind);
    return fc.oneof(leaf(kind), compared, logic, sub(kind).map(denied));
  }
  const calls = fc
    .tuple(
      fc.constantFrom<FunctionName>("min", "max", "abs", "round"),
      fc.tuple(sub(kind), sub(kind)),
    )
    .map(([name, both]) => called(name, kind, both));
  const more = kind === "plain" ? [join(["/"], "mm", "mm")] : [];
  const parts = [join(["+", "-"], kind, kind), join(["*", "/"], kind, "plain"), calls];
  return fc.oneof(leaf(kind), ...parts, sub(kind).map(negated), ...more);
}

/** What it is worth, written a second time: NaN and infinities are "no value". */
function reference(of: Expression): number | boolean | undefined {
  switch (of.kind) {
    case "literal":
      return typeof of.value === "string" ? undefined : of.value;
    case "input":
      return of.name === "depth" ? values.depth : values.count;
    case "variable":
      return of.name === "yes";
    case "event":
      return undefined;
    case "reading":
      return of.field === "homed" ? true : 40;
    case "not": {
      const value = reference(of.of);
      return value === undefined ? undefined : !value;
    }
    case "negate": {
      const value = reference(of.of);
      return value === undefined ? undefined : 0 - Number(value);
    }
    case "call": {
      const all = of.of.map(reference);
      if (all.includes(undefined)) return undefined;
      const [name, given] = [of.name, all.map(Number)];
      const called: (...numbers: number[]) => number = Math[name];
      return finite(called(...given));
    }
    case "binary":
      return referenceOf(of.op, reference(of.left), reference(of.right));
    default:
      return of satisfies never;
  }
}

type Known = number | boolean | undefined;

function referenceOf(op: BinaryOp, a: Known, b: Known): Known {
  if (op === "and") return a === false || b === false ? false : a === undefined ? a : b;
  if (op === "or") return a === true || b === true ? true : a === undefined ? a : b;
  if (a === undefined || b === undefined) return undefined;
  const [x, y] = [Number(a), Number(b)];
  const table: { readonly [op in Exclude<BinaryOp, "and" | "or">]: () => Known } = {
    "+": () => finite(x + y),
    "-": () => finite(x - y),
    "*": () => finite(x * y),
    "/": () => finite(x / y),
    "<": () => x < y,
    "<=": () => x <= y,
    ">": () => x > y,
    ">=": () => x >= y,
    "==": () => a === b,
    "!=": () => a !== b,
  };
  return table[op]();
}

/** 0 and -0 are one number. */
function unsigned<T>(value: T): T | number {
  return value === 0 ? 0 : value;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

test("expression: a printed tree is read as it was, and is worth what the reference says", () => {
  const trees = fc.oneof(tree("truth", 3), tree("mm", 3), tree("plain", 3));
  fc.assert(
    fc.property(trees, ({ expression, text }) => {
      fc.pre(text.length <= 500);
      const parsed = parseExpression(text, names);
      if (!parsed.ok) throw new Error(`${text}: ${JSON.stringify(parsed.problems)}`);
      expect(parsed.written.expression).toEqual(expression);
      const value = evaluateExpression(parsed.written.expression, scope);
      const wanted = reference(expression);
      expect([text, value.ok ? unsigned(value.value) : undefined]).toEqual([
        text,
        unsigned(wanted),
      ]);
    }),
    { numRuns: 10_000 },
  );
}, 120_000);
