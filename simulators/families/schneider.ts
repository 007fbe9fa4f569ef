/**
 * Simulated Schneider Altivar inverters.
 *
 * The idea: speeds in rpm of a motor whose rated speed is a wish. It refuses nothing of its own.
 */
import { atv } from "../behaviours/atv.js";
import { modbusDevice } from "../modbus-device.js";
import type { Family } from "./family.js";
import { inverterFacts } from "./inverter-mechanics.js";

const ratedSpeedUsual = 1500;

export const schneider: Family = {
  profiles: ["schneider/atv12", "schneider/atv312", "schneider/atv320"],
  make: (common, axis, wishes) => {
    const ratedSpeed = wishes.number("ratedSpeed", ratedSpeedUsual);
    const facts = { ...inverterFacts(axis, wishes), ratedSpeed };
    return modbusDevice({ ...common, behaviour: atv(facts) });
  },
};
