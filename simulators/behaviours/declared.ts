/**
 * A device that its own profile describes: an axis that does what the written words say.
 *
 * The idea: states, flags, position and scales stand in the profile; its `simulation` names the
 * writes that enable, start, run and stop. So a drive that nobody has written a behaviour for
 * moves, too. It knows no more than the profile: a mistake that the profile makes twice is not
 * found here, which is why golden frames and raw peers exist. It refuses clocks.
 */
import type { SimulationFact } from "#drivers/profile-simulation.js";
import {
  type ServoCommand,
  type ServoMotion,
  servoAt,
  servoStill,
  stepServo,
} from "../plants/servo.js";
import type { Behaviour, Registers, Slice, Touched } from "./behaviour.js";
import type { DeclaredFacts } from "./declared-facts.js";

interface Path {
  readonly target: number;
  readonly velocity: number;
}

export interface DeclaredState {
  readonly motion: ServoMotion;
  /** Counts at which the device counts 0. */
  readonly origin: number;
  readonly homed: boolean;
  readonly homing: boolean;
  readonly fault: number;
  readonly causeHolds: boolean;
  readonly path?: Path;
  /** Of the last start, until its command is taken back. */
  readonly accepted: boolean;
  readonly silentMs: number;
  /** Since the last write of the run. */
  readonly runMs: number;
  readonly heardOnce: boolean;
  /** Commands as they held after the last write. */
  readonly start: boolean;
  readonly home: boolean;
  readonly reset: boolean;
  readonly enabled: boolean;
}

/** A drive without a code for its own trips shows this. */
const codeOwn = 1;

function poweredUp(facts: DeclaredFacts, position: number): DeclaredState {
  return {
    motion: servoAt(position),
    origin: 0,
    homed: facts.home === undefined,
    homing: false,
    fault: 0,
    causeHolds: false,
    accepted: false,
    silentMs: 0,
    runMs: 0,
    heardOnce: false,
    start: false,
    home: false,
    reset: false,
    enabled: facts.enable === undefined,
  };
}

function withoutPath(state: DeclaredState): DeclaredState {
  const { path: _path, ...rest } = state;
  return { ...rest, homing: false };
}

function tripped(state: DeclaredState, code: number): DeclaredState {
  return { ...withoutPath(state), fault: code, accepted: false };
}

function written(
  facts: DeclaredFacts,
  from: DeclaredState,
  registers: Registers,
  touched: readonly Touched[],
): DeclaredState {
  const points = touched.flatMap((one) => one.points);
  const comes = (name: "start" | "home" | "reset") => {
    const command = facts[name];
    const now = command?.holds(registers) ?? false;
    const again = command?.onWrite === true && command.points.some((one) => points.includes(one));
    return { now, comes: now && (again || !from[name]) };
  };
  const start = comes("start");
  const home = comes("home");
  const reset = comes("reset");
  const enabled = facts.enable?.(registers) ?? true;
  let state: DeclaredState = {
    ...(enabled ? from : withoutPath(from)),
    enabled,
    start: start.now,
    home: home.now,
    reset: reset.now,
    accepted: from.accepted && start.now,
    runMs: facts.runPoints.some((one) => points.includes(one)) ? 0 : from.runMs,
  };
  if (reset.comes && !state.causeHolds) state = { ...state, fault: 0 };
  if (stops(facts, registers) && facts.keepsPath !== true) state = withoutPath(state);
  if (!enabled || state.fault !== 0) return state;
  if (start.comes) state = { ...state, path: pathOf(facts, state, registers), accepted: true };
  if (home.comes) state = { ...withoutPath(state), homing: true, homed: false };
  return state;
}

function stops(facts: DeclaredFacts, registers: Registers): boolean {
  return (facts.stop?.(registers) ?? false) || (facts.fast?.(registers) ?? false);
}

function pathOf(facts: DeclaredFacts, state: DeclaredState, registers: Registers): Path {
  const asked = facts.targetOf(registers);
  const from = facts.relative?.(registers) === true ? state.motion.demand : state.origin;
  const velocity = Math.abs(facts.speedOf(registers)) || facts.plant.velocityMax;
  return { target: asked + from, velocity };
}

