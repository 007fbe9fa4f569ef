/**
 * Devices that nothing brings to rest on a ramp: what they may be asked to do.
 *
 * The idea: without a controlled and without a fast stop a motion ends only at its own target, so
 * whatever may start one is offered only where the cell file says why that is acceptable
 * (`acceptNoStop`), and a motion without an end is never offered. It refuses to guess a stop from
 * what a profile can write. Boards of inputs and outputs move nothing and are left alone.
 */
import type { DeviceSetup, Verb } from "./device-model.js";
import type { OperationSpec, Profile } from "./profile.js";
import { stepsIn } from "./profile-walk.js";

export function canBeStopped({ kind, stops }: Pick<Profile, "kind" | "stops">): boolean {
  return kind === "io" || stops.controlled !== undefined || stops.fast !== undefined;
}

/** True when a step of it may move something: of some grippers enable does. */
export function starts(operation: OperationSpec): boolean {
  return stepsIn(operation.steps, []).some(({ value }) => {
    return value.trigger === true || value.edge?.trigger === true;
  });
}

/** Why the verb is refused on a device without a stop; undefined: it is not. */
export function refusedWithoutStop(
  profile: Profile,
  verb: Verb,
  setup: DeviceSetup,
): string | undefined {
  if (canBeStopped(profile)) return undefined;
  if (verb === "velocity" || verb === "jog") {
    return "the device has no stop, so a motion without an end is refused";
  }
  const operations: { readonly [verb: string]: OperationSpec | undefined } = profile.operations;
  const operation = Object.hasOwn(operations, verb) ? operations[verb] : undefined;
  if (operation === undefined || !starts(operation) || setup.acceptNoStop !== undefined) {
    return undefined;
  }
  return "the device has no stop, and acceptNoStop gives no reason why it may move all the same";
}
