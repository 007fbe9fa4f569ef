/**
 * A CiA 402 drive with an axis on it: modes 1 (position), 3 (velocity) and 6 (homing).
 *
 * The idea: set-points are taken at the rising edge of bit 4 and acknowledged by bit 12; halt
 * keeps the path and its end resumes it; quick stop loses it. Written from the standard and from
 * the Kinco manual [Kinco FD5P p.137–140], not from any driver. Speeds in the drive's own unit,
 * 512 × 60 / 1875 per count/s; accelerations 65536 / 4000000 per count/s². It refuses addresses.
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
import { type Behaviour, bit, illegalValue, type Registers, type Slice } from "./behaviour.js";
import {
  type HomingPhase,
  homingCommand,
  homingNext,
  homingRuns,
  homingStart,
} from "./cia402-homing.js";
import { nextPower, type PowerState, powerBits } from "./cia402-power.js";

export interface Cia402Facts {
  readonly plant: ServoPlant;
  /** Where the shaft is at power-up, counts from the switch. */
  readonly start: number;
  /** Homing speeds, counts/s, and acceleration, counts/s². */
  readonly homingFast: number;
  readonly homingSlow: number;
  readonly homingAcceleration: number;
  readonly quickStopDeceleration: number;
  /** Run-down without power, counts/s². */
  readonly friction: number;
  /** Counts. */
  readonly followingErrorMax: number;
  readonly window: number;
  /** False: the drive is under local control and ignores the control word. */
  readonly remote: boolean;
  /** The drive's own unit of speed, per count/s. @default that of Kinco */
  readonly speedUnit?: number;
}

interface SetPoint {
  /** Counts as the drive reports them, that is, from its own zero. */
  readonly target: number;
  /** Counts/s and counts/s², taken when the set-point was taken. */
  readonly velocity: number;
  readonly acceleration: number;
  readonly deceleration: number;
}

export interface Cia402State {
  readonly power: PowerState;
  readonly word: number;
  readonly mode: number;
  /** Machine counts, the switch at 0. */
  readonly motion: ServoMotion;
  /** Machine counts at which the drive counts 0. */
  readonly origin: number;
  readonly path?: SetPoint;
  readonly next?: SetPoint;
  readonly acknowledged: boolean;
  readonly homing: HomingPhase;
  readonly homed: boolean;
  readonly error: number;
  readonly causeHolds: boolean;
  /** Target speed of mode 3, counts/s. */
  readonly wanted: number;
}

const speedUnitOfKinco = (512 * 60) / 1875;
const accelerationUnit = 65536 / 4_000_000;
const modePosition = 1;
const modeVelocity = 3;
const modeHoming = 6;
const modesKnown = new Set([0, 1, 3, 4, 6]);
/** Error words shown in the error state: any of the drive's own, and the following error. */
const errorOwn = 0x0001;
const errorFollowing = 0x0400;
/** A speed within one part in a hundred of the target counts as reached, counts/s at least 10. */
const speedWindow = 0.01;

function poweredUp(facts: Cia402Facts, position: number): Cia402State {
  return {
    power: "switchOnDisabled",
    word: 0,
    mode: modePosition,
    motion: servoAt(clampHard(facts.plant, position)),
    origin: position,
    acknowledged: false,
    homing: "idle",
    homed: false,
    error: 0,
    causeHolds: false,
    wanted: 0,
  };
}

function clampHard(plant: ServoPlant, position: number): number {
  return Math.min(plant.hardMax ?? position, Math.max(plant.hardMin ?? position, position));
}

/** Drops the path: no set-point is left that could be resumed. */
function withoutPath(state: Cia402State): Cia402State {
  const { path: _path, next: _next, ...rest } = state;
  return { ...rest, acknowledged: false };
}

function tripped(state: Cia402State, code: number): Cia402State {
  return { ...withoutPath(state), power: "fault", error: code, homing: "idle" };
}

/** On the path, and not yet where it ends. */
function underWay(state: Cia402State): boolean {
  const { path, motion } = state;
  return path !== undefined && motion.demand !== path.target + state.origin && !motion.limited;
}

/** The drive keeps to its software limits only once it knows where zero is. */
function plantOf(state: Cia402State, facts: Cia402Facts): ServoPlant {
  if (state.homed) return facts.plant;
  return unlimited(facts.plant);
}

function inWindow(state: Cia402State, facts: Cia402Facts): boolean {
  const { path, motion } = state;
  if (motion.demandVelocity !== 0) return false;
  const target = path === undefined ? motion.demand : path.target + state.origin;
  return Math.abs(target - motion.position) <= facts.window;
}

