/**
 * The content of a command, made comparable, and the numbers in it.
 *
 * The idea: two commands with one id are the same only when verb, lease and arguments are the
 * same text in one canonical order. Pure; it refuses arguments that are not numbers.
 */
import type { Json } from "#drivers/reading.js";
import type { Command } from "#kernel/contract/payloads.js";

/** Canonical text: keys sorted at every depth. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value as { readonly [key: string]: Json });
  const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
}

export function bodyOf(verb: string, command: Command): string {
  const { holder, epoch } = command.lease ?? { holder: null, epoch: null };
  return canonical({ verb, holder, epoch, args: command.args });
}

/** Undefined when an argument is not a number. */
export function argsOf(args: Command["args"]): { readonly [name: string]: number } | undefined {
  const numbers: { [name: string]: number } = {};
  for (const [name, value] of Object.entries(args)) {
    if (typeof value !== "number") return undefined;
    numbers[name] = value;
  }
  return numbers;
}
