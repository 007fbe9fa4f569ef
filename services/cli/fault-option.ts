/**
 * `--fault device=fault[:value]@step`: what a person writes, taken apart.
 *
 * The idea: one grammar in one place. Without `@step` the fault is there from the start. It
 * refuses to know which faults exist (the simulator does).
 */
import { ServocellError } from "#kernel/errors.js";
import type { SimFault } from "./sim-control.js";

export interface FaultOption extends SimFault {
  /** The step at whose start the fault appears; absent: at once. */
  readonly step?: string;
}

/** @throws VALIDATION_FAILED with the right spelling. */
export function parseFault(text: string): FaultOption {
  const found =
    /^(?<device>[a-z0-9][\w-]*)=(?<fault>[A-Za-z][\w-]*)(:(?<value>[^@]+))?(@(?<step>.+))?$/.exec(
      text,
    );
  const parts = found?.groups;
  if (parts?.device === undefined || parts.fault === undefined) {
    const text1 = `"${text}" is not a fault; write device=fault[:value]@step`;
    throw new ServocellError("VALIDATION_FAILED", `${text1}, such as gripper=noPart@grip.`);
  }
  const { device, fault, value, step } = parts;
  return {
    device,
    fault,
    ...(value === undefined ? {} : { value: faultValue(value) }),
    ...(step === undefined ? {} : { step }),
  };
}

function faultValue(text: string): number | string {
  const number = Number(text);
  return text.trim() !== "" && Number.isFinite(number) ? number : text;
}
