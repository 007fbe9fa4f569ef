/**
 * The mechanics of one axis, as the cell file gives them.
 *
 * The idea: a linear axis has a pitch, a rotary one 360 degrees a turn, an inverter's speed is in
 * percent; what one kind needs, another refuses. It refuses defaults where a wrong guess moves
 * metal: travel, velocity, and what the axis does when its power is taken away.
 */
import type { AxisSetup, DeviceKind } from "#drivers/device-model.js";
import type { Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import { type AxisUnits, deviceUnits, ratio, unitNames } from "./quantities.js";

type AxisUnit = AxisSetup["unit"];
type Mechanics = Pick<AxisSetup, "kind" | "countsPerRev" | "gear" | "perRev">;

/** "Arrived" unless the file says otherwise. */
const toleranceDefault = { mm: 0.1, deg: 0.1, percent: 1 } as const;

/** Kinds of devices that cannot be driven without their mechanics. */
export function needsAxis(kind: DeviceKind): boolean {
  return kind === "servo" || kind === "inverter";
}

export interface ResolvedAxis {
  /** Undefined: something is wrong and noted, or the device has none. */
  readonly axis: AxisSetup | undefined;
  /** How its numbers are written; undefined: not known, so nothing of it can be judged. */
  readonly units: AxisUnits | undefined;
}

export function resolveAxis(
  read: FileReader,
  device: Path,
  kind: DeviceKind | undefined,
): ResolvedAxis {
  const path = [...device, "axis"];
  if (read.raw(path) === undefined) {
    if (kind === undefined) return { axis: undefined, units: undefined };
    if (!needsAxis(kind)) return { axis: undefined, units: deviceUnits(undefined) };
    const text = `a ${kind} needs its axis: travel, velocityMax, whenOff and so on`;
    return { axis: read.problems.at(path, text), units: undefined };
  }
  const unit = unitOf(read, path);
  const whenOff = whenOffOf(read, path);
  if (unit === undefined) return { axis: undefined, units: undefined };
  const units = unitNames(unit);
  const mechanics = mechanicsOf(read, path, unit);
  const travel = travelOf(read, path, unit);
  const above = 0;
  const velocityMax = read.quantity([...path, "velocityMax"], { unit: units.velocity, above });
  const accelerationMax = read.quantity([...path, "accelerationMax"], {
    unit: units.acceleration,
    above,
  });
  const tolerance = read.quantity([...path, "tolerance"], {
    unit: units.position,
    above,
    fallback: toleranceDefault[unit],
  });
  const modulo = moduloOf(read, path, unit, travel);
  if (
    mechanics === undefined ||
    travel === undefined ||
    modulo === undefined ||
    velocityMax === undefined ||
    accelerationMax === undefined ||
    tolerance === undefined ||
    whenOff === undefined
  ) {
    return { axis: undefined, units };
  }
  const range = {
    ...(travel === "endless" ? {} : { travel }),
    ...(modulo === "none" ? {} : { modulo }),
  };
  const limits = { velocityMax, accelerationMax, tolerance, whenOff };
  return { axis: { ...mechanics, unit, ...range, ...limits }, units };
}

function unitOf(read: FileReader, path: Path): AxisUnit | undefined {
  const kind = read.text([...path, "kind"]);
  const unit = read.text([...path, "unit"]);
  if (unit === "percent" || (unit === "mm" && kind !== "rotary")) return unit;
  if (unit === "deg" && kind !== "linear") return unit;
  if (unit === undefined && kind === "linear") return "mm";
  if (unit === undefined && kind === "rotary") return "deg";
  const value = unit === undefined ? {} : { value: unit };
  const text =
    unit === undefined
      ? "say kind: linear, kind: rotary or unit: percent"
      : `a ${kind ?? ""} axis is not measured in ${unit}`;
  return read.problems.at([...path, "unit"], text, value);
}

function whenOffOf(read: FileReader, path: Path): AxisSetup["whenOff"] | undefined {
  const whenOff = read.text([...path, "whenOff"]);
  if (whenOff === "stays" || whenOff === "falls" || whenOff === "coasts") return whenOff;
  if (whenOff !== undefined) return undefined;
  return read.problems.at(
    [...path, "whenOff"],
    "whenOff is missing: what does the axis do when its power is taken away?",
    { suggestion: "whenOff: stays, falls or coasts; there is no default" },
  );
}

function mechanicsOf(read: FileReader, path: Path, unit: AxisUnit): Mechanics | undefined {
  if (unit === "percent") {
    // An inverter's speed is a share of its nominal one: there is nothing to convert.
    return { kind: "rotary", countsPerRev: 1, gear: { motor: 1, output: 1 }, perRev: 1 };
  }
  const kind = unit === "mm" ? "linear" : "rotary";
  const countsPerRev = read.whole([...path, "countsPerRev"]);
  if (read.raw([...path, "countsPerRev"]) === undefined) {
    read.problems.at([...path, "countsPerRev"], "countsPerRev is missing: encoder counts a turn");
  }
  const pitch = [...path, "pitch"];
  const perRev =
    kind === "linear" ? read.quantity(pitch, { unit: "mm", above: 0 }) : turnOf(read, pitch);
  const gear = gearOf(read, [...path, "gear"]);
  if (countsPerRev === undefined || perRev === undefined || gear === undefined) return undefined;
  return { kind, countsPerRev, gear, perRev };
}

function turnOf(read: FileReader, pitch: Path): number | undefined {
  if (read.raw(pitch) === undefined) return 360;
  return read.problems.at(pitch, "a rotary axis has no pitch; a turn is 360 deg");
}

function gearOf(read: FileReader, path: Path): AxisSetup["gear"] | undefined {
  const raw = read.raw(path);
  if (raw === undefined) return { motor: 1, output: 1 };
  const gear = ratio(raw);
  if (gear !== undefined) return gear;
  const text = "a gear is motor turns : output turns, two whole numbers above 0";
  return read.problems.at(path, text, { value: String(raw), suggestion: "gear: 7:3" });
}

/** Only an axis that turns for ever has places that come again. */
function moduloOf(
  read: FileReader,
  path: Path,
  unit: AxisUnit,
  travel: ReturnType<typeof travelOf>,
): number | "none" | undefined {
  const modulo = [...path, "modulo"];
  if (read.raw(modulo) === undefined) return "none";
  if (unit === "deg" && travel === "endless") return read.quantity(modulo, { unit, above: 0 });
  const text = "modulo is for a rotary axis without travel";
  return read.problems.at(modulo, text, { suggestion: "leave out travel, or modulo" });
}

function travelOf(
  read: FileReader,
  path: Path,
  unit: AxisUnit,
): { readonly min: number; readonly max: number } | "endless" | undefined {
  const travel = [...path, "travel"];
  if (read.raw(travel) === undefined) {
    if (unit !== "mm") return "endless";
    return read.problems.at(travel, "travel is missing: a linear axis has two ends");
  }
  if (unit === "percent") {
    return read.problems.at(travel, "an axis that is measured in percent has no travel");
  }
  const min = read.quantity([...travel, 0], { unit });
  const max = read.quantity([...travel, 1], { unit });
  if (min === undefined || max === undefined) return undefined;
  if (min < max) return { min, max };
  return read.problems.at([...travel, 1], "the upper end of travel must be above the lower one", {
    value: String(read.raw([...travel, 1])),
  });
}
