/**
 * Zones and conditions of production in a cell file.
 *
 * The idea: a zone names axes that share a place, so that the failure of one stops them all at
 * once; a suspend condition says over readings when the cell has nothing to do (starved) or
 * nowhere to put it (blocked). It refuses a zone of one, and devices that are not there.
 */
import { suggestion } from "#drivers/yaml-schema.js";
import type { DeviceDraft } from "./cell-devices.js";
import { fieldsOf } from "./cell-interlocks.js";
import type { Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { SuspendConfig, ZoneConfig } from "./saga.js";
import { SagaNames } from "./saga-names.js";
import { readCondition } from "./saga-values.js";

const suspendMax = 20;
const afterMsMax = 600_000;

export function resolveZones(
  read: FileReader,
  devices: readonly DeviceDraft[],
): readonly ZoneConfig[] {
  return read.keys(["zones"]).flatMap((name) => {
    const path = ["zones", name];
    const ids = read.texts(path);
    const known = ids.filter((id, i) => isDevice(read, [...path, i], id, devices));
    const members = [...new Set(known)].sort();
    if (ids.length > 0 && new Set(ids).size < 2) {
      read.problems.at(path, "a zone has at least two devices", { key: true });
    }
    return members.length < 2 ? [] : [{ name, devices: members }];
  });
}

function isDevice(
  read: FileReader,
  path: Path,
  id: string,
  devices: readonly DeviceDraft[],
): boolean {
  const ids = devices.map((device) => device.id);
  if (ids.includes(id)) return true;
  const hint = suggestion(id, ids);
  read.problems.at(
    path,
    `there is no device ${id}`,
    hint === undefined ? {} : { suggestion: hint },
  );
  return false;
}

export function resolveSuspends(
  read: FileReader,
  devices: readonly DeviceDraft[],
): readonly SuspendConfig[] {
  const count = read.length(["suspend"]);
  if (count > suspendMax) {
    read.problems.at(["suspend"], `a cell has at most ${suspendMax} suspend conditions`);
  }
  const found: SuspendConfig[] = [];
  for (let i = 0; i < Math.min(count, suspendMax); i += 1) {
    const path = ["suspend", i];
    const names = new SagaNames({}, new Set(), fieldsOf(devices));
    const when = readCondition(read, [...path, "when"], names);
    const hasUntil = read.raw([...path, "until"]) !== undefined;
    const until = readCondition(read, [...path, "until"], names);
    const hasAfter = read.raw([...path, "after"]) !== undefined;
    const afterMs = hasAfter ? afterOf(read, [...path, "after"]) : undefined;
    const reason = read.text([...path, "reason"]);
    const name = read.text([...path, "name"]) ?? `suspend-${i + 1}`;
    if (found.some((other) => other.name === name)) {
      read.problems.at([...path, "name"], `the condition ${name} stands twice`);
    }
    if (when === undefined || (reason !== "starved" && reason !== "blocked")) continue;
    if ((hasUntil && until === undefined) || (hasAfter && afterMs === undefined)) continue;
    const more = {
      ...(until === undefined ? {} : { until }),
      ...(afterMs === undefined ? {} : { afterMs }),
    };
    found.push({ name, reason, when, ...more });
  }
  return found;
}

function afterOf(read: FileReader, path: Path): number | undefined {
  return read.quantity(path, { unit: "ms", min: 0, max: afterMsMax });
}
