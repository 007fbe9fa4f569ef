/**
 * Turns what a schema says against a value into problems that a person can act on.
 *
 * The idea: a schema names a path, the document knows the line; and where a key or word is only
 * misspelt, the nearest known one is offered. It refuses to report a union as "no variant
 * matched": the variant that came closest speaks.
 */
import type * as z from "zod";
import type { Problem } from "./device-model.js";

export type YamlPath = readonly (string | number)[];

/** A parsed document that can still say where each value stands. */
export interface YamlSource {
  readonly file: string;
  readonly value: unknown;
  /** A problem at the value of `path`, at its key (`at: "key"`), or at the nearest parent. */
  problem(
    path: YamlPath,
    message: string,
    more?: { at?: "key"; suggestion?: string; severity?: Problem["severity"] },
  ): Problem;
  /** Keys of the mapping at `path` in the order in which they are written. */
  keys(path: YamlPath): readonly string[];
}

type Issue = z.core.$ZodIssue;

/** Edit distance with neighbouring swaps, bounded by the words' lengths. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + cost);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, at(i - 2, j - 2) + 1);
      row.push(best);
    }
  }
  return at(a.length, b.length);
}

/** The known word that was probably meant: at most a third of its letters differ. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((one) => ({ one, d: distance(word.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, d }) => d <= Math.max(1, Math.floor(Math.max(one.length, word.length) / 3)))
    .sort((a, b) => a.d - b.d);
  return ranked[0]?.one;
}

/** "did you mean x", or the whole list where it is short. */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean ${near}?`;
  if (known.length === 0 || known.length > 24) return undefined;
  return `known: ${known.join(", ")}`;
}

interface AnyDef {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly innerType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly getter?: () => z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly in?: z.core.$ZodType;
  readonly items?: readonly z.core.$ZodType[];
}

/** The schemas that may stand at a path; more than one where unions lie on the way. */
function schemasAt(schema: z.core.$ZodType, path: YamlPath): readonly z.core.$ZodType[] {
  const def = schema._zod.def as unknown as AnyDef;
  const inner = def.innerType ?? def.in ?? def.getter?.();
  if (inner !== undefined) return schemasAt(inner, path);
  if (def.options !== undefined) return def.options.flatMap((one) => schemasAt(one, path));
  const [part, ...rest] = path;
  if (part === undefined) return [schema];
  const next =
    def.shape?.[String(part)] ?? def.valueType ?? def.element ?? def.items?.[Number(part)];
  return next === undefined ? [] : schemasAt(next, rest);
}

function keysAt(schema: z.core.$ZodType, path: YamlPath): readonly string[] {
  return schemasAt(schema, path).flatMap((one) =>
    Object.keys((one._zod.def as unknown as AnyDef).shape ?? {}),
  );
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let at = value;
  for (const part of path) {
    if (at === null || typeof at !== "object") return undefined;
    at = (at as Record<string, unknown>)[String(part)];
  }
  return at;
}

/** How people write booleans and numbers in other dialects. */
function typeHint(expected: string, value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  if (expected === "boolean" && /^(on|yes|y|off|no|n)$/i.test(value)) {
    return `write ${/^(on|yes|y)$/i.test(value) ? "true" : "false"}`;
  }
  const bare = value.replaceAll("_", "");
  if (
    (expected === "number" || expected === "int") &&
    bare !== "" &&
    Number.isFinite(Number(bare))
  ) {
    return `write ${bare} without quotes or underscores`;
  }
  return undefined;
}

function words(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

const named: { readonly [type: string]: string } = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

/** Every issue of a failed check as problems, in the order of the file. */
export function problemsOfSchema(
  source: YamlSource,
  schema: z.core.$ZodType,
  issues: readonly Issue[],
): readonly Problem[] {
  return issues
    .flatMap((issue) => problemsOf(source, schema, issue, []))
    .sort((a, b) => a.line - b.line || a.column - b.column);
}

function problemsOf(
  source: YamlSource,
  schema: z.core.$ZodType,
  issue: Issue,
  base: YamlPath,
): readonly Problem[] {
  const path = [...base, ...(issue.path as YamlPath)];
  const value = valueAt(source.value, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const known = keysAt(schema, path).filter((one) => valueAt(value, [one]) === undefined);
        const hint = suggestion(key, known);
        const more = hint === undefined ? {} : { suggestion: hint };
        return source.problem([...path, key], "this key is not known here", { at: "key", ...more });
      });
    case "invalid_union": {
      const branch = closest(issue.errors);
      if (branch === undefined) return [source.problem(path, "this value does not fit here")];
      return branch.flatMap((one) => problemsOf(source, schema, one, path));
    }
    case "invalid_key":
      return [source.problem(path, issue.issues[0]?.message ?? issue.message, { at: "key" })];
    case "invalid_type": {
      const want = named[issue.expected] ?? issue.expected;
      if (value === undefined) return [source.problem(path, `${want} is missing here`)];
      const hint = typeHint(issue.expected, value);
      const said = `must be ${want}, not ${words(value)}`;
      return [source.problem(path, said, hint === undefined ? {} : { suggestion: hint })];
    }
    case "invalid_value": {
      const known = issue.values.map(String);
      if (value === undefined) {
        return [source.problem(path, `one of ${known.join(", ")} is missing here`)];
      }
      const hint = suggestion(String(value), known);
      const said = known.length === 1 ? `must be ${known[0]}` : "is not one of the known words";
      const found = source.problem(path, said, hint === undefined ? {} : { suggestion: hint });
      // `8E1` is the number 80 in YAML.
      const trap = typeof value === "number" && known.includes(found.value ?? "");
      return [trap ? { ...found, suggestion: `write "${found.value}" in quotes` } : found];
    }
    default:
      return [source.problem(path, issue.message)];
  }
}

/** The branch whose complaint lies deepest, then the one with fewest complaints. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (branch: readonly Issue[]) =>
    Math.max(0, ...branch.map((one) => one.path.length + (one.code === "invalid_type" ? 0 : 0.5)));
  return [...branches].sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
}
