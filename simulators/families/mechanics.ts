/**
 * The mechanics of one simulated servo axis, from the cell file, in the drive's own counts.
 *
 * The idea: the same metal stands behind every servo family, so a cell that changes the maker of
 * its drives keeps its machine. It refuses electronics (behaviours/ has them).
 */
import type { ServoPlant } from "../plants/servo.js";
import type { SimAxis, Wishes } from "../wishes.js";

const lagMsUsual = 8;
const windowUsual = 10;

export interface Mechanics {
  /** Counts per user unit, and motor revolutions per user unit. */
  readonly counts: number;
  readonly revs: number;
  readonly plant: ServoPlant;
  /** Where the shaft is at power-up, counts from the switch. */
  readonly start: number;
  /** Homing speeds, counts/s, and acceleration, counts/s². */
  readonly homingFast: number;
  readonly homingSlow: number;
  readonly homingAcceleration: number;
  readonly quickStopDeceleration: number;
  /** Run-down without power, counts/s². */
  readonly friction: number;
  readonly followingErrorMax: number;
  readonly window: number;
}

export function mechanicsOf(axis: SimAxis, wishes: Wishes): Mechanics {
  const revs = axis.gear.motor / axis.gear.output / axis.perRev;
  const counts = axis.countsPerRev * revs;
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
  return {
    counts,
    revs,
    plant: { ...hard, ...soft, lagMs, velocityMax: 1.5 * axis.velocityMax * counts },
    start: wishes.number("start", startUsual) * counts,
    homingFast: fast * counts,
    homingSlow: (fast / 10) * counts,
    homingAcceleration: acceleration * counts,
    quickStopDeceleration: 3 * acceleration * counts,
    friction: 4 * acceleration * counts,
    followingErrorMax: wishes.number("followingErrorMax", errorUsual) * counts,
    window: wishes.number("window", windowUsual),
  };
}
