/**
 * The text of a saga, opened: a YAML file, or the plain data that a module exports.
 *
 * The idea: both hold the same structure, so one schema judges both, and each finds the line of
 * what is wrong in its own way: YAML by its document, a module by the names of its steps. It
 * refuses to judge what the values mean.
 */
import { createHash } from "node:crypto";
import type { Problem } from "#drivers/device-model.js";
import { checkYaml, openYaml, type YamlPath, type YamlSource } from "#drivers/yaml-source.js";
import { FileProblems } from "./file-problems.js";
import { FileReader } from "./file-reader.js";
import { sagaFileSchema } from "./saga-schema.js";

export interface SagaSource {
  readonly file: string;
  readonly name: string | undefined;
  readonly read: FileReader;
  /** Another content is another version. */
  readonly version: string;
}

/** What a saga file was found to hold. */
export type SagaText =
  | { readonly text: string }
  /** Of a module: what it exports, and its text, to find lines in. */
  | { readonly exported: unknown; readonly text: string };

export type OpenedSaga =
  | { readonly ok: true; readonly source: SagaSource }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function openSaga(found: SagaText, file: string): OpenedSaga {
  const opened =
    "exported" in found
      ? ({ ok: true, source: moduleSource(found.exported, found.text, file) } as const)
      : openYaml(found.text, file);
  if (!opened.ok) return opened;
  const problems = new FileProblems(opened.source);
  const shape = checkYaml(opened.source, sagaFileSchema);
  if (!shape.ok) problems.add(shape.problems);
  const read = new FileReader(problems);
  const version = createHash("sha256")
    .update(JSON.stringify(opened.source.value) ?? "")
    .digest("hex")
    .slice(0, 12);
  return { ok: true, source: { file, name: read.text(["saga"]), read, version } };
}

/** Plain data with the text of its module. */
function moduleSource(value: unknown, text: string, file: string): YamlSource {
  return {
    file,
    value,
    problem: (path, message, more = {}) => {
      const { at: _at, ...facts } = more;
      const wrong = valueAt(value, path);
      const isPlain = wrong !== undefined && typeof wrong !== "object";
      return {
        file,
        ...lineOf(text, value, path),
        path: pathText(path),
        message,
        severity: "error",
        ...facts,
        ...(isPlain ? { value: String(wrong) } : {}),
      };
    },
    keys: (path) => {
      const at = valueAt(value, path);
      return typeof at === "object" && at !== null && !Array.isArray(at) ? Object.keys(at) : [];
    },
  };
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as { readonly [key: string | number]: unknown })[part];
  }
  return at;
}

/**
 * Where the innermost named step on the way to the value has its name in the module's text, and
 * behind it the key itself; the first line when a name was put together at run time.
 */
function lineOf(text: string, value: unknown, path: YamlPath): { line: number; column: number } {
  let offset = 0;
  for (let depth = 1; depth <= path.length; depth += 1) {
    const name = valueAt(value, [...path.slice(0, depth), "name"]);
    if (typeof name !== "string") continue;
    const quoted = new RegExp(`["'\`]${escaped(name)}["'\`]`, "g");
    quoted.lastIndex = offset;
    offset = quoted.exec(text)?.index ?? offset;
  }
  const key = [...path].reverse().find((part) => typeof part === "string");
  if (typeof key === "string") {
    const written = new RegExp(`\\b${escaped(key)}\\b["'\`]?\\s*:`, "g");
    written.lastIndex = offset;
    offset = written.exec(text)?.index ?? offset;
  }
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function pathText(path: YamlPath): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join("");
}
