/**
 * The mechanics of a positioning axis from what the cell file says, in a device's own raw unit.
 *
 * The idea: the same metal for every maker: a switch at zero, hard stops beyond the travel, a
 * homing run that fits between them. It refuses nothing of its own.
 */
import type { PositionerFacts } from "../behaviours/positioner.js";
import type { SimAxis, Wishes } from "../wishes.js";

const lagMsUsual = 8;

/** `rawPerUnit`: the device's raw units per user unit; `window` in raw units. */
export function positionerFacts(
  axis: SimAxis,
  wishes: Wishes,
  { rawPerUnit, window }: { readonly rawPerUnit: number; readonly window: number },
): PositionerFacts {
  const { travel, accelerationMax: acceleration } = axis;
  const span = travel === undefined ? 0 : travel.max - travel.min;
  const lagMs = wishes.number("lagMs", lagMsUsual);
  /** Metal beyond the travel and beyond the switch at 0, user units. */
  const beyond = 2 + 0.02 * span;
  const fastUsual = Math.min(axis.velocityMax / 4, Math.sqrt(acceleration * beyond));
  const fast = wishes.number("homingVelocity", fastUsual);
  const margin = beyond + (fast * fast) / acceleration;
  const hard =
    travel === undefined
      ? {}
      : {
          hardMin: (Math.min(0, travel.min) - margin) * rawPerUnit,
          hardMax: (Math.max(0, travel.max) + margin) * rawPerUnit,
        };
  const soft =
    travel !== undefined && wishes.flag("softLimits", false)
      ? { softMin: travel.min * rawPerUnit, softMax: travel.max * rawPerUnit }
      : {};
  const startUsual = travel === undefined ? 0 : travel.min + 0.3 * span;
  const errorUsual = (3 * axis.velocityMax * lagMs) / 1000;
  return {
    plant: { ...hard, ...soft, lagMs, velocityMax: 1.5 * axis.velocityMax * rawPerUnit },
    start: wishes.number("start", startUsual) * rawPerUnit,
    homingFast: fast * rawPerUnit,
    homingSlow: (fast / 10) * rawPerUnit,
    acceleration: acceleration * rawPerUnit,
    friction: 4 * acceleration * rawPerUnit,
    followingErrorMax: wishes.number("followingErrorMax", errorUsual) * rawPerUnit,
    window: wishes.number("window", window),
  };
}

/** Motor revolutions per user unit. */
export function revsPerUnit(axis: SimAxis): number {
  return axis.gear.motor / axis.gear.output / axis.perRev;
}
