/**
 * Simulated Kinco drives.
 *
 * The idea: the mechanics of the cell file in the drive's counts, around the CiA 402 behaviour.
 * It refuses nothing of its own.
 */
import { cia402 } from "../behaviours/cia402.js";
import { modbusDevice } from "../modbus-device.js";
import type { SimAxis, Wishes } from "../wishes.js";
import { axisAbsent, type Family } from "./family.js";

const lagMsUsual = 8;
const windowUsual = 10;

export const kinco: Family = {
  profiles: ["kinco/fd5p"],
  make: (common, axis, wishes) =>
    modbusDevice({ ...common, behaviour: servoOf(axis ?? axisAbsent, wishes) }),
};

function servoOf(axis: SimAxis, wishes: Wishes) {
  const counts = (axis.countsPerRev * axis.gear.motor) / axis.gear.output / axis.perRev;
  const { travel } = axis;
  const span = travel === undefined ? 0 : travel.max - travel.min;
  const lagMs = wishes.number("lagMs", lagMsUsual);
  const acceleration = axis.accelerationMax;
  /** Metal beyond the travel and beyond the switch at 0, user units. */
  const beyond = 2 + 0.02 * span;
  const fastUsual = Math.min(axis.velocityMax / 4, Math.sqrt(acceleration * beyond));
  const fast = wishes.number("homingVelocity", fastUsual);
  // The homing run overshoots the switch by its braking distance.
  const margin = beyond + (fast * fast) / acceleration;
  const hard =
    travel === undefined
      ? {}
      : {
          hardMin: (Math.min(0, travel.min) - margin) * counts,
          hardMax: (Math.max(0, travel.max) + margin) * counts,
        };
  const soft =
    travel !== undefined && wishes.flag("softLimits", false)
      ? { softMin: travel.min * counts, softMax: travel.max * counts }
      : {};
  const startUsual = travel === undefined ? 0 : travel.min + 0.3 * span;
  const errorUsual = (3 * axis.velocityMax * lagMs) / 1000;
  return cia402({
    plant: { ...hard, ...soft, lagMs, velocityMax: 1.5 * axis.velocityMax * counts },
    start: wishes.number("start", startUsual) * counts,
    homingFast: fast * counts,
    homingSlow: (fast / 10) * counts,
    homingAcceleration: acceleration * counts,
    quickStopDeceleration: 3 * acceleration * counts,
    friction: 4 * acceleration * counts,
    followingErrorMax: wishes.number("followingErrorMax", errorUsual) * counts,
    window: wishes.number("window", windowUsual),
    remote: wishes.flag("remote", true),
  });
}
