/**
 * A Festo motor controller with FHPP in direct mode: control bytes in, status bytes out.
 *
 * The idea: bits as in the maker's tables [CMMP-AS p.70–71] and the start sequence of its manuals
 * [CMAX p.104–106]: START is taken at its edge and acknowledged until it falls, motion complete
 * drops at the start. STOP = 0 and HALT = 0 hold the path; only CLEAR, a new start or the loss of
 * power throw it away, which is the worst that the manuals leave open. Any message restarts the
 * node guard. It refuses registers and packing.
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

export interface FhppFacts extends PositionerFacts {
  /** Raw units per second at 100 percent. */
  readonly speedBase: number;
  /** False: the maker's tool has control, and the control bytes do nothing. */
  readonly remote: boolean;
  /** Node guard; absent: off. */
  readonly guardMs?: number;
}

export interface FhppState {
  readonly axis: Positioner;
  readonly ccon: number;
  readonly cpos: number;
  readonly acknowledged: boolean;
  readonly complete: boolean;
  readonly fault: number;
  readonly causeHolds: boolean;
  readonly silentMs: number;
}

const faultOwn = 0x01;
const faultGuard = 0x47;
const faultFollowing = 0x2f;
/** Values below act as this [CMMO-ST p.28]. */
const guardLeastMs = 100;

function poweredUp(facts: FhppFacts, position: number): FhppState {
  return {
    axis: positionerAt(facts, position),
    ccon: 0,
    cpos: 0,
    acknowledged: false,
    complete: true,
    fault: 0,
    causeHolds: false,
    silentMs: 0,
  };
}

function faulted(state: FhppState, fault: number): FhppState {
  return { ...state, axis: powered(state.axis, false), fault, acknowledged: false };
}

function written(facts: FhppFacts, from: FhppState, registers: Registers): FhppState {
  if (!facts.remote) return from;
  const ccon = registers("ccon");
  const cpos = registers("cpos");
  const rose = (index: number) => bit(cpos, index) && !bit(from.cpos, index);
  let state: FhppState = { ...from, ccon, cpos };
  if (bit(ccon, 3) && !bit(from.ccon, 3) && !state.causeHolds) state = { ...state, fault: 0 };
  if (state.fault !== 0) return state;
  const held = !bit(ccon, 1) || !bit(cpos, 0);
  let axis: Positioner = { ...powered(state.axis, bit(ccon, 0)), held };
  if (rose(6)) axis = dropped(axis);
  const ready = axis.on && !held;
  const acknowledged = state.acknowledged && (bit(cpos, 1) || bit(cpos, 2));
  state = { ...state, axis, acknowledged };
  if (ready && rose(2)) {
    return { ...state, axis: homingBegun(axis), acknowledged: true, complete: false };
  }
  if (!ready || !rose(1) || !axis.homed) return state;
  const relative = bit(registers("cdir"), 0);
  const target = registers("setPoint") + (relative ? (axis.path?.target ?? 0) : 0);
  const velocity = (registers("speed") * facts.speedBase) / 100;
  const path = { target, velocity, acceleration: facts.acceleration };
  return { ...state, axis: sentTo(axis, path), acknowledged: true, complete: false };
}

function step(facts: FhppFacts, from: FhppState, slice: Slice): FhppState {
  const { axis, tripped } = stepPositioner(facts, from.axis, slice);
  const silentMs = from.silentMs + slice.dtMs;
  const state = { ...from, axis, silentMs };
  if (tripped) return faulted(state, faultFollowing);
  const { guardMs } = facts;
  if (guardMs !== undefined && axis.on && silentMs > Math.max(guardLeastMs, guardMs)) {
    return faulted(state, faultGuard);
  }
  const ended = !underWay(axis) && axis.motion.velocity === 0 && !state.acknowledged;
  const there = axis.path === undefined || arrived(axis, facts.window);
  return ended && there ? { ...state, complete: true } : state;
}

function scon({ axis, ccon, fault }: FhppState, facts: FhppFacts): number {
  return (
    wordOf({
      0: axis.on,
      1: axis.on && bit(ccon, 1),
      3: fault !== 0,
      4: true,
      5: !facts.remote,
    }) |
    (ccon & 0xc0)
  );
}

function spos({ axis, cpos, acknowledged, complete }: FhppState): number {
  const moves = axis.motion.velocity !== 0;
  return wordOf({
    0: bit(cpos, 0),
    1: acknowledged,
    2: complete,
    4: moves,
    6: !moves,
    7: axis.homed,
  });
}

/** A controller with FHPP. The points that it reads and sets are named as in its profile. */
export function fhpp(facts: FhppFacts): Behaviour<FhppState> {
  return {
    functions: new Set([3, 16, 23]),
    defaults: {},
    initial: () => poweredUp(facts, facts.start),
    reboot: (state) => poweredUp(facts, state.axis.motion.position),
    heard: (state) => ({ ...state, silentMs: 0 }),
    written: (state, registers) => ({ ok: true, state: written(facts, state, registers) }),
    step: (state, slice) => step(facts, state, slice),
    quiet: ({ axis, complete }) => {
      return isQuiet(axis) && complete && (facts.guardMs === undefined || !axis.on);
    },
    values: (state) => {
      const percent = (100 * state.axis.motion.velocity) / facts.speedBase;
      return {
        scon: scon(state, facts),
        spos: spos(state),
        sdir: 0,
        actualSpeed: Math.max(-128, Math.min(127, Math.round(percent))),
        actualPosition: Math.round(positionOf(state.axis)),
      };
    },
    trip: (state, { code, holds }) => ({ ...faulted(state, code ?? faultOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ axis }) => viewOf(axis),
    word: ({ axis, fault, ccon }) => {
      if (fault !== 0) return `fault ${fault}`;
      if (!axis.on) return "off";
      return bit(ccon, 1) ? "open" : "stopped";
    },
  };
}
