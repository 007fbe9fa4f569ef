/**
 * A Delta ASDA drive: path 1 of the PR mode, or the first speed register of the speed mode.
 *
 * The idea: inputs count only where P3-06 says that the communication sets them; P5-07 runs, homes
 * and stops; a silence longer than P3-04 ramps down where P3-03 is 1. Written from the register
 * facts [ASDA-A2 p.585, ASDA-B2 p.242], not from the profile. It refuses addresses.
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
import {
  type Behaviour,
  bit,
  illegalValue,
  type Registers,
  type Slice,
  type Touched,
  wordOf,
} from "./behaviour.js";
import { type HomingPhase, homingCommand, homingNext, homingStart } from "./cia402-homing.js";

export interface AsdaFacts {
  readonly mode: "pr" | "speed";
  readonly plant: ServoPlant;
  readonly start: number;
  readonly homingFast: number;
  readonly homingSlow: number;
  /** The drive's own ramps, counts/s². */
  readonly homingAcceleration: number;
  readonly friction: number;
  readonly followingErrorMax: number;
  readonly window: number;
  readonly countsPerRev: number;
}

type Run =
  | { readonly kind: "none" }
  | { readonly kind: "stop" }
  | { readonly kind: "homing"; readonly phase: HomingPhase }
  | { readonly kind: "path"; readonly target: number; readonly velocity: number };

export interface AsdaState {
  readonly on: boolean;
  readonly inputs: number;
  readonly run: Run;
  readonly motion: ServoMotion;
  readonly origin: number;
  readonly homed: boolean;
  readonly code: number;
  readonly causeHolds: boolean;
  readonly silentMs: number;
  readonly timedOut: boolean;
}

const inputServoOn = 0;
const inputAlarmReset = 1;
const inputSpeed1 = 2;
const stopCommand = 1000;
const definitionAbsolute = 2;
const pathUsed = 1;
const codeFollowing = 9;
const codeOwn = 6;
const codeSilence = 20;
/** Rpm below which the drive says zero speed. */
const zeroSpeedRpm = 10;
const reactionRampDown = 1;

function poweredUp(position: number): AsdaState {
  return {
    on: false,
    inputs: 0,
    run: { kind: "none" },
    motion: servoAt(position),
    origin: position,
    homed: false,
    code: 0,
    causeHolds: false,
    silentMs: 0,
    timedOut: false,
  };
}

function inputsOf(registers: Registers): number {
  return registers("inputs") & registers("inputMask");
}

function powered(from: AsdaState, on: boolean): AsdaState {
  if (on === from.on) return from;
  const { position, velocity } = from.motion;
  const motion = { ...from.motion, demand: position, demandVelocity: velocity };
  return { ...from, on, run: { kind: velocity === 0 ? "none" : "stop" }, motion };
}

function commanded(facts: AsdaFacts, from: AsdaState, registers: Registers): AsdaState {
  const command = registers("prCommand");
  if (command === stopCommand) {
    return from.run.kind === "none" ? from : { ...from, run: { kind: "stop" } };
  }
  if (!from.on) return from;
  if (command === 0) {
    return { ...from, run: { kind: "homing", phase: homingStart(17) }, homed: false };
  }
  if (command !== pathUsed || registers("prDefinition") !== definitionAbsolute) return from;
  // The manual's convention: tenths of a revolution per minute.
  const velocity = (registers("prSpeed") / 600) * facts.countsPerRev;
  return { ...from, run: { kind: "path", target: registers("prTarget"), velocity } };
}

function written(
  facts: AsdaFacts,
  from: AsdaState,
  registers: Registers,
  touched: readonly Touched[],
) {
  const inputs = inputsOf(registers);
  const resets = bit(inputs, inputAlarmReset) && !bit(from.inputs, inputAlarmReset);
  const cleared = resets && !from.causeHolds ? { code: 0, timedOut: false } : {};
  let state: AsdaState = { ...from, inputs, ...cleared };
  state = powered(state, state.code === 0 && bit(inputs, inputServoOn));
  const command = touched.some((one) => one.points.includes("prCommand"));
  if (!command || facts.mode !== "pr") return { ok: true, state } as const;
  const value = registers("prCommand");
  if (value > 99 && value !== stopCommand) return { ok: false, exception: illegalValue } as const;
  return { ok: true, state: commanded(facts, state, registers) } as const;
}

