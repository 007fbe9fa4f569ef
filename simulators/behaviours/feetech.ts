/**
 * A FEETECH SM servo with Modbus RTU: a goal, a torque switch, and nothing that stops it.
 *
 * The idea: written from the public program for these registers [robot_dc servo_controller.py]:
 * the goal is a level, so a servo that gets its torque runs to the goal that stands. A new goal on
 * the way is followed at once. Torque off lets the shaft run out. It refuses addresses and scales.
 */
import type { Behaviour, Registers, Slice } from "./behaviour.js";
import {
  isQuiet,
  type Positioner,
  type PositionerFacts,
  positionerAt,
  positionOf,
  powered,
  sentTo,
  stepPositioner,
  underWay,
  viewOf,
} from "./positioner.js";

export interface FeetechFacts extends PositionerFacts {
  /** Steps per second of one raw unit of speed. */
  readonly speedStep: number;
}

export interface FeetechState {
  readonly axis: Positioner;
  readonly goal: number;
}

/** Middle of the turn: what a servo holds that was never told anything. */
const goalAtPowerUp = 2048;

/** The encoder is absolute within its turn: zero is where the machine's zero is. */
function poweredUp(facts: FeetechFacts, position: number): FeetechState {
  const axis = { ...positionerAt(facts, position), origin: 0, homed: true };
  return { axis, goal: goalAtPowerUp };
}

function written(facts: FeetechFacts, from: FeetechState, registers: Registers): FeetechState {
  const goal = registers("goal");
  const on = registers("torque") === 1;
  const axis = powered(from.axis, on);
  const runs = on && (goal !== from.goal || !from.axis.on);
  if (!runs) return { axis, goal };
  const velocity = registers("speed") * facts.speedStep;
  const path = { target: goal, velocity, acceleration: facts.acceleration };
  return { axis: sentTo(axis, path), goal };
}

function step(facts: FeetechFacts, from: FeetechState, slice: Slice): FeetechState {
  return { ...from, axis: stepPositioner(facts, from.axis, slice).axis };
}

/** A FEETECH servo. The points that it reads and sets are named as in its profile. */
export function feetechServo(facts: FeetechFacts): Behaviour<FeetechState> {
  return {
    functions: new Set([3, 6]),
    defaults: { goal: goalAtPowerUp, speed: 5 },
    initial: () => poweredUp(facts, facts.start),
    reboot: (state) => poweredUp(facts, state.axis.motion.position),
    heard: (state) => state,
    written: (state, registers) => ({ ok: true, state: written(facts, state, registers) }),
    step: (state, slice) => step(facts, state, slice),
    quiet: ({ axis }) => isQuiet(axis),
    values: ({ axis }) => ({
      errorBits: 0,
      actualPosition: Math.round(positionOf(axis)) & 0x0fff,
      moving: axis.motion.velocity !== 0 || (axis.on && underWay(axis)) ? 1 : 0,
      temperature: 30,
      current: axis.motion.velocity !== 0 ? 50 : 0,
    }),
    trip: (state) => ({ ...state, axis: powered(state.axis, false) }),
    released: (state) => state,
    motion: ({ axis }) => viewOf(axis),
    word: ({ axis }) => (axis.on ? "torque on" : "torque off"),
  };
}
