/**
 * Which operations move something.
 *
 * The idea: those that say so by their name, and those whose profile has a step that starts a
 * motion whatever it is called (a gripper may be enabled by a full stroke). Drivers ask permits for
 * them, the coordinator starts them one at a time [PROTOCOL 8]. It refuses to take an operation
 * that it does not know for a harmless one.
 */
import { starts } from "#drivers/no-stop.js";
import type { OperationSpec, Profile } from "#drivers/profile.js";

const motion: ReadonlySet<string> = new Set([
  "moveTo",
  "moveBy",
  "velocity",
  "jog",
  "home",
  "grip",
  "release",
  // An output may move a valve.
  "set",
]);

/** Verbs that move something by their meaning. */
export function isMotion(verb: string): boolean {
  return motion.has(verb);
}

/** Whether this device may move by this verb. */
export function movesBy(profile: Pick<Profile, "operations">, verb: string): boolean {
  const operations: { readonly [verb: string]: OperationSpec | undefined } = profile.operations;
  const operation = Object.hasOwn(operations, verb) ? operations[verb] : undefined;
  return isMotion(verb) || operation === undefined || starts(operation);
}
