/**
 * One operation in a saga: `{ do: z.moveTo, with: { position: 120 mm } }`.
 *
 * The idea: the profile says which operations and arguments there are, the setup says in which
 * unit and within which limits. It refuses what the driver would refuse at run time, as far as
 * it can be known now.
 */
import type { AxisSetup } from "#drivers/device-model.js";
import type { ArgumentSpec, Profile } from "#drivers/profile.js";
import { suggestion } from "#drivers/yaml-schema.js";
import type { SagaOperation } from "./cell.js";
import type { DeviceDraft } from "./cell-devices.js";
import type { Path } from "./file-problems.js";
import type { FileReader, QuantityRules } from "./file-reader.js";
import type { AxisUnits } from "./quantities.js";
import type { WorkedArgument } from "./saga.js";
import type { SagaNames } from "./saga-names.js";
import { readNumber } from "./saga-values.js";

export interface ResolvedOperation {
  readonly operation: SagaOperation;
  /** `z.moveTo 120 mm 200 mm/s`. */
  readonly text: string;
}

/**
 * Resolves `do` and `with` at `path`; undefined when something is wrong and noted. Without `names`
 * all arguments must be known now.
 */
export function resolveOperation(
  read: FileReader,
  path: Path,
  devices: readonly DeviceDraft[],
  names?: SagaNames,
): ResolvedOperation | undefined {
  const written = read.text([...path, "do"]);
  const { id, verb } = /^(?<id>[^.]+)\.(?<verb>[^.]+)$/.exec(written ?? "")?.groups ?? {};
  if (id === undefined || verb === undefined) return undefined;
  const device = devices.find((one) => one.id === id);
  if (device === undefined) {
    const hint = suggestion(
      id,
      devices.map((one) => one.id),
    );
    const facts = hint === undefined ? {} : { suggestion: hint };
    return read.problems.at([...path, "do"], `there is no device ${id}`, facts);
  }
  // The profile or the axis is wrong: that is said once, in the cell file.
  if (device.profile === undefined) return undefined;
  const specs = argumentsOf(device.profile, verb);
  if (specs === undefined) {
    const known = Object.keys(device.profile.operations);
    const hint = suggestion(verb, known);
    const facts = hint === undefined ? {} : { suggestion: hint };
    const text = `${id} cannot ${verb}: its profile ${device.profile.id} has no such operation`;
    return read.problems.at([...path, "do"], text, facts);
  }
  const { axis, units } = device;
  if (units === undefined) return undefined;
  const given = argsOf(read, path, { axis, units, names }, specs);
  if (given === undefined) return undefined;
  const shown = read
    .keys([...path, "with"])
    .map((name) => String(read.raw([...path, "with", name])));
  return { operation: { device: id, verb, ...given }, text: [written ?? "", ...shown].join(" ") };
}

/** What of a device decides on the numbers. */
interface Measures {
  readonly axis: AxisSetup | undefined;
  readonly units: AxisUnits;
  readonly names: SagaNames | undefined;
}

type Specs = { readonly [name: string]: ArgumentSpec };

function argumentsOf(profile: Profile, verb: string): Specs | undefined {
  const operations: { readonly [verb: string]: { readonly args: Specs } | undefined } =
    profile.operations;
  return Object.hasOwn(operations, verb) ? operations[verb]?.args : undefined;
}

function argsOf(
  read: FileReader,
  path: Path,
  device: Measures,
  specs: Specs,
): Pick<SagaOperation, "args" | "worked"> | undefined {
  const names = new Map<string, ArgumentSpec>();
  for (const [name, spec] of Object.entries(specs)) {
    names.set(name, spec);
    if (spec.alias !== undefined) names.set(spec.alias, spec);
  }
  const given = read.keys([...path, "with"]);
  let good = true;
  const args: [string, number][] = [];
  const worked: [string, WorkedArgument][] = [];
  for (const name of given) {
    const where = [...path, "with", name];
    const spec = names.get(name);
    if (spec === undefined) {
      const hint = suggestion(name, [...names.keys()]);
      const facts = hint === undefined ? {} : { suggestion: hint };
      read.problems.at(where, `the operation has no argument ${name}`, { key: true, ...facts });
      good = false;
      continue;
    }
    const rules = rulesOf(spec, device);
    const value = readNumber(read, where, rules, device.names);
    if (value === undefined) good = false;
    else if (typeof value === "number") args.push([name, value]);
    else worked.push([name, { value, ...limitsOf(rules) }]);
  }
  for (const [name, spec] of Object.entries(specs)) {
    const there = given.includes(name) || (spec.alias !== undefined && given.includes(spec.alias));
    if (there || spec.default !== undefined) continue;
    read.problems.at([...path, "do"], `the operation needs its ${name}`, {
      suggestion: `with: { ${name}: … ${rulesOf(spec, device).unit ?? ""} }`,
    });
    good = false;
  }
  if (!good) return undefined;
  const later = worked.length === 0 ? {} : { worked: Object.fromEntries(worked) };
  return { args: Object.fromEntries(args), ...later };
}

/** What the value must keep to when it is worked out; beyond `above` the driver says no itself. */
function limitsOf({ min, max, above }: QuantityRules): Omit<WorkedArgument, "value"> {
  const least = min ?? above;
  return {
    ...(least === undefined ? {} : { min: least }),
    ...(max === undefined ? {} : { max }),
  };
}

/** Unit and limits of an argument, by what the axis may do. */
function rulesOf(spec: ArgumentSpec, { axis, units }: Measures): QuantityRules {
  const literal = {
    ...(typeof spec.min === "number" && spec.above !== true ? { min: spec.min } : {}),
    ...(typeof spec.min === "number" && spec.above === true ? { above: spec.min } : {}),
    ...(typeof spec.max === "number" ? { max: spec.max } : {}),
  };
  switch (spec.quantity) {
    case "position":
      return { unit: units.position, ...literal, ...axis?.travel };
    case "distance": {
      const span = axis?.travel === undefined ? undefined : axis.travel.max - axis.travel.min;
      const range = span === undefined ? {} : { min: -span, max: span };
      return { unit: units.position, ...literal, ...range };
    }
    case "velocity": {
      const top = axis === undefined ? {} : { min: -axis.velocityMax, max: axis.velocityMax };
      return { unit: units.velocity, ...top, ...literal };
    }
    case "acceleration":
      return {
        unit: units.acceleration,
        above: 0,
        ...literal,
        ...(axis === undefined ? {} : { max: axis.accelerationMax }),
      };
    case "force":
      return { unit: "%", ...literal };
    case "width":
      return { unit: "mm", ...literal };
    case "number":
      return { unit: undefined, ...literal };
    default:
      return spec.quantity satisfies never;
  }
}
