/**
 * Simulated cheap inverters.
 *
 * The idea: commands by value or by bits, by the profile's id. It refuses nothing of its own.
 */
import { vfdByBits, vfdByValue } from "../behaviours/generic-vfd.js";
import { modbusDevice } from "../modbus-device.js";
import type { Family } from "./family.js";
import { inverterFacts } from "./inverter-mechanics.js";

const maxFrequencyUsual = 50;

export const genericVfd: Family = {
  profiles: ["generic/vfd-0x2000", "generic/vfd-0x2000-bits"],
  make: (common, axis, wishes) => {
    const maxFrequency = wishes.number("maxFrequency", maxFrequencyUsual);
    const facts = { ...inverterFacts(axis, wishes), maxFrequency };
    const byBits = common.profile.id === "generic/vfd-0x2000-bits";
    return modbusDevice({ ...common, behaviour: byBits ? vfdByBits(facts) : vfdByValue(facts) });
  },
};
