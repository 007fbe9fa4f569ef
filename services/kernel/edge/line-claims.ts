/**
 * Which serial lines this process drives: one owner per physical line.
 *
 * The idea: two names of one port (a link in /dev/serial/by-id and the ttyUSB that it leads to)
 * are one line; the real path decides. It refuses a second owner with both names in the message.
 * Against other processes the port's own lock stands.
 */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { ServocellError } from "../errors.js";

const owners = new Map<string, string>();

/** The real path of a port, or its absolute path while it is not there. */
export function linePath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** The first two of these ports that are one physical line. */
export function sameLine(paths: readonly string[]): readonly [string, string] | undefined {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const real = linePath(path);
    const first = seen.get(real);
    if (first !== undefined) return [first, path];
    seen.set(real, path);
  }
  return undefined;
}

/** Takes the line for this process; returns what gives it back. @throws VALIDATION_FAILED */
export function claimLine(path: string): () => void {
  const real = linePath(path);
  const owner = owners.get(real);
  if (owner !== undefined) {
    throw new ServocellError(
      "VALIDATION_FAILED",
      `${path} and ${owner} are the same serial line (${real}); a line has one bus.`,
      { path, owner, real },
    );
  }
  owners.set(real, path);
  return () => {
    if (owners.get(real) === path) owners.delete(real);
  };
}