function commandOf(facts: DeclaredFacts, state: DeclaredState, registers: Registers): ServoCommand {
  const { acceleration } = facts;
  const ramps = { acceleration, deceleration: acceleration };
  if (state.fault !== 0) return { kind: "stop", deceleration: 3 * acceleration };
  if (!state.enabled) return { kind: "free", friction: facts.friction };
  if (facts.fast?.(registers) === true) return { kind: "stop", deceleration: 3 * acceleration };
  if (facts.stop?.(registers) === true) return { kind: "stop", deceleration: acceleration };
  if (state.homing) {
    return { kind: "position", target: 0, velocity: facts.homingVelocity, ...ramps };
  }
  if (facts.run?.(registers) === true && state.runMs < facts.runHoldsMs) {
    return { kind: "velocity", velocity: facts.runSpeedOf(registers), ...ramps };
  }
  if (state.path !== undefined) return { kind: "position", ...state.path, ...ramps };
  return { kind: "stop", deceleration: acceleration };
}

function step(facts: DeclaredFacts, from: DeclaredState, slice: Slice): DeclaredState {
  const { registers, faults, dtMs } = slice;
  const command = commandOf(facts, from, registers);
  const motion = stepServo(facts.plant, from.motion, command, { dtMs, stuck: faults.stuck });
  let state: DeclaredState = {
    ...from,
    motion,
    silentMs: from.silentMs + dtMs,
    runMs: from.runMs + dtMs,
  };
  if (state.homing && servoStill(motion) && motion.position === 0) {
    state = { ...state, homing: false, homed: true, origin: 0 };
  }
  const lag = Math.abs(motion.demand - motion.position);
  if (faults.stuckTrips && lag > facts.followingErrorMax) return tripped(state, codeOwn);
  const limitMs = facts.watchdogMs(registers);
  const silent = limitMs !== undefined && state.heardOnce && state.silentMs >= limitMs;
  const works = state.enabled && !servoStill(motion) && state.fault === 0;
  return silent && works ? tripped(state, facts.watchdogCode) : state;
}

function arrived(state: DeclaredState): boolean {
  const { path, motion } = state;
  return servoStill(motion) && (path === undefined || motion.demand === path.target);
}

/** What the axis knows of itself, by the names that a profile may show. */
export function factOf(state: DeclaredState, fact: SimulationFact): boolean {
  const still = servoStill(state.motion);
  switch (fact) {
    case "enabled":
      return state.enabled && state.fault === 0;
    case "moving":
      return !still;
    case "standing":
      return still;
    case "inTarget":
      return arrived(state) && !state.homing;
    case "fault":
      return state.fault !== 0;
    case "homed":
      return state.homed;
    case "accepted":
      return state.accepted;
    case "homing":
      return state.homing;
    case "always":
      return true;
    case "never":
      return false;
    default:
      return fact satisfies never;
  }
}

function quiet(facts: DeclaredFacts, state: DeclaredState, registers: Registers): boolean {
  if (!servoStill(state.motion) || state.homing) return false;
  if (state.motion.demand !== state.motion.position) return false;
  if (!state.enabled || state.fault !== 0) return true;
  const runs = facts.run?.(registers) === true && state.runMs < facts.runHoldsMs;
  if (runs && facts.runSpeedOf(registers) !== 0) return false;
  return arrived(state);
}

/** An axis as its profile declares it. */
export function declaredAxis(facts: DeclaredFacts): Behaviour<DeclaredState> {
  return {
    functions: facts.functions,
    defaults: facts.defaults,
    initial: () => poweredUp(facts, facts.start0),
    reboot: (state) => poweredUp(facts, state.motion.position),
    heard: (state) => ({ ...state, silentMs: 0, heardOnce: true }),
    written: (state, registers, touched) => ({
      ok: true,
      state: written(facts, state, registers, touched),
    }),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state, registers) => quiet(facts, state, registers),
    values: (state) =>
      facts.show((fact) => factOf(state, fact), {
        position: state.motion.position - state.origin,
        velocity: state.motion.velocity,
        fault: state.fault,
      }),
    trip: (state, { code, holds }) => ({ ...tripped(state, code ?? codeOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion, origin }) => ({
      moving: motion.velocity !== 0,
      position: motion.position - origin,
      velocity: motion.velocity,
    }),
    word: (state) => (state.fault !== 0 ? "fault" : state.enabled ? "enabled" : "off"),
  };
}

/** Registers that hold what is written to them, and nothing more. */
export function declaredRegisters(
  facts: Pick<DeclaredFacts, "functions" | "defaults">,
): Behaviour<null> {
  return {
    functions: facts.functions,
    defaults: facts.defaults,
    initial: () => null,
    reboot: () => null,
    heard: () => null,
    written: () => ({ ok: true, state: null }),
    step: () => null,
    quiet: () => true,
    values: () => ({}),
    trip: () => null,
    released: () => null,
    motion: () => ({ moving: false, position: 0, velocity: 0 }),
    word: () => "on",
  };
}
