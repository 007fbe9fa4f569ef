/**
 * JSON Schemas of the files that people write, for their editors, and of the exported run.
 *
 * The idea: made from the very schemas that check the files, so that they cannot say something
 * else. A profile that extends another one may leave everything out and take keys away by `null`,
 * so there is a second form for it. It refuses to say what only the lint can judge.
 */
import * as z from "zod";
import { profileSchema } from "#drivers/profile.js";
import { cellFileSchema } from "#kernel/config/cell-schema.js";
import { sagaFileSchema } from "#kernel/config/saga-schema.js";
import { runExportSchema } from "./run-export.js";

type Json = { readonly [key: string]: unknown };

export const schemaNames = ["profile", "cell", "saga", "run-export"] as const;

function made(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "ref" }) as Json;
}

/** By name, in the order of `schemaNames`. */
export function editorSchemas(): { readonly [N in (typeof schemaNames)[number]]: Json } {
  return {
    profile: profileJson(),
    cell: titled(made(cellFileSchema), "A Servocell cell file"),
    saga: titled(made(sagaFileSchema), "A Servocell saga"),
    "run-export": titled(made(runExportSchema), "A run of Servocell with its journal"),
  };
}

function titled(schema: Json, title: string): Json {
  const { $schema, ...rest } = schema;
  return { $schema, title, ...rest };
}

function profileJson(): Json {
  const whole = made(profileSchema);
  const { $schema, $defs, ...root } = whole;
  const partial = loosened({ ...root, ...($defs === undefined ? {} : { $defs }) }) as Json;
  const { $defs: looseDefs, ...looseRoot } = partial;
  const needed = { required: ["servocellProfile", "id", "extends"] };
  const defs = { ...($defs as Json), ...((looseDefs ?? {}) as Json), whole: root };
  const shape = {
    $schema,
    if: { required: ["extends"] },
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON Schema, not a promise.
    then: { $ref: "#/$defs/over", ...needed },
    else: { $ref: "#/$defs/whole" },
    $defs: { ...defs, over: looseRoot },
  };
  return titled(shape, "A Servocell device profile");
}

/** Nothing is required, and every key may be null; references go to loosened twins. */
function loosened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(loosened);
  if (typeof value !== "object" || value === null) return value;
  const loose: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === "required") continue;
    if (key === "$ref") loose[key] = String(inner).replace("#/$defs/", "#/$defs/loose_");
    else if (key === "$defs") {
      const twins = Object.entries(inner as Json).map(([name, one]) => {
        return [`loose_${name}`, loosened(one)] as const;
      });
      loose[key] = Object.fromEntries(twins);
    } else if (key === "properties") {
      const entries = Object.entries(inner as Json).map(([name, one]) => {
        return [name, { anyOf: [loosened(one), { type: "null" }] }] as const;
      });
      loose[key] = Object.fromEntries(entries);
    } else if (key === "additionalProperties" && typeof inner === "object") {
      loose[key] = { anyOf: [loosened(inner), { type: "null" }] };
    } else loose[key] = loosened(inner);
  }
  return loose;
}
