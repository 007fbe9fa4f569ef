/**
 * Simulated generic positioners.
 *
 * The idea: counts of the motor's encoder around the generic behaviour. It refuses nothing of its
 * own.
 */
import { genericAxis } from "../behaviours/generic-axis.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { positionerFacts, revsPerUnit } from "./positioner-facts.js";

export const genericAxes: Family = {
  profiles: ["generic/axis"],
  make: (common, given, wishes) => {
    const axis = given ?? axisAbsent;
    const { countsPerRev } = axis;
    const rawPerUnit = revsPerUnit(axis) * countsPerRev;
    const facts = positionerFacts(axis, wishes, { rawPerUnit, window: 10 });
    return modbusDevice({ ...common, behaviour: genericAxis({ ...facts, countsPerRev }) });
  },
};
