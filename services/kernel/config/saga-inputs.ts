/**
 * The inputs that a run is started with, judged by what its saga says of them.
 *
 * The idea: a start names what it wants to be other than the default; numbers come in the base
 * unit of the input or as text with a unit. All that is wrong is said at once. Pure. It refuses
 * inputs that the saga does not have, and a run that would begin without one that it needs.
 */
import { suggestion } from "#drivers/yaml-schema.js";
import type { Value } from "./expression.js";
import { inUnit } from "./quantities.js";
import type { InputSpec, SagaDefinition } from "./saga.js";
import { inputMisfit } from "./saga-names.js";

export type StartInputs =
  | { readonly ok: true; readonly inputs: { readonly [name: string]: Value } }
  | { readonly ok: false; readonly problems: readonly string[] };

/** `given` as it came: anything. Every input of the saga has a value afterwards. */
export function startInputs(saga: Pick<SagaDefinition, "inputs">, given: unknown): StartInputs {
  const specs = saga.inputs ?? {};
  if (given !== undefined && (typeof given !== "object" || given === null)) {
    return { ok: false, problems: ["inputs are names with values"] };
  }
  const values = new Map(Object.entries(given ?? {}));
  const problems = [...values.keys()]
    .filter((name) => !Object.hasOwn(specs, name))
    .map((name) => {
      const hint = suggestion(name, Object.keys(specs));
      return `there is no input ${name}${hint === undefined ? "" : `; ${hint}`}`;
    });
  const inputs: [string, Value][] = [];
  for (const [name, spec] of Object.entries(specs)) {
    const value = values.has(name) ? inBase(spec, values.get(name)) : spec.default;
    const odd = value === undefined ? whyNone(values.get(name)) : inputMisfit(spec, value);
    if (odd !== undefined) problems.push(`the input ${name}: ${odd}`);
    else if (value !== undefined) inputs.push([name, value]);
  }
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, inputs: Object.fromEntries(inputs) };
}

function whyNone(given: unknown): string {
  return given === undefined ? "it has to be given" : "it is one value, no list and no mapping";
}

/** A number that comes as text with its unit; everything else as it is. Undefined: no value. */
function inBase(spec: InputSpec, value: unknown): Value | undefined {
  if (spec.kind === "number" && typeof value === "string") {
    const number = inUnit(value, spec.unit);
    return typeof number === "number" ? number : value;
  }
  const isValue =
    typeof value === "number" || typeof value === "boolean" || typeof value === "string";
  return isValue ? value : undefined;
}
