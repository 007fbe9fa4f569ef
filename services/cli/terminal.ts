/**
 * What the commands say, and how they fail: one sentence and its code, never a stack.
 *
 * The idea: results go to standard output, complaints to standard error. It refuses to decide
 * exit codes.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";

/** The folder of `package.json`; this file is `dist/services/cli/terminal.js` in it. */
export const packageRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export interface Terminal {
  say(line: string): void;
  warn(line: string): void;
  fail(thrown: unknown): void;
  /** The supervisor's log; shown only when asked for. */
  readonly log: Log;
}

export function openTerminal(verbose: boolean): Terminal {
  const err = (line: string) => void process.stderr.write(`${line}\n`);
  const line = (level: string) => (fields: object, text: string) => {
    if (verbose) err(JSON.stringify({ level, service: "supervisor", ...fields, msg: text }));
  };
  // Nobody may read any more; the cell goes on all the same.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  return {
    say: (text) => void process.stdout.write(`${text}\n`),
    warn: (text) => err(`warning: ${text}`),
    fail: (thrown) => err(`error: ${textOf(thrown)} (${codeOf(thrown)})`),
    log: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
  };
}
