/**
 * Simulated Festo motor controllers.
 *
 * The idea: the axis of the cell file in the set-point unit that its constants name. It refuses
 * nothing of its own.
 */
import { fhpp } from "../behaviours/fhpp.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { positionerFacts } from "./positioner-facts.js";

const unitsAbsent = 100;
const windowUnits = 0.02;

export const festoControllers: Family = {
  profiles: ["festo/cmmo-st"],
  make: (common, given, wishes) => {
    const axis = given ?? axisAbsent;
    const rawPerUnit = wishes.constant("positionUnits", unitsAbsent);
    const window = Math.max(1, windowUnits * rawPerUnit);
    const facts = positionerFacts(axis, wishes, { rawPerUnit, window });
    const speedBase = wishes.constant("speedBase", axis.velocityMax) * rawPerUnit;
    const guardMs = wishes.number("watchdogMs", 0);
    const behaviour = fhpp({
      ...facts,
      speedBase,
      remote: wishes.flag("remote", true),
      ...(guardMs > 0 ? { guardMs } : {}),
    });
    return modbusDevice({ ...common, behaviour });
  },
};
