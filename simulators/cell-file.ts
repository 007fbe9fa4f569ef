/**
 * What the simulator needs of a cell file: endpoints, devices, mechanics.
 *
 * The idea: the kernel judges a cell file in full before anything is started; the simulator is
 * another room and looks only at its own keys, so that it can also serve a file that is half
 * written. It refuses what it cannot simulate, with the place, and leaves all other keys alone.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import type { AxisSetup } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, type ProfileFolders } from "#drivers/profile-loader.js";
import { parseQuantity, parseRatio } from "#drivers/units.js";
import type { SimAxis, SimDeviceSetup, SimulateValue } from "./device.js";
import { SimProblem } from "./problem.js";
import type { RecordedUnit } from "./recording.js";
import { type LineFormat, lineFormats } from "./rtu.js";

export interface SimTcpBus {
  readonly id: string;
  readonly kind: "tcp";
  readonly host: string;
  readonly port: number;
  readonly framing: "mbap" | "rtu";
}

export interface SimLineBus {
  readonly id: string;
  readonly kind: "line";
  readonly baud: number;
  readonly format: LineFormat;
  readonly echo: boolean;
  /** Where the terminal is to be found; absent: the simulation chooses. */
  readonly path?: string;
}

export type SimBus = SimTcpBus | SimLineBus;

/** A device that answers as it was recorded. */
export interface SimRecordedSetup {
  readonly id: string;
  readonly setup: { readonly unit: number };
  readonly recorded: RecordedUnit;
}

export interface SimCell {
  readonly buses: readonly SimBus[];
  readonly devices: readonly ((SimDeviceSetup | SimRecordedSetup) & { readonly bus: string })[];
}

/** `host:port`; undefined when it is none. */
export function endpointOf(text: string) {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  return host === undefined ? undefined : { host, port: Number(found?.[3]) };
}

/** @throws SimProblem */
export function readCell(file: string): SimCell {
  const root = new Place(file, parseFile(file));
  const buses = root.at("buses").entries().map(busOf);
  const known = new Set(buses.map((bus) => bus.id));
  const own = root.at("profiles");
  const folders = [resolve(dirname(file), own.absent ? "profiles" : own.text())];
  const devices = root
    .at("devices")
    .entries()
    .map(([id, place]) => {
      const bus = place.at("bus").text();
      if (!known.has(bus)) place.at("bus").refuse(`there is no bus ${bus}`);
      return { ...deviceOf(id, place, folders), bus };
    });
  return { buses, devices };
}

function parseFile(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SimProblem(`${file} cannot be read: ${why}`, { cause });
  }
}

/** A value of the file and where it stands. */
class Place {
  constructor(
    readonly path: string,
    readonly value: unknown,
  ) {}

  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  at(key: string | number): Place {
    const inside: unknown =
      typeof this.value === "object" && this.value !== null
        ? Reflect.get(this.value, key)
        : undefined;
    return new Place(`${this.path}: ${key}`, inside);
  }

  entries(): [string, Place][] {
    if (this.absent) return [];
    if (typeof this.value !== "object") this.refuse("this must be a table");
    return Object.keys(this.value as object).map((key) => [key, this.at(key)]);
  }

  refuse(why: string): never {
    throw new SimProblem(`${this.path}: ${why}.`);
  }

  text(): string {
    return typeof this.value === "string" ? this.value : this.refuse("a text is missing");
  }

  number(absent?: number): number {
    if (this.absent && absent !== undefined) return absent;
    return typeof this.value === "number" ? this.value : this.refuse("a number is missing");
  }

  /** In the base unit: mm, deg, percent, per second where it is a rate. */
  quantity(absent?: number): number {
    if (this.absent && absent !== undefined) return absent;
    const quantity = parseQuantity(String(this.value));
    return quantity.ok ? quantity.value : this.refuse(quantity.message);
  }
}

const baudUsual = 19_200;

function busOf([id, place]: [string, Place]): SimBus {
  if (!place.at("serial").absent) return lineOf(id, place);
  const tcp = place.at("tcp").text();
  const endpoint = endpointOf(tcp);
  if (endpoint === undefined) return place.at("tcp").refuse(`${tcp} is not host:port`);
  const framing = place.at("framing").value === "rtu" ? "rtu" : "mbap";
  return { id, kind: "tcp", ...endpoint, framing };
}

/** A path in /dev is a real port; a simulated line is never made there. */
function lineOf(id: string, place: Place): SimLineBus {
  const { value } = place.at("format");
  // To YAML, 8E1 is a number: 8 times ten.
  const written = value === undefined || value === 80 ? "8E1" : value;
  const format = lineFormats.find((one) => one === written);
  if (format === undefined) return place.at("format").refuse(`${String(written)} is no format`);
  const echo = place.at("echo").value === true;
  const path = place.at("serial").text();
  return {
    id,
    kind: "line",
    baud: place.at("baud").number(baudUsual),
    format,
    echo,
    ...(path.startsWith("/dev/") ? {} : { path }),
  };
}

function deviceOf(id: string, place: Place, folders: ProfileFolders): SimDeviceSetup {
  const axis = place.at("axis").absent ? undefined : axisOf(place.at("axis"));
  return {
    id,
    profile: profileOf(place.at("profile"), folders),
    setup: { unit: place.at("unit").number(), ...(axis === undefined ? {} : { axis }) },
    simulate: simulateOf(place.at("simulate")),
  };
}

function profileOf(place: Place, folders: ProfileFolders): Profile {
  const loaded = loadProfile(place.text(), folders);
  if (loaded.ok) return loaded.value;
  return place.refuse(loaded.problems[0]?.message ?? "the profile cannot be read");
}

function simulateOf(place: Place): Readonly<Record<string, SimulateValue>> {
  return Object.fromEntries(
    place.entries().map(([key, { value, path }]) => {
      if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") {
        return [key, value];
      }
      throw new SimProblem(`${path}: a number, a text, true or false is missing.`);
    }),
  );
}

const unitDegrees = 360;

function axisOf(place: Place): SimAxis {
  const percent = place.at("unit").value === "percent";
  const rotary = percent || place.at("kind").value === "rotary";
  const travel = place.at("travel");
  return {
    countsPerRev: place.at("countsPerRev").number(1),
    gear: gearOf(place.at("gear")),
    perRev: place.at("pitch").quantity(percent ? 1 : rotary ? unitDegrees : undefined),
    velocityMax: place.at("velocityMax").quantity(),
    accelerationMax: place.at("accelerationMax").quantity(),
    ...(travel.absent
      ? {}
      : { travel: { min: travel.at(0).quantity(), max: travel.at(1).quantity() } }),
  };
}

function gearOf(place: Place): AxisSetup["gear"] {
  if (place.absent) return { motor: 1, output: 1 };
  const ratio = parseRatio(String(place.value));
  if (!ratio.ok) return place.refuse(ratio.message);
  return { motor: ratio.numerator, output: ratio.denominator };
}
