/**
 * The devices of a cell file, resolved one by one.
 *
 * The idea: a device that is wrong in one place is still looked at in all others, and what
 * depends on it (interlocks, sagas) is checked against what is known of it. It refuses two
 * devices at one address and a lease that the beats cannot keep alive.
 */
import type { AxisSetup, Checked } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import type { ProfileFolders } from "#drivers/profile-loader.js";
import { suggestion } from "#drivers/yaml-schema.js";
import type { DeviceConfig } from "./cell.js";
import { needsAxis, resolveAxis } from "./cell-axis.js";
import type { FileReader } from "./file-reader.js";
import type { AxisUnits } from "./quantities.js";

/** One lease outlives four lost beats and a delay (PROTOCOL 3). */
export const beatMs = 100;
export const leaseMsMin = Math.max(300, 5 * beatMs + 250);
const leaseMsMax = 5_000;
const leaseMsDefault = 1_000;

export type LoadProfile = (id: string, folders?: ProfileFolders) => Checked<Profile>;

/** What the other checks may know of a device that is perhaps not right in every place. */
export interface DeviceDraft {
  readonly id: string;
  readonly profile: Profile | undefined;
  readonly axis: AxisSetup | undefined;
  /** How its numbers are written; undefined: not known, so nothing of them is judged. */
  readonly units: AxisUnits | undefined;
  readonly pollFastMs: number | undefined;
  /** Undefined: something of it is wrong and has been noted. */
  readonly config: DeviceConfig | undefined;
}

export function resolveDevices(
  read: FileReader,
  loadProfile: LoadProfile,
  known: readonly string[],
): readonly DeviceDraft[] {
  const ids = read.keys(["devices"]);
  if (ids.length === 0 && read.raw(["devices"]) !== undefined) {
    read.problems.at(["devices"], "a cell without devices has nothing to do", { key: true });
  }
  const addresses = new Map<string, string>();
  return ids.map((id) => {
    checkAddress(read, id, addresses);
    return resolveDevice(read, id, loadProfile, known);
  });
}

function checkAddress(read: FileReader, id: string, addresses: Map<string, string>): void {
  const path = ["devices", id];
  const bus = read.text([...path, "bus"]);
  const unit = read.whole([...path, "unit"]);
  const buses = read.keys(["buses"]);
  if (bus !== undefined && !buses.includes(bus)) {
    const hint = suggestion(bus, buses);
    const facts = hint === undefined ? {} : { suggestion: hint };
    read.problems.at([...path, "bus"], `there is no bus ${bus}`, facts);
  }
  if (bus === undefined || unit === undefined) return;
  const owner = addresses.get(`${bus} ${unit}`);
  if (owner !== undefined) {
    read.problems.at([...path, "unit"], `${owner} has unit ${unit} on bus ${bus} already`);
  }
  addresses.set(`${bus} ${unit}`, owner ?? id);
}

