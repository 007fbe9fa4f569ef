/**
 * The words of an expression: numbers with their units, names, texts, signs.
 *
 * The idea: a unit belongs to the number before it, so `120 mm`, `6 mm/s` and `50 %` are one token
 * each, with the value in its base unit; a device's field, `x-axis.position`, is one as well. It
 * refuses what it does not know, once, and ends there.
 */
import { baseUnits, parseQuantity } from "#drivers/units.js";

export type Token =
  /** `unit`: its base unit; absent: a plain number. */
  | { readonly kind: "number"; readonly value: number; readonly unit?: string; readonly at: number }
  | { readonly kind: "text"; readonly value: string; readonly at: number }
  | {
      readonly kind: "name";
      readonly owner: string;
      readonly field: string;
      readonly at: number;
    }
  /** A word without a point: true, and, min … */
  | { readonly kind: "word"; readonly word: string; readonly at: number }
  | { readonly kind: "sign"; readonly sign: string; readonly at: number }
  | { readonly kind: "end"; readonly at: number };

/** Something wrong in an expression; `at` counts characters from 0. */
export interface ExpressionProblem {
  readonly message: string;
  readonly suggestion?: string;
  readonly at: number;
}

/** Longer than this nobody reads it: it is two steps, or a variable. */
export const expressionLengthMax = 500;

const space = /\s*/y;
const namePattern = /[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z]\w*/y;
const hexPattern = /0[xX][0-9a-fA-F]+(?!\w)/y;
const digitsPattern = /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?/y;
const unitPattern = /\s*(%|[A-Za-zµ]+)(\/(?:min|s(?:\^2|2|²)?)(?!\w))?/y;
const wordPattern = /[A-Za-z_]\w*/y;
const textPattern = /'((?:[^']|'')*)'/y;
const signPattern = /<=|>=|==|!=|[-+*/()<>,]/y;
/** Words that may follow a number without being its unit. */
const notUnits = new Set(["and", "or", "not"]);

export function tokensOf(
  text: string,
):
  | { readonly ok: true; readonly tokens: readonly Token[] }
  | { readonly ok: false; readonly problem: ExpressionProblem } {
  if (text.length > expressionLengthMax) {
    const message = `the expression is longer than ${expressionLengthMax} characters`;
    return { ok: false, problem: { message, suggestion: "keep a part in a variable", at: 0 } };
  }
  const tokens: Token[] = [];
  let at = matchAt(space, text, 0)?.[0].length ?? 0;
  while (at < text.length) {
    const read = tokenAt(text, at);
    if ("message" in read) return { ok: false, problem: read };
    tokens.push(read.token);
    at = read.end + (matchAt(space, text, read.end)?.[0].length ?? 0);
  }
  return { ok: true, tokens: [...tokens, { kind: "end", at }] };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

type Read = { readonly token: Token; readonly end: number } | ExpressionProblem;

function tokenAt(text: string, at: number): Read {
  const name = matchAt(namePattern, text, at);
  if (name !== null) {
    const cut = name[0].lastIndexOf(".");
    const token = { owner: name[0].slice(0, cut), field: name[0].slice(cut + 1), at };
    return { token: { kind: "name", ...token }, end: at + name[0].length };
  }
  const hex = matchAt(hexPattern, text, at);
  if (hex !== null) {
    return { token: { kind: "number", value: Number(hex[0]), at }, end: at + hex[0].length };
  }
  const digits = matchAt(digitsPattern, text, at);
  if (digits !== null) return numberAt(text, digits[0], at);
  const quoted = matchAt(textPattern, text, at);
  if (quoted !== null) {
    const value = (quoted[1] ?? "").replaceAll("''", "'");
    return { token: { kind: "text", value, at }, end: at + quoted[0].length };
  }
  const word = matchAt(wordPattern, text, at);
  if (word !== null) {
    return { token: { kind: "word", word: word[0], at }, end: at + word[0].length };
  }
  const sign = matchAt(signPattern, text, at);
  if (sign !== null) {
    return { token: { kind: "sign", sign: sign[0], at }, end: at + sign[0].length };
  }
  return stranger(text, at);
}

const meant: { readonly [sign: string]: string } = {
  "=": "compare with ==",
  "!": "write not",
  "&": "write and",
  "|": "write or",
  '"': "write texts in single quotes: 'left'",
  "'": "end the text with '",
};

function stranger(text: string, at: number): ExpressionProblem {
  const [sign = ""] = text.slice(at);
  const suggestion = meant[sign];
  const message = sign === "'" ? "the text has no end" : `"${sign}" has no meaning here`;
  return { message, at, ...(suggestion === undefined ? {} : { suggestion }) };
}

function numberAt(text: string, digits: string, at: number): Read {
  const end = at + digits.length;
  const unit = matchAt(unitPattern, text, end);
  const name = unit === null ? "" : `${unit[1] ?? ""}${unit[2] ?? ""}`;
  if (name === "" || notUnits.has(unit?.[1] ?? "")) return plainNumber(digits, at);
  const quantity = parseQuantity(`${digits} ${name}`);
  if (!quantity.ok) {
    const { message, suggestion } = quantity;
    return { message, at, ...(suggestion === undefined ? {} : { suggestion }) };
  }
  const { value, dimension } = quantity;
  const token = { kind: "number", value, unit: baseUnits[dimension], at } as const;
  return { token, end: end + (unit?.[0].length ?? 0) };
}

function plainNumber(digits: string, at: number): Read {
  const value = Number(digits);
  if (/^0\d/.test(digits)) {
    return { message: "a number with leading zeros", suggestion: "remove the zeros", at };
  }
  if (!Number.isFinite(value)) return { message: `"${digits}" is out of range`, at };
  return { token: { kind: "number", value, at }, end: at + digits.length };
}
