/**
 * Simulated Robotiq grippers.
 *
 * The idea: the fingers of a 2F and where they meet the part. It refuses nothing of its own.
 */
import { robotiq } from "../behaviours/robotiq.js";
import { modbusDevice } from "../modbus-device.js";
import type { Wishes } from "../wishes.js";
import type { Family } from "./family.js";

const partUsual = 140;

export const robotiqGrippers: Family = {
  profiles: ["robotiq/2f"],
  make: (common, _axis, wishes) => modbusDevice({ ...common, behaviour: gripperOf(wishes) }),
};

/** Finger speeds and ends as the maker gives them for a stroke of 255 counts. */
function gripperOf(wishes: Wishes) {
  const part = wishes.values.part;
  const partAt = typeof part === "boolean" ? partUsual : wishes.number("part", partUsual);
  return robotiq({
    plant: { speedMin: 66, speedMax: 330, ...(part === false ? {} : { partAt }) },
    start: 3,
    openAt: 3,
    closedAt: 228,
    watchdogMs: 1000,
  });
}
