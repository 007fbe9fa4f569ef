/**
 * A Robotiq 2F gripper: activation, go-to requests, contact, and a watchdog of its own.
 *
 * The idea: bytes as in the maker's register tables (gripper status: gACT b0, gGTO b3, gSTA b4–5,
 * gOBJ b6–7; gOBJ means nothing while gGTO is 0). Activation runs the full stroke. Fingers end at
 * their mechanical limits, so a request for 0 is reached at 3 and one for 255 at 228. One second
 * without a request: fault 9, and the fingers stand. It refuses addresses and packing.
 */
import {
  type GripperCommand,
  type GripperMotion,
  type GripperPlant,
  gripperAt,
  stepGripper,
} from "../plants/gripper.js";
import { type Behaviour, bit, type Registers, type Slice } from "./behaviour.js";

export interface RobotiqFacts {
  readonly plant: GripperPlant;
  readonly start: number;
  /** Mechanical ends of the fingers, 0–255. */
  readonly openAt: number;
  readonly closedAt: number;
  readonly watchdogMs: number;
}

type Activation = "reset" | "closing" | "opening" | "active";

export interface RobotiqState {
  readonly action: number;
  readonly target: number;
  readonly speed: number;
  /** Percent. */
  readonly force: number;
  /** The fingers follow the request; also false after the watchdog stopped them. */
  readonly goes: boolean;
  readonly activation: Activation;
  readonly releasing: boolean;
  readonly fault: number;
  /** The fault has been asked for at least once since it arose. */
  readonly faultSeen: boolean;
  /** The watchdog stopped a motion: only a new request ends its fault. */
  readonly faultStays: boolean;
  readonly causeHolds: boolean;
  readonly silentMs: number;
  readonly heardOnce: boolean;
  readonly motion: GripperMotion;
}

const faultActivationFirst = 7;
const faultActivationRuns = 5;
const faultSilence = 9;
const faultReleasing = 11;
const faultOvercurrent = 14;
const faultReleased = 15;
/** Faults from here on need a new edge of rACT. */
const majorFrom = 10;
/** Finger speed during activation and automatic release, 0–255. */
const activationSpeed = 255;
const releaseSpeed = 0;
const nearEnough = 0.5;

function poweredUp(position: number): RobotiqState {
  return {
    action: 0,
    target: 0,
    speed: 0,
    force: 0,
    goes: false,
    activation: "reset",
    releasing: false,
    fault: 0,
    faultSeen: false,
    faultStays: false,
    causeHolds: false,
    silentMs: 0,
    heardOnce: false,
    motion: gripperAt(position),
  };
}

function withFault(state: RobotiqState, fault: number): RobotiqState {
  return { ...state, fault, faultSeen: false, faultStays: false };
}

function heard(state: RobotiqState): RobotiqState {
  const alive = { ...state, silentMs: 0, heardOnce: true };
  if (alive.fault !== faultSilence || alive.faultStays) return alive;
  // A lost connection that stopped nothing is reported once and forgotten.
  return alive.faultSeen ? withFault(alive, 0) : { ...alive, faultSeen: true };
}

function written(from: RobotiqState, registers: Registers): RobotiqState {
  const action = registers("actionRequest");
  const before = from.action;
  const state: RobotiqState = {
    ...from,
    action,
    target: registers("positionRequest"),
    speed: registers("speedRequest"),
    force: (registers("forceRequest") * 100) / 255,
  };
  const wantsToGo = bit(action, 3);
  if (!bit(action, 0)) {
    const fault = state.causeHolds ? state.fault : wantsToGo ? faultActivationFirst : 0;
    const reset = { ...state, activation: "reset" as const, goes: false, releasing: false };
    return withFault(reset, fault);
  }
  if (!bit(before, 0)) {
    if (state.causeHolds) return state;
    return withFault({ ...state, activation: "closing", goes: false, releasing: false }, 0);
  }
  if (bit(action, 4)) return withFault({ ...state, releasing: true, goes: false }, faultReleasing);
  if (state.fault >= majorFrom) return { ...state, goes: false };
  const rose = wantsToGo && !bit(before, 3);
  if (state.fault === faultSilence && !rose) return { ...state, goes: false };
  const waits = wantsToGo && state.activation !== "active";
  return withFault({ ...state, goes: wantsToGo }, waits ? faultActivationRuns : 0);
}

