/**
 * The numbers of one installation as the profile's expressions see them, and scales made of them.
 *
 * The idea: gear, pitch and encoder are exact fractions; `revsPerUnit` and `rpmPerUnit` follow
 * from them once, so a profile writes its manual's formula and nothing else. It refuses a setup
 * that lacks a constant which the profile names.
 */
import type { Scaling } from "./codec.js";
import type { AxisSetup, DeviceSetup } from "./device-model.js";
import type { Names } from "./expression.js";
import { evaluate, namesIn } from "./expression.js";
import type { PointSpec, Profile } from "./profile.js";
import type { Rational } from "./rational.js";
import { divide, fromNumber, multiply, rational } from "./rational.js";

/** Names that the axis gives; the rest are constants of the profile. */
export const axisNames = [
  "countsPerRev",
  "gearMotor",
  "gearOutput",
  "perRev",
  "velocityMax",
  "accelerationMax",
  "tolerance",
  "revsPerUnit",
  "rpmPerUnit",
] as const;

function axisValues(axis: AxisSetup): readonly (readonly [string, Rational])[] {
  const motor = fromNumber(axis.gear.motor);
  const output = fromNumber(axis.gear.output);
  const perRev = fromNumber(axis.perRev);
  const revsPerUnit = divide(motor, multiply(output, perRev));
  return [
    ["countsPerRev", fromNumber(axis.countsPerRev)],
    ["gearMotor", motor],
    ["gearOutput", output],
    ["perRev", perRev],
    ["velocityMax", fromNumber(axis.velocityMax)],
    ["accelerationMax", fromNumber(axis.accelerationMax)],
    ["tolerance", fromNumber(axis.tolerance)],
    ["revsPerUnit", revsPerUnit],
    ["rpmPerUnit", multiply(revsPerUnit, rational(60n))],
  ];
}

/** All names that are known for this device. */
export function namesOf(profile: Profile, setup: DeviceSetup): Names {
  const names = new Map<string, Rational>();
  for (const [name, spec] of Object.entries(profile.constants)) {
    const given = setup.constants[name];
    const fits = spec.defaultForUnit === undefined || spec.defaultForUnit === setup.axis?.unit;
    const value = given ?? (fits ? spec.default : undefined);
    if (value !== undefined) names.set(name, fromNumber(value));
  }
  for (const [name, value] of setup.axis === undefined ? [] : axisValues(setup.axis)) {
    names.set(name, value);
  }
  return names;
}

/** Sentences about what the setup lacks for this profile; empty: it can be compiled. */
export function setupProblems(profile: Profile, setup: DeviceSetup): readonly string[] {
  const names = namesOf(profile, setup);
  const problems: string[] = [];
  for (const name of Object.keys(setup.constants)) {
    if (profile.constants[name] === undefined) {
      problems.push(`the profile ${profile.id} has no constant ${name}`);
    }
  }
  for (const [name, spec] of Object.entries(profile.constants)) {
    if (!names.has(name))
      problems.push(`the constant ${name} is missing: ${spec.text} (${spec.unit})`);
  }
  const missing = [...new Set(expressionsIn(profile).flatMap(namesIn))].filter(
    (one) => !names.has(one),
  );
  if (missing.some((one) => axisNames.some((known) => known === one))) {
    problems.push(`the profile ${profile.id} needs an axis (${missing.join(", ")})`);
  }
  if (problems.length > 0) return problems;
  for (const [name, point] of Object.entries(profile.points)) {
    const scale = evaluate(point.scale ?? 1, names);
    if (!scale.ok) problems.push(`the scale of ${name} cannot be worked out: ${scale.why}`);
    else if (scale.value.n === 0n) problems.push(`the scale of ${name} is 0`);
    const offset = evaluate(point.offset ?? 0, names);
    if (!offset.ok) problems.push(`the offset of ${name} cannot be worked out: ${offset.why}`);
  }
  return problems;
}

const expressionKeys: ReadonlySet<string> = new Set([
  "scale",
  "offset",
  "default",
  "min",
  "max",
  "atLeast",
  "atMost",
  "absAtMost",
  "within",
]);

/** Every expression that the device needs at run time. */
function expressionsIn({ points, status, operations, stops }: Profile): readonly string[] {
  const walk = (value: unknown, key: string): readonly string[] => {
    if (typeof value === "string") return expressionKeys.has(key) ? [value] : [];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([name, inner]) => walk(inner, name));
  };
  return walk({ points, status, operations, stops }, "");
}

/** The scaling of a point; undefined for raw values. @throws RangeError for a bad setup. */
export function scalingOf(point: PointSpec, names: Names): Scaling | undefined {
  if (point.quantity === "none") return undefined;
  const scale = evaluate(point.scale ?? 1, names);
  const offset = evaluate(point.offset ?? 0, names);
  if (!scale.ok || !offset.ok || scale.value.n === 0n) {
    throw new RangeError("the setup was not checked against the profile");
  }
  const inverse = point.inverse === true ? { inverse: true } : {};
  return { scale: scale.value, offset: offset.value, ...inverse };
}
