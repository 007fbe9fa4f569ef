/**
 * Simulated Kinco drives.
 *
 * The idea: the mechanics of the cell file in the drive's counts, around the CiA 402 behaviour.
 * It refuses nothing of its own.
 */
import { cia402 } from "../behaviours/cia402.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { mechanicsOf } from "./mechanics.js";

export const kinco: Family = {
  profiles: ["kinco/fd5p", "kinco/cd3"],
  make: (common, axis, wishes) => {
    const { counts: _counts, revs: _revs, ...metal } = mechanicsOf(axis ?? axisAbsent, wishes);
    const behaviour = cia402({ ...metal, remote: wishes.flag("remote", true) });
    return modbusDevice({ ...common, behaviour });
  },
};
