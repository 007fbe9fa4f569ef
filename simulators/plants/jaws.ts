/**
 * The physics of two jaws that are measured by the width between them, and perhaps a part there.
 *
 * The idea: width in the device's own raw unit, 0 with the jaws together. Closing jaws that meet
 * the part stop at its width and press; without a part they go on to where they were sent. A part
 * that is taken away while it is held lets the jaws go on closing. Pure; it refuses to know
 * commands, busy bits or registers.
 */

export interface JawsPlant {
  readonly widthMax: number;
  /** Width of the part; absent: there is never one. */
  readonly partWidth?: number;
  /** Raw units per second. */
  readonly speed: number;
}

export interface JawsMotion {
  readonly width: number;
  /** Raw units per second, negative while closing. */
  readonly velocity: number;
  /** The jaws press on a part. */
  readonly holds: boolean;
}

export type JawsCommand =
  /** Nothing moves; what is held stays held. */
  { readonly kind: "rest" } | { readonly kind: "go"; readonly target: number };

export function jawsAt(width: number): JawsMotion {
  return { width, velocity: 0, holds: false };
}

/** Where the jaws are after `dtMs`. `stuck`: they stand; `noPart`: nothing is between them. */
export function stepJaws(
  plant: JawsPlant,
  from: JawsMotion,
  command: JawsCommand,
  options: { readonly dtMs: number; readonly stuck?: boolean; readonly noPart?: boolean },
): JawsMotion {
  if (command.kind === "rest" || options.stuck || options.dtMs <= 0) {
    return { ...from, velocity: 0 };
  }
  const goal = Math.min(plant.widthMax, Math.max(0, command.target));
  const part = options.noPart === true ? undefined : plant.partWidth;
  // Jaws that are narrower than the part are past it and meet nothing.
  const wall = part !== undefined && from.width >= part ? Math.max(goal, part) : goal;
  const most = (plant.speed * options.dtMs) / 1000;
  const distance = wall - from.width;
  const width = from.width + Math.max(-most, Math.min(most, distance));
  return {
    width,
    velocity: width === from.width ? 0 : Math.sign(distance) * plant.speed,
    holds: wall > goal && width === wall,
  };
}
