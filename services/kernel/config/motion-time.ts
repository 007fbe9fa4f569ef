/**
 * How long a motion takes at best: the time of a trapezoid, and the span of times of an operation.
 *
 * The idea: distance, velocity and two ramps give one number; what a profile does not tell (a
 * homing method, a gripper's stroke, a drive that is switched on) gives a span from nothing to
 * the operation's own bound, with the reason. Pure. It refuses to count bus and settling: a
 * motion is never faster than this, and always a little slower.
 */
import type { AxisSetup } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";

/** Between these two; the same twice where it is known. */
export interface TimeSpan {
  readonly fromMs: Ms;
  readonly toMs: Ms;
}

export const noTime: TimeSpan = { fromMs: 0, toMs: 0 };

export function exactly(ms: Ms): TimeSpan {
  return { fromMs: ms, toMs: ms };
}

export function inTurn(...spans: readonly TimeSpan[]): TimeSpan {
  return {
    fromMs: spans.reduce((sum, span) => sum + span.fromMs, 0),
    toMs: spans.reduce((sum, span) => sum + span.toMs, 0),
  };
}

/** All of them begin together and the last one ends it. */
export function untilAll(spans: readonly TimeSpan[]): TimeSpan {
  return {
    fromMs: Math.max(0, ...spans.map((span) => span.fromMs)),
    toMs: Math.max(0, ...spans.map((span) => span.toMs)),
  };
}

/** All of them begin together and the first one ends it. */
export function untilFirst(spans: readonly TimeSpan[]): TimeSpan {
  if (spans.length === 0) return noTime;
  return {
    fromMs: Math.min(...spans.map((span) => span.fromMs)),
    toMs: Math.min(...spans.map((span) => span.toMs)),
  };
}

/** One of them, and nobody knows which. */
export function oneOf(spans: readonly TimeSpan[]): TimeSpan {
  if (spans.length === 0) return noTime;
  return {
    fromMs: Math.min(...spans.map((span) => span.fromMs)),
    toMs: Math.max(...spans.map((span) => span.toMs)),
  };
}

export interface Ramps {
  /** User units a second, above 0. */
  readonly velocity: number;
  /** User units a second², above 0. */
  readonly acceleration: number;
  readonly deceleration: number;
}

/** From standstill to standstill over `distance`, user units: a trapezoid, or a triangle. */
export function travelMs(distance: number, ramps: Ramps): Ms {
  const way = Math.abs(distance);
  const { velocity, acceleration, deceleration } = ramps;
  if (way === 0 || velocity <= 0 || acceleration <= 0 || deceleration <= 0) return 0;
  const slopes = 1 / acceleration + 1 / deceleration;
  const ramped = (velocity ** 2 / 2) * slopes;
  const seconds =
    way >= ramped ? velocity * slopes + (way - ramped) / velocity : Math.sqrt(2 * way * slopes);
  return seconds * 1000;
}

/** The limits of the axis where the operation names none of its own. */
export function rampsOf(axis: AxisSetup, args: { readonly [name: string]: number }): Ramps {
  const acceleration = args.acceleration ?? axis.accelerationMax;
  return {
    velocity: Math.abs(args.velocity ?? axis.velocityMax),
    acceleration,
    deceleration: args.deceleration ?? acceleration,
  };
}

/** The longest way that the axis can go within its travel; undefined: it is endless. */
export function wayMax(axis: AxisSetup): number | undefined {
  const { travel, modulo } = axis;
  return travel === undefined ? modulo : travel.max - travel.min;
}

/** The ways to a place: one, or two on an axis whose places come again. */
export function waysTo(axis: AxisSetup, from: number, to: number): readonly number[] {
  const { modulo } = axis;
  if (modulo === undefined) return [Math.abs(to - from)];
  const on = (((to - from) % modulo) + modulo) % modulo;
  return on === 0 ? [0] : [on, modulo - on];
}