function command(state: RobotiqState, facts: RobotiqFacts): GripperCommand {
  const full = { kind: "go" as const, speed: activationSpeed, force: 0 };
  if (state.releasing) return { ...full, target: facts.openAt, speed: releaseSpeed };
  if (state.fault >= majorFrom) return { kind: "rest" };
  if (state.activation === "closing") return { ...full, target: facts.closedAt };
  if (state.activation === "opening") return { ...full, target: facts.openAt };
  if (state.activation === "reset" || !state.goes) return { kind: "rest" };
  const target = endOf(state, facts);
  return { kind: "go", target, speed: state.speed, force: state.force };
}

function endOf(state: RobotiqState, facts: RobotiqFacts): number {
  return Math.min(facts.closedAt, Math.max(facts.openAt, state.target));
}

function step(facts: RobotiqFacts, from: RobotiqState, slice: Slice): RobotiqState {
  const { stuck, noPart } = slice.faults;
  // Nothing is held out to the fingers while they show their stroke.
  const showing = from.activation === "closing" || from.activation === "opening";
  const motion = stepGripper(facts.plant, from.motion, command(from, facts), {
    dtMs: slice.dtMs,
    stuck,
    noPart: noPart || showing,
  });
  let state: RobotiqState = { ...from, motion, silentMs: from.silentMs + slice.dtMs };
  if (state.activation === "closing" && motion.position >= facts.closedAt - nearEnough) {
    state = { ...state, activation: "opening" };
  } else if (state.activation === "opening" && motion.position <= facts.openAt + nearEnough) {
    state = { ...state, activation: "active", fault: state.fault === 5 ? 0 : state.fault };
  } else if (state.releasing && motion.position <= facts.openAt + nearEnough) {
    state = withFault({ ...state, releasing: false, activation: "reset" }, faultReleased);
  }
  return watchdog(state, facts);
}

function watchdog(state: RobotiqState, facts: RobotiqFacts): RobotiqState {
  const armed = state.heardOnce && state.activation === "active" && state.fault === 0;
  if (!armed || state.silentMs < facts.watchdogMs) return state;
  const moved = state.motion.velocity !== 0;
  const motion = { ...state.motion, velocity: 0 };
  return {
    ...withFault(state, faultSilence),
    goes: moved ? false : state.goes,
    faultStays: moved,
    motion,
  };
}

function objectBits(state: RobotiqState, facts: RobotiqFacts): number {
  if (!state.goes || state.activation !== "active") return 0;
  if (state.motion.contact === "closing") return 2;
  if (state.motion.contact === "opening") return 1;
  return Math.abs(state.motion.position - endOf(state, facts)) < nearEnough ? 3 : 0;
}

const activationBits: Readonly<Record<Activation, number>> = {
  reset: 0,
  closing: 1,
  opening: 1,
  active: 3,
};

function gripperStatus(state: RobotiqState, facts: RobotiqFacts): number {
  const goes = state.goes && state.activation === "active";
  return (
    (bit(state.action, 0) ? 1 : 0) |
    (goes ? 1 << 3 : 0) |
    (activationBits[state.activation] << 4) |
    (objectBits(state, facts) << 6)
  );
}

/** Motor current in the device's unit of 10 mA: a little to move, more to press. */
function current(motion: GripperMotion): number {
  if (motion.velocity !== 0) return 8;
  return Math.round(motion.force / 4);
}

function quiet(state: RobotiqState, facts: RobotiqFacts): boolean {
  if (state.motion.velocity !== 0 || state.releasing) return false;
  if (state.activation === "closing" || state.activation === "opening") return false;
  return !state.goes || objectBits(state, facts) !== 0;
}

/** A Robotiq 2F. The points that it reads and sets are named as in its profile. */
export function robotiq(facts: RobotiqFacts): Behaviour<RobotiqState> {
  return {
    functions: new Set([3, 4, 16, 23]),
    defaults: {},
    initial: () => poweredUp(facts.start),
    reboot: (state) => poweredUp(state.motion.position),
    heard,
    written: (state, registers) => ({ ok: true, state: written(state, registers) }),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state) => quiet(state, facts),
    values: (state) => ({
      gripperStatus: gripperStatus(state, facts),
      faultStatus: state.fault,
      positionEcho: state.target,
      actualPosition: Math.round(state.motion.position),
      current: current(state.motion),
    }),
    trip: (state, { code, holds }) => ({
      ...withFault({ ...state, goes: false }, code ?? faultOvercurrent),
      causeHolds: holds,
    }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion }) => ({
      moving: motion.velocity !== 0,
      position: motion.position,
      velocity: motion.velocity,
    }),
    word: (state) => (state.fault > 0 ? `fault ${state.fault}` : state.activation),
  };
}
