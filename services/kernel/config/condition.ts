/**
 * Conditions over readings: `z.position >= 50 mm and z.homed == true`.
 *
 * The idea: the text is parsed once, against what the fields of a device are, into plain terms;
 * evaluating them is pure and three-valued: holds, does not hold, or cannot be known and why. A
 * reading that is missing is never taken for a value. It refuses anything but `and`.
 */
import type { DeviceView } from "#drivers/device-model.js";
import type { Ms, Reading } from "#drivers/reading.js";
import type { Condition, ConditionTerm } from "./cell.js";
import { inUnit } from "./quantities.js";

/** What may be compared: truth values as they are, numbers in the user unit of the device. */
export type FieldKind =
  | { readonly kind: "boolean" }
  | { readonly kind: "number"; readonly unit: string | undefined }
  /** What the device is has not become clear, which has been noted elsewhere. */
  | { readonly kind: "unjudged" };

/** Fields of a device that a condition may read. */
export const conditionFields = [
  "position",
  "velocity",
  "faultCode",
  "enabled",
  "homed",
  "moving",
  "inTarget",
  "fault",
  "gripped",
] as const;
export type ConditionField = (typeof conditionFields)[number];

/** The kind of a field, or the sentence that says why there is none. */
export type FieldLookup = (device: string, field: string) => FieldKind | string;

export type ParsedCondition =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly problems: readonly string[] };

const termPattern = new RegExp(
  String.raw`^(?<device>[a-z0-9][a-z0-9_-]*)\.(?<field>[A-Za-z]\w*)\s*` +
    String.raw`(?<op>>=|<=|==|!=|>|<)\s*(?<value>\S.*)$`,
);
/** A condition is read by a person; more terms than this are two conditions. */
const termsMax = 8;

export function parseCondition(text: string, fieldOf: FieldLookup): ParsedCondition {
  const parts = text.trim().split(/\s+and\s+/);
  if (parts.length > termsMax) return { ok: false, problems: [`more than ${termsMax} terms`] };
  const terms: ConditionTerm[] = [];
  const problems: string[] = [];
  for (const part of parts) {
    const term = parseTerm(part, fieldOf);
    if (typeof term === "string") problems.push(term);
    else terms.push(term);
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, condition: { text: text.trim(), terms } };
}

function parseTerm(part: string, fieldOf: FieldLookup): ConditionTerm | string {
  const { device, field, op, value } = termPattern.exec(part)?.groups ?? {};
  if (device === undefined || field === undefined || op === undefined || value === undefined) {
    return `"${part}" is not a condition; write device.field >= value, joined by "and"`;
  }
  const kind = fieldOf(device, field);
  if (typeof kind === "string") return kind;
  const known = { device, field, op: op as ConditionTerm["op"] };
  if (kind.kind === "unjudged") return { ...known, value: 0 };
  if (kind.kind === "boolean") {
    if (op !== "==" && op !== "!=") return `${device}.${field} is true or false; use == or !=`;
    if (value !== "true" && value !== "false") {
      return `${device}.${field} is true or false, not "${value}"`;
    }
    return { ...known, value: value === "true" };
  }
  const number = inUnit(value, kind.unit);
  return typeof number === "number" ? { ...known, value: number } : number.problem;
}

export type ConditionLookup = (
  device: string,
  field: string,
) => Reading<number | boolean> | undefined;

/** The same lookup, in which readings older than this are no ground to act on. */
export function notOlderThan(lookup: ConditionLookup, ageMsMax: Ms, nowMs: Ms): ConditionLookup {
  return (device, field) => {
    const reading = lookup(device, field);
    if (reading === undefined || !reading.ok || nowMs - reading.atMs <= ageMsMax) return reading;
    return { ok: false, reason: "timeout", atMs: reading.atMs };
  };
}

export type Evaluated =
  /** `missing`: the first term that does not hold, in words; empty when all hold. */
  | { readonly ok: true; readonly holds: boolean; readonly missing: string }
  /** It cannot be known; `reason` says which reading is missing and why. */
  | { readonly ok: false; readonly reason: string };

/** A term that is known not to hold decides, even beside one that is not known. */
export function evaluate(condition: Condition, lookup: ConditionLookup): Evaluated {
  let reason: string | undefined;
  for (const term of condition.terms) {
    const name = `${term.device}.${term.field}`;
    const reading = lookup(term.device, term.field);
    if (reading === undefined || !reading.ok) {
      reason ??= `${name} is not known: ${reading?.reason ?? "never-read"}`;
    } else if (!compares(reading.value, term)) {
      const wanted = `${term.op} ${String(term.value)}`;
      return {
        ok: true,
        holds: false,
        missing: `${name} is ${shown(reading.value)}, not ${wanted}`,
      };
    }
  }
  if (reason !== undefined) return { ok: false, reason };
  return { ok: true, holds: true, missing: "" };
}

/** A lookup over the view of a device model, for the drivers. */
export function viewLookup(view: (device: string) => DeviceView | undefined): ConditionLookup {
  return (device, field) => {
    const seen = view(device);
    if (seen === undefined || field === "signals") return undefined;
    const { signals } = seen;
    const known = seen as unknown as Partial<Record<string, Reading<unknown>>>;
    const reading = known[field] ?? signals?.[field];
    if (reading === undefined || !reading.ok) return reading;
    const { value, atMs } = reading;
    return typeof value === "number" || typeof value === "boolean"
      ? { ok: true, value, atMs }
      : { ok: false, reason: "invalid-value", atMs };
  };
}

function compares(value: number | boolean, term: ConditionTerm): boolean {
  // Values of another type than the term's are a broken reading, never equal and never unequal.
  if (typeof value !== typeof term.value) return false;
  switch (term.op) {
    case ">=":
      return value >= term.value;
    case "<=":
      return value <= term.value;
    case ">":
      return value > term.value;
    case "<":
      return value < term.value;
    case "==":
      return value === term.value;
    case "!=":
      return value !== term.value;
    default:
      return term.op satisfies never;
  }
}

function shown(value: number | boolean): string {
  return typeof value === "number" ? String(Math.round(value * 1000) / 1000) : String(value);
}
