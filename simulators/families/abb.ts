/**
 * Simulated ABB inverters.
 *
 * The idea: ramps in percent per second around the drives profile's behaviour, and the parameters
 * of each model as a commissioned drive holds them. It refuses nothing of its own.
 */
import { abbDrives } from "../behaviours/abb-drives.js";
import { modbusDevice } from "../modbus-device.js";
import type { Family } from "./family.js";
import { inverterFacts } from "./inverter-mechanics.js";

type Settings = Readonly<Record<string, number>>;

/** 3.0 s, fault. */
const group30: Settings = { commFaultFunction: 1, commFaultTime: 30 };
const group58: Settings = { commLossAction: 1, commLossMode: 1, commLossTime: 30 };
const settingsOf: Readonly<Record<string, Settings>> = {
  "abb/drives-profile": {},
  "abb/acs355": group30,
  "abb/acs550": group30,
  "abb/acs580": group58,
  "abb/acs880": group58,
};

export const abb: Family = {
  profiles: Object.keys(settingsOf),
  make: (common, axis, wishes) => {
    const settings = settingsOf[common.profile.id] ?? {};
    const behaviour = abbDrives({ ...inverterFacts(axis, wishes), settings });
    return modbusDevice({ ...common, behaviour });
  },
};
