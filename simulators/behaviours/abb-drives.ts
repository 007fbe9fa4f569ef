/**
 * An inverter with the ABB drives profile, and a belt on its motor.
 *
 * The idea: the control word's bits 0–2 act when they are 0 (OFF1 ramps, OFF2 coasts, OFF3 ramps
 * fast), bit 3 runs, 4–6 open the ramp, 7 resets at its edge, and the whole word counts only with
 * bit 10. After OFF2, OFF3 or a trip the drive is inhibited until OFF1 has been 0. Reference and
 * actual speed are ±20000 for ±100 % [ABB ACS355 p.313, 326]. It refuses addresses.
 */
import {
  type ConveyorCommand,
  type ConveyorMotion,
  conveyorStill,
  stepConveyor,
} from "../plants/conveyor.js";
import { type Behaviour, bit, type Registers, type Slice, wordOf } from "./behaviour.js";

export interface AbbFacts {
  /** Percent per second. */
  readonly rampUp: number;
  readonly rampDown: number;
  readonly rampFast: number;
  readonly friction: number;
  /** False: local control, the control word is ignored. */
  readonly remote: boolean;
  /** Silence after which the drive trips; absent: it does not watch (factory setting). */
  readonly watchdogMs?: number;
  /** Contents of the parameters that its model has, as a commissioned drive holds them. */
  readonly settings?: Readonly<Record<string, number>>;
}

export const abbStates = [
  "inhibited",
  "ready",
  "readyToRun",
  "operating",
  "off1",
  "off2",
  "off3",
  "tripped",
] as const;
export type AbbPower = (typeof abbStates)[number];

export interface AbbState {
  readonly power: AbbPower;
  readonly word: number;
  /** Percent. */
  readonly reference: number;
  readonly motion: ConveyorMotion;
  readonly code: number;
  readonly causeHolds: boolean;
  readonly silentMs: number;
  readonly heardOnce: boolean;
}

const unitsPerPercent = 200;
const setPointWindow = 0.5;
const codeOwn = 1;
const codeSilence = 28;
/** 58.14 of ACS580 and ACS880: 1 fault, 4 fault always; 3018 of ACS355 and ACS550: 1 fault. */
const lossTrips: ReadonlySet<number> = new Set([1, 4]);

/** The communication watchdog by the parameters of the model, 0.1 s; undefined: it has none. */
function watchdogOf(registers: Registers): number | undefined {
  if (lossTrips.has(registers("commLossAction"))) return 100 * registers("commLossTime");
  return registers("commFaultFunction") === 1 ? 100 * registers("commFaultTime") : undefined;
}

function poweredUp(motion: ConveyorMotion): AbbState {
  return {
    power: "inhibited",
    word: 0,
    reference: 0,
    motion,
    code: 0,
    causeHolds: false,
    silentMs: 0,
    heardOnce: false,
  };
}

/** The state after a control word that counts (bit 10 set). */
export function nextAbbPower(
  state: AbbPower,
  words: { readonly before: number; readonly now: number },
): AbbPower {
  const { now } = words;
  if (state === "tripped") {
    return bit(now, 7) && !bit(words.before, 7) ? "inhibited" : "tripped";
  }
  if (!bit(now, 1)) return state === "operating" || turns(state) ? "off2" : "inhibited";
  if (state === "off2") return "off2";
  if (!bit(now, 2)) return state === "operating" || turns(state) ? "off3" : "inhibited";
  if (state === "off3") return "off3";
  if (!bit(now, 0)) return state === "operating" || state === "off1" ? "off1" : "ready";
  if (state === "inhibited") return "inhibited";
  return bit(now, 3) ? "operating" : "readyToRun";
}

function turns(state: AbbPower): boolean {
  return state === "off1" || state === "off2" || state === "off3";
}