function resolveDevice(
  read: FileReader,
  id: string,
  loadProfile: LoadProfile,
  known: readonly string[],
): DeviceDraft {
  const path = ["devices", id];
  const profile = profileOf(read, id, loadProfile, known);
  const { axis, units } = resolveAxis(read, path, profile?.kind);
  const leaseMs = read.quantity([...path, "lease"], {
    unit: "ms",
    fallback: leaseMsDefault,
    min: leaseMsMin,
    max: leaseMsMax,
  });
  const polls = pollsOf(read, path);
  const breakerResetMs = read.quantity([...path, "breaker", "reset"], {
    unit: "ms",
    fallback: 2_000,
    min: 100,
    max: 60_000,
  });
  const constants = profile === undefined ? {} : constantsOf(read, path, profile, axis);
  const draft = { id, profile, axis, units, pollFastMs: polls?.pollFastMs };
  const bus = read.text([...path, "bus"]);
  const unit = read.whole([...path, "unit"]);
  const broken =
    axis === undefined &&
    (read.raw([...path, "axis"]) !== undefined ||
      (profile !== undefined && needsAxis(profile.kind)));
  if (
    broken ||
    profile === undefined ||
    leaseMs === undefined ||
    polls === undefined ||
    breakerResetMs === undefined ||
    constants === undefined ||
    bus === undefined ||
    unit === undefined
  ) {
    return { ...draft, config: undefined };
  }
  const reason = read.text([...path, "acceptNoWatchdog"]);
  const noStop = read.text([...path, "acceptNoStop"]);
  const setup = {
    device: id,
    unit,
    ...(axis === undefined ? {} : { axis }),
    constants,
    ...(reason === undefined ? {} : { acceptNoWatchdog: reason }),
    ...(noStop === undefined ? {} : { acceptNoStop: noStop }),
    ...watchdogOf(read, path, profile),
    ...(sharesLine(read, id, bus) ? { sharesLine: true } : {}),
  };
  checkRefresh(read, path, bus, profile);
  const breakerFailures = read.whole([...path, "breaker", "failures"]) ?? 3;
  const simulate = simulateOf(read, path);
  const times = { leaseMs, ...polls, breakerFailures, breakerResetMs };
  return { ...draft, config: { id, profile, bus, setup, ...times, simulate } };
}

/** Longest time of a drive's watchdog that still deserves its name. */
const watchdogMsMax = 10_000;

function watchdogOf(
  read: FileReader,
  device: readonly string[],
  profile: Profile,
): { readonly watchdog?: { readonly setMs: number } } {
  const path = [...device, "watchdog"];
  if (read.raw(path) === undefined) return {};
  const setMs = read.quantity([...path, "set"], { unit: "ms", min: 20, max: watchdogMsMax });
  const name = profile.watchdog.timeoutPoint;
  if (name === undefined || profile.points[name]?.write === undefined) {
    const text = `the profile ${profile.id} has no watchdog time that can be written`;
    read.problems.at(path, text, { key: true });
    return {};
  }
  const { unitMs = 1, minimum = 1 } = profile.watchdog;
  const leastMs = unitMs * Math.max(1, minimum);
  if (setMs !== undefined && setMs < leastMs) {
    const text = `the watchdog of ${profile.id} takes no less than ${leastMs} ms`;
    read.problems.at([...path, "set"], text, { suggestion: `set: ${leastMs} ms` });
    return {};
  }
  const steps = (setMs ?? 0) / unitMs;
  if (Math.abs(steps - Math.round(steps)) > 1e-6) {
    const text = `the watchdog of ${profile.id} takes steps of ${unitMs} ms`;
    const nearest = Math.floor(steps) * unitMs;
    read.problems.at([...path, "set"], text, { suggestion: `set: ${nearest} ms` });
    return {};
  }
  if (read.raw([...path, "allow"]) !== "write") {
    const suggestion = `watchdog: { set: ${setMs ?? 500} ms, allow: write }`;
    read.problems.at(path, "to set it writes a parameter of the drive; that must be allowed", {
      key: true,
      suggestion,
    });
    return {};
  }
  return setMs === undefined ? {} : { watchdog: { setMs } };
}

/** A command that must be repeated in time needs a line that is fast enough. */
function checkRefresh(
  read: FileReader,
  device: readonly string[],
  bus: string,
  profile: Profile,
): void {
  const baud = read.whole(["buses", bus, "baud"]);
  for (const { operation, everyMs, baudMin } of profile.refresh) {
    if (baud === undefined || baudMin === undefined || baud >= baudMin) continue;
    const text = `${operation} is repeated each ${everyMs} ms, which needs ${baudMin} baud`;
    const facts = { value: `${bus} runs at ${baud}`, severity: "warning" } as const;
    read.problems.at([...device, "bus"], text, facts);
  }
}

