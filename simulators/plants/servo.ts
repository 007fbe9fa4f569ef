/**
 * The physics of one servo axis: a commanded path and a shaft that follows it.
 *
 * The idea: the drive's path generator makes a trapezoid (`demand`), and the shaft (`position`)
 * follows with a lag, so the following error is never zero while it moves. All in encoder counts
 * and seconds. A stuck shaft stands and lets the error grow. Pure: no clock, no randomness; it
 * refuses to know status bits, registers or modes.
 */

/** What the mechanics are, in counts. */
export interface ServoPlant {
  /** Hard stops of the machine; the shaft never leaves them. */
  readonly hardMin?: number;
  readonly hardMax?: number;
  /** Software limits of the path generator. */
  readonly softMin?: number;
  readonly softMax?: number;
  /** Time constant of the position loop, ms, > 0. */
  readonly lagMs: number;
  /** Fastest that the motor turns, counts/s, > 0. */
  readonly velocityMax: number;
}

export interface ServoMotion {
  /** Where the path generator is. */
  readonly demand: number;
  readonly demandVelocity: number;
  /** Where the shaft is. */
  readonly position: number;
  /** Counts/s of the shaft. */
  readonly velocity: number;
  /** The last command was cut by a software limit. */
  readonly limited: boolean;
}

export interface Ramps {
  /** Counts/s², ≥ 0. Zero means that the speed cannot change in that direction. */
  readonly acceleration: number;
  readonly deceleration: number;
}

export type ServoCommand =
  /** No power: the shaft runs down by friction (counts/s²). */
  | { readonly kind: "free"; readonly friction: number }
  | ({ readonly kind: "position"; readonly target: number; readonly velocity: number } & Ramps)
  | ({ readonly kind: "velocity"; readonly velocity: number } & Ramps)
  | { readonly kind: "stop"; readonly deceleration: number };

/** Longest integration step, ms; longer times are cut into equal parts. */
const stepMsMax = 1;
/** Counts within which the path is said to have ended. */
const arrived = 0.01;
/** Counts within which the shaft is said to have caught up with a standing demand. */
const caughtUp = 0.05;

export function servoAt(position: number): ServoMotion {
  return { demand: position, demandVelocity: 0, position, velocity: 0, limited: false };
}

/** The same mechanics before the drive knows where its zero is: without software limits. */
export function unlimited(plant: ServoPlant): ServoPlant {
  const known = bare.get(plant);
  if (known !== undefined) return known;
  const { softMin: _min, softMax: _max, ...rest } = plant;
  bare.set(plant, rest);
  return rest;
}
const bare = new WeakMap<ServoPlant, ServoPlant>();

/** True when nothing would change by letting time pass under a command that asks nothing. */
export function servoStill(motion: ServoMotion): boolean {
  return motion.velocity === 0 && motion.demandVelocity === 0;
}

/** The shaft and the path after `dtMs` under one command. `stuck`: friction holds the shaft. */
export function stepServo(
  plant: ServoPlant,
  from: ServoMotion,
  command: ServoCommand,
  options: { readonly dtMs: number; readonly stuck?: boolean },
): ServoMotion {
  const parts = Math.max(1, Math.ceil(options.dtMs / stepMsMax));
  const h = options.dtMs / parts / 1000;
  if (h <= 0) return from;
  const slice = { h, stuck: options.stuck ?? false };
  let motion = from;
  for (let part = 0; part < parts; part += 1) {
    const next = stepOnce(plant, motion, command, slice);
    // What one part leaves as it was, all the others would, too.
    if (same(next, motion)) return motion;
    motion = next;
  }
  return motion;
}

function same(a: ServoMotion, b: ServoMotion): boolean {
  return (
    a.demand === b.demand &&
    a.demandVelocity === b.demandVelocity &&
    a.position === b.position &&
    a.velocity === b.velocity &&
    a.limited === b.limited
  );
}

interface Slice {
  /** Seconds. */
  readonly h: number;
  readonly stuck: boolean;
}

function stepOnce(
  plant: ServoPlant,
  from: ServoMotion,
  command: ServoCommand,
  slice: Slice,
): ServoMotion {
  if (command.kind === "free") return runDown(plant, from, command.friction, slice);
  return follow(plant, from, stepPath(plant, from, command, slice.h), slice);
}

