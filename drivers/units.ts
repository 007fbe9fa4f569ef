/**
 * Quantities as people write them: `120 mm`, `200 mm/s`, `2 s`, `7:3`.
 *
 * The idea: a number in a cell file carries its unit, and the unit says what it is; so a speed can
 * never be read as a length, and ms never as s. One table of units, each with its dimension and
 * factor. It refuses numbers without a unit, unknown units, and anything that is not finite.
 */
import { nearest } from "./yaml-schema.js";

export const dimensions = [
  "length",
  "angle",
  "ratio",
  "speed",
  "angularSpeed",
  "ratioSpeed",
  "acceleration",
  "angularAcceleration",
  "time",
  "force",
  "current",
] as const;
export type Dimension = (typeof dimensions)[number];

interface Unit {
  readonly dimension: Dimension;
  /** Factor to the base unit: mm, deg, percent, s-based rates, ms, N, A. */
  readonly factor: number;
}

const table: { readonly [unit: string]: Unit } = {
  mm: { dimension: "length", factor: 1 },
  cm: { dimension: "length", factor: 10 },
  m: { dimension: "length", factor: 1000 },
  um: { dimension: "length", factor: 0.001 },
  deg: { dimension: "angle", factor: 1 },
  rev: { dimension: "angle", factor: 360 },
  "%": { dimension: "ratio", factor: 1 },
  percent: { dimension: "ratio", factor: 1 },
  "mm/s": { dimension: "speed", factor: 1 },
  "m/s": { dimension: "speed", factor: 1000 },
  "m/min": { dimension: "speed", factor: 1000 / 60 },
  "deg/s": { dimension: "angularSpeed", factor: 1 },
  "rev/s": { dimension: "angularSpeed", factor: 360 },
  rpm: { dimension: "angularSpeed", factor: 6 },
  "%/s": { dimension: "ratioSpeed", factor: 1 },
  "percent/s": { dimension: "ratioSpeed", factor: 1 },
  "mm/s2": { dimension: "acceleration", factor: 1 },
  "mm/s^2": { dimension: "acceleration", factor: 1 },
  "mm/s²": { dimension: "acceleration", factor: 1 },
  "m/s2": { dimension: "acceleration", factor: 1000 },
  "m/s²": { dimension: "acceleration", factor: 1000 },
  "deg/s2": { dimension: "angularAcceleration", factor: 1 },
  "deg/s^2": { dimension: "angularAcceleration", factor: 1 },
  "deg/s²": { dimension: "angularAcceleration", factor: 1 },
  ms: { dimension: "time", factor: 1 },
  s: { dimension: "time", factor: 1000 },
  min: { dimension: "time", factor: 60_000 },
  h: { dimension: "time", factor: 3_600_000 },
  N: { dimension: "force", factor: 1 },
  A: { dimension: "current", factor: 1 },
  mA: { dimension: "current", factor: 0.001 },
};

/** Base unit of each dimension, for messages. */
export const baseUnits: { readonly [D in Dimension]: string } = {
  length: "mm",
  angle: "deg",
  ratio: "%",
  speed: "mm/s",
  angularSpeed: "deg/s",
  ratioSpeed: "%/s",
  acceleration: "mm/s2",
  angularAcceleration: "deg/s2",
  time: "ms",
  force: "N",
  current: "A",
};

export type Parsed<T> =
  | ({ readonly ok: true } & T)
  | { readonly ok: false; readonly message: string; readonly suggestion?: string };

/** `value` in the base unit of its dimension. */
export type Quantity = Parsed<{
  readonly value: number;
  readonly dimension: Dimension;
  readonly unit: string;
}>;

const number = /^([-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)$/;

/** Never throws. A bare 0 has no unit either and is refused as well. */
export function parseQuantity(text: string): Quantity {
  const match = number.exec(text.trim());
  if (match === null) {
    return { ok: false, message: `"${text}" is not a quantity`, suggestion: 'write e.g. "120 mm"' };
  }
  const [, digits = "", unit = ""] = match;
  if (/^[-+]?0\d/.test(digits)) {
    return { ok: false, message: "a number with leading zeros", suggestion: "remove the zeros" };
  }
  if (unit === "") {
    return { ok: false, message: `"${text}" has no unit`, suggestion: `write e.g. "${digits} mm"` };
  }
  const known = Object.hasOwn(table, unit) ? table[unit] : undefined;
  if (known === undefined) {
    const near = nearest(unit, Object.keys(table));
    const hint =
      near === undefined ? `known: ${Object.keys(table).join(", ")}` : `did you mean ${near}?`;
    return { ok: false, message: `"${unit}" is not a known unit`, suggestion: hint };
  }
  const value = Number(digits) * known.factor;
  if (!Number.isFinite(value)) return { ok: false, message: `"${text}" is out of range` };
  return { ok: true, value, dimension: known.dimension, unit };
}

/** A duration in ms. Never throws. */
export function parseDuration(text: string): Parsed<{ readonly ms: number }> {
  const quantity = parseQuantity(text);
  if (!quantity.ok) {
    return quantity.message.endsWith("has no unit")
      ? { ...quantity, suggestion: `write e.g. "${text.trim()} ms" or "${text.trim()} s"` }
      : quantity;
  }
  if (quantity.dimension !== "time") {
    return { ok: false, message: `"${text}" is not a duration`, suggestion: "use ms, s, min or h" };
  }
  return { ok: true, ms: quantity.value };
}

/** `7:3` as two whole numbers > 0. Never throws. */
export function parseRatio(
  text: string,
): Parsed<{ readonly numerator: number; readonly denominator: number }> {
  const match = /^\s*([1-9]\d{0,8})\s*:\s*([1-9]\d{0,8})\s*$/.exec(text);
  if (match === null) {
    return {
      ok: false,
      message: `"${text}" is not a ratio of two whole numbers above 0`,
      suggestion: 'write motor revolutions : output revolutions, e.g. "7:3"',
    };
  }
  return { ok: true, numerator: Number(match[1]), denominator: Number(match[2]) };
}
