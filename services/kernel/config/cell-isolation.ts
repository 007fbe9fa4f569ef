/**
 * Which drivers share a process.
 *
 * The idea: each driver has a process of its own unless the file says otherwise: `isolation:
 * together` puts all into one, a list of lists names the groups, and who is in none stays alone.
 * It refuses a device that the cell does not have, and one that is named twice.
 */
import type { FileReader } from "./file-reader.js";

export type Isolation = readonly (readonly string[])[];

/** The groups of devices whose drivers share a process; undefined: none do. */
export function isolationOf(read: FileReader, devices: readonly string[]): Isolation | undefined {
  const path = ["isolation"];
  if (read.raw(path) === "together") return devices.length > 1 ? [devices] : undefined;
  const groups: (readonly string[])[] = [];
  const named = new Set<string>();
  for (let i = 0; i < read.length(path); i += 1) {
    const group = read.texts([...path, String(i)]);
    for (const [k, device] of group.entries()) {
      const where = [...path, String(i), String(k)];
      if (!devices.includes(device)) {
        const suggestion = devices.join(", ");
        read.problems.at(where, `the cell has no device ${device}`, { suggestion });
      }
      if (named.has(device)) read.problems.at(where, `${device} is in a group already`);
      named.add(device);
    }
    if (group.length > 1) groups.push(group);
  }
  return groups.length === 0 ? undefined : groups;
}
