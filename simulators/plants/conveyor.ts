/**
 * The physics of a conveyor on a geared motor: a speed that follows a ramp, and the belt's way.
 *
 * The idea: speed in percent of rated, signed; the inverter ramps it, the load holds it or lets
 * it coast. Pure; it refuses to know control words or scales.
 */

export interface ConveyorMotion {
  /** Percent of rated speed, signed. */
  readonly speed: number;
  /** Percent-seconds travelled since the beginning; a judge sees by it that the belt moved. */
  readonly travelled: number;
}

/** Ramps in percent per second, > 0. */
export type ConveyorCommand =
  | {
      readonly kind: "run";
      readonly target: number;
      readonly rampUp: number;
      readonly rampDown: number;
    }
  | { readonly kind: "coast"; readonly friction: number };

export const conveyorStill: ConveyorMotion = { speed: 0, travelled: 0 };

/** The belt after `dtMs`. `stuck`: the motor stalls. */
export function stepConveyor(
  from: ConveyorMotion,
  command: ConveyorCommand,
  options: { readonly dtMs: number; readonly stuck?: boolean },
): ConveyorMotion {
  const h = options.dtMs / 1000;
  if (h <= 0) return from;
  if (options.stuck) return { ...from, speed: 0 };
  const target = command.kind === "run" ? command.target : 0;
  const turns = from.speed !== 0 && target * from.speed < 0;
  const goal = turns ? 0 : target;
  const slower = Math.abs(goal) < Math.abs(from.speed);
  const rate = command.kind === "coast" ? command.friction : rateOf(command, slower);
  const change = rate * h;
  const speed = from.speed + Math.max(-change, Math.min(change, goal - from.speed));
  return { speed, travelled: from.travelled + ((from.speed + speed) / 2) * h };
}

function rateOf(command: { rampUp: number; rampDown: number }, slower: boolean): number {
  return slower ? command.rampDown : command.rampUp;
}
