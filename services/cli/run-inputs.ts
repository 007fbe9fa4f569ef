/**
 * `--input name=value`: what a saga asks for at its start, as it is typed.
 *
 * The idea: the saga says what each input is; a number may be typed with a unit of its dimension
 * (`12 cm`), or without one, and then stands in the input's own unit. All mistakes are told at
 * once. It refuses names that the saga does not have; limits are the coordinator's to judge.
 */
import type * as z from "zod";
import { suggestion } from "#drivers/yaml-schema.js";
import type { Value } from "#kernel/config/expression.js";
import { inUnit } from "#kernel/config/quantities.js";
import type { sagaInputSchema } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";

export type InputSpecs = { readonly [name: string]: z.infer<typeof sagaInputSchema> };
export type Inputs = { readonly [name: string]: Value };

/** @throws VALIDATION_FAILED with every mistake. */
export function parseInputs(typed: readonly string[], specs: InputSpecs): Inputs {
  const inputs: { [name: string]: Value } = {};
  const problems: string[] = [];
  for (const one of typed) {
    const [, name, text] = /^([^=]+)=(.*)$/s.exec(one) ?? [];
    if (name === undefined || text === undefined) {
      problems.push(`"${one}" is not name=value`);
      continue;
    }
    if (Object.hasOwn(inputs, name)) problems.push(`the input ${name} is given twice`);
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) {
      const known = Object.keys(specs);
      const hint = suggestion(name, known);
      const list = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
      problems.push(`the saga has no input ${name}; ${hint ?? list}`);
      continue;
    }
    const value = valueOfInput(text, spec);
    if ("problem" in value) problems.push(`${name}: ${value.problem}`);
    else inputs[name] = value.value;
  }
  if (problems.length === 0) return inputs;
  throw new ServocellError("VALIDATION_FAILED", `${problems.join("; ")}.`, { problems });
}

function valueOfInput(
  text: string,
  spec: InputSpecs[string],
): { readonly value: Value } | { readonly problem: string } {
  switch (spec.kind) {
    case "boolean":
      if (text === "true" || text === "false") return { value: text === "true" };
      return { problem: `"${text}" is neither true nor false` };
    case "text": {
      const { choices } = spec;
      if (choices === undefined || choices.includes(text)) return { value: text };
      return { problem: `"${text}" is none of ${choices.join(", ")}` };
    }
    case "number": {
      const bare = text.trim() === "" ? Number.NaN : Number(text);
      const number = Number.isFinite(bare) ? bare : inUnit(text, spec.unit);
      if (typeof number === "number") return { value: number };
      const hint = number.suggestion === undefined ? "" : `; ${number.suggestion}`;
      return { problem: `${number.problem}${hint}` };
    }
    default:
      return spec.kind satisfies never;
  }
}
