/**
 * The faults that a simulated device can be given, by name.
 *
 * The idea: `device=fault[:value]` on the command line and one JSON object on the control socket
 * mean the same. A fault stands until it is cleared, except reboot and a plain trip, which
 * happen once. It refuses unknown names and values that a fault cannot use.
 */
import { SimProblem } from "./problem.js";

export const faultNames = [
  /** No replies, nothing carried out; a number: so often; "replies": carried out, unanswered. */
  "drop",
  /** The same as drop. */
  "silent",
  /** Replies come this many ms late. */
  "delay",
  /** Every request is refused with this exception. @default 4 */
  "exception",
  /** The plant stands; value "trip": the drive trips when its following error is too great. */
  "stuck",
  /** The drive trips, once; a number is its code; "hold": the cause stays until cleared. */
  "trip",
  /** Nothing lies between the fingers. */
  "noPart",
  /** Power lost and back, once: registers, enable and home are gone; value: the silence, ms. */
  "reboot",
] as const;
export type FaultName = (typeof faultNames)[number];
export type FaultValue = string | number;

export interface FaultOrder {
  readonly device: string;
  readonly fault: FaultName;
  readonly value?: FaultValue;
}

export function isFaultName(name: string): name is FaultName {
  return (faultNames as readonly string[]).includes(name);
}

/** @throws SimProblem for a name that is none. */
export function faultName(name: string): FaultName {
  if (isFaultName(name)) return name;
  throw new SimProblem(`${name} is not a fault; the faults are ${faultNames.join(", ")}.`);
}

/** Reads `device=fault[:value]`. @throws SimProblem */
export function parseFault(text: string): FaultOrder {
  const found = /^([^=]+)=([^:]+)(?::(.*))?$/.exec(text);
  if (found === null) {
    throw new SimProblem(
      `--fault ${text} is not understood; write device=fault or device=fault:value.`,
    );
  }
  const [, device = "", fault = "", value] = found;
  return {
    device,
    fault: faultName(fault),
    ...(value === undefined ? {} : { value: numberOrText(value) }),
  };
}

function numberOrText(value: string): FaultValue {
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
}

/** The number of a fault, or what it means when none was given. @throws SimProblem */
export function numberOf(fault: FaultName, value: FaultValue | undefined, absent: number): number {
  if (value === undefined) return absent;
  const number = typeof value === "number" ? value : Number.NaN;
  if (Number.isFinite(number) && number >= 0) return number;
  throw new SimProblem(`${fault}:${value} is not understood; ${fault} takes a number.`);
}
