/**
 * Which devices of a cell take commands, and so are stopped, latched and leased.
 *
 * The idea: whatever moves is commanded, and so is an I/O module with outputs, for an output may
 * move a valve (docs/adr/0007). It refuses modules that are only read.
 */
import type { DeviceConfig } from "./cell.js";

export function takesCommands({ profile }: Pick<DeviceConfig, "profile">): boolean {
  return profile.kind !== "io" || profile.operations.set !== undefined;
}
