/**
 * Simulated DH-Robotics grippers.
 *
 * The idea: a stroke of 95 mm in per mille, and a part of 40 mm; which end of 0 to 1000 is open is
 * as the cell file sets it. It refuses nothing of its own.
 */
import { dhGripper } from "../behaviours/dh-ag.js";
import { modbusDevice } from "../modbus-device.js";
import type { Wishes } from "../wishes.js";
import type { Family } from "./family.js";

const strokeMm = 95;
const partUsualMm = 40;
/** Per mille per second. */
const speed = 900;

export const dhGrippers: Family = {
  profiles: ["dh/ag-95"],
  make: (common, _axis, wishes) => modbusDevice({ ...common, behaviour: gripperOf(wishes) }),
};

function gripperOf(wishes: Wishes) {
  const part = wishes.values.partWidth;
  const width = typeof part === "boolean" ? partUsualMm : wishes.number("partWidth", partUsualMm);
  const between = part === false ? {} : { partWidth: (1000 * width) / strokeMm };
  const start = (1000 * wishes.number("start", strokeMm / 2)) / strokeMm;
  const plant = { widthMax: 1000, speed, ...between };
  return dhGripper({ plant, start, openAt: wishes.constant("openAt", 1000) });
}
