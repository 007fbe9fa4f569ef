/**
 * Simulated OnRobot grippers.
 *
 * The idea: strokes as in the maker's table, a speed of our own, and a part of 50 mm. It refuses
 * nothing of its own.
 */
import { onRobot } from "../behaviours/onrobot-rg.js";
import { modbusDevice } from "../modbus-device.js";
import type { Wishes } from "../wishes.js";
import type { Family } from "./family.js";

/** 0.1 mm. */
const strokes: Readonly<Record<string, number>> = { "onrobot/rg2": 1100, "onrobot/rg6": 1600 };
const partUsualMm = 50;
const speedMm = 80;

export const onRobotGrippers: Family = {
  profiles: Object.keys(strokes),
  make: (common, _axis, wishes) => {
    const widthMax = strokes[common.profile.id] ?? 1100;
    return modbusDevice({ ...common, behaviour: gripperOf(widthMax, wishes) });
  },
};

function gripperOf(widthMax: number, wishes: Wishes) {
  const part = wishes.values.partWidth;
  const width = typeof part === "boolean" ? partUsualMm : wishes.number("partWidth", partUsualMm);
  const between = part === false ? {} : { partWidth: 10 * width };
  const plant = { widthMax, speed: 10 * speedMm, ...between };
  return onRobot({ plant, start: 10 * wishes.number("start", widthMax / 10) });
}
