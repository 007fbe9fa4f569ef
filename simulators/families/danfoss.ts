/**
 * Simulated Danfoss FC 51 and FC 202.
 *
 * The idea: the FC profile around the ramps of the axis. It refuses nothing of its own.
 */
import { danfoss as fcProfile } from "../behaviours/danfoss-fc.js";
import { modbusDevice } from "../modbus-device.js";
import type { Family } from "./family.js";
import { inverterFacts } from "./inverter-mechanics.js";

export const danfoss: Family = {
  profiles: ["danfoss/fc51", "danfoss/fc202"],
  make: (common, axis, wishes) =>
    modbusDevice({ ...common, behaviour: fcProfile(inverterFacts(axis, wishes)) }),
};
