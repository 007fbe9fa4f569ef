/**
 * Reads values out of a checked file, noting what is wrong where it stands.
 *
 * The idea: the structure has been judged by a schema, perhaps with complaints; so every getter
 * here takes what it finds, is silent about wrong kinds (the schema has said so) and notes wrong
 * quantities and ranges. It refuses to guess: what is wrong is undefined.
 */
import type { FileProblems, Path } from "./file-problems.js";
import { inUnit } from "./quantities.js";

export interface QuantityRules {
  /** The unit in which the number is given back; undefined: a plain number. */
  readonly unit: string | undefined;
  /** Taken when the key is absent. Without it an absent key is a problem. */
  readonly fallback?: number;
  /** What the value is for, in the complaint about its absence. */
  readonly needed?: string;
  readonly min?: number;
  readonly max?: number;
  /** The value must be above this. */
  readonly above?: number;
}

export class FileReader {
  readonly problems: FileProblems;
  constructor(problems: FileProblems) {
    this.problems = problems;
  }

  raw(path: Path): unknown {
    let value: unknown = this.problems.data;
    for (const name of path) {
      if (typeof value !== "object" || value === null) return undefined;
      if (!Object.hasOwn(value, name)) return undefined;
      value = (value as { readonly [key: string | number]: unknown })[name];
    }
    return value ?? undefined;
  }

  text(path: Path): string | undefined {
    const value = this.raw(path);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  whole(path: Path): number | undefined {
    const value = this.raw(path);
    return typeof value === "number" && Number.isInteger(value) ? value : undefined;
  }

  /** The keys of a mapping, or the indexes of a list; empty when it is neither. */
  keys(path: Path): readonly string[] {
    const value = this.raw(path);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.keys(value)
      : [];
  }

  length(path: Path): number {
    const value = this.raw(path);
    return Array.isArray(value) ? value.length : 0;
  }

  texts(path: Path): readonly string[] {
    const value = this.raw(path);
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }

  quantity(path: Path, rules: QuantityRules): number | undefined {
    const raw = this.raw(path);
    if (raw === undefined) {
      if (rules.fallback !== undefined) return rules.fallback;
      const name = String(path.at(-1));
      return this.problems.at(path, `${name} is missing${rules.needed ?? ""}`);
    }
    if (typeof raw !== "string" && typeof raw !== "number") return undefined;
    const value = inUnit(raw, rules.unit);
    if (typeof value === "number") return this.#inRange(path, raw, value, rules);
    const { problem, suggestion } = value;
    return this.problems.at(path, problem, {
      value: String(raw),
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }

  #inRange(
    path: Path,
    raw: string | number,
    value: number,
    { unit, min, max, above }: QuantityRules,
  ): number | undefined {
    const name = String(path.at(-1));
    const shown = (limit: number) => (unit === undefined ? `${limit}` : `${limit} ${unit}`);
    const facts = { value: String(raw) };
    if (above !== undefined && value <= above) {
      return this.problems.at(path, `${name} must be above ${shown(above)}`, facts);
    }
    if (min !== undefined && value < min) {
      return this.problems.at(path, `${name} must be at least ${shown(min)}`, facts);
    }
    if (max !== undefined && value > max) {
      return this.problems.at(path, `${name} must be at most ${shown(max)}`, facts);
    }
    return value;
  }
}
