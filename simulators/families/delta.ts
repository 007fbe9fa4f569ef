/**
 * Simulated Delta ASDA drives.
 *
 * The idea: the B2 has a speed mode only, its sisters run paths. It refuses nothing of its own.
 */
import { asda } from "../behaviours/asda.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { mechanicsOf } from "./mechanics.js";

const speedOnly = "delta/asda-b2";

export const delta: Family = {
  profiles: ["delta/asda-a2", "delta/asda-a3", "delta/asda-b3", speedOnly],
  make: (common, axis, wishes) => {
    const { counts, revs, ...metal } = mechanicsOf(axis ?? axisAbsent, wishes);
    const mode = common.profile.id === speedOnly ? "speed" : "pr";
    const behaviour = asda({ ...metal, mode, countsPerRev: counts / revs });
    return modbusDevice({ ...common, behaviour });
  },
};
