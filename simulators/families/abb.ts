/**
 * Simulated ABB inverters.
 *
 * The idea: ramps in percent per second around the drives profile's behaviour. It refuses nothing
 * of its own.
 */
import { abbDrives } from "../behaviours/abb-drives.js";
import { modbusDevice } from "../modbus-device.js";
import type { SimAxis, Wishes } from "../wishes.js";
import type { Family } from "./family.js";

export const abb: Family = {
  profiles: ["abb/drives-profile"],
  make: (common, axis, wishes) => modbusDevice({ ...common, behaviour: inverterOf(axis, wishes) }),
};

function inverterOf(axis: SimAxis | undefined, wishes: Wishes) {
  const ramp = axis?.accelerationMax ?? 100;
  const rampDown = wishes.number("rampDown", ramp);
  const watchdogMs = wishes.number("watchdogMs", 0);
  return abbDrives({
    rampUp: wishes.number("rampUp", ramp),
    rampDown,
    rampFast: 3 * rampDown,
    friction: 1.5 * rampDown,
    remote: wishes.flag("remote", true),
    ...(watchdogMs > 0 ? { watchdogMs } : {}),
  });
}
