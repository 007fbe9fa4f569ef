/**
 * A value of a saga where it stands: known now, or worked out when its step begins.
 *
 * The idea: behind `=` stands an expression, without it a plain value; where only an expression
 * makes sense (a condition, a variable) the sign may be left out. What an expression comes to is
 * judged over all inputs that the saga allows. It refuses to leave for the run what is known now.
 */
import { emptyScope, evaluateExpression, type Value, type Written } from "./expression.js";
import { kindText, type ValueKind } from "./expression-kinds.js";
import { isConstant, type Range, rangeOf } from "./expression-range.js";
import { parseExpression, problemsText } from "./expression-text.js";
import type { Path } from "./file-problems.js";
import type { FileReader, QuantityRules } from "./file-reader.js";
import type { SagaNames } from "./saga-names.js";

/** `= input.depth + 5 mm`; a text that begins with == is no expression but a mistake. */
const marked = /^\s*=(?!=)\s*(?<text>[\s\S]*)$/;

export interface WrittenOfKind {
  readonly written: Written;
  readonly kind: ValueKind;
}

/** The expression in `text`, noted at `path` when it is none of the wanted kind. */
export function readWritten(
  read: FileReader,
  path: Path,
  text: string,
  names: SagaNames,
  wanted?: ValueKind,
): WrittenOfKind | undefined {
  const bare = marked.exec(text)?.groups?.text ?? text;
  const parsed = parseExpression(bare, names.names(), wanted);
  if (parsed.ok) return { written: parsed.written, kind: parsed.kind };
  const said = problemsText(parsed.problems);
  const hint = parsed.problems.find(({ suggestion }) => suggestion !== undefined)?.suggestion;
  return read.problems.at(path, said, {
    value: text,
    ...(hint === undefined ? {} : { suggestion: hint }),
  });
}

/** A condition at `path`. */
export function readCondition(read: FileReader, path: Path, names: SagaNames): Written | undefined {
  const text = read.text(path);
  if (text === undefined) return undefined;
  return readWritten(read, path, text, names, { kind: "boolean" })?.written;
}

/** A number within its rules, or an expression that gives one. */
export function readNumber(
  read: FileReader,
  path: Path,
  rules: QuantityRules,
  names: SagaNames | undefined,
): number | Written | undefined {
  const raw = read.raw(path);
  const text = typeof raw === "string" ? marked.exec(raw)?.groups?.text : undefined;
  if (text === undefined) return read.quantity(path, rules);
  if (names === undefined) {
    const said = "a makeSafe is known beforehand; it takes plain values only";
    return read.problems.at(path, said, { value: String(raw) });
  }
  const wanted = { kind: "number", unit: rules.unit } as const;
  const found = readWritten(read, path, text, names, wanted);
  if (found === undefined) return undefined;
  const { written } = found;
  if (isConstant(written.expression)) return constant(read, path, written, rules);
  const range = rangeOf(written.expression, { input: (name) => inputRange(names, name) });
  return judged(read, path, { written, range, rules }) ? written : undefined;
}

function constant(
  read: FileReader,
  path: Path,
  written: Written,
  rules: QuantityRules,
): number | undefined {
  const worth = evaluateExpression(written.expression, emptyScope);
  const value = worth.ok && typeof worth.value === "number" ? worth.value : Number.NaN;
  if (Number.isNaN(value)) {
    const why = worth.ok ? "it is no number" : worth.reason;
    return read.problems.at(path, why, { value: written.text });
  }
  return judged(read, path, { written, range: { min: value, max: value }, rules })
    ? value
    : undefined;
}

function inputRange({ inputs }: SagaNames, name: string): Range {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = inputs[name] ?? {};
  return { min, max };
}

/** False: no input that the saga allows gives a value within the rules. */
function judged(
  read: FileReader,
  path: Path,
  { written, range, rules }: { written: Written; range: Range; rules: QuantityRules },
): boolean {
  const { unit, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, above } = rules;
  const name = String(path.at(-1));
  const shown = (n: number) =>
    `${Math.round(n * 1000) / 1000}${unit === undefined ? "" : ` ${unit}`}`;
  const facts = { value: written.text };
  const say = (what: string, limit: string, certain: boolean) => {
    const text = `${name} ${certain ? "is" : "may be"} ${what}; it must be ${limit}`;
    if (certain) read.problems.at(path, text, facts);
    else {
      const suggestion = "narrow the limits of the inputs, or use min() and max()";
      read.problems.at(path, text, { ...facts, severity: "warning", suggestion });
    }
    return !certain;
  };
  const low = above ?? min;
  const tooLow = above === undefined ? range.max < min : range.max <= above;
  if (tooLow) return say(shown(range.max), limitText(above, shown(low)), true);
  if (range.min > max) return say(shown(range.min), `at most ${shown(max)}`, true);
  const mayLow = above === undefined ? range.min < min : range.min <= above;
  if (Number.isFinite(range.min) && mayLow) {
    return say(shown(range.min), limitText(above, shown(low)), false);
  }
  if (Number.isFinite(range.max) && range.max > max) {
    return say(shown(range.max), `at most ${shown(max)}`, false);
  }
  return true;
}

function limitText(above: number | undefined, shown: string): string {
  return above === undefined ? `at least ${shown}` : `above ${shown}`;
}

/** A truth value or a text that another saga is given: plain, or an expression behind `=`. */
export function readValue(
  read: FileReader,
  path: Path,
  wanted: ValueKind,
  names: SagaNames,
): Value | Written | undefined {
  const raw = read.raw(path);
  const text = typeof raw === "string" ? marked.exec(raw)?.groups?.text : undefined;
  if (text !== undefined) {
    const found = readWritten(read, path, text, names, wanted);
    if (found === undefined || !isConstant(found.written.expression)) return found?.written;
    const worth = evaluateExpression(found.written.expression, emptyScope);
    return worth.ok ? worth.value : read.problems.at(path, worth.reason, { value: text });
  }
  if (typeof raw === "boolean" && wanted.kind === "boolean") return raw;
  if (typeof raw === "string" && wanted.kind === "text") return raw;
  return read.problems.at(path, `it must be ${kindText(wanted)}`, { value: String(raw) });
}

/** What a variable is set to: always an expression; numbers and truths may stand plain. */
export function readVariable(
  read: FileReader,
  path: Path,
  names: SagaNames,
): WrittenOfKind | undefined {
  const raw = read.raw(path);
  if (typeof raw === "string") return readWritten(read, path, raw, names);
  if (typeof raw !== "number" && typeof raw !== "boolean") return undefined;
  const written: Written = { text: String(raw), expression: { kind: "literal", value: raw } };
  const kind: ValueKind =
    typeof raw === "number" ? { kind: "number", unit: undefined } : { kind: "boolean" };
  return { written, kind };
}
