/**
 * An Oriental Motor AZ driver: direct data operation, input bits, an absolute home.
 *
 * The idea: a block of items with a trigger starts a move, one more may wait behind it, STOP and
 * FREE drop both; READY falls while it moves. Input bits act at their rising edge, except FREE,
 * which holds. Written from the maker's own code and HM-60262E, not from the profile. It refuses
 * addresses.
 */
import {
  type ServoCommand,
  type ServoMotion,
  type ServoPlant,
  servoAt,
  servoStill,
  stepServo,
} from "../plants/servo.js";
import {
  type Behaviour,
  bit,
  deviceFailure,
  type Registers,
  type Slice,
  type Touched,
  wordOf,
} from "./behaviour.js";

export interface OrientalFacts {
  readonly plant: ServoPlant;
  /** Where the shaft is at power-up, steps from the stored home. */
  readonly start: number;
  readonly homingFast: number;
  readonly homingAcceleration: number;
  readonly friction: number;
  readonly followingErrorMax: number;
  readonly window: number;
  readonly countsPerRev: number;
}

interface Move {
  readonly target: number;
  readonly velocity: number;
  readonly acceleration: number;
  readonly deceleration: number;
}

export interface OrientalState {
  readonly input: number;
  readonly alarmReset: number;
  readonly move?: Move;
  readonly pending?: Move;
  readonly stopping: boolean;
  readonly motion: ServoMotion;
  readonly code: number;
  readonly causeHolds: boolean;
}

const bitHome = 4;
const bitStop = 5;
const bitFree = 6;
const bitAlarmReset = 7;
const typeAbsolute = 1;
const codeDeviation = 0x10;
const codeOwn = 0x30;

function poweredUp(position: number): OrientalState {
  return {
    input: 0,
    alarmReset: 0,
    stopping: false,
    motion: servoAt(position),
    code: 0,
    causeHolds: false,
  };
}

function withoutMoves(state: OrientalState): OrientalState {
  const { move: _move, pending: _pending, ...rest } = state;
  return rest;
}

function free(state: OrientalState): boolean {
  return bit(state.input, bitFree) || state.code !== 0;
}

/** Undefined: the driver cannot take it now. */
function taken(state: OrientalState, move: Move): OrientalState | undefined {
  if (free(state)) return undefined;
  if (state.move === undefined) return { ...state, move, stopping: false };
  return state.pending === undefined ? { ...state, pending: move } : undefined;
}

function bits(facts: OrientalFacts, from: OrientalState, word: number, before: number) {
  const rose = (index: number) => bit(word, index) && !bit(before, index);
  let state = from;
  if (rose(bitAlarmReset) && !state.causeHolds) state = { ...state, code: 0 };
  if (rose(bitStop)) state = { ...withoutMoves(state), stopping: state.move !== undefined };
  if (rose(bitHome)) {
    const acceleration = facts.homingAcceleration;
    const home = { target: 0, velocity: facts.homingFast, acceleration };
    state = taken(state, { ...home, deceleration: acceleration }) ?? state;
  }
  return state;
}

function written(
  facts: OrientalFacts,
  from: OrientalState,
  registers: Registers,
  touched: readonly Touched[],
) {
  const points = touched.flatMap((one) => one.points);
  let state = from;
  if (points.includes("input")) {
    const word = registers("input");
    state = { ...bits(facts, state, word, state.input), input: word };
    if (bit(word, bitFree)) state = { ...withoutMoves(state), stopping: false };
  }
  // The other word falls back by itself, so every write is an edge.
  if (points.includes("inputOnce")) state = bits(facts, state, registers("inputOnce"), 0);
  if (points.includes("alarmReset")) {
    const now = registers("alarmReset");
    if (now === 1 && state.alarmReset === 0 && !state.causeHolds) state = { ...state, code: 0 };
    state = { ...state, alarmReset: now };
  }
  if (!points.includes("opTrigger") || registers("opTrigger") !== 1) {
    return { ok: true, state } as const;
  }
  const move = {
    target: registers("opPosition"),
    velocity: Math.abs(registers("opVelocity")),
    acceleration: registers("opAcceleration"),
    deceleration: registers("opDeceleration"),
  };
  const next = registers("opType") === typeAbsolute ? taken(state, move) : undefined;
  if (next === undefined) return { ok: false, exception: deviceFailure } as const;
  return { ok: true, state: next } as const;
}

function command(facts: OrientalFacts, state: OrientalState): ServoCommand {
  if (free(state)) return { kind: "free", friction: facts.friction };
  const { move } = state;
  if (move === undefined) return { kind: "stop", deceleration: facts.homingAcceleration };
  return { ...move, kind: "position" };
}

function step(facts: OrientalFacts, from: OrientalState, slice: Slice): OrientalState {
  const { stuck, stuckTrips } = slice.faults;
  const motion = stepServo(facts.plant, from.motion, command(facts, from), {
    dtMs: slice.dtMs,
    stuck,
  });
  const state = { ...from, motion };
  const error = Math.abs(motion.demand - motion.position);
  if (!free(state) && error > facts.followingErrorMax && (stuckTrips || !stuck)) {
    return { ...withoutMoves(state), code: codeDeviation };
  }
  if (state.stopping && servoStill(motion)) {
    return { ...state, stopping: false, motion: { ...motion, demand: motion.position } };
  }
  const { move, pending } = state;
  if (move === undefined || !servoStill(motion)) return state;
  if (motion.demand !== move.target && !motion.limited) return state;
  const rest = withoutMoves(state);
  return pending === undefined ? rest : { ...rest, move: pending };
}

function output(facts: OrientalFacts, state: OrientalState): number {
  const { motion, move, code } = state;
  const moves = move !== undefined || !servoStill(motion);
  const near = Math.abs(motion.demand - motion.position) <= facts.window;
  return wordOf({
    5: !free(state) && !moves,
    7: code !== 0,
    13: moves,
    14: !free(state) && !moves && near,
  });
}

/** An AZ driver. The points that it reads and sets are named as in its profile. */
export function orientalAz(facts: OrientalFacts): Behaviour<OrientalState> {
  return {
    functions: new Set([3, 6, 8, 16, 23]),
    defaults: {},
    initial: () => poweredUp(facts.start),
    reboot: (state) => poweredUp(state.motion.position),
    heard: (state) => state,
    written: (state, registers, touched) => written(facts, state, registers, touched),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state) => state.move === undefined && !state.stopping && servoStill(state.motion),
    values: (state) => ({
      output: output(facts, state),
      actualPosition: Math.round(state.motion.position),
      commandPosition: Math.round(state.motion.demand),
      actualVelocity: Math.round(state.motion.velocity),
      alarm: state.code,
      driverTemperature: 412,
      motorTemperature: 388,
    }),
    trip: (state, { code, holds }) => ({
      ...withoutMoves(state),
      code: code ?? codeOwn,
      causeHolds: holds,
    }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion }) => ({
      moving: motion.velocity !== 0,
      position: motion.position,
      velocity: motion.velocity,
    }),
    word: (state) => (state.code !== 0 ? "alarm" : free(state) ? "free" : "on"),
  };
}
