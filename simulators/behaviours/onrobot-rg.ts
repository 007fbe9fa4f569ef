/**
 * An OnRobot RG2 or RG6: force, width, one control register, and a busy bit.
 *
 * The idea: written from the maker's register table [OnRobot Connectivity Guide 3.1.5.8]: control
 * 1 and 16 start a motion and are ignored while busy is 1, 8 stops it; a grip is detected where
 * the jaws press on a part. A finger switch that acts (trip) stops the gripper until it is power
 * cycled. It refuses addresses and packing.
 */
import {
  type JawsCommand,
  type JawsMotion,
  type JawsPlant,
  jawsAt,
  stepJaws,
} from "../plants/jaws.js";
import { type Behaviour, type Registers, type Slice, type Touched, wordOf } from "./behaviour.js";

export interface OnRobotFacts {
  /** 0.1 mm. */
  readonly plant: JawsPlant;
  readonly start: number;
}

export interface OnRobotState {
  readonly motion: JawsMotion;
  /** Where the jaws are under way to; absent: at rest. */
  readonly target?: number;
  /** A motion that reaches nothing (stuck) ends its busy time after this, ms. */
  readonly idleMs: number;
  readonly circuit: boolean;
}

const grip = 1;
const stop = 8;
const gripWithOffset = 16;
/** Jaws that do not move any more are given up after this. */
const giveUpMs = 300;

function poweredUp(width: number): OnRobotState {
  return { motion: jawsAt(width), idleMs: 0, circuit: false };
}

function rested(state: OnRobotState): OnRobotState {
  const { target: _target, ...rest } = state;
  return { ...rest, motion: { ...state.motion, velocity: 0 }, idleMs: 0 };
}

function written(
  from: OnRobotState,
  registers: Registers,
  touched: readonly Touched[],
): OnRobotState {
  if (!touched.some(({ points }) => points.includes("control"))) return from;
  const control = registers("control");
  if (control === stop) return rested(from);
  if (control !== grip && control !== gripWithOffset) return from;
  if (from.circuit || from.target !== undefined) return from;
  const motion = { ...from.motion, holds: false };
  return { ...from, motion, target: registers("targetWidth"), idleMs: 0 };
}

function step(facts: OnRobotFacts, from: OnRobotState, slice: Slice): OnRobotState {
  const { target } = from;
  const { stuck, noPart } = slice.faults;
  const pressing = from.motion.holds && noPart;
  const command: JawsCommand = target === undefined ? { kind: "rest" } : { kind: "go", target };
  const motion = stepJaws(facts.plant, from.motion, command, { dtMs: slice.dtMs, stuck, noPart });
  const state = { ...from, motion: pressing ? { ...motion, holds: false } : motion };
  if (target === undefined) return state;
  const there = motion.holds || motion.width === Math.min(facts.plant.widthMax, target);
  const idleMs = motion.velocity === 0 ? from.idleMs + slice.dtMs : 0;
  return there || idleMs >= giveUpMs ? rested(state) : { ...state, idleMs };
}

/** An OnRobot RG. The points that it reads and sets are named as in its profile. */
export function onRobot(facts: OnRobotFacts): Behaviour<OnRobotState> {
  return {
    functions: new Set([3, 6, 16, 23]),
    defaults: {},
    initial: () => poweredUp(facts.start),
    reboot: (state) => poweredUp(state.motion.width),
    heard: (state) => state,
    written: (state, registers, touched) => ({
      ok: true,
      state: written(state, registers, touched),
    }),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state) => state.target === undefined,
    values: ({ motion, target, circuit }) => ({
      status: wordOf({ 0: target !== undefined, 1: motion.holds, 2: circuit, 3: circuit }),
      actualWidth: Math.round(motion.width),
    }),
    trip: (state) => ({ ...rested(state), circuit: true }),
    released: (state) => state,
    motion: ({ motion }) => ({
      moving: motion.velocity !== 0,
      position: motion.width,
      velocity: motion.velocity,
    }),
    word: ({ target, motion, circuit }) => {
      if (circuit) return "switch circuit";
      return target !== undefined ? "busy" : motion.holds ? "gripped" : "open";
    },
  };
}
