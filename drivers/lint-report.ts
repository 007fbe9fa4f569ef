/**
 * How a lint rule reports: at a path, with what to do instead.
 *
 * The idea: rules know paths of the profile, the source knows lines; this is all that lies between
 * them. It refuses to hold rules.
 */
import type { Problem } from "./device-model.js";
import type { YamlPath } from "./yaml-schema.js";
import { suggestion } from "./yaml-schema.js";

export type Say = (
  path: YamlPath,
  message: string,
  more?: { at?: "key"; suggestion?: string; severity?: Problem["severity"] },
) => void;

/** Says that a name does not exist, with the nearest one that does. */
export function unknownName(
  say: Say,
  path: YamlPath,
  kind: string,
  { name, known }: { name: string; known: object },
): void {
  const hint = suggestion(name, Object.keys(known));
  say(path, `there is no ${kind} ${name}`, hint === undefined ? {} : { suggestion: hint });
}
