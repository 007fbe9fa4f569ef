/**
 * Which failures speak against a device: one table.
 *
 * The idea: only silence counts. A caller's mistake, a refusal or an answer that displeases
 * neither opens the breaker nor closes it; Modbus exceptions 1 to 3 prove the link alive but
 * are no success either. It refuses to guess: what is not in the table is neutral.
 */
import type { ErrorCode } from "./errors.js";
import { ServocellError } from "./errors.js";

export type BreakerOutcome = "failure" | "neutral";

const failures: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "DEVICE_UNREACHABLE",
  "OUTCOME_UNKNOWN",
]);

/**
 * Exceptions by which a device or gateway says that it cannot serve [MODBUS application 7]:
 * 4 device failure, 6 busy, 10 and 11 gateway path and target. In `detail.exception`.
 */
const failingExceptions: ReadonlySet<number> = new Set([4, 6, 10, 11]);

export function breakerOutcome(thrown: unknown): BreakerOutcome {
  if (!(thrown instanceof ServocellError)) return "neutral";
  if (failures.has(thrown.code)) return "failure";
  if (thrown.code !== "DEVICE_EXCEPTION") return "neutral";
  const exception = thrown.detail.exception;
  return typeof exception === "number" && failingExceptions.has(exception) ? "failure" : "neutral";
}
