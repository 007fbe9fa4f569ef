/**
 * A Leadshine drive in PR mode: paths in registers, one trigger, a status word.
 *
 * The idea: 0x10 + n starts a path, 0x20 homing, 0x40 the quick stop, and a path that is started
 * takes the place of the one that runs; the path's ramps are ms per 1000 rpm. Written from the
 * register facts [CS2RS p.26–59, iEM-RS p.25–26], not from the profile. It refuses addresses.
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
import { type Behaviour, type Registers, type Slice, type Touched, wordOf } from "./behaviour.js";
import {
  type HomingPhase,
  homingCommand,
  homingNext,
  homingRuns,
  homingStart,
} from "./cia402-homing.js";

export interface LeadshineFacts {
  readonly plant: ServoPlant;
  readonly start: number;
  readonly homingFast: number;
  readonly homingSlow: number;
  readonly homingAcceleration: number;
  readonly quickStopDeceleration: number;
  readonly friction: number;
  readonly followingErrorMax: number;
  readonly window: number;
  /** Counts per revolution of the motor. */
  readonly countsPerRev: number;
  /** Whether what is written enables the drive; it differs from model to model. */
  readonly enabledBy: (registers: Registers) => boolean;
  /** The point and the value that clear an alarm; absent: only a power cycle does. */
  readonly clearedBy?: { readonly point: string; readonly value: number };
  /** Bits above the alarm code in its register. */
  readonly alarmUpper?: number;
  readonly defaults: Readonly<Record<string, number>>;
}

type Run =
  | { readonly kind: "none" }
  | { readonly kind: "homing"; readonly phase: HomingPhase }
  | { readonly kind: "quickStop" }
  | {
      readonly kind: "position" | "velocity";
      /** Counts from the drive's zero. */
      readonly target: number;
      readonly velocity: number;
      readonly acceleration: number;
      readonly deceleration: number;
    };

export interface LeadshineState {
  readonly enabled: boolean;
  readonly run: Run;
  readonly motion: ServoMotion;
  readonly origin: number;
  readonly homed: boolean;
  readonly done: boolean;
  readonly code: number;
  readonly causeHolds: boolean;
}

const modeAbsolute = 0x0001;
const modeVelocity = 0x0002;
const modeRelative = 0x0041;
const triggerHoming = 0x20;
const triggerZero = 0x21;
const triggerQuickStop = 0x40;
const codeFollowing = 0x180;
const codeOwn = 0x0e0;

function poweredUp(position: number): LeadshineState {
  const motion = servoAt(position);
  return {
    enabled: false,
    run: { kind: "none" },
    motion,
    origin: motion.position,
    homed: false,
    done: false,
    code: 0,
    causeHolds: false,
  };
}

/** Counts/s² of a ramp in ms per 1000 rpm. */
function rampOf(facts: LeadshineFacts, ms: number): number {
  return ((1000 / 60) * facts.countsPerRev * 1000) / Math.max(1, ms);
}

function startPath(
  facts: LeadshineFacts,
  from: LeadshineState,
  registers: Registers,
): LeadshineState {
  const mode = registers("pathMode");
  const speed = (registers("pathVelocity") / 60) * facts.countsPerRev;
  const shared = {
    acceleration: rampOf(facts, registers("pathAcceleration")),
    deceleration: rampOf(facts, registers("pathDeceleration")),
  };
  const value = registers("pathPosition");
  const state = { ...from, done: false };
  if (mode === modeVelocity) {
    return { ...state, run: { kind: "velocity", target: 0, velocity: speed, ...shared } };
  }
  if (mode !== modeAbsolute && mode !== modeRelative) return from;
  const base = mode === modeRelative ? from.motion.demand - from.origin : 0;
  const run = { kind: "position", target: base + value, velocity: Math.abs(speed), ...shared };
  return { ...state, run: { ...run, kind: "position" } };
}

function triggered(
  facts: LeadshineFacts,
  from: LeadshineState,
  trigger: number,
  registers: Registers,
): LeadshineState {
  if (trigger === triggerQuickStop) {
    const busy = from.run.kind !== "none";
    return busy ? { ...from, run: { kind: "quickStop" } } : from;
  }
  if (!from.enabled || from.code !== 0) return from;
  if (trigger === triggerHoming) {
    const phase = homingStart(17);
    return { ...from, run: { kind: "homing", phase }, homed: false, done: false };
  }
  if (trigger === triggerZero) return { ...from, origin: from.motion.position, homed: true };
  if (trigger === 0x10) return startPath(facts, from, registers);
  return from;
}

function powered(from: LeadshineState, enabled: boolean): LeadshineState {
  if (enabled === from.enabled) return from;
  const { position, velocity } = from.motion;
  const motion = { ...from.motion, demand: position, demandVelocity: velocity };
  const run: Run = enabled && velocity !== 0 ? { kind: "quickStop" } : { kind: "none" };
  return { ...from, enabled, run, motion };
}

