/**
 * The faults that a simulated device can be given, by name.
 *
 * The idea: `device=fault[:value]` on the command line and one JSON object on the control socket
 * mean the same. A fault stands until it is cleared, except reboot, late and a plain trip, which
 * happen once. It refuses unknown names and values that a fault cannot use.
 */
import { SimProblem } from "./problem.js";

/** Faults of one device. */
export const deviceFaultNames = [
  /** No replies, nothing carried out; a number: so often; "replies": carried out, unanswered. */
  "drop",
  /** The same as drop. */
  "silent",
  /** Replies come this many ms late. */
  "delay",
  /** The next reply, and only that, comes this many ms late. @default 300 */
  "late",
  /** Every request is refused with this exception. @default 4 */
  "exception",
  /** Exception 6, nothing carried out; a number: so often. */
  "busy",
  /** One bit of every reply is wrong; a number n: of one reply in n. */
  "corrupt",
  /** Replies end early; a number: so many bytes of the frame come. @default half of them */
  "truncate",
  /** A byte that belongs to nothing comes before each reply; a number: which. @default 0 */
  "stray",
  /** Replies name another unit; a number: which. @default the next one */
  "wrong-unit",
  /** Written numbers beyond this (or `point=number`) are taken as this, without a word. */
  "clamp",
  /** Writes are looked at every so many ms only: what is taken back before is never seen. */
  "scan",
  /** The plant stands; value "trip": the drive trips when its following error is too great. */
  "stuck",
  /** The same as stuck:trip. */
  "following-error",
  /** The drive trips, once; a number is its code; "hold": the cause stays until cleared. */
  "trip",
  /** Nothing lies between the fingers. */
  "noPart",
  /** Power lost and back, once: registers, enable and home are gone; value: the silence, ms. */
  "reboot",
] as const;

/** Faults of a whole bus; they are given to the bus, or to one of its devices. */
export const busFaultNames = [
  /** Line: every byte that the master sends comes back to it. */
  "echo",
  /** Line: the adapter is pulled out, its device file gone; a number: back after so many ms. */
  "unplug",
  /** Line: the adapter is back, as another terminal. */
  "replug",
  /** TCP: so many masters at a time, further ones are turned away. @default 1 */
  "max-clients",
  /** TCP: connections stand, new ones too, and nothing is ever answered. */
  "half-open",
] as const;

export const faultNames = [...deviceFaultNames, ...busFaultNames] as const;
export type DeviceFaultName = (typeof deviceFaultNames)[number];
export type BusFaultName = (typeof busFaultNames)[number];
export type FaultName = DeviceFaultName | BusFaultName;
export type FaultValue = string | number;

export interface FaultOrder {
  /** A device, or a bus for the faults of a bus. */
  readonly device: string;
  readonly fault: FaultName;
  readonly value?: FaultValue;
}

export function isFaultName(name: string): name is FaultName {
  return (faultNames as readonly string[]).includes(name);
}

export function isBusFault(name: FaultName): name is BusFaultName {
  return (busFaultNames as readonly string[]).includes(name);
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
