/**
 * What all simulated inverters share: a belt on the motor, a set-point, a watchdog, faults.
 *
 * The idea: a family gives its states, what a control word does to them, and its status word; the
 * ramps, the silence and the trip are here, once. It refuses control words, and meanings of bits.
 */
import {
  type ConveyorCommand,
  type ConveyorMotion,
  conveyorStill,
  stepConveyor,
} from "../plants/conveyor.js";
import type { Behaviour, Registers, Slice, Touched } from "./behaviour.js";

export interface InverterFacts {
  /** Percent per second. */
  readonly rampUp: number;
  readonly rampDown: number;
  readonly rampFast: number;
  readonly friction: number;
  /** False: local control, the control word is ignored. */
  readonly remote: boolean;
  /** Silence after which the drive trips; absent: it does not watch. */
  readonly watchdogMs?: number;
}

export interface InverterState<P extends string> {
  readonly power: P;
  readonly word: number;
  /** Percent. */
  readonly reference: number;
  readonly motion: ConveyorMotion;
  readonly code: number;
  readonly causeHolds: boolean;
  readonly silentMs: number;
  readonly heardOnce: boolean;
}

/** How the motor is driven: after the set-point, to 0 by a ramp, or not at all. */
export type Drive = "follow" | "hold" | "ramp" | "fast" | "coast";

export interface InverterFamily<P extends string> {
  readonly functions: readonly number[];
  readonly off: P;
  readonly tripped: P;
  /** Contents of its settings after power-up. */
  readonly defaults?: Readonly<Record<string, number>>;
  /** The point that carries commands. Others count only as what was touched. */
  readonly commandPoint: string;
  readonly setpointPoint: string;
  /** Raw units of the set-point at 100 %. */
  readonly full: number;
  /** Whether the word is looked at at all. @default always */
  readonly counts?: (word: number) => boolean;
  readonly next: (power: P, words: { before: number; now: number }) => P;
  /** A command besides the word, as the reset of some. `before` is the power until now. */
  readonly besides?: (power: P, registers: Registers, touched: readonly Touched[]) => P;
  readonly drive: (power: P, word: number) => Drive;
  /** The state after the motor has come to rest in this one. */
  readonly atRest: (power: P) => P;
  /** Requests that feed the watchdog. @default any to this device */
  readonly feeds?: (touched: Touched) => boolean;
  /** The time of the watchdog where registers hold it; undefined: `facts` say it. */
  readonly watchdog?: (registers: Registers) => number | undefined;
  readonly codeSilence: number;
  readonly codeOwn: number;
  readonly values: (state: InverterState<P>, facts: InverterFacts) => Record<string, number>;
}

/** Percent within which the speed counts as the set-point. */
const setPointWindow = 0.5;

export function atSetPoint<P extends string>(state: InverterState<P>): boolean {
  return Math.abs(state.motion.speed - state.reference) <= setPointWindow;
}

function poweredUp<P extends string>(off: P, motion: ConveyorMotion): InverterState<P> {
  return {
    power: off,
    word: 0,
    reference: 0,
    motion,
    code: 0,
    causeHolds: false,
    silentMs: 0,
    heardOnce: false,
  };
}

function commandOf(drive: Drive, reference: number, speed: number, facts: InverterFacts) {
  const { rampUp, rampDown, rampFast, friction } = facts;
  const run = (target: number, down: number): ConveyorCommand => {
    return { kind: "run", target, rampUp, rampDown: down };
  };
  switch (drive) {
    case "follow":
      return run(reference, rampDown);
    case "hold":
      return run(speed, rampDown);
    case "ramp":
      return run(0, rampDown);
    case "fast":
      return run(0, rampFast);
    case "coast":
      return { kind: "coast", friction } as const;
    default:
      return drive satisfies never;
  }
}

function written<P extends string>(
  family: InverterFamily<P>,
  facts: InverterFacts,
  from: InverterState<P>,
  registers: Registers,
  touched: readonly Touched[],
): InverterState<P> {
  const fed = touched.some((one) => family.feeds?.(one) === true);
  const state = fed ? { ...from, silentMs: 0, heardOnce: true } : from;
  if (!facts.remote) return state;
  const now = registers(family.commandPoint);
  if (family.counts?.(now) === false) return state;
  const reference = (100 * registers(family.setpointPoint)) / family.full;
  const commanded = touched.some((one) => one.points.includes(family.commandPoint));
  const next = commanded ? family.next(state.power, { before: state.word, now }) : state.power;
  const power = family.besides?.(next, registers, touched) ?? next;
  // A fault whose cause is still there is reported again at once.
  const kept = state.power === family.tripped && state.causeHolds;
  if (kept) return { ...state, word: now, reference };
  const code = power === family.tripped ? state.code : 0;
  return { ...state, power, word: now, reference, code };
}

function step<P extends string>(
  family: InverterFamily<P>,
  facts: InverterFacts,
  from: InverterState<P>,
  slice: Slice,
): InverterState<P> {
  const drive = family.drive(from.power, from.word);
  const command = commandOf(drive, from.reference, from.motion.speed, facts);
  const { dtMs, faults, registers } = slice;
  const motion = stepConveyor(from.motion, command, { dtMs, stuck: faults.stuck });
  const power = motion.speed === 0 ? family.atRest(from.power) : from.power;
  const state = { ...from, motion, power, silentMs: from.silentMs + dtMs };
  const limit = family.watchdog?.(registers) ?? facts.watchdogMs;
  const silent = limit !== undefined && limit > 0 && state.silentMs >= limit;
  if (silent && state.heardOnce && drive === "follow") {
    return { ...state, power: family.tripped, code: family.codeSilence };
  }
  return state;
}

/** Points are named as in the families' profiles. */
export function inverter<P extends string>(
  family: InverterFamily<P>,
  facts: InverterFacts,
): Behaviour<InverterState<P>> {
  const { feeds } = family;
  const fed = (state: InverterState<P>) => ({ ...state, silentMs: 0, heardOnce: true });
  return {
    functions: new Set(family.functions),
    defaults: family.defaults ?? {},
    initial: () => poweredUp(family.off, conveyorStill),
    reboot: (state) => poweredUp(family.off, state.motion),
    heard: (state) => (feeds === undefined ? fed(state) : state),
    written: (state, registers, touched) => {
      return { ok: true, state: written(family, facts, state, registers, touched) };
    },
    wasRead: (state, touched) => (feeds?.(touched) === true ? fed(state) : state),
    step: (state, slice) => step(family, facts, state, slice),
    quiet: (state) => {
      const follows = family.drive(state.power, state.word) === "follow";
      return state.motion.speed === 0 && (!follows || state.reference === 0);
    },
    values: (state) => family.values(state, facts),
    trip: (state, { code, holds }) => ({
      ...state,
      power: family.tripped,
      code: code ?? family.codeOwn,
      causeHolds: holds,
    }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion }) => ({
      moving: motion.speed !== 0,
      position: motion.travelled,
      velocity: motion.speed,
    }),
    word: (state) => state.power,
  };
}
