/**
 * YAML text in, a checked value or all its problems out.
 *
 * The idea: the document tree is kept beside the value, so that whoever finds a mistake later
 * (schema, lint, cell check) can name file, line, column and the value as it was written. YAML 1.2
 * core: `on` and `yes` are text. It refuses duplicate keys, leading zeros, aliases and unknown
 * keys; it never stops at the first problem.
 */

import type { Node, Pair, Scalar } from "yaml";
import { Composer, isMap, isScalar, LineCounter, Parser, visit } from "yaml";
import type * as z from "zod";
import type { Checked, Problem } from "./device-model.js";
import { excessIn } from "./yaml-excess.js";
import type { YamlPath, YamlSource } from "./yaml-schema.js";
import { problemsOfSchema } from "./yaml-schema.js";

export type { YamlPath, YamlSource };

/** Longest text that is looked at, in characters. */
const textMax = 1_000_000;

export type YamlOpened =
  | { readonly ok: true; readonly source: YamlSource }
  | { readonly ok: false; readonly problems: readonly Problem[] };

function pathText(path: YamlPath): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join("");
}

interface Place {
  readonly offset: number;
  readonly text?: string;
}

/** Walks as far as the path leads; what is not there is placed at its nearest parent. */
function placeOf(contents: unknown, path: YamlPath, at: "key" | undefined): Place {
  let node: unknown = contents;
  let place: Place = { offset: startOf(contents) };
  for (const [i, part] of path.entries()) {
    const last = i === path.length - 1;
    const pair = isMap(node)
      ? node.items.find((item) => keyText(item) === String(part))
      : undefined;
    const next = pair === undefined ? childOf(node, part) : pair.value;
    if (next === undefined) return place;
    const atKey = pair !== undefined && (!last || at === "key" || next === null);
    place = atKey ? keyPlace(pair, last) : valuePlace(next);
    node = next;
  }
  return place;
}

function keyPlace(pair: Pair, last: boolean): Place {
  return { offset: startOf(pair.key), ...(last ? { text: keyText(pair) } : {}) };
}

function valuePlace(node: unknown): Place {
  return { offset: startOf(node), ...(isScalar(node) ? { text: sourceOf(node) } : {}) };
}

function childOf(node: unknown, part: string | number): unknown {
  if (typeof part !== "number" || node === null || typeof node !== "object") return undefined;
  return "items" in node && Array.isArray(node.items) ? node.items[part] : undefined;
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function startOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}

function sourceOf(scalar: Scalar): string {
  return scalar.source ?? String(scalar.value);
}

/** Parses without a schema. All syntax problems and number traps at once. */
export function openYaml(text: string, file: string): YamlOpened {
  const lines = new LineCounter();
  const here = (offset: number, message: string, more: Partial<Problem> = {}): Problem => {
    const { line, col } = lines.linePos(offset);
    return {
      file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      path: "",
      message,
      severity: "error",
      ...more,
    };
  };
  if (text.length > textMax) {
    return { ok: false, problems: [here(0, `the file is longer than ${textMax} characters`)] };
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const excess = excessIn(tokens);
  if (excess !== undefined) {
    return { ok: false, problems: [here(excess.offset, excess.message)] };
  }
  const options = { version: "1.2", schema: "core", uniqueKeys: true } as const;
  const [doc, second] = new Composer(options).compose(tokens, true, text.length);
  if (doc === undefined) return { ok: false, problems: [here(0, "there is no document here")] };
  const problems: Problem[] = [...doc.errors, ...doc.warnings].map((error) => {
    const more = error.code === "DUPLICATE_KEY" ? { suggestion: "remove one of the two" } : {};
    const said = error.code === "DUPLICATE_KEY" ? "this key stands twice" : error.message;
    return here(error.pos[0], said, more);
  });
  if (second !== undefined) {
    problems.push(here(second.range[0], "a second document begins here; a file has one"));
  }
  visit(doc, {
    Alias: (_, node) => {
      problems.push(here(startOf(node), "anchors and aliases are not used here"));
    },
    Scalar: (_, node) => {
      keepLineFormat(node);
      const trap = numberTrap(node);
      if (trap !== undefined) problems.push(here(startOf(node), trap.message, trap));
    },
  });
  if (problems.length > 0) return { ok: false, problems };
  const value: unknown = doc.toJS();
  const source: YamlSource = {
    file,
    value,
    problem: (path, message, more = {}) => {
      const place = placeOf(doc.contents, path, more.at);
      return here(place.offset, message, {
        path: pathText(path),
        ...(place.text === undefined ? {} : { value: place.text }),
        ...(more.suggestion === undefined ? {} : { suggestion: more.suggestion }),
        ...(more.severity === undefined ? {} : { severity: more.severity }),
      });
    },
    keys: (path) => {
      const node = path.length === 0 ? doc.contents : doc.getIn(path, true);
      return isMap(node) ? node.items.map(keyText) : [];
    },
  };
  return { ok: true, source };
}

/** `8E1` is 8 × 10 to YAML and a character format of a serial line to everybody else (CF-01). */
function keepLineFormat(node: Scalar): void {
  const written = sourceOf(node);
  if (typeof node.value === "number" && /^[5-8]E[12]$/.test(written)) node.value = written;
}

/** Number spellings that mean different things to different readers. */
function numberTrap(
  node: Scalar,
): { message: string; value: string; suggestion: string } | undefined {
  if (typeof node.value !== "number") return undefined;
  const written = sourceOf(node);
  if (/^[-+]?0[0-9]+/.test(written)) {
    const bare = written.replace(/^([-+]?)0+(?=\d)/, "$1");
    return {
      message: "a number with leading zeros is read as octal by some programs",
      value: written,
      suggestion: `write ${bare}, or 0x… for hexadecimal`,
    };
  }
  if (!Number.isFinite(node.value)) {
    return { message: "not a finite number", value: written, suggestion: "write a number" };
  }
  return undefined;
}

/** Parses and checks. On success the value is what the schema made of it. */
export function readYaml<T>(text: string, file: string, schema: z.ZodType<T>): Checked<T> {
  const opened = openYaml(text, file);
  if (!opened.ok) return opened;
  return checkYaml(opened.source, schema);
}

/** Checks an opened document against a schema. */
export function checkYaml<T>(source: YamlSource, schema: z.ZodType<T>): Checked<T> {
  const parsed = schema.safeParse(source.value);
  if (parsed.success) return { ok: true, value: parsed.data, warnings: [] };
  return { ok: false, problems: problemsOfSchema(source, schema, parsed.error.issues) };
}

/** One line for a person: `cell.yaml:12:7: error: devices.x.unit: … (got "08"; did you mean …)`. */
export function formatProblem(problem: Problem): string {
  const where = `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === "" ? "" : `${problem.path}: `;
  const got = problem.value === undefined ? "" : `got ${JSON.stringify(problem.value)}`;
  const more = [got, problem.suggestion ?? ""].filter((part) => part !== "").join("; ");
  return `${where}: ${problem.severity}: ${path}${problem.message}${more === "" ? "" : ` (${more})`}`;
}
