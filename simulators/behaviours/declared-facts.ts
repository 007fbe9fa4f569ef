/**
 * A profile's `simulation`, made ready for the behaviour: conditions, scales, and what is shown.
 *
 * The idea: everything that the behaviour asks is a small function of raw registers, made once from
 * the profile and the mechanics of the axis. Words that the device shows are put together from the
 * profile's own pairs and flags. It refuses scales that it cannot work out.
 */
import { compileCondition } from "#drivers/condition.js";
import type { Profile } from "#drivers/profile.js";
import type { Condition } from "#drivers/profile-behaviour.js";
import type { SimulationFact, SimulationSpec } from "#drivers/profile-simulation.js";
import { simulationFacts } from "#drivers/profile-simulation.js";
import { toNumber } from "#drivers/rational.js";
import { namesOf, scalingOf } from "#drivers/scaling.js";
import type { ServoPlant } from "../plants/servo.js";
import { SimProblem } from "../problem.js";
import type { SimAxis, Wishes } from "../wishes.js";
import type { Registers } from "./behaviour.js";

type Holds = (registers: Registers) => boolean;

export interface DeclaredCommand {
  readonly holds: Holds;
  readonly points: readonly string[];
  /** Each write of it counts, not only the first. */
  readonly onWrite: boolean;
}

export interface ShownMotion {
  readonly position: number;
  readonly velocity: number;
  readonly fault: number;
}

/** Positions in counts: the raw unit of the profile's position, or a thousandth of the axis'. */
export interface DeclaredFacts {
  readonly functions: ReadonlySet<number>;
  readonly defaults: Readonly<Record<string, number>>;
  readonly plant: ServoPlant;
  readonly start0: number;
  readonly acceleration: number;
  readonly friction: number;
  readonly homingVelocity: number;
  readonly followingErrorMax: number;
  readonly enable: Holds | undefined;
  readonly start: DeclaredCommand | undefined;
  readonly home: DeclaredCommand | undefined;
  readonly reset: DeclaredCommand | undefined;
  readonly relative: Holds | undefined;
  readonly run: Holds | undefined;
  readonly runPoints: readonly string[];
  readonly runHoldsMs: number;
  readonly stop: Holds | undefined;
  readonly fast: Holds | undefined;
  readonly keepsPath: boolean;
  readonly targetOf: (registers: Registers) => number;
  /** Counts/s. */
  readonly speedOf: (registers: Registers) => number;
  readonly runSpeedOf: (registers: Registers) => number;
  /** Silence after which it trips; undefined: it has no watchdog, or it is off. */
  readonly watchdogMs: (registers: Registers) => number | undefined;
  readonly watchdogCode: number;
  readonly show: (
    fact: (name: SimulationFact) => boolean,
    motion: ShownMotion,
  ) => Readonly<Record<string, number>>;
}

/** Where no position is shown, the plant counts in thousandths of the user unit. */
const fallbackScale = 1000;
const lagMsUsual = 8;
const codeSilence = 28;

interface Scales {
  readonly names: ReturnType<typeof namesOf>;
  /** Counts per user unit. */
  readonly counts: number;
  /** Raw number of a point in counts or counts/s. */
  readonly toCounts: (point: string, raw: number) => number;
  readonly toRaw: (point: string, counts: number) => number;
}

function scalesOf(profile: Profile, axis: SimAxis): Scales {
  const whole = { ...axis, kind: "linear", unit: "mm", tolerance: 0.1, whenOff: "stays" } as const;
  const names = namesOf(profile, { device: profile.id, unit: 1, axis: whole, constants: {} });
  const scaleOf = (name: string) => {
    const point = profile.points[name];
    if (point === undefined) return { scale: 1, offset: 0 };
    try {
      const scaling = scalingOf(point, names);
      if (scaling === undefined) return { scale: counts, offset: 0 };
      return { scale: toNumber(scaling.scale), offset: toNumber(scaling.offset) };
    } catch {
      throw new SimProblem(`${profile.id}: the scale of ${name} needs a constant without default.`);
    }
  };
  const position = profile.status.position;
  const shown = position === undefined ? undefined : profile.points[position];
  let counts = fallbackScale;
  if (position !== undefined && shown?.quantity === "position") {
    counts = Math.abs(scaleOf(position).scale);
  }
  return {
    names,
    counts,
    toCounts: (name, raw) => {
      const { scale, offset } = scaleOf(name);
      return ((raw - offset) / scale) * counts;
    },
    toRaw: (name, value) => {
      const { scale, offset } = scaleOf(name);
      return Math.round((value / counts) * scale + offset);
    },
  };
}

