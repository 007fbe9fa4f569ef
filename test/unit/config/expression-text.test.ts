/**
 * Expressions from text: what is read, with its units, and what is refused in words.
 * The idea: tables of texts over a handful of names. It refuses devices and files.
 */
import { expect, test } from "vitest";
import { parseCondition } from "#kernel/config/condition.js";
import { evaluateExpression, type Scope, type Value } from "#kernel/config/expression.js";
import type { ValueKind } from "#kernel/config/expression-kinds.js";
import { type ExpressionNames, parseExpression } from "#kernel/config/expression-text.js";
import { writtenOf } from "../../fixtures/config/written-condition.js";

const mm: ValueKind = { kind: "number", unit: "mm" };
const plain: ValueKind = { kind: "number", unit: undefined };
const truth: ValueKind = { kind: "boolean" };

const inputs: { readonly [name: string]: ValueKind } = {
  depth: mm,
  count: plain,
  fast: truth,
  side: { kind: "text", choices: ["left", "right"] },
};
const names: ExpressionNames = {
  input: (name) => inputs[name] ?? `there is no input ${name}`,
  variable: (name) => (name === "turns" ? plain : `there is no variable ${name}`),
  event: () => ({ kind: "unjudged" }),
  reading: (device, field) => {
    if (device !== "z" && device !== "x-axis") return `there is no device ${device}`;
    if (field === "position") return mm;
    if (field === "velocity") return { kind: "number", unit: "mm/s" };
    if (field === "faultCode") return plain;
    return field === "homed" ? truth : `a device has no reading "${field}"`;
  },
};
const scope: Scope = {
  input: (name) => ({ depth: 20, count: 3, fast: true, side: "left" })[name] as Value | undefined,
  variable: () => 2,
  event: (name) => (name === "position" ? 40 : "done"),
  reading: (_, field) => ({ ok: true, atMs: 1, value: field === "homed" ? true : 50 }),
};

test.each<[string, Value, ValueKind]>([
  ["120 mm", 120, mm],
  ["12cm", 120, mm],
  ["1.5 s", 1500, { kind: "number", unit: "ms" }],
  ["50 %", 50, { kind: "number", unit: "%" }],
  ["50%/s", 50, { kind: "number", unit: "%/s" }],
  ["3 m/min", 50, { kind: "number", unit: "mm/s" }],
  ["2 m/s²", 2000, { kind: "number", unit: "mm/s2" }],
  ["10 mm/2", 5, mm],
  ["-5 mm", -5, mm],
  ["- -5", 5, plain],
  ["+.5", 0.5, plain],
  ["0x10", 16, plain],
  ["1e3", 1000, plain],
  ["input.depth + 5 mm", 25, mm],
  ["input.depth - 5 mm - 5 mm", 10, mm],
  ["2 * input.depth + 1 cm", 50, mm],
  ["2 + 3 * 4", 14, plain],
  ["(2 + 3) * 4", 20, plain],
  ["12 / 2 / 3", 2, plain],
  ["-input.depth", -20, mm],
  ["input.depth / 1 mm", 20, plain],
  ["input.depth / 4", 5, mm],
  ["min(input.depth, 1 cm, 3 cm)", 10, mm],
  ["max(1, 2)", 2, plain],
  ["abs(5 mm - input.depth)", 15, mm],
  ["round(var.turns * 1.3)", 3, plain],
  ["z.position >= 50 mm and z.homed == true", true, truth],
  ["x-axis.position < 50 mm", false, truth],
  ["x-axis.position - z.position == 0 mm", true, truth],
  ["not z.homed or input.fast", true, truth],
  ["not (z.homed and input.fast)", false, truth],
  ["z.faultCode == 0x32", true, truth],
  ["input.side == 'left'", true, truth],
  ["input.side != 'right'", true, truth],
  ["'it''s'", "it's", { kind: "text", choices: ["it's"] }],
  ["event.position + 5 mm", 45, mm],
  ["event.verdict == 'done'", true, truth],
  ["true", true, truth],
])("expression: %s", (text, value, kind) => {
  const parsed = parseExpression(text, names);
  expect(parsed).toMatchObject({ ok: true, kind, written: { text } });
  expect(parsed.ok && evaluateExpression(parsed.written.expression, scope)).toEqual({
    ok: true,
    value,
  });
});

