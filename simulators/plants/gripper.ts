/**
 * The physics of a two-finger gripper: fingers on a stroke, and perhaps a part between them.
 *
 * The idea: position counts 0 (open) to 255 (closed), as the maker counts it. Fingers that meet
 * the part stop there and press; without a part they go on to where they were sent. Pure; it
 * refuses to know activation, fault numbers or packed bytes.
 */

export interface GripperPlant {
  /** Where closing fingers meet the part, 0–255; absent: there is never a part. */
  readonly partAt?: number;
  /** Counts/s at the lowest and the highest speed request. */
  readonly speedMin: number;
  readonly speedMax: number;
}

export type Contact = "none" | "opening" | "closing";

export interface GripperMotion {
  readonly position: number;
  /** Counts/s, positive while closing. */
  readonly velocity: number;
  readonly contact: Contact;
  /** Force at the fingers in percent of the greatest; 0 without contact. */
  readonly force: number;
}

export type GripperCommand =
  /** The motor holds what it holds and moves nothing. */
  | { readonly kind: "rest" }
  /** `speed` 0–255, `force` percent. */
  | {
      readonly kind: "go";
      readonly target: number;
      readonly speed: number;
      readonly force: number;
    };

export const gripperOpen = 0;
export const gripperClosed = 255;

export function gripperAt(position: number): GripperMotion {
  return { position, velocity: 0, contact: "none", force: 0 };
}

/** Where the fingers are after `dtMs`. `stuck`: they stand; `noPart`: nothing is between them. */
export function stepGripper(
  plant: GripperPlant,
  from: GripperMotion,
  command: GripperCommand,
  options: { readonly dtMs: number; readonly stuck?: boolean; readonly noPart?: boolean },
): GripperMotion {
  if (command.kind === "rest") return { ...from, velocity: 0 };
  if (options.stuck || options.dtMs <= 0) return { ...from, velocity: 0 };
  const speed = plant.speedMin + ((plant.speedMax - plant.speedMin) * command.speed) / 255;
  const most = (speed * options.dtMs) / 1000;
  const wall = closingWall(plant, from, options.noPart ?? false);
  const goal = Math.min(gripperClosed, Math.max(gripperOpen, command.target));
  const reachable = wall === undefined ? goal : Math.min(goal, wall);
  const distance = reachable - from.position;
  const position = from.position + Math.max(-most, Math.min(most, distance));
  const pressing = wall !== undefined && goal > wall && position >= wall;
  return {
    position,
    velocity: position === from.position ? 0 : Math.sign(distance) * speed,
    contact: pressing ? "closing" : "none",
    force: pressing ? command.force : 0,
  };
}

/** The part stops fingers that come from outside it; fingers already past it meet nothing. */
function closingWall(plant: GripperPlant, from: GripperMotion, noPart: boolean) {
  if (plant.partAt === undefined || noPart || from.position > plant.partAt) return undefined;
  return plant.partAt;
}