/** On a line all units hear all frames; over TCP a device has a connection of its own. */
function sharesLine(read: FileReader, id: string, bus: string): boolean {
  const path = ["buses", bus];
  const line = read.raw([...path, "serial"]) !== undefined;
  const bridged = read.raw([...path, "framing"]) === "rtu";
  if (!line && !bridged) return false;
  return read
    .keys(["devices"])
    .some((other) => other !== id && read.text(["devices", other, "bus"]) === bus);
}

function profileOf(
  read: FileReader,
  id: string,
  loadProfile: LoadProfile,
  known: readonly string[],
): Profile | undefined {
  const path = ["devices", id, "profile"];
  const name = read.text(path);
  if (name === undefined) return undefined;
  if (!known.includes(name)) {
    const hint = suggestion(name, known);
    const facts = hint === undefined ? {} : { suggestion: hint };
    return read.problems.at(path, `there is no profile ${name}`, facts);
  }
  const loaded = loadProfile(name);
  if (!loaded.ok) {
    const first = loaded.problems[0]?.message ?? "it does not fit";
    const count = loaded.problems.length;
    return read.problems.at(path, `the profile ${name} has ${count} problems: ${first}`);
  }
  const { unsupported } = loaded.value;
  if (unsupported === undefined) return loaded.value;
  return read.problems.at(path, `${name} cannot be driven: ${unsupported.reason}`);
}

function pollsOf(
  read: FileReader,
  path: readonly string[],
): Pick<DeviceConfig, "pollFastMs" | "pollIdleMs" | "pollSlowMs"> | undefined {
  const poll = (name: string, fallback: number, max: number) =>
    read.quantity([...path, "poll", name], { unit: "ms", fallback, min: 5, max });
  const pollFastMs = poll("fast", 20, 500);
  const pollIdleMs = poll("idle", 200, 5_000);
  const pollSlowMs = poll("slow", 1_000, 60_000);
  if (pollFastMs === undefined || pollIdleMs === undefined || pollSlowMs === undefined) {
    return undefined;
  }
  if (pollFastMs <= pollIdleMs && pollIdleMs <= pollSlowMs) {
    return { pollFastMs, pollIdleMs, pollSlowMs };
  }
  return read.problems.at([...path, "poll"], "poll periods must rise: fast ≤ idle ≤ slow");
}

function constantsOf(
  read: FileReader,
  path: readonly string[],
  profile: Profile,
  axis: AxisSetup | undefined,
): { readonly [name: string]: number } | undefined {
  const given = read.keys([...path, "constants"]);
  const known = Object.keys(profile.constants);
  let good = true;
  for (const name of given.filter((one) => !known.includes(one))) {
    good = false;
    const hint = suggestion(name, known);
    const facts = hint === undefined ? {} : { suggestion: hint };
    const text = `the profile ${profile.id} has no constant ${name}`;
    read.problems.at([...path, "constants", name], text, { key: true, ...facts });
  }
  for (const [name, spec] of Object.entries(profile.constants)) {
    const otherUnit = spec.defaultForUnit !== undefined && spec.defaultForUnit !== axis?.unit;
    if (given.includes(name) || (spec.default !== undefined && !otherUnit)) continue;
    if (axis === undefined && read.raw([...path, "axis"]) !== undefined) continue;
    good = false;
    const text = `the profile ${profile.id} needs the constant ${name}: ${spec.text}`;
    read.problems.at([...path, "constants"], text, { suggestion: `constants: { ${name}: … }` });
  }
  if (!good) return undefined;
  const values = given.map((name) => [name, read.raw([...path, "constants", name])] as const);
  return Object.fromEntries(values.flatMap(([n, v]) => (typeof v === "number" ? [[n, v]] : [])));
}

function simulateOf(read: FileReader, path: readonly string[]): DeviceConfig["simulate"] {
  const names = read.keys([...path, "simulate"]);
  const values = names.map((name) => [name, read.raw([...path, "simulate", name])] as const);
  return Object.fromEntries(
    values.flatMap(([name, value]) =>
      typeof value === "number" || typeof value === "string" || typeof value === "boolean"
        ? [[name, value]]
        : [],
    ),
  );
}
