/**
 * JSON out of a service's own database.
 *
 * The idea: a file that a disk or a person has spoiled is no broken assumption: whoever starts the
 * service has to be told which part of which table cannot be read. It refuses to guess a value.
 */
import { ServocellError, textOf } from "./errors.js";

/** @throws STORE_FAILED naming `what` when the text is not JSON of an object or list. */
export function storedJson<T extends object>(text: unknown, what: string): T {
  try {
    const value: unknown = JSON.parse(String(text));
    if (typeof value === "object" && value !== null) return value as T;
    throw new Error(`it is ${String(value)}`);
  } catch (thrown) {
    const said = `The database holds ${what} that cannot be read: ${textOf(thrown)}.`;
    throw new ServocellError("STORE_FAILED", said, { what }, thrown);
  }
}