function written(facts: AbbFacts, from: AbbState, registers: Registers): AbbState {
  const word = registers("controlword");
  const reference = registers("reference1") / unitsPerPercent;
  if (!facts.remote || !bit(word, 10)) return from;
  const power = nextAbbPower(from.power, { before: from.word, now: word });
  if (from.power === "tripped" && from.causeHolds) return { ...from, word };
  const code = power === "tripped" ? from.code : 0;
  return { ...from, power, word, reference, code };
}

function command(state: AbbState, facts: AbbFacts): ConveyorCommand {
  const { rampUp, rampDown, rampFast, friction } = facts;
  switch (state.power) {
    case "operating": {
      // Bit 5 holds the ramp where it is, bits 4 and 6 take its input or output to zero.
      const target = !bit(state.word, 5)
        ? state.motion.speed
        : bit(state.word, 4) && bit(state.word, 6)
          ? state.reference
          : 0;
      return { kind: "run", target, rampUp, rampDown };
    }
    case "off1":
      return { kind: "run", target: 0, rampUp, rampDown };
    case "off3":
      return { kind: "run", target: 0, rampUp, rampDown: rampFast };
    case "inhibited":
    case "ready":
    case "readyToRun":
    case "off2":
    case "tripped":
      return { kind: "coast", friction };
    default:
      return state.power satisfies never;
  }
}

function step(facts: AbbFacts, from: AbbState, slice: Slice): AbbState {
  const motion = stepConveyor(from.motion, command(from, facts), {
    dtMs: slice.dtMs,
    stuck: slice.faults.stuck,
  });
  let state: AbbState = { ...from, motion, silentMs: from.silentMs + slice.dtMs };
  if (motion.speed === 0 && state.power === "off1") state = { ...state, power: "ready" };
  if (motion.speed === 0 && (state.power === "off2" || state.power === "off3")) {
    state = { ...state, power: "inhibited" };
  }
  const limit = facts.watchdogMs ?? watchdogOf(slice.registers);
  const silent = limit !== undefined && limit > 0 && state.silentMs >= limit;
  if (silent && state.heardOnce && state.power === "operating") {
    return { ...state, power: "tripped", code: codeSilence };
  }
  return state;
}

function atSetPoint(state: AbbState): boolean {
  if (state.power !== "operating") return false;
  return Math.abs(state.motion.speed - state.reference) <= setPointWindow;
}

function statusword(state: AbbState, facts: AbbFacts): number {
  const { power, word } = state;
  const ready = power === "ready" || power === "readyToRun" || power === "operating";
  return wordOf({
    0: ready || power === "off1",
    1: power === "readyToRun" || power === "operating" || power === "off1",
    2: power === "operating",
    3: power === "tripped",
    4: bit(word, 1) && power !== "off2",
    5: bit(word, 2) && power !== "off3",
    6: power === "inhibited" || power === "off2" || power === "off3",
    8: atSetPoint(state),
    9: facts.remote,
    10: Math.abs(state.motion.speed) >= 100,
  });
}

function quiet(state: AbbState): boolean {
  const still = state.motion.speed === 0;
  return still && (state.power !== "operating" || state.reference === 0);
}

/** An ABB inverter. The points that it reads and sets are named as in its profile. */
export function abbDrives(facts: AbbFacts): Behaviour<AbbState> {
  return {
    functions: new Set([3, 6, 16, 23]),
    defaults: facts.settings ?? {},
    initial: () => poweredUp(conveyorStill),
    reboot: (state) => poweredUp(state.motion),
    heard: (state) => ({ ...state, silentMs: 0, heardOnce: true }),
    written: (state, registers) => ({ ok: true, state: written(facts, state, registers) }),
    step: (state, slice) => step(facts, state, slice),
    quiet,
    values: (state) => ({
      statusword: statusword(state, facts),
      actual1: Math.round(state.motion.speed * unitsPerPercent),
      faultCode: state.code,
      lastFault: state.code,
    }),
    trip: (state, { code, holds }) => ({
      ...state,
      power: "tripped",
      code: code ?? codeOwn,
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
