/**
 * A DH-Robotics AG-95: initialization, a position that starts by itself, and four grip states.
 *
 * The idea: written from the maker's short manuals [DH PGC series p.17, CGC-80 p.10, RGI-30 p.10]:
 * the fingers move as soon as a position is written; a caught object that goes away reads as
 * dropped. Initialization runs to one end (1) or to both (0xA5). Position 0 to 1000; which end is
 * open is the plant's to say. It refuses addresses and scales.
 */
import {
  type JawsCommand,
  type JawsMotion,
  type JawsPlant,
  jawsAt,
  stepJaws,
} from "../plants/jaws.js";
import type { Behaviour, Registers, Slice, Touched } from "./behaviour.js";

export interface DhFacts {
  /** Per mille, 0 with the jaws together. */
  readonly plant: JawsPlant;
  readonly start: number;
  /** Raw position with the fingers open: 0 or 1000. */
  readonly openAt: number;
}

export interface DhState {
  readonly motion: JawsMotion;
  readonly init: 0 | 1 | 2;
  /** Ends of the stroke that initialization still has to visit. */
  readonly ends: readonly number[];
  readonly target?: number;
  readonly dropped: boolean;
}

const initialize = 1;
const initializeInFull = 0xa5;
const inMotion = 0;
const reached = 1;
const caught = 2;
const droppedState = 3;

function poweredUp(width: number): DhState {
  return { motion: jawsAt(width), init: 0, ends: [], dropped: false };
}

/** Raw position ↔ width: the same turn both ways. */
function turned(value: number, facts: DhFacts): number {
  return facts.openAt === 0 ? 1000 - value : value;
}

function written(
  facts: DhFacts,
  from: DhState,
  registers: Registers,
  touched: readonly Touched[],
): DhState {
  const has = (name: string) => touched.some(({ points }) => points.includes(name));
  if (has("initialize")) {
    const value = registers("initialize");
    const open = facts.plant.widthMax;
    if (value === initialize) return begun(from, [open]);
    if (value === initializeInFull) return begun(from, [0, open]);
  }
  if (!has("targetPosition") || from.init !== 1) return from;
  return { ...from, target: turned(registers("targetPosition"), facts), dropped: false };
}

function begun(from: DhState, ends: readonly number[]): DhState {
  const { target: _target, ...rest } = from;
  return { ...rest, init: 2, ends, dropped: false };
}

function goalOf({ init, ends, target }: DhState): number | undefined {
  return init === 2 ? ends[0] : target;
}

function step(facts: DhFacts, from: DhState, slice: Slice): DhState {
  const goal = goalOf(from);
  const { stuck } = slice.faults;
  const noPart = slice.faults.noPart || from.init === 2;
  const command: JawsCommand = goal === undefined ? { kind: "rest" } : { kind: "go", target: goal };
  const motion = stepJaws(facts.plant, from.motion, command, { dtMs: slice.dtMs, stuck, noPart });
  const dropped = from.dropped || (from.motion.holds && noPart);
  const state = { ...from, motion, dropped };
  if (from.init !== 2 || motion.width !== goal) return state;
  const ends = from.ends.slice(1);
  return ends.length > 0 ? { ...state, ends } : { ...state, ends, init: 1, target: goal };
}

function gripOf(state: DhState): number {
  const goal = goalOf(state);
  if (state.motion.holds) return caught;
  if (goal !== undefined && state.motion.width !== goal) return inMotion;
  return state.dropped ? droppedState : reached;
}

/** A DH AG-95. The points that it reads and sets are named as in its profile. */
export function dhGripper(facts: DhFacts): Behaviour<DhState> {
  return {
    functions: new Set([3, 4, 6]),
    defaults: { targetForce: 50 },
    initial: () => poweredUp(facts.start),
    reboot: (state) => poweredUp(state.motion.width),
    heard: (state) => state,
    written: (state, registers, touched) => ({
      ok: true,
      state: written(facts, state, registers, touched),
    }),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state) => {
      const goal = goalOf(state);
      return goal === undefined || state.motion.width === goal;
    },
    values: (state) => ({
      initState: state.init,
      gripperState: gripOf(state),
      actualPosition: Math.round(turned(state.motion.width, facts)),
    }),
    trip: (state) => poweredUp(state.motion.width),
    released: (state) => state,
    motion: ({ motion }) => ({
      moving: motion.velocity !== 0,
      position: motion.width,
      velocity: motion.velocity,
    }),
    word: (state) => ["not initialized", "initialized", "initializing"][state.init] ?? "",
  };
}
