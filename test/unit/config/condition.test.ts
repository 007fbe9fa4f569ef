/**
 * Conditions: what is read from text, and what is known of them.
 * The idea: tables of texts and of readings. It refuses devices.
 */
import { expect, test } from "vitest";
import type { Reading } from "#drivers/reading.js";
import { evaluate, type FieldLookup, parseCondition } from "#kernel/config/condition.js";

const fields: FieldLookup = (device, field) => {
  if (device !== "z") return `there is no device ${device}`;
  if (field === "position") return { kind: "number", unit: "mm" };
  if (field === "faultCode") return { kind: "number", unit: undefined };
  if (field === "homed") return { kind: "boolean" };
  return `a device has no reading "${field}"`;
};

test.each([
  ["z.position >= 50 mm", [">=", 50]],
  ["z.position>=5 cm", [">=", 50]],
  ["z.position < -1.5 mm", ["<", -1.5]],
  ["z.faultCode == 0", ["==", 0]],
  ["z.homed == true", ["==", true]],
  ["z.homed != false", ["!=", false]],
])("condition: read (text=%s)", (text, [op, value]) => {
  const parsed = parseCondition(text, fields);
  expect(parsed.ok && parsed.condition.terms).toMatchObject([{ device: "z", op, value }]);
});

test("condition: terms joined by and keep their order (terms=2)", () => {
  const parsed = parseCondition("z.position >= 50 mm and  z.homed == true", fields);
  expect(parsed.ok && parsed.condition.terms.map((term) => term.field)).toEqual([
    "position",
    "homed",
  ]);
});

test.each([
  ["z.position >= 50", "unit"],
  ["z.position >= 50 s", "not in mm"],
  ["z.position", "not a condition"],
  ["z.homed >= true", "use == or !="],
  ["z.homed == yes", 'not "yes"'],
  ["z.height > 1 mm", "no reading"],
  ["q.homed == true", "no device q"],
  ["z.homed == true or z.faultCode == 0", 'not "true or'],
  ["z.faultCode == three", "plain number"],
  ["", "not a condition"],
])("condition: refused in words (text=%s)", (text, words) => {
  const parsed = parseCondition(text, fields);
  expect(parsed.ok ? "accepted" : parsed.problems.join()).toContain(words);
});

function known(value: number | boolean): Reading<number | boolean> {
  return { ok: true, value, atMs: 1 };
}
const missing: Reading<number> = { ok: false, reason: "timeout", atMs: 1 };

test.each<[string, Reading<number | boolean> | undefined, Reading<number | boolean>, unknown]>([
  ["both hold", known(60), known(true), { ok: true, holds: true, missing: "" }],
  [
    "one does not",
    known(20.12345),
    known(true),
    { ok: true, holds: false, missing: "z.position is 20.123, not >= 50" },
  ],
  [
    "one is missing",
    missing,
    known(true),
    { ok: false, reason: "z.position is not known: timeout" },
  ],
  [
    "one was never read",
    undefined,
    known(true),
    { ok: false, reason: "z.position is not known: never-read" },
  ],
  [
    "one is missing, another does not hold: known not to hold",
    missing,
    known(false),
    { ok: true, holds: false, missing: "z.homed is false, not == true" },
  ],
  [
    "a reading of the wrong kind is never taken for a value",
    known(true),
    known(true),
    { ok: true, holds: false, missing: "z.position is true, not >= 50" },
  ],
])("condition: %s", (_, position, homed, expected) => {
  const parsed = parseCondition("z.position >= 50 mm and z.homed == true", fields);
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const lookup = (_device: string, field: string) => (field === "position" ? position : homed);
  expect(evaluate(parsed.condition, lookup)).toEqual(expected);
});

test.each([
  [">=", 50, true],
  [">", 50, false],
  ["<=", 50, true],
  ["<", 50, false],
  ["==", 50, true],
  ["!=", 50, false],
])("condition: at the limit itself (op=%s)", (op, value, holds) => {
  const parsed = parseCondition(`z.position ${op} ${value} mm`, fields);
  if (!parsed.ok) throw new Error(parsed.problems.join());
  expect(evaluate(parsed.condition, () => known(50))).toMatchObject({ ok: true, holds });
});
