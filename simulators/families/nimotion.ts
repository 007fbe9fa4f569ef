/**
 * Simulated NiMotion integrated servos.
 *
 * The idea: the CiA 402 behaviour with speeds in rpm; how the drive counts accelerations is not
 * known, so it keeps its own. It refuses nothing of its own.
 */
import { cia402 } from "../behaviours/cia402.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { mechanicsOf } from "./mechanics.js";

export const nimotion: Family = {
  profiles: ["nimotion/lms"],
  make: (common, axis, wishes) => {
    const { counts, revs, ...metal } = mechanicsOf(axis ?? axisAbsent, wishes);
    const behaviour = cia402({
      ...metal,
      remote: wishes.flag("remote", true),
      speedUnit: (60 * revs) / counts,
    });
    return modbusDevice({ ...common, behaviour });
  },
};