/** Unpowered: the demand is wherever the shaft is. */
function runDown(plant: ServoPlant, from: ServoMotion, friction: number, slice: Slice) {
  const speed = slice.stuck ? 0 : Math.max(0, Math.abs(from.velocity) - friction * slice.h);
  const wanted = from.position + Math.sign(from.velocity) * speed * slice.h;
  const position = clamp(wanted, plant.hardMin, plant.hardMax);
  const velocity = position === wanted ? Math.sign(from.velocity) * speed : 0;
  return { demand: position, demandVelocity: 0, position, velocity: velocity || 0, limited: false };
}

type Path = Pick<ServoMotion, "demand" | "demandVelocity" | "limited">;

function stepPath(
  plant: ServoPlant,
  from: ServoMotion,
  command: Exclude<ServoCommand, { kind: "free" }>,
  h: number,
): Path {
  if (command.kind === "stop") {
    const ramps = { acceleration: 0, deceleration: command.deceleration };
    return glide(from, 0, ramps, { h, limited: from.limited });
  }
  if (command.kind === "position") {
    const target = clamp(command.target, plant.softMin, plant.softMax);
    const limited = target !== command.target;
    return approach(from, target, command, { h, limited });
  }
  const wall = command.velocity > 0 ? plant.softMax : plant.softMin;
  if (wall === undefined) return glide(from, command.velocity, command, { h, limited: false });
  const room = (wall - from.demand) * Math.sign(command.velocity);
  const brake = room <= 0 ? 0 : brakeSpeed(room, command.deceleration, h);
  const speed = Math.min(Math.abs(command.velocity), brake);
  const limited = speed < Math.abs(command.velocity);
  return glide(from, Math.sign(command.velocity) * speed, command, { h, limited });
}

/** Greatest speed from which `distance` is still enough to stop, one slice of `h` included. */
function brakeSpeed(distance: number, deceleration: number, h: number): number {
  const dh = deceleration * h;
  return Math.sqrt(dh * dh + 2 * deceleration * distance) - dh;
}

function approach(
  from: ServoMotion,
  target: number,
  command: { readonly velocity: number } & Ramps,
  slice: { readonly h: number; readonly limited: boolean },
): Path {
  const { h, limited } = slice;
  const distance = target - from.demand;
  const slowest = command.deceleration * h;
  if (Math.abs(distance) <= arrived && Math.abs(from.demandVelocity) <= slowest) {
    return { demand: target, demandVelocity: 0, limited };
  }
  const speed = Math.min(
    Math.abs(command.velocity),
    brakeSpeed(Math.abs(distance), command.deceleration, h),
  );
  return glide(from, Math.sign(distance) * speed, command, { h, limited });
}

/** Changes the path's speed towards `wanted` within the ramps, through zero when it turns. */
function glide(
  from: ServoMotion,
  wanted: number,
  ramps: Ramps,
  slice: { readonly h: number; readonly limited: boolean },
): Path {
  const now = from.demandVelocity;
  const turns = now !== 0 && wanted * now < 0;
  const goal = turns ? 0 : wanted;
  const slower = Math.abs(goal) < Math.abs(now);
  const change = (slower ? ramps.deceleration : ramps.acceleration) * slice.h;
  const next = now + Math.max(-change, Math.min(change, goal - now));
  return {
    demand: from.demand + next * slice.h,
    demandVelocity: next,
    limited: slice.limited,
  };
}

/** Field by field: this runs a thousand times for each second that an axis moves. */
function follow(plant: ServoPlant, from: ServoMotion, path: Path, slice: Slice): ServoMotion {
  const { demand, demandVelocity, limited } = path;
  if (slice.stuck) {
    return { demand, demandVelocity, position: from.position, velocity: 0, limited };
  }
  const { h } = slice;
  const error = demand - from.position;
  if (demandVelocity === 0 && Math.abs(error) < caughtUp) {
    return { demand, demandVelocity, position: demand, velocity: 0, limited };
  }
  const share = 1 - Math.exp((-h * 1000) / plant.lagMs);
  const most = plant.velocityMax * h;
  const wanted = from.position + Math.max(-most, Math.min(most, error * share));
  const position = clamp(wanted, plant.hardMin, plant.hardMax);
  const velocity = (position - from.position) / h;
  return { demand, demandVelocity, position, velocity, limited };
}

function clamp(value: number, min: number | undefined, max: number | undefined): number {
  return Math.min(
    max ?? Number.POSITIVE_INFINITY,
    Math.max(min ?? Number.NEGATIVE_INFINITY, value),
  );
}
