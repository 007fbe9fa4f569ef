/**
 * The generic positioner: control word, status word, target, speed.
 *
 * The idea: the map at the head of drivers/profiles/generic/axis.yaml, its bits written here a
 * second time. Start, alarm reset and home act at rising edges; stop forgets the target, and while
 * it is set nothing starts; without enable the power goes, after the ramp where stop is set too.
 */
import { type Behaviour, bit, type Registers, type Slice, wordOf } from "./behaviour.js";
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

export interface GenericAxisFacts extends PositionerFacts {
  /** Counts per motor revolution. */
  readonly countsPerRev: number;
}

export interface GenericAxisState {
  readonly axis: Positioner;
  readonly word: number;
  readonly alarm: number;
  readonly causeHolds: boolean;
}

const alarmOwn = 1;
const alarmFollowing = 2;

function poweredUp(facts: GenericAxisFacts, position: number): GenericAxisState {
  return { axis: positionerAt(facts, position), word: 0, alarm: 0, causeHolds: false };
}

function tripped(state: GenericAxisState, alarm: number): GenericAxisState {
  return { ...state, axis: powered(state.axis, false), alarm };
}

function written(
  facts: GenericAxisFacts,
  from: GenericAxisState,
  registers: Registers,
): GenericAxisState {
  const word = registers("control");
  const rose = (index: number) => bit(word, index) && !bit(from.word, index);
  let state: GenericAxisState = { ...from, word };
  if (rose(2) && !state.causeHolds) state = { ...state, alarm: 0 };
  if (state.alarm !== 0) return state;
  const stops = bit(word, 3);
  if (bit(word, 0)) state = { ...state, axis: powered(state.axis, true) };
  else if (!stops) state = { ...state, axis: powered(state.axis, false) };
  if (stops) return { ...state, axis: dropped(state.axis) };
  if (!state.axis.on) return state;
  if (rose(4)) return { ...state, axis: homingBegun(state.axis) };
  if (!rose(1)) return state;
  const target = registers("target");
  const velocity = (registers("speed") * facts.countsPerRev) / 60;
  const path = { target, velocity, acceleration: facts.acceleration };
  return { ...state, axis: sentTo(state.axis, path) };
}

function step(facts: GenericAxisFacts, from: GenericAxisState, slice: Slice): GenericAxisState {
  const moved = stepPositioner(facts, from.axis, slice);
  const state = { ...from, axis: moved.axis };
  if (moved.tripped) return tripped(state, alarmFollowing);
  // Stopped without enable: the power goes once the axis stands.
  const over = bit(state.word, 3) && !bit(state.word, 0) && state.axis.motion.velocity === 0;
  return over ? { ...state, axis: powered(state.axis, false) } : state;
}

function statusOf({ axis, alarm }: GenericAxisState, facts: GenericAxisFacts): number {
  return wordOf({
    0: axis.on,
    1: arrived(axis, facts.window),
    2: axis.motion.velocity !== 0 || (axis.on && underWay(axis)),
    3: alarm !== 0,
    4: axis.homed,
  });
}

/** A generic positioner. The points that it reads and sets are named as in its profile. */
export function genericAxis(facts: GenericAxisFacts): Behaviour<GenericAxisState> {
  return {
    functions: new Set([3, 6, 16]),
    defaults: {},
    initial: () => poweredUp(facts, facts.start),
    reboot: (state) => poweredUp(facts, state.axis.motion.position),
    heard: (state) => state,
    written: (state, registers) => ({ ok: true, state: written(facts, state, registers) }),
    step: (state, slice) => step(facts, state, slice),
    quiet: ({ axis, word }) => isQuiet(axis) && !(axis.on && bit(word, 3) && !bit(word, 0)),
    values: (state) => ({
      status: statusOf(state, facts),
      actualPosition: Math.round(positionOf(state.axis)),
      alarmCode: state.alarm,
    }),
    trip: (state, { code, holds }) => ({ ...tripped(state, code ?? alarmOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ axis }) => viewOf(axis),
    word: ({ axis, alarm }) => (alarm !== 0 ? `alarm ${alarm}` : axis.on ? "on" : "off"),
  };
}
