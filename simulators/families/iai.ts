/**
 * Simulated IAI controllers.
 *
 * The idea: the axis of the cell file in 0.01 mm, around the maker's coils. It refuses nothing of
 * its own.
 */
import { iaiRoboCylinder } from "../behaviours/iai-robo-cylinder.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { positionerFacts } from "./positioner-facts.js";

/** Raw units per mm (or deg). */
const rawPerUnit = 100;

export const iaiControllers: Family = {
  profiles: ["iai/robo-cylinder"],
  make: (common, given, wishes) => {
    const facts = positionerFacts(given ?? axisAbsent, wishes, { rawPerUnit, window: 2 });
    const remote = wishes.flag("remote", true);
    return modbusDevice({ ...common, behaviour: iaiRoboCylinder({ ...facts, remote }) });
  },
};
