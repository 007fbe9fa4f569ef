/**
 * A simulated device from what the cell file says of it.
 *
 * The idea: the profile gives the registers, the axis gives the mechanics, `simulate` gives what
 * only a pretended device has (where it stands, whether there is a part), and the profile's id
 * chooses the behaviour. It refuses profiles that it has no behaviour for, and unknown keys.
 */
import type { AxisSetup } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import { parseQuantity } from "#drivers/units.js";
import { abbDrives } from "./behaviours/abb-drives.js";
import { cia402 } from "./behaviours/cia402.js";
import { robotiq } from "./behaviours/robotiq.js";
import { type MotionEvent, modbusDevice, type SimDevice } from "./modbus-device.js";
import { SimProblem } from "./problem.js";

export type SimAxis = Pick<
  AxisSetup,
  "countsPerRev" | "gear" | "perRev" | "travel" | "velocityMax" | "accelerationMax"
>;
export type SimulateValue = number | string | boolean;

/** A `DeviceConfig` of the kernel is one, too. Lengths in the axis' user unit. */
export interface SimDeviceSetup {
  readonly id: string;
  readonly profile: Profile;
  readonly setup: { readonly unit: number; readonly axis?: SimAxis };
  readonly simulate?: { readonly [key: string]: SimulateValue };
}

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
  rampUp: "inverter: percent per second",
  rampDown: "inverter: percent per second",
  watchdogMs: "inverter: silence after which it trips",
};

const axisAbsent: SimAxis = {
  countsPerRev: 10_000,
  gear: { motor: 1, output: 1 },
  perRev: 5,
  velocityMax: 200,
  accelerationMax: 1000,
};
const lagMsUsual = 8;
const windowUsual = 10;
const partUsual = 140;

class Wishes {
  constructor(
    readonly device: string,
    readonly values: Readonly<Record<string, SimulateValue>>,
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

/** @throws SimProblem for a profile without a behaviour, or a wrong `simulate`. */
export function makeSimDevice(
  device: SimDeviceSetup,
  onMotion?: (event: MotionEvent) => void,
): SimDevice {
  const wishes = new Wishes(device.id, device.simulate ?? {});
  const parts = {
    id: device.id,
    unit: device.setup.unit,
    profile: device.profile,
    presets: wishes.registers(),
    ...(onMotion === undefined ? {} : { onMotion }),
  };
  const axis = device.setup.axis ?? axisAbsent;
  switch (device.profile.id) {
    case "kinco/fd5p":
      return modbusDevice({ ...parts, behaviour: servoOf(axis, wishes) });
    case "robotiq/2f":
      return modbusDevice({ ...parts, behaviour: gripperOf(wishes) });
    case "abb/drives-profile":
      return modbusDevice({ ...parts, behaviour: inverterOf(device.setup.axis, wishes) });
    default:
      throw new SimProblem(
        `${device.id}: there is no simulated device for the profile ${device.profile.id}.`,
      );
  }
}

function servoOf(axis: SimAxis, wishes: Wishes) {
  const counts = (axis.countsPerRev * axis.gear.motor) / axis.gear.output / axis.perRev;
  const { travel } = axis;
  const span = travel === undefined ? 0 : travel.max - travel.min;
  const lagMs = wishes.number("lagMs", lagMsUsual);
  const acceleration = axis.accelerationMax;
  /** Metal beyond the travel and beyond the switch at 0, user units. */
  const beyond = 2 + 0.02 * span;
  const fastUsual = Math.min(axis.velocityMax / 4, Math.sqrt(acceleration * beyond));
  const fast = wishes.number("homingVelocity", fastUsual);
  // The homing run overshoots the switch by its braking distance.
  const margin = beyond + (fast * fast) / acceleration;
  const hard =
    travel === undefined
      ? {}
      : {
          hardMin: (Math.min(0, travel.min) - margin) * counts,
          hardMax: (Math.max(0, travel.max) + margin) * counts,
        };
  const soft =
    travel !== undefined && wishes.flag("softLimits", false)
      ? { softMin: travel.min * counts, softMax: travel.max * counts }
      : {};
  const startUsual = travel === undefined ? 0 : travel.min + 0.3 * span;
  const errorUsual = (3 * axis.velocityMax * lagMs) / 1000;
  return cia402({
    plant: { ...hard, ...soft, lagMs, velocityMax: 1.5 * axis.velocityMax * counts },
    start: wishes.number("start", startUsual) * counts,
    homingFast: fast * counts,
    homingSlow: (fast / 10) * counts,
    homingAcceleration: acceleration * counts,
    quickStopDeceleration: 3 * acceleration * counts,
    friction: 4 * acceleration * counts,
    followingErrorMax: wishes.number("followingErrorMax", errorUsual) * counts,
    window: wishes.number("window", windowUsual),
    remote: wishes.flag("remote", true),
  });
}

/** Finger speeds and ends as the maker gives them for a stroke of 255 counts. */
function gripperOf(wishes: Wishes) {
  const part = wishes.values.part;
  const partAt = typeof part === "boolean" ? partUsual : wishes.number("part", partUsual);
  return robotiq({
    plant: { speedMin: 66, speedMax: 330, ...(part === false ? {} : { partAt }) },
    start: 3,
    openAt: 3,
    closedAt: 228,
    watchdogMs: 1000,
  });
}

function inverterOf(axis: SimAxis | undefined, wishes: Wishes) {
  const ramp = axis?.accelerationMax ?? 100;
  const rampDown = wishes.number("rampDown", ramp);
  const watchdogMs = wishes.number("watchdogMs", 0);
  return abbDrives({
    rampUp: wishes.number("rampUp", ramp),
    rampDown,
    rampFast: 3 * rampDown,
    friction: 1.5 * rampDown,
    remote: wishes.flag("remote", true),
    ...(watchdogMs > 0 ? { watchdogMs } : {}),
  });
}

export type { MotionEvent, SimDevice } from "./modbus-device.js";
