/**
 * Simulated FEETECH servos with Modbus RTU.
 *
 * The idea: 4096 steps a turn of the servo's shaft; the cell file's gear lies behind it. What one
 * raw unit of speed is, is as the cell file sets it. It refuses nothing of its own.
 */
import { feetechServo } from "../behaviours/feetech.js";
import { modbusDevice } from "../modbus-device.js";
import { axisAbsent, type Family } from "./family.js";
import { positionerFacts, revsPerUnit } from "./positioner-facts.js";

const stepsPerRev = 4096;

export const feetechServos: Family = {
  profiles: ["feetech/sm-c002"],
  make: (common, given, wishes) => {
    const axis = given ?? axisAbsent;
    const rawPerUnit = revsPerUnit(axis) * stepsPerRev;
    const facts = positionerFacts(axis, wishes, { rawPerUnit, window: 3 });
    const speedStep = wishes.constant("speedStep", 1) * rawPerUnit;
    return modbusDevice({ ...common, behaviour: feetechServo({ ...facts, speedStep }) });
  },
};
