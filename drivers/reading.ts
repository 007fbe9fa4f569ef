/**
 * What a device told us, and what came of a command.
 *
 * The idea: a value never travels without its time, and a missing value is a reason, never 0.
 * A command ends in one of four verdicts, and "unknown" is one of them. This file refuses to
 * hold behaviour: it is the vocabulary that every room shares.
 */

/** Milliseconds. Monotonic unless the name ends in `WallMs` or the field is called `ts`. */
export type Ms = number;

/** Why there is no value. */
export type BadReason =
  | "never-read"
  | "timeout"
  | "exception"
  | "malformed"
  | "link-down"
  | "breaker-open"
  | "not-sent"
  | "not-in-profile"
  | "invalid-value";

/** A value we may act on, or the reason we may not. `atMs` is monotonic. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T; readonly atMs: Ms }
  | { readonly ok: false; readonly reason: BadReason; readonly atMs: Ms };

/** Text and numbers that may cross a process border as JSON. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Extra facts beside a verdict or an error: flat, JSON, in user units. */
export type Detail = { readonly [key: string]: Json };

/**
 * Codes that an operation on a device may end with. Each stands in the error registry of the
 * kernel (a test compares the two).
 */
export const operationCodes = [
  "NOT_SUPPORTED",
  "LIMIT_EXCEEDED",
  "VALIDATION_FAILED",
  "NOT_HOMED",
  "NOT_ENABLED",
  "DEVICE_LOCAL",
  "STATE_CONFLICT",
  "DEVICE_EXCEPTION",
  "DRIVE_FAULT",
  "DEVICE_UNREACHABLE",
  "OUTCOME_UNKNOWN",
  "NOT_ACCEPTED",
  "NOT_DONE_IN_TIME",
  "STOPPED_SHORT",
  "NO_PART",
  "OBSTRUCTED",
  "READ_BACK_DIFFERS",
] as const;
export type OperationCode = (typeof operationCodes)[number];

/**
 * What came of a command (PROTOCOL 15).
 * - done: succeeded, proved by a reading that was sent after the trigger.
 * - refused: nothing was sent to the device; it may be asked again.
 * - faulted: something may have moved; only the way to the safe state is open.
 * - unknown: it left, and nobody knows; read before anything else.
 */
export type Verdict =
  | { readonly verdict: "done"; readonly result: Detail }
  | {
      readonly verdict: "refused" | "faulted" | "unknown";
      readonly code: string;
      readonly text: string;
      readonly detail?: Detail;
    };