export function declaredFacts(
  profile: Profile,
  simulation: SimulationSpec,
  axis: SimAxis,
  wishes: Wishes,
): DeclaredFacts {
  const scales = scalesOf(profile, axis);
  const { counts } = scales;
  const holds = (when: Condition | undefined): Holds | undefined => {
    if (when === undefined) return undefined;
    const test = compileCondition(when, { profile, names: scales.names });
    return (registers) => test.ask(registers, { args: {}, captures: {} }) === true;
  };
  const command = (spec: SimulationSpec["start"]): DeclaredCommand | undefined => {
    if (spec === undefined) return undefined;
    const { points } = compileCondition(spec.when, { profile, names: scales.names });
    return { holds: holds(spec.when) ?? (() => false), points, onWrite: spec.on === "write" };
  };
  const inCounts = (name: string | undefined) => (registers: Registers) =>
    name === undefined ? 0 : scales.toCounts(name, registers(name));
  return {
    functions: new Set(profile.transport.functionCodes),
    defaults: simulation.defaults ?? {},
    ...mechanicsOf(axis, counts, wishes),
    enable: holds(simulation.enable),
    start: command(simulation.start),
    home: command(simulation.home),
    reset: command(simulation.reset),
    relative: holds(simulation.relative),
    run: holds(simulation.run),
    runPoints: command(simulation.run && { when: simulation.run })?.points ?? [],
    runHoldsMs: simulation.runHoldsMs ?? Number.POSITIVE_INFINITY,
    stop: holds(simulation.stop),
    fast: holds(simulation.fast),
    keepsPath: simulation.keepsPath ?? false,
    targetOf: inCounts(simulation.target),
    speedOf: inCounts(simulation.speed),
    runSpeedOf: inCounts(simulation.runSpeed),
    watchdogMs: watchdogOf(profile),
    watchdogCode: profile.watchdog.faultCode ?? codeSilence,
    show: shownBy(profile, simulation, scales),
  };
}

function mechanicsOf(axis: SimAxis, counts: number, wishes: Wishes) {
  const { travel, velocityMax } = axis;
  const span = travel === undefined ? 0 : travel.max - travel.min;
  const acceleration = axis.accelerationMax * counts;
  const lagMs = wishes.number("lagMs", lagMsUsual);
  const startUsual = travel === undefined ? 0 : travel.min + 0.3 * span;
  const error = wishes.number("followingErrorMax", (3 * velocityMax * lagMs) / 1000);
  return {
    plant: { lagMs, velocityMax: 1.5 * velocityMax * counts },
    start0: Math.round(wishes.number("start", startUsual) * counts),
    acceleration,
    friction: 4 * acceleration,
    homingVelocity: wishes.number("homingVelocity", velocityMax / 4) * counts,
    followingErrorMax: error * counts,
  };
}

function watchdogOf({ watchdog }: Profile): DeclaredFacts["watchdogMs"] {
  const { kind, timeoutMs, timeoutPoint, off, unitMs = 1 } = watchdog;
  if (kind === "fixed") return () => timeoutMs;
  if (kind !== "settable" || timeoutPoint === undefined) return () => undefined;
  return (registers) => {
    const raw = registers(timeoutPoint);
    return raw === off || raw <= 0 ? undefined : raw * unitMs;
  };
}

/** States and flags of the profile turned round: which words say that. */
function shownBy(
  profile: Profile,
  simulation: SimulationSpec,
  scales: Scales,
): DeclaredFacts["show"] {
  const { status } = profile;
  const flags = Object.entries(status.flags).flatMap(([name, { when }]) => {
    const fact = simulation.shows?.[name] ?? simulationFacts.find((one) => one === name);
    const plain = when.not ?? when;
    const { point, equals } = plain;
    if (fact === undefined || point === undefined || equals?.[0] === undefined) return [];
    const mask = plain.mask ?? 0xffff;
    return [{ fact, point, mask, value: equals[0], negated: when.not !== undefined }];
  });
  return (fact, motion) => {
    const words: Record<string, number> = {};
    words[status.state.point] = stateWord(profile, fact);
    for (const { fact: name, point, mask, value, negated } of flags) {
      const bits = fact(name) !== negated ? value : ~value & mask;
      words[point] = ((words[point] ?? 0) & ~mask) | bits;
    }
    const { position, velocity, faultCode } = status;
    if (position !== undefined) words[position] = scales.toRaw(position, motion.position);
    if (velocity !== undefined) words[velocity] = scales.toRaw(velocity, motion.velocity);
    if (faultCode !== undefined) words[faultCode] = motion.fault;
    return words;
  };
}

function stateWord(profile: Profile, fact: (name: SimulationFact) => boolean): number {
  const { pairs } = profile.status.state;
  const wanted = fact("fault")
    ? ["fault", "faultReaction"]
    : fact("enabled")
      ? ["enabled"]
      : ["off", "ready", "switchedOn", "notReady"];
  const found = wanted.flatMap((state) => pairs.find((pair) => pair.state === state) ?? []);
  return found[0]?.value ?? 0;
}
