/**
 * Quantities of the cell file and of sagas, in the user unit of the place where they stand.
 *
 * The idea: the place knows which unit it wants (`mm/s` for the velocity of a linear axis); a
 * value of another dimension is refused with the right unit as the suggestion. It refuses bare
 * numbers where a unit belongs.
 */
import type { AxisSetup } from "#drivers/device-model.js";
import { baseUnits, dimensions, parseQuantity, parseRatio } from "#drivers/units.js";

export type UnitName = "mm" | "deg" | "percent";

/** What a person writes behind the numbers of an axis. */
export interface AxisUnits {
  readonly position: string;
  readonly velocity: string;
  readonly acceleration: string;
}

const units: { readonly [U in UnitName]: AxisUnits } = {
  mm: { position: "mm", velocity: "mm/s", acceleration: "mm/s2" },
  deg: { position: "deg", velocity: "deg/s", acceleration: "deg/s2" },
  // An inverter's speed is a share of its nominal one, so a velocity is already a ratio.
  percent: { position: "%", velocity: "%", acceleration: "%/s" },
};

export function unitNames(unit: UnitName): AxisUnits {
  return units[unit];
}

export interface WrongQuantity {
  readonly problem: string;
  readonly suggestion?: string;
}

/**
 * The number in `unit` (a base unit of drivers/units.ts), or what is wrong with it. `undefined`:
 * the place wants a plain number.
 */
export function inUnit(written: string | number, unit: string | undefined): number | WrongQuantity {
  if (unit === undefined) return plain(written);
  if (typeof written === "number") {
    return { problem: "a number without a unit", suggestion: `write ${written} ${unit}` };
  }
  const quantity = parseQuantity(written);
  if (!quantity.ok) {
    const bare = /^\s*[-+]?[\d.]+\s*$/.test(written);
    const suggestion = bare ? `write ${written.trim()} ${unit}` : quantity.suggestion;
    return { problem: quantity.message, ...(suggestion === undefined ? {} : { suggestion }) };
  }
  const wanted = dimensions.find((dimension) => baseUnits[dimension] === unit);
  if (quantity.dimension === wanted) return quantity.value;
  return { problem: `"${written}" is not in ${unit}`, suggestion: `write a value in ${unit}` };
}

function plain(written: string | number): number | WrongQuantity {
  const value = typeof written === "number" ? written : Number(written.trim() || Number.NaN);
  return Number.isFinite(value) ? value : { problem: `"${written}" is not a plain number` };
}

/** `7:3` as exact integers; undefined when it is not a ratio. */
export function ratio(written: unknown): AxisSetup["gear"] | undefined {
  if (typeof written !== "string") return undefined;
  const parsed = parseRatio(written);
  return parsed.ok ? { motor: parsed.numerator, output: parsed.denominator } : undefined;
}

/** A gripper without an axis of its own: opening in mm, speed as a share of its greatest. */
const gripperUnits: AxisUnits = { position: "mm", velocity: "%", acceleration: "%/s" };

/** The units of a device's numbers. */
export function deviceUnits(axis: Pick<AxisSetup, "unit"> | undefined): AxisUnits {
  return axis === undefined ? gripperUnits : units[axis.unit];
}
