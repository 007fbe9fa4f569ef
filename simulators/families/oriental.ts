/**
 * Simulated Oriental Motor drivers.
 *
 * The idea: the mechanics of the cell file in the driver's steps, with an absolute home at 0. It
 * refuses nothing of its own.
 */
import { orientalAz } from "../behaviours/oriental-az.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { mechanicsOf } from "./mechanics.js";

export const oriental: Family = {
  profiles: ["oriental-motor/az"],
  make: (common, axis, wishes) => {
    const { counts, revs, ...metal } = mechanicsOf(axis ?? axisAbsent, wishes);
    const behaviour = orientalAz({ ...metal, countsPerRev: counts / revs });
    return modbusDevice({ ...common, behaviour });
  },
};
