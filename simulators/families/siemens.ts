/**
 * Simulated SINAMICS V20 and G120.
 *
 * The idea: one behaviour; the G120's watchdog is fed by process data only. It refuses nothing of
 * its own.
 */
import { siemens as siemensStw } from "../behaviours/siemens-stw.js";
import { modbusDevice } from "../modbus-device.js";
import type { Family } from "./family.js";
import { inverterFacts } from "./inverter-mechanics.js";

export const siemens: Family = {
  profiles: ["siemens/v20", "siemens/g120"],
  make: (common, axis, wishes) => {
    const processDataOnly = common.profile.id === "siemens/g120";
    const facts = { ...inverterFacts(axis, wishes), processDataOnly };
    return modbusDevice({ ...common, behaviour: siemensStw(facts) });
  },
};
