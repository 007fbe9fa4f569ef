/**
 * Simulated Leadshine drives in PR mode, and what differs among the sisters.
 *
 * The idea: each model has its own way to be enabled and to clear an alarm, written here a second
 * time from the maker's tables. It refuses nothing of its own.
 */
import { bit } from "../behaviours/behaviour.js";
import { type LeadshineFacts, leadshinePr } from "../behaviours/leadshine-pr.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { mechanicsOf } from "./mechanics.js";

type Model = Pick<LeadshineFacts, "enabledBy" | "clearedBy" | "alarmUpper" | "defaults">;

const models: Readonly<Record<string, Model>> = {
  "leadshine/cs2rs": {
    enabledBy: (registers) => registers("forceEnable") === 1,
    clearedBy: { point: "commandWord", value: 0x1111 },
    defaults: {},
  },
  "leadshine/iem-rs": { enabledBy: () => true, defaults: { version: 0x0200 } },
  "leadshine/eld2-rs": {
    enabledBy: (registers) => bit(registers("virtualInputs"), 2),
    clearedBy: { point: "parameterCommand", value: 0x7777 },
    alarmUpper: 0x5000,
    defaults: { monitorPointer: 0x41 },
  },
  "leadshine/el7-rs": {
    enabledBy: (registers) => registers("inputPolarity") === 0x83,
    clearedBy: { point: "commandWord", value: 0x1111 },
    defaults: { controlMode: 6, inputPolarity: 0x03 },
  },
};

export const leadshine: Family = {
  profiles: Object.keys(models),
  make: (common, axis, wishes) => {
    const { counts, revs, ...metal } = mechanicsOf(axis ?? axisAbsent, wishes);
    const model = models[common.profile.id] ?? { enabledBy: () => false, defaults: {} };
    const behaviour = leadshinePr({ ...metal, ...model, countsPerRev: counts / revs });
    return modbusDevice({ ...common, behaviour });
  },
};