test.each<[string, string, string, string]>([
  ["a length and a time", "input.depth + 1 s", "12 + mixes a number in mm and a number in ms", ""],
  ["a length and nothing", "input.depth + 5", "12 + mixes", "such as … mm"],
  ["a position and a speed", "z.position >= 5 mm/s", ">= mixes", "write both in mm"],
  ["two lengths multiplied", "input.depth * 2 mm", "* multiplies", "a plain number"],
  ["a share of a length", "50 % * input.depth", "* multiplies", "0.5 instead of 50 %"],
  ["a length by a speed", "z.position / z.velocity", "/ divides", "the same unit"],
  ["a truth added", "z.homed + 1", "+ takes numbers; this is true or false", ""],
  ["a truth ordered", "z.homed >= true", ">= compares numbers", ""],
  ["a truth and a number", "z.homed == 1", "== takes numbers", ""],
  ["a text and a truth", "input.side == true", "== compares a text with true or false", ""],
  ["a text that is never it", "input.side == 'leftt'", "it is never 'leftt'", "mean left"],
  ["and of numbers", "z.position and z.homed", "and joins what is true", "compare it"],
  ["not of a number", "not 5 mm", "true or false belongs here", "compare it"],
  ["minus a truth", "-z.homed", "- takes a number", ""],
  ["an unknown input", "input.width", "0 there is no input width", ""],
  ["an unknown variable", "var.x", "there is no variable x", ""],
  ["an unknown device", "q.position > 1 mm", "there is no device q", ""],
  ["an unknown reading", "z.height > 1 mm", 'no reading "height"', ""],
  ["a minus without space", "2-z.faultCode", "there is no device 2-z", "spaces around"],
  ["an unknown unit", "5 mmm", '"mmm" is not a known unit', "mean mm"],
  ["an upper case unit", "5 MM", '"MM" is not a known unit', "mean mm"],
  ["leading zeros", "007", "leading zeros", "remove"],
  ["too large a number", "1e999", "out of range", ""],
  ["one equals sign", "z.position = 5 mm", '11 "=" has no meaning', "compare with =="],
  ["ampersands", "z.homed && true", '"&" has no meaning', "write and"],
  ["double quotes", 'input.side == "left"', "has no meaning", "single quotes"],
  ["a text without end", "input.side == 'left", "the text has no end", "end the text"],
  ["two comparisons", "1 < 2 < 3", "expected here", "by and"],
  ["a bare word", "left", '"left" has no meaning here', "written 'left'"],
  ["a misspelt word", "treu", '"treu" has no meaning', "mean true"],
  ["nothing", "", "ends too early", ""],
  ["half a sum", "1 +", "ends too early", ""],
  ["an open bracket", "(1 + 2", "a ) is missing", ""],
  ["a closed bracket", "1)", '")" is not expected', ""],
  ["two values", "1 2", "the number 2 is not expected", ""],
  ["a function without brackets", "abs 5", "in ( )", ""],
  ["abs of two", "abs(1, 2)", "abs takes one number, not 2", ""],
  ["min of one", "min(1)", "min takes two to eight numbers, not 1", ""],
  ["min of mixed units", "min(1 mm, 1 s)", "min mixes", "write both in mm"],
  ["too deep", `${"(".repeat(40)}1${")".repeat(40)}`, "parts within parts", "variable"],
  ["too many nots", `${"not ".repeat(40)}true`, "parts within parts", "variable"],
  ["too many parts", Array(99).fill("1").join("+"), "more than 100 parts", "variable"],
  ["too long", "1 ".repeat(300), "longer than 500", "variable"],
])("expression: refused: %s", (_, text, words, hint) => {
  const parsed = parseExpression(text, names);
  const found = parsed.ok
    ? "accepted"
    : parsed.problems.map((p) => `${p.at} ${p.message} [${p.suggestion ?? ""}]`).join("; ");
  expect(found).toContain(words);
  expect(found).toContain(hint);
});

test("expression: all mistakes of units and names at once, each at its place (mistakes=3)", () => {
  const parsed = parseExpression("input.widht > 5 mm or z.position > 1 s or not 1", names);
  expect(parsed.ok ? [] : parsed.problems.map(({ at }) => at)).toEqual([0, 33, 42]);
});

test.each<[string, ValueKind, string]>([
  ["input.depth", truth, "it is a number in mm, and true or false belongs here"],
  ["5 s", mm, "it is a number in ms, and a number in mm belongs here"],
  ["z.homed", plain, "it is true or false, and a plain number belongs here"],
  ["event.position", mm, ""],
  ["input.depth", mm, ""],
])("expression: %s where %o belongs", (text, wanted, words) => {
  const parsed = parseExpression(text, names, wanted);
  expect(parsed.ok ? "" : parsed.problems[0]?.message).toBe(words);
});

test.each([
  "z.position >= 50 mm",
  "z.position>=5 cm",
  "z.position < -1.5 mm",
  "  z.faultCode == 0 ",
  "z.faultCode != 0x6320",
  "z.homed == true and  x-axis.position <= 1e2 mm and z.homed != false",
])("expression: what was a condition of older files means the same (text=%s)", (text) => {
  const fields = names.reading;
  const condition = fields === undefined ? undefined : parseCondition(text, fields);
  const expression = parseExpression(text, names);
  expect(expression.ok && expression.written).toEqual(
    condition?.ok === true ? writtenOf(condition.condition) : "no condition",
  );
});