function unitOf({ speedUnit = speedUnitOfKinco }: Cia402Facts): number {
  return speedUnit;
}

function takeSetPoint(facts: Cia402Facts, state: Cia402State, registers: Registers): Cia402State {
  const { word } = state;
  const value = registers("targetPosition");
  const last = state.next ?? state.path;
  const base = last?.target ?? state.motion.demand - state.origin;
  const point: SetPoint = {
    target: bit(word, 6) ? base + value : value,
    velocity: Math.abs(registers("profileVelocity")) / unitOf(facts),
    acceleration: registers("profileAcceleration") / accelerationUnit,
    deceleration: registers("profileDeceleration") / accelerationUnit,
  };
  const atOnce = bit(word, 5);
  if (atOnce || !underWay(state)) {
    const { next: _next, ...rest } = state;
    return { ...rest, path: point, acknowledged: true };
  }
  if (state.next !== undefined) return state;
  return { ...state, next: point, acknowledged: true };
}

function onEdges(
  facts: Cia402Facts,
  state: Cia402State,
  word: number,
  registers: Registers,
): Cia402State {
  const rose = bit(word, 4) && !bit(state.word, 4);
  const fell = !bit(word, 4) && bit(state.word, 4);
  let next: Cia402State = { ...state, word };
  if (fell && next.next === undefined) next = { ...next, acknowledged: false };
  if (fell && homingRuns(next.homing)) next = { ...next, homing: "interrupted" };
  if (next.power !== "enabled" || !rose) return next;
  if (next.mode === modePosition) return takeSetPoint(facts, next, registers);
  if (next.mode === modeHoming) return startHoming(next, registers("homingMethod"));
  return next;
}

function startHoming(state: Cia402State, method: number): Cia402State {
  const homing = homingStart(method);
  const cleared = { ...withoutPath(state), homing, homed: false };
  return homing === "attained" ? attained(cleared) : cleared;
}

function attained(state: Cia402State): Cia402State {
  return { ...state, homing: "attained", homed: true, origin: state.motion.position };
}

function onPower(state: Cia402State, word: number): Cia402State {
  const power = nextPower(state.power, { before: state.word, now: word });
  if (power === state.power) return state;
  if (state.power === "fault" && state.causeHolds) return state;
  const changed = { ...withoutPath(state), power, homing: endOfRun(state.homing) };
  if (state.power === "fault") return { ...changed, error: 0 };
  if (power !== "enabled") return changed;
  const { position, velocity } = state.motion;
  // The path begins where the shaft is, at its speed: a rolling axis is caught, not jerked.
  return {
    ...changed,
    motion: { ...state.motion, demand: position, demandVelocity: velocity },
  };
}

function endOfRun(phase: HomingPhase): HomingPhase {
  return homingRuns(phase) ? "interrupted" : phase;
}

function onMode(state: Cia402State, mode: number): Cia402State {
  if (mode === state.mode) return state;
  return { ...withoutPath(state), mode, homing: "idle" };
}

function motionCommand(state: Cia402State, facts: Cia402Facts, registers: Registers): ServoCommand {
  const deceleration = registers("profileDeceleration") / accelerationUnit;
  if (state.power === "quickStop") {
    return { kind: "stop", deceleration: facts.quickStopDeceleration };
  }
  if (state.power !== "enabled") return { kind: "free", friction: facts.friction };
  if (bit(state.word, 8)) {
    return { kind: "stop", deceleration: state.path?.deceleration ?? deceleration };
  }
  if (state.mode === modePosition && state.path !== undefined) {
    const { velocity, acceleration, deceleration } = state.path;
    const target = state.path.target + state.origin;
    return { kind: "position", target, velocity, acceleration, deceleration };
  }
  if (state.mode === modeVelocity) {
    const acceleration = registers("profileAcceleration") / accelerationUnit;
    return { kind: "velocity", velocity: state.wanted, acceleration, deceleration };
  }
  if (state.mode === modeHoming && homingRuns(state.homing)) {
    const { homingFast: fast, homingSlow: slow, homingAcceleration: acceleration } = facts;
    return homingCommand(state.homing, { fast, slow, acceleration });
  }
  return { kind: "stop", deceleration };
}

