/**
 * Answers of the command door: their shape, and how one is kept so that a repeat gets it again.
 *
 * The idea: an answer is kept in memory for this start, and on the disk beside the decision that
 * it tells of, so that both are true or neither. It refuses to grow: the newest are kept.
 */
import type { Detail } from "#drivers/reading.js";
import type { Command } from "#kernel/contract/payloads.js";
import type { ErrorCode } from "#kernel/errors.js";
import type { Statement } from "#kernel/ports.js";
import { wishText } from "#kernel/wish.js";

/** Answers that are kept for repeats. */
export const answersMax = 1000;
/** Characters of a person's reason. */
const reasonMax = 500;

export type Answer =
  | { readonly ok: true; readonly result: Detail }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly text: string;
      readonly detail: Detail;
    };

/** A command with what its repeat would have to be the same as. */
export interface Asked {
  readonly verb: string;
  readonly command: Command;
  readonly body: string;
}

export function refusal(code: ErrorCode, text: string, detail: Detail = {}): Answer {
  return { ok: false, code, text, detail };
}

const pruneRequests: Statement = {
  sql: `DELETE FROM requests WHERE id IN
    (SELECT id FROM requests ORDER BY at DESC LIMIT -1 OFFSET ${answersMax})`,
};

/** An answer that outlives this start, written beside what it tells of. */
export function keeping({ command, body }: Asked, answer: Answer): Statement[] {
  const sql = "INSERT OR IGNORE INTO requests (id, body, answer, at) VALUES (?, ?, ?, ?)";
  return [{ sql, params: [command.id, body, JSON.stringify(answer), Date.now()] }, pruneRequests];
}

/** The same for the same wish, whatever the order of the fields. */
export function bodyOf(kind: string, verb: string, command: Command): string {
  return wishText([kind, verb, command.args]);
}

/** What an argument names; text or not, it is never asked how it would like to be written. */
export function nameIn(args: Command["args"], name: string): string {
  const value = args[name];
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** A person's reason; undefined: it says nothing, or too much. */
export function reasonOf(command: Command): string | undefined {
  const { text } = command.args;
  if (typeof text !== "string" || text.trim() === "" || text.length > reasonMax) return undefined;
  return text.trim();
}

export function reasonMissing(verb: string): Answer {
  const text = `${verb} needs a reason of 1 to ${reasonMax} characters; it is kept with the name.`;
  return refusal("VALIDATION_FAILED", text);
}