function written(
  facts: LeadshineFacts,
  from: LeadshineState,
  registers: Registers,
  touched: readonly Touched[],
): LeadshineState {
  const points = touched.flatMap((one) => one.points);
  let state = powered(from, from.code === 0 && facts.enabledBy(registers));
  const { clearedBy } = facts;
  const clears = clearedBy !== undefined && points.includes(clearedBy.point);
  if (clears && registers(clearedBy.point) === clearedBy.value && !state.causeHolds) {
    state = powered({ ...state, code: 0 }, facts.enabledBy(registers));
  }
  for (const point of ["prTrigger", "pathTrigger"]) {
    if (points.includes(point)) state = triggered(facts, state, registers(point), registers);
  }
  return state;
}

function command(facts: LeadshineFacts, { run, enabled, origin }: LeadshineState): ServoCommand {
  if (!enabled) return { kind: "free", friction: facts.friction };
  switch (run.kind) {
    case "none":
      return { kind: "stop", deceleration: facts.quickStopDeceleration };
    case "quickStop":
      return { kind: "stop", deceleration: facts.quickStopDeceleration };
    case "homing":
      return homingCommand(run.phase, {
        fast: facts.homingFast,
        slow: facts.homingSlow,
        acceleration: facts.homingAcceleration,
      });
    case "velocity":
      return run;
    case "position": {
      const { velocity, acceleration, deceleration } = run;
      const target = run.target + origin;
      return { kind: "position", target, velocity, acceleration, deceleration };
    }
    default:
      return run satisfies never;
  }
}

function tripped(state: LeadshineState, code: number): LeadshineState {
  return { ...state, enabled: false, run: { kind: "none" }, code };
}

/** What the run becomes once the shaft has moved. */
function settled(facts: LeadshineFacts, from: LeadshineState): LeadshineState {
  const { run, motion } = from;
  const ended = { ...from, run: { kind: "none" }, done: true } as const;
  switch (run.kind) {
    case "none":
      return from;
    case "quickStop":
      return servoStill(motion)
        ? { ...ended, done: false, motion: { ...motion, demand: motion.position } }
        : from;
    case "velocity":
      return run.velocity === 0 && servoStill(motion) ? ended : from;
    case "position": {
      const there = motion.demand === run.target + from.origin || motion.limited;
      const near = Math.abs(motion.demand - motion.position) <= facts.window;
      return there && motion.demandVelocity === 0 && near ? ended : from;
    }
    case "homing": {
      const phase = homingNext(run.phase, motion);
      if (phase === "attained") return { ...ended, homed: true, origin: motion.position };
      return { ...from, run: { kind: "homing", phase } };
    }
    default:
      return run satisfies never;
  }
}

function step(facts: LeadshineFacts, from: LeadshineState, slice: Slice): LeadshineState {
  const on = powered(from, from.code === 0 && facts.enabledBy(slice.registers));
  const { stuck, stuckTrips } = slice.faults;
  const plant = on.homed ? facts.plant : unlimited(facts.plant);
  const motion = stepServo(plant, on.motion, command(facts, on), { dtMs: slice.dtMs, stuck });
  const state = { ...on, motion };
  const error = Math.abs(motion.demand - motion.position);
  if (state.enabled && error > facts.followingErrorMax && (stuckTrips || !stuck)) {
    return tripped(state, codeFollowing);
  }
  return settled(facts, state);
}

function running({ run, motion }: LeadshineState): boolean {
  const still = servoStill(motion);
  return (run.kind === "homing" && homingRuns(run.phase)) || run.kind === "position" || !still;
}

/** A drive in PR mode. The points that it reads and sets are named as in its profile. */
export function leadshinePr(facts: LeadshineFacts): Behaviour<LeadshineState> {
  return {
    functions: new Set([3, 6, 16]),
    defaults: facts.defaults,
    initial: () => poweredUp(facts.start),
    reboot: (state) => poweredUp(state.motion.position),
    heard: (state) => state,
    written: (state, registers, touched) => ({
      ok: true,
      state: written(facts, state, registers, touched),
    }),
    step: (state, slice) => step(facts, state, slice),
    quiet: (state, registers) => {
      const same = (state.code === 0 && facts.enabledBy(registers)) === state.enabled;
      return same && state.run.kind === "none" && servoStill(state.motion);
    },
    values: (state) => ({
      status: wordOf({
        0: state.code !== 0,
        1: state.enabled,
        2: running(state),
        4: state.done && !running(state),
        5: state.done && !running(state),
        6: state.homed,
      }),
      actualPosition: Math.round(state.motion.position - state.origin),
      actualVelocity: Math.round((state.motion.velocity / facts.countsPerRev) * 60),
      faultCode: state.code | (facts.alarmUpper ?? 0),
    }),
    trip: (state, { code, holds }) => ({ ...tripped(state, code ?? codeOwn), causeHolds: holds }),
    released: (state) => ({ ...state, causeHolds: false }),
    motion: ({ motion, origin }) => ({
      moving: motion.velocity !== 0,
      position: motion.position - origin,
      velocity: motion.velocity,
    }),
    word: ({ code, enabled, run }) => (code !== 0 ? "fault" : enabled ? run.kind : "off"),
  };
}
