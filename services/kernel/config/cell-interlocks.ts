/**
 * The interlocks of a cell file, and how far an axis runs on when one trips.
 *
 * The idea: one device's driver reads the condition, so a condition reads exactly one device; and
 * what the permit's age allows in the worst case must fit the margin that the file declares
 * (PROTOCOL 8). It refuses a margin that physics does not keep.
 */

import type { AxisSetup } from "#drivers/device-model.js";
import { pointsOfField, signalNames } from "#drivers/device-view.js";
import type { Ms } from "#drivers/reading.js";
import { suggestion } from "#drivers/yaml-schema.js";
import type { Condition, InterlockConfig } from "./cell.js";
import type { DeviceDraft } from "./cell-devices.js";
import { conditionFields, type FieldLookup, parseCondition } from "./condition.js";
import { listed, type Path } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { BusPlan } from "./wire-plan.js";

/** A permit older than this counts as withdrawn (PROTOCOL 8). */
export const permitAgeMsMax = 200;

export interface RunOnDelays {
  /** How often the condition is read. */
  readonly pollMs: Ms;
  /** Longest time from the order to the last stop frame of the mover's bus (PROTOCOL 9). */
  readonly stopBoundMs: Ms;
}

/** How far an axis moves on after its permit's condition has become false, in its own unit. */
export function runOn(axis: AxisSetup, { pollMs, stopBoundMs }: RunOnDelays): number {
  const v = axis.velocityMax;
  const delayS = (pollMs + permitAgeMsMax + stopBoundMs) / 1000;
  return v * delayS + v ** 2 / (2 * axis.accelerationMax);
}

/** The bound of a bus; 0 for one that is not right, which is refused for that. */
export function stopBoundOf(plans: readonly BusPlan[], bus: string | undefined): Ms {
  return plans.find((plan) => plan.bus === bus)?.stop.boundMs ?? 0;
}

/** What a condition may read of the devices of this cell. */
export function fieldsOf(devices: readonly DeviceDraft[]): FieldLookup {
  return (id, field) => {
    const device = devices.find((one) => one.id === id);
    if (device === undefined) {
      const hint = suggestion(
        id,
        devices.map((one) => one.id),
      );
      return `there is no device ${id}${hint === undefined ? "" : `; ${hint}`}`;
    }
    const signals = device.profile === undefined ? [] : signalNames(device.profile);
    if (signals.includes(field)) return { kind: "boolean" };
    if (!conditionFields.some((known) => known === field)) {
      const all = [...signals, ...conditionFields];
      const hint = suggestion(field, all) ?? `known: ${listed(all)}`;
      return `a device has no reading "${field}"; ${hint}`;
    }
    if (field === "faultCode") return { kind: "number", unit: undefined };
    if (field !== "position" && field !== "velocity") return { kind: "boolean" };
    if (device.units === undefined) return { kind: "unjudged" };
    return { kind: "number", unit: device.units[field] };
  };
}

export function resolveInterlocks(
  read: FileReader,
  devices: readonly DeviceDraft[],
  plans: readonly BusPlan[],
): readonly InterlockConfig[] {
  const names = new Set<string>();
  const interlocks: InterlockConfig[] = [];
  for (let i = 0; i < read.length(["interlocks"]); i += 1) {
    const path = ["interlocks", i];
    const name = read.text([...path, "name"]);
    if (name !== undefined && names.has(name)) {
      read.problems.at([...path, "name"], `the interlock ${name} stands twice`);
    }
    if (name !== undefined) names.add(name);
    const moves = movesOf(read, path, devices);
    const require = requireOf(read, path, devices);
    const evaluator = require === undefined ? undefined : evaluatorOf(read, path, require);
    if (require !== undefined) checkPolls(read, path, { require, devices });
    const margin = marginOf(read, path, { moves, evaluator, devices, plans });
    if (name === undefined || require === undefined || evaluator === undefined) continue;
    if (margin === undefined || moves.length === 0) continue;
    interlocks.push({ name, moves: moves.map((one) => one.id), evaluator, require, margin });
  }
  return interlocks;
}

