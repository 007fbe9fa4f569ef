/**
 * An axis that takes one absolute target at a time: power, homing, a path, and its end.
 *
 * The idea: what positioners of several makers have in common, in the device's own raw unit and
 * seconds; their behaviours turn bits into these calls and this state into bits. A held path stays
 * and goes on when it is let go; a dropped one is gone. Pure; it refuses words, coils and codes.
 */
import {
  type ServoCommand,
  type ServoMotion,
  type ServoPlant,
  servoAt,
  servoStill,
  stepServo,
  unlimited,
} from "../plants/servo.js";
import type { MotionView, Slice } from "./behaviour.js";
import {
  type HomingPhase,
  homingCommand,
  homingNext,
  homingRuns,
  homingStart,
} from "./cia402-homing.js";

/** Raw units, seconds. */
export interface PositionerFacts {
  readonly plant: ServoPlant;
  /** Where the shaft is at power-up, from the switch. */
  readonly start: number;
  readonly homingFast: number;
  readonly homingSlow: number;
  readonly acceleration: number;
  /** Run-down without power. */
  readonly friction: number;
  readonly followingErrorMax: number;
  readonly window: number;
}

/** Where to, from the device's own zero, and how. */
export interface Path {
  readonly target: number;
  readonly velocity: number;
  readonly acceleration: number;
}

export interface Positioner {
  readonly on: boolean;
  /** Machine units, the switch at 0. */
  readonly motion: ServoMotion;
  /** Machine units at which the device counts 0. */
  readonly origin: number;
  readonly path?: Path;
  /** The path waits; the shaft ramps down and stands. */
  readonly held: boolean;
  readonly homing: HomingPhase;
  readonly homed: boolean;
}

/** Any method that looks for the switch. */
const seekMethod = 17;

export function positionerAt(facts: PositionerFacts, position: number): Positioner {
  const { hardMin, hardMax } = facts.plant;
  const within = Math.min(hardMax ?? position, Math.max(hardMin ?? position, position));
  return {
    on: false,
    motion: servoAt(within),
    origin: position,
    held: false,
    homing: "idle",
    homed: false,
  };
}

/** No path and no homing run are left. */
export function dropped(axis: Positioner): Positioner {
  const { path: _path, ...rest } = axis;
  return { ...rest, homing: homingRuns(axis.homing) ? "interrupted" : axis.homing };
}

/** The path begins where the shaft is, at its speed: a rolling axis is caught, not jerked. */
export function powered(axis: Positioner, on: boolean): Positioner {
  if (on === axis.on) return axis;
  const { position, velocity } = axis.motion;
  const motion = on ? { ...axis.motion, demand: position, demandVelocity: velocity } : axis.motion;
  return { ...dropped(axis), on, motion };
}

export function sentTo(axis: Positioner, path: Path): Positioner {
  return { ...dropped(axis), path };
}

export function homingBegun(axis: Positioner): Positioner {
  return { ...dropped(axis), homing: homingStart(seekMethod), homed: false };
}

/** From the device's own zero. */
export function positionOf(axis: Positioner): number {
  return axis.motion.position - axis.origin;
}

/** A path or a homing run has not ended yet. */
export function underWay(axis: Positioner): boolean {
  if (homingRuns(axis.homing)) return true;
  const { path, motion } = axis;
  return path !== undefined && motion.demand !== path.target + axis.origin && !motion.limited;
}

/** At the end of its path, within the window. */
export function arrived(axis: Positioner, window: number): boolean {
  const { path, motion } = axis;
  if (path === undefined || underWay(axis) || motion.demandVelocity !== 0) return false;
  return Math.abs(motion.position - axis.origin - path.target) <= window;
}

function commandOf(axis: Positioner, facts: PositionerFacts): ServoCommand {
  if (!axis.on) return { kind: "free", friction: facts.friction };
  const { acceleration } = facts;
  if (axis.held) return { kind: "stop", deceleration: acceleration };
  if (homingRuns(axis.homing)) {
    const { homingFast: fast, homingSlow: slow } = facts;
    return homingCommand(axis.homing, { fast, slow, acceleration });
  }
  if (axis.path === undefined) return { kind: "stop", deceleration: acceleration };
  const { target, velocity } = axis.path;
  const ramp = axis.path.acceleration;
  const ramps = { acceleration: ramp, deceleration: ramp };
  return { kind: "position", target: target + axis.origin, velocity, ...ramps };
}

/** `tripped`: the following error left its limit; the caller decides what that means. */
export function stepPositioner(
  facts: PositionerFacts,
  from: Positioner,
  slice: Pick<Slice, "dtMs" | "faults">,
): { readonly axis: Positioner; readonly tripped: boolean } {
  const { stuck, stuckTrips } = slice.faults;
  const plant = from.homed ? facts.plant : unlimited(facts.plant);
  const options = { dtMs: slice.dtMs, stuck };
  const motion = stepServo(plant, from.motion, commandOf(from, facts), options);
  const homing = from.held ? from.homing : homingNext(from.homing, motion);
  let axis: Positioner = { ...from, motion, homing };
  if (homing === "attained" && from.homing !== "attained") {
    axis = { ...axis, homed: true, origin: motion.position };
  }
  if (axis.path === undefined && !homingRuns(homing) && servoStill(motion)) {
    // Nothing is wanted any more: what the shaft did not reach is forgotten.
    axis = { ...axis, motion: { ...motion, demand: motion.position } };
  }
  const error = Math.abs(motion.demand - motion.position);
  const atStop = motion.position === plant.hardMin || motion.position === plant.hardMax;
  const tripped = axis.on && error > facts.followingErrorMax && (stuckTrips || (!stuck && atStop));
  return { axis, tripped };
}

export function isQuiet(axis: Positioner): boolean {
  const { motion } = axis;
  if (!servoStill(motion) || motion.demand !== motion.position) return false;
  return !axis.on || axis.held || !underWay(axis);
}

export function viewOf(axis: Positioner): MotionView {
  const { velocity } = axis.motion;
  return { moving: velocity !== 0, position: positionOf(axis), velocity };
}
