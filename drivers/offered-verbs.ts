/**
 * What a device offers: the verbs of its profile that its setup allows, and why the others are not.
 *
 * The idea: what can be refused for ever is refused when the device is compiled; what depends on
 * readings is offered and judged by the command. It refuses motion that nothing could end.
 */
import type { DeviceSetup, Verb, WatchdogFacts } from "./device-model.js";
import { refusedWithoutStop } from "./no-stop.js";
import type { OperationSpec, Profile } from "./profile.js";

export function operationOf(profile: Profile, verb: Verb): OperationSpec | undefined {
  const operations: { readonly [verb: string]: OperationSpec | undefined } = profile.operations;
  return Object.hasOwn(operations, verb) ? operations[verb] : undefined;
}

/**
 * Velocity and jog need a drive that stops by itself, or a reason without one. Where registers
 * decide, they are offered, and refused as long as the registers do not say so.
 */
export function verbsOf(
  profile: Profile,
  setup: DeviceSetup,
  watchdog: WatchdogFacts,
): ReadonlySet<Verb> {
  if (profile.unsupported !== undefined) return new Set();
  const able =
    (watchdog.kind === "fixed" || watchdog.kind === "settable") &&
    watchdog.fedByNeighbours !== true;
  const watched = able || setup.acceptNoWatchdog !== undefined;
  const verbs = (Object.keys(profile.operations) as Verb[]).filter((verb) => {
    if (refusedWithoutStop(profile, verb, setup) !== undefined) return false;
    return watched || (verb !== "velocity" && verb !== "jog");
  });
  // Hold-to-run is a speed on a drive that stops by itself, or a move on a leash [PROTOCOL 16].
  const leashed = profile.retarget !== undefined && continues(profile, setup);
  if ((leashed || verbs.includes("velocity")) && !verbs.includes("jog")) verbs.push("jog");
  if (profile.stops.controlled !== undefined) verbs.push("stop");
  if (profile.stops.fast !== undefined) verbs.push("quickStop");
  return new Set(verbs);
}

/** Whether a move under way may be put further on. */
export function continues(profile: Profile, setup: DeviceSetup): boolean {
  const { moveTo } = profile.operations;
  return moveTo !== undefined && refusedWithoutStop(profile, "jog", setup) === undefined;
}

export function whyNot(profile: Profile, setup: DeviceSetup, verb: Verb): string {
  const said = profile.unsupported?.reason ?? profile.missing[verb];
  const reason = said ?? refusedWithoutStop(profile, verb, setup);
  if (reason !== undefined) return reason;
  if (verb === "stop" || verb === "quickStop") return "stops are stop classes";
  if (operationOf(profile, verb) !== undefined) {
    return "no watchdog of the drive is verified, and acceptNoWatchdog gives no reason";
  }
  return `the profile ${profile.id} does not have it`;
}