function movesOf(
  read: FileReader,
  path: Path,
  devices: readonly DeviceDraft[],
): readonly DeviceDraft[] {
  return read.texts([...path, "moves"]).flatMap((id, i) => {
    const device = devices.find((one) => one.id === id);
    if (device !== undefined) return [device];
    const hint = suggestion(
      id,
      devices.map((one) => one.id),
    );
    const facts = hint === undefined ? {} : { suggestion: hint };
    read.problems.at([...path, "moves", i], `there is no device ${id}`, facts);
    return [];
  });
}

function requireOf(
  read: FileReader,
  path: Path,
  devices: readonly DeviceDraft[],
): Condition | undefined {
  const text = read.text([...path, "require"]);
  if (text === undefined) return undefined;
  const parsed = parseCondition(text, fieldsOf(devices));
  if (parsed.ok) return parsed.condition;
  return read.problems.at([...path, "require"], parsed.problems.join("; "), { value: text });
}

function evaluatorOf(read: FileReader, path: Path, require: Condition): string | undefined {
  const ids = [...new Set(require.terms.map((term) => term.device))];
  const [evaluator] = ids;
  if (ids.length === 1) return evaluator;
  const text = `a condition reads one device, whose driver publishes it; this reads ${listed(ids)}`;
  return read.problems.at([...path, "require"], text, { suggestion: "write two interlocks" });
}

/**
 * What does not come with every fast poll is too old for a permit most of the time: it would let
 * an axis off now and then, and stop it again.
 */
function checkPolls(
  read: FileReader,
  path: Path,
  { require, devices }: { require: Condition; devices: readonly DeviceDraft[] },
): void {
  for (const { device, field } of require.terms) {
    const profile = devices.find(({ id }) => id === device)?.profile;
    if (profile === undefined) continue;
    const slow = pointsOfField(profile, field).find(
      (name) => profile.points[name]?.poll !== "fast",
    );
    if (slow === undefined) continue;
    const text = `${device}.${field} is not read with every poll, so no interlock can rest on it`;
    read.problems.at([...path, "require"], text, {
      value: `${slow} of ${profile.id} is polled ${profile.points[slow]?.poll}`,
      suggestion: field === "faultCode" ? `${device}.fault == false` : "poll: fast in its profile",
    });
  }
}

function marginOf(
  read: FileReader,
  path: Path,
  interlock: {
    readonly moves: readonly DeviceDraft[];
    readonly evaluator: string | undefined;
    readonly devices: readonly DeviceDraft[];
    readonly plans: readonly BusPlan[];
  },
): number | undefined {
  const axes = interlock.moves.flatMap((one) => (one.axis === undefined ? [] : [one.axis]));
  const unit = interlock.moves.find((one) => one.units !== undefined)?.units?.position;
  const where = [...path, "margin"];
  if (unit === undefined) return undefined;
  if (axes.some((axis) => axis.unit !== axes[0]?.unit)) {
    return read.problems.at([...path, "moves"], "the axes of an interlock share one unit", {
      suggestion: "write one interlock for each unit",
    });
  }
  const margin = read.quantity(where, { unit, above: 0 });
  const evaluator = interlock.devices.find((one) => one.id === interlock.evaluator);
  const pollMs = evaluator?.pollFastMs;
  if (margin === undefined || pollMs === undefined) return margin;
  const runs = interlock.moves.map(({ axis, config }) => {
    if (axis === undefined) return 0;
    return runOn(axis, { pollMs, stopBoundMs: stopBoundOf(interlock.plans, config?.bus) });
  });
  const longest = Math.max(0, ...runs);
  if (longest <= margin) return margin;
  const shown = `${Math.ceil(longest)} ${unit}`;
  return read.problems.at(where, `an axis may run on ${shown}, beyond the margin`, {
    suggestion: `margin: ${shown}, or a lower velocityMax`,
  });
}
