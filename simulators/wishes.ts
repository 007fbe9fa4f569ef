/**
 * What the cell file says under `simulate`, as asked for by a family of simulated devices.
 *
 * The idea: one list of keys for all families, each read with its default where it is used. It
 * refuses keys that no family knows, and values of the wrong kind.
 */
import type { AxisSetup } from "#drivers/device-model.js";
import { parseQuantity } from "#drivers/units.js";
import { SimProblem } from "./problem.js";

export type SimAxis = Pick<
  AxisSetup,
  "countsPerRev" | "gear" | "perRev" | "travel" | "velocityMax" | "accelerationMax"
>;
export type SimulateValue = number | string | boolean;

/** Keys of `simulate`, and what they mean. `register.NAME` is a point's value at power-up. */
export const simulateKeys: Readonly<Record<string, string>> = {
  start: "servo: where the shaft is at power-up, user units from the switch",
  homingVelocity: "servo: user units/s towards the switch",
  followingErrorMax: "servo: user units",
  lagMs: "servo: time constant of the position loop",
  window: "servo: counts within which the target counts as reached",
  softLimits: "servo: true: the drive keeps to the travel once it is homed",
  remote: "servo, inverter: false: the drive is under local control",
  part: "gripper: where closing fingers meet the part, 0–255; false: there is none",
  partWidth: "gripper measured by its width: mm of the part; false: there is none",
  rampUp: "inverter: percent per second",
  rampDown: "inverter: percent per second",
  watchdogMs: "inverter: silence after which it trips",
  ratedSpeed: "inverter: motor rpm at 100 %",
  maxFrequency: "inverter: Hz at 100 %",
  turnaround: "line: ms from the end of a request to the reply; else what the profile says",
  scan: "ms at which written registers are looked at; a shorter edge is missed",
};

export class Wishes {
  constructor(
    readonly device: string,
    readonly values: Readonly<Record<string, SimulateValue>>,
    /** What the cell file sets for the profile's expressions. */
    readonly constants: Readonly<Record<string, number>> = {},
  ) {
    for (const key of Object.keys(values)) {
      if (key in simulateKeys || key.startsWith("register.")) continue;
      const known = Object.keys(simulateKeys).join(", ");
      throw new SimProblem(`${device}: simulate.${key} is not known; known are ${known}.`);
    }
  }

  number(key: string, absent: number): number {
    const value = this.values[key];
    if (value === undefined) return absent;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    const quantity = typeof value === "string" ? parseQuantity(value) : undefined;
    if (quantity?.ok) return quantity.value;
    throw new SimProblem(`${this.device}: simulate.${key} must be a number, not ${value}.`);
  }

  /** A number of the installation, as the driver has it. */
  constant(name: string, absent: number): number {
    return this.constants[name] ?? absent;
  }

  flag(key: string, absent: boolean): boolean {
    const value = this.values[key];
    if (value === undefined) return absent;
    if (typeof value === "boolean") return value;
    throw new SimProblem(`${this.device}: simulate.${key} must be true or false, not ${value}.`);
  }

  registers(): Readonly<Record<string, number>> {
    const keys = Object.keys(this.values).filter((key) => key.startsWith("register."));
    return Object.fromEntries(keys.map((key) => [key.slice(9), this.number(key, 0)]));
  }
}