function step(facts: Cia402Facts, from: Cia402State, slice: Slice): Cia402State {
  const command = motionCommand(from, facts, slice.registers);
  const { stuck, stuckTrips } = slice.faults;
  const motion = stepServo(plantOf(from, facts), from.motion, command, { dtMs: slice.dtMs, stuck });
  let state: Cia402State = { ...from, motion };
  if (state.power === "quickStop" && motion.demandVelocity === 0 && motion.velocity === 0) {
    // The path is gone: what the shaft did not reach is not wanted any more.
    state = { ...state, motion: { ...motion, demand: motion.position } };
  }
  const error = Math.abs(motion.demand - motion.position);
  const powered = state.power === "enabled" || state.power === "quickStop";
  const hitStop =
    motion.position === facts.plant.hardMin || motion.position === facts.plant.hardMax;
  if (powered && error > facts.followingErrorMax && (stuckTrips || (!stuck && hitStop))) {
    return tripped(state, errorFollowing);
  }
  const homing = homingNext(state.homing, motion);
  if (homing !== state.homing) {
    state = homing === "attained" ? attained(state) : { ...state, homing };
  }
  if (state.next !== undefined && !underWay(state) && !bit(state.word, 8)) {
    const { next, ...rest } = state;
    state = { ...rest, path: next, acknowledged: bit(state.word, 4) };
  }
  return state;
}

function targetReached(state: Cia402State, facts: Cia402Facts): boolean {
  const { motion } = state;
  if (state.power !== "enabled") return false;
  if (bit(state.word, 8)) return servoStill(motion);
  if (state.mode === modeVelocity) {
    const window = Math.max(10, Math.abs(state.wanted) * speedWindow);
    return Math.abs(motion.velocity - state.wanted) <= window;
  }
  if (state.mode === modeHoming) return !homingRuns(state.homing) && servoStill(motion);
  return !underWay(state) && inWindow(state, facts);
}

function statusword(state: Cia402State, facts: Cia402Facts): number {
  const { motion, mode } = state;
  const lag = Math.abs(motion.demand - motion.position) > facts.followingErrorMax;
  const twelve =
    mode === modePosition
      ? state.acknowledged
      : mode === modeHoming
        ? state.homing === "attained"
        : motion.velocity === 0;
  const thirteen = mode === modeHoming ? state.homing === "error" : lag;
  return (
    powerBits(state.power) |
    (facts.remote ? 1 << 9 : 0) |
    (targetReached(state, facts) ? 1 << 10 : 0) |
    (motion.limited ? 1 << 11 : 0) |
    (twelve ? 1 << 12 : 0) |
    (thirteen ? 1 << 13 : 0) |
    (state.homed ? 1 << 15 : 0)
  );
}

function written(facts: Cia402Facts, from: Cia402State, registers: Registers) {
  const mode = registers("mode");
  if (!modesKnown.has(mode)) return { ok: false as const, exception: illegalValue };
  const wanted = registers("targetVelocity") / unitOf(facts);
  const inMode = onMode({ ...from, wanted }, mode);
  if (!facts.remote) return { ok: true as const, state: inMode };
  const word = registers("controlword");
  return { ok: true as const, state: onEdges(facts, onPower(inMode, word), word, registers) };
}

function quiet(state: Cia402State): boolean {
  if (!servoStill(state.motion) || state.motion.demand !== state.motion.position) return false;
  if (state.power !== "enabled") return true;
  if (state.next !== undefined || underWay(state) || homingRuns(state.homing)) return false;
  return state.mode !== modeVelocity || state.wanted === 0;
}

/** A CiA 402 drive. The points that it reads and sets are named as in the Kinco profile. */
export function cia402(facts: Cia402Facts): Behaviour<Cia402State> {
  return {
    functions: new Set([3, 6, 16]),
    defaults: {
      mode: modePosition,
      homingMethod: 17,
      profileAcceleration: Math.round(facts.homingAcceleration * accelerationUnit),
      profileDeceleration: Math.round(facts.homingAcceleration * accelerationUnit),
    },
    initial: () => poweredUp(facts, facts.start),
    reboot: (state) => poweredUp(facts, state.motion.position),
    heard: (state) => state,
    written: (state, registers) => written(facts, state, registers),
    step: (state, slice) => step(facts, state, slice),
    quiet,
    values: (state) => ({
      statusword: statusword(state, facts),
      actualPosition: Math.round(state.motion.position - state.origin),
      actualVelocity: Math.round(state.motion.velocity * unitOf(facts)),
      modeDisplay: state.mode,
      errorState: state.error,
    }),
    trip: (state, { code, holds }) => ({ ...tripped(state, code ?? errorOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion, origin }) => ({
      moving: motion.velocity !== 0,
      position: motion.position - origin,
      velocity: motion.velocity,
    }),
    word: (state) => (homingRuns(state.homing) ? "homing" : state.power),
  };
}
