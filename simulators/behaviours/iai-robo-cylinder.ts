/**
 * An IAI ROBO Cylinder controller: command coils, the direct move block, and status words.
 *
 * The idea: written from the maker's Modbus manual: a move starts when position, speed,
 * acceleration or push current is written [p.160]; flags fall back to 0; a pause keeps the rest
 * and its end resumes it, an alarm reset while paused cancels it [p.132]; home and alarm reset act
 * at rising edges [p.134, p.252]; a direct move without home is an alarm [p.54]. Raw unit 0.01 mm.
 * A move that is written while paused waits, which is the worst that a device may do.
 */
import {
  type Behaviour,
  bit,
  type Registers,
  type Slice,
  type Touched,
  wordOf,
} from "./behaviour.js";
import {
  arrived,
  dropped,
  homingBegun,
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

export interface IaiFacts extends PositionerFacts {
  /** False: the switch stands on PIO, and commands over Modbus do nothing. */
  readonly remote: boolean;
}

interface Coils {
  readonly servo: boolean;
  readonly reset: boolean;
  readonly pause: boolean;
  readonly home: boolean;
}

export interface IaiState {
  readonly axis: Positioner;
  readonly coils: Coils;
  readonly alarm: number;
  readonly causeHolds: boolean;
  /** Incremental moves count from here. */
  readonly lastTarget: number;
}

/** Any of the controller's own, and those that this file raises. */
const alarmOwn = 0x0c9;
const alarmNotHomed = 0x083;
const alarmDeviation = 0x0d8;
/** One G in 0.01 mm/s². */
const gravity = 980_665;
const starters = ["targetPosition", "moveSpeed", "moveAcceleration", "pushCurrent"];
const noCoils: Coils = { servo: false, reset: false, pause: false, home: false };

function poweredUp(facts: IaiFacts, position: number): IaiState {
  const axis = positionerAt(facts, position);
  return { axis, coils: noCoils, alarm: 0, causeHolds: false, lastTarget: 0 };
}

function alarmed(state: IaiState, alarm: number): IaiState {
  return { ...state, axis: powered(state.axis, false), alarm };
}

function coilsOf(registers: Registers): Coils {
  const on = (name: string) => registers(name) === 1;
  return {
    servo: on("servoOn"),
    reset: on("alarmReset"),
    pause: on("pause"),
    home: on("homeReturn"),
  };
}

function onCoils(from: IaiState, coils: Coils): IaiState {
  const rose = (name: keyof Coils) => coils[name] && !from.coils[name];
  let state: IaiState = { ...from, coils };
  if (rose("reset")) {
    if (!state.causeHolds) state = { ...state, alarm: 0 };
    if (from.axis.held) state = { ...state, axis: dropped(state.axis) };
  }
  if (state.alarm !== 0) return state;
  const axis = { ...powered(state.axis, coils.servo), held: coils.pause };
  state = { ...state, axis };
  return rose("home") && axis.on ? { ...state, axis: homingBegun(axis) } : state;
}

function onMove(facts: IaiFacts, from: IaiState, registers: Registers): IaiState {
  if (!from.axis.on || from.alarm !== 0) return from;
  if (!from.axis.homed) return alarmed(from, alarmNotHomed);
  const incremental = bit(registers("controlFlags"), 3);
  const target = registers("targetPosition") + (incremental ? from.lastTarget : 0);
  const acceleration = (registers("moveAcceleration") * gravity) / 100;
  const path = {
    target,
    velocity: registers("moveSpeed"),
    acceleration: Math.min(facts.acceleration * 10, acceleration),
  };
  return { ...from, axis: sentTo(from.axis, path), lastTarget: target };
}

function written(
  facts: IaiFacts,
  from: IaiState,
  registers: Registers,
  touched: readonly Touched[],
): IaiState {
  if (!facts.remote) return from;
  const state = onCoils(from, coilsOf(registers));
  const starts = touched.some(({ points }) => points.some((one) => starters.includes(one)));
  return starts ? onMove(facts, state, registers) : state;
}

function step(facts: IaiFacts, from: IaiState, slice: Slice): IaiState {
  const { axis, tripped } = stepPositioner(facts, from.axis, slice);
  const state = { ...from, axis };
  return tripped ? alarmed(state, alarmDeviation) : state;
}

function status1({ axis, alarm, coils }: IaiState, facts: IaiFacts): number {
  return wordOf({
    3: arrived(axis, facts.window),
    4: axis.homed,
    5: coils.pause,
    10: alarm !== 0,
    12: axis.on,
    13: true,
  });
}

function extended({ axis }: IaiState, facts: IaiFacts): number {
  const moves = axis.motion.velocity !== 0 || (axis.on && !axis.held && underWay(axis));
  return wordOf({ 5: moves, 8: facts.remote });
}

/** A ROBO Cylinder. The points that it reads and sets are named as in its profile. */
export function iaiRoboCylinder(facts: IaiFacts): Behaviour<IaiState> {
  return {
    functions: new Set([1, 2, 3, 4, 5, 6, 15, 16, 17]),
    defaults: {},
    initial: () => poweredUp(facts, facts.start),
    reboot: (state) => poweredUp(facts, state.axis.motion.position),
    heard: (state) => state,
    written: (state, registers, touched) => ({
      ok: true,
      state: written(facts, state, registers, touched),
    }),
    step: (state, slice) => step(facts, state, slice),
    quiet: ({ axis }) => isQuiet(axis),
    values: (state) => ({
      actualPosition: Math.round(positionOf(state.axis)),
      actualVelocity: Math.round(state.axis.motion.velocity),
      alarmCode: state.alarm,
      deviceStatus1: status1(state, facts),
      extendedStatus: extended(state, facts),
    }),
    trip: (state, { code, holds }) => ({ ...alarmed(state, code ?? alarmOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ axis }) => viewOf(axis),
    word: ({ axis, alarm }) => {
      if (alarm !== 0) return `alarm ${alarm}`;
      return axis.held ? "paused" : axis.on ? "servo on" : "servo off";
    },
  };
}