function command(facts: AsdaFacts, state: AsdaState, registers: Registers): ServoCommand {
  const acceleration = facts.homingAcceleration;
  const ramps = { acceleration, deceleration: acceleration };
  const { run, origin } = state;
  if (!state.on) return { kind: "free", friction: facts.friction };
  if (state.timedOut) return { kind: "stop", deceleration: acceleration };
  if (facts.mode === "speed") {
    const chosen = bit(state.inputs, inputSpeed1) ? registers("speed1") : 0;
    return { kind: "velocity", velocity: (chosen / 600) * facts.countsPerRev, ...ramps };
  }
  switch (run.kind) {
    case "none":
    case "stop":
      return { kind: "stop", deceleration: acceleration };
    case "homing":
      return homingCommand(run.phase, {
        fast: facts.homingFast,
        slow: facts.homingSlow,
        acceleration,
      });
    case "path":
      return { kind: "position", target: run.target + origin, velocity: run.velocity, ...ramps };
    default:
      return run satisfies never;
  }
}

function settled(from: AsdaState): AsdaState {
  const { run, motion } = from;
  if (run.kind === "stop" && servoStill(motion)) {
    return { ...from, run: { kind: "none" }, motion: { ...motion, demand: motion.position } };
  }
  if (run.kind === "path") {
    const there = motion.demand === run.target + from.origin || motion.limited;
    return there && servoStill(motion) ? { ...from, run: { kind: "none" } } : from;
  }
  if (run.kind !== "homing") return from;
  const phase = homingNext(run.phase, motion);
  if (phase !== "attained") return { ...from, run: { kind: "homing", phase } };
  return { ...from, run: { kind: "none" }, homed: true, origin: motion.position };
}

function tripped(state: AsdaState, code: number): AsdaState {
  return { ...state, on: false, run: { kind: "none" }, code };
}

function step(facts: AsdaFacts, from: AsdaState, slice: Slice): AsdaState {
  const { registers } = slice;
  const { stuck, stuckTrips } = slice.faults;
  const plant = from.homed ? facts.plant : unlimited(facts.plant);
  const motion = stepServo(plant, from.motion, command(facts, from, registers), {
    dtMs: slice.dtMs,
    stuck,
  });
  const silentMs = from.silentMs + slice.dtMs;
  const limitMs = registers("timeoutTime") * 1000;
  const silent = limitMs > 0 && silentMs > limitMs;
  const ramps = silent && registers("timeoutReaction") === reactionRampDown;
  const state = { ...from, motion, silentMs, timedOut: from.timedOut || ramps };
  const error = Math.abs(motion.demand - motion.position);
  if (state.on && error > facts.followingErrorMax && (stuckTrips || !stuck)) {
    return tripped(state, codeFollowing);
  }
  if (ramps && state.run.kind !== "none") return settled({ ...state, run: { kind: "stop" } });
  return settled(state);
}

function status(facts: AsdaFacts, state: AsdaState, rpm: number): number {
  const { run, motion, on, code } = state;
  const near = Math.abs(motion.demand - motion.position) <= facts.window;
  return wordOf({
    0: code === 0,
    1: on,
    2: Math.abs(rpm) < zeroSpeedRpm,
    3: on && Math.abs(motion.velocity - motion.demandVelocity) <= facts.window,
    4: on && run.kind === "none" && near,
    6: code !== 0,
    8: state.homed,
    10: state.timedOut,
  });
}

/** An ASDA drive. The points that it reads and sets are named as in its profile. */
export function asda(facts: AsdaFacts): Behaviour<AsdaState> {
  return {
    functions: new Set([3, 6, 16]),
    defaults: {
      controlMode: facts.mode === "pr" ? 1 : 2,
      input1Function: 0x0101,
      input2Function: 0x0102,
      input3Function: 0x0114,
      monitor2Select: 7,
    },
    initial: () => poweredUp(facts.start),
    reboot: (state) => poweredUp(state.motion.position),
    heard: (state) => ({ ...state, silentMs: 0 }),
    written: (state, registers, touched) => written(facts, state, registers, touched),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state, registers) => {
      if (!servoStill(state.motion) || state.run.kind !== "none") return false;
      if (registers("timeoutTime") > 0 && !state.timedOut) return false;
      return facts.mode === "pr" || !state.on || registers("speed1") === 0;
    },
    values: (state) => {
      const rpm = (state.motion.velocity / facts.countsPerRev) * 60;
      return {
        status: status(facts, state, rpm),
        monitor1: Math.round(state.motion.position - state.origin),
        monitor2: Math.round(rpm * 10),
        faultCode: state.timedOut ? codeSilence : state.code,
      };
    },
    trip: (state, { code, holds }) => ({ ...tripped(state, code ?? codeOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion, origin }) => ({
      moving: motion.velocity !== 0,
      position: motion.position - origin,
      velocity: motion.velocity,
    }),
    word: ({ code, on, run }) => (code !== 0 ? "alarm" : on ? run.kind : "off"),
  };
}
