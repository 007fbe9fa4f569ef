/**
 * A profile that extends another one: two files, one value, and still every line known.
 *
 * The idea: maps merge key by key, lists and scalars replace, `null` takes a key away. A problem
 * belongs to the file that says the value (the child where both do), so that whoever reads it
 * opens the right file. It refuses to guess: what the base says is not judged here.
 */
import type { YamlPath, YamlSource } from "./yaml-schema.js";

/** Longest chain of bases. */
export const extendsMax = 4;

type Mapping = { readonly [key: string]: unknown };

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Keys of the base keep their place, new ones follow. */
export function mergeValues(base: unknown, over: unknown): unknown {
  if (!isMapping(base) || !isMapping(over)) return withoutNulls(over);
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete merged[key];
    else merged[key] = Object.hasOwn(base, key) ? mergeValues(base[key], value) : value;
  }
  return merged;
}

/** A `null` under a new key has nothing to take away; the schema shall not see it either. */
function withoutNulls(value: unknown): unknown {
  if (!isMapping(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNulls(inner)]));
}

/** How many parts of the path a file says itself. */
function depthIn(value: unknown, path: YamlPath): number {
  let at = value;
  let depth = 0;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return depth;
    if (!Object.hasOwn(at, part)) return depth;
    at = (at as Mapping)[String(part)];
    depth += 1;
  }
  return depth;
}

/** One source made of both; its keys are those of the child, whose order alone is looked at. */
export function mergeSources(base: YamlSource, child: YamlSource): YamlSource {
  return {
    file: child.file,
    value: mergeValues(base.value, child.value),
    problem: (path, message, more) => {
      const own = depthIn(child.value, path) >= depthIn(base.value, path);
      return (own ? child : base).problem(path, message, more);
    },
    keys: (path) => child.keys(path),
  };
}
