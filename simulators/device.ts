/**
 * A simulated device from what the cell file says of it.
 *
 * The idea: the profile gives the registers, the axis gives the mechanics, `simulate` gives what
 * only a pretended device has (where it stands, whether there is a part), and the profile's id
 * chooses the family. It refuses profiles that it has no family for, and unknown keys.
 */
import type { Profile } from "#drivers/profile.js";
import { abb } from "./families/abb.js";
import { danfoss } from "./families/danfoss.js";
import { declaredFamily } from "./families/declared.js";
import { delta } from "./families/delta.js";
import { dhGrippers } from "./families/dh.js";
import type { Family } from "./families/family.js";
import { feetechServos } from "./families/feetech.js";
import { festoControllers } from "./families/festo.js";
import { genericAxes } from "./families/generic-axis.js";
import { genericVfd } from "./families/generic-vfd.js";
import { iaiControllers } from "./families/iai.js";
import { ioModules } from "./families/io.js";
import { kinco } from "./families/kinco.js";
import { leadshine } from "./families/leadshine.js";
import { nimotion } from "./families/nimotion.js";
import { onRobotGrippers } from "./families/onrobot.js";
import { oriental } from "./families/oriental.js";
import { robotiqGrippers } from "./families/robotiq.js";
import { schneider } from "./families/schneider.js";
import { siemens } from "./families/siemens.js";
import type { MotionEvent, SimDevice } from "./modbus-device.js";
import { SimProblem } from "./problem.js";
import { type SimAxis, type SimulateValue, Wishes } from "./wishes.js";

/** A `DeviceConfig` of the kernel is one, too. Lengths in the axis' user unit. */
export interface SimDeviceSetup {
  readonly id: string;
  readonly profile: Profile;
  readonly setup: {
    readonly unit: number;
    readonly axis?: SimAxis;
    readonly constants?: { readonly [name: string]: number };
  };
  readonly simulate?: { readonly [key: string]: SimulateValue };
}

const families: readonly Family[] = [
  abb,
  danfoss,
  delta,
  dhGrippers,
  feetechServos,
  festoControllers,
  genericAxes,
  genericVfd,
  iaiControllers,
  ioModules,
  kinco,
  leadshine,
  nimotion,
  onRobotGrippers,
  oriental,
  robotiqGrippers,
  schneider,
  siemens,
];

/** By its own id, else by that of a profile that it is like, else by what it says itself. */
function familyOf(profile: Profile): Family | undefined {
  const named = (id: string | undefined) => families.find((one) => one.profiles.includes(id ?? ""));
  const { simulation } = profile;
  return named(profile.id) ?? named(simulation?.like) ?? declaredFamily(profile);
}

/** Whether a device of this profile can be simulated. */
export function canSimulate(profile: Profile): boolean {
  return familyOf(profile) !== undefined;
}

/** @throws SimProblem for a profile without a family, or a wrong `simulate`. */
export function makeSimDevice(
  device: SimDeviceSetup,
  onMotion?: (event: MotionEvent) => void,
): SimDevice {
  const wishes = new Wishes(device.id, device.simulate ?? {}, device.setup.constants);
  const family = familyOf(device.profile);
  if (family === undefined) {
    throw new SimProblem(
      `${device.id}: there is no simulated device for the profile ${device.profile.id}.`,
    );
  }
  const common = {
    id: device.id,
    unit: device.setup.unit,
    profile: device.profile,
    presets: wishes.registers(),
    pace: paceOf(wishes),
    ...(onMotion === undefined ? {} : { onMotion }),
  };
  return family.make(common, device.setup.axis, wishes);
}

function paceOf(wishes: Wishes) {
  const { turnaround, scan } = wishes.values;
  return {
    ...(turnaround === undefined ? {} : { turnaroundMs: wishes.number("turnaround", 0) }),
    ...(scan === undefined ? {} : { scanMs: wishes.number("scan", 0) }),
  };
}

export type { MotionEvent, SimDevice } from "./modbus-device.js";
export { type SimAxis, type SimulateValue, simulateKeys } from "./wishes.js";
