/**
 * The device that a command of the cabinet speaks to.
 *
 * The idea: a device's name with a cell file gives everything; a wire gives what its options
 * add. A running cell owns its wires, however they are named and wherever it was started: reads
 * join its poll lane, where a stop goes before them. It refuses a write on such a wire.
 */
import { resolve } from "node:path";
import type { DeviceSetup } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import { loadProfile, type ProfileFolders } from "#drivers/profile-loader.js";
import type { CellConfig, UnitTiming } from "#kernel/config/cell.js";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import { ServocellError } from "#kernel/errors.js";
import type { Wire } from "#kernel/ports.js";
import { lanePath } from "#kernel/run-dir.js";
import {
  type RunningBus,
  refuseWhereRunning,
  runningBus,
  type WantedWire,
} from "./running-cells.js";
import { linkOf, openWire, serialFormats } from "./wire-target.js";

export interface Target {
  /** For people. */
  readonly name: string;
  readonly unit: number;
  readonly profile: Profile | undefined;
  /** The installation, where a cell file gives it. */
  readonly setup: DeviceSetup | undefined;
  open(what: "read" | "write"): Promise<Wire>;
}

export interface TargetFlags {
  readonly unit?: string;
  readonly profile?: string;
  /** The folder of one's own profiles. */
  readonly profiles: string;
  readonly baud: string;
  readonly format: string;
  readonly echo: boolean;
}

const quietLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const laneMsMax = 1000;
const lookMs = 10;

/** @throws NOT_FOUND for a device that the cell does not have. */
export function cellTarget(config: CellConfig, id: string): Target {
  const device = config.devices.find((one) => one.id === id);
  if (device === undefined) {
    const known = config.devices.map((one) => one.id).join(", ");
    throw new ServocellError("NOT_FOUND", `${config.file} has no device ${id}; it has ${known}.`);
  }
  const bus = config.buses.find((one) => one.id === device.bus);
  if (bus === undefined) throw new ServocellError("INTERNAL", `${id} is on no bus`);
  const { profile, setup } = device;
  return {
    name: id,
    unit: setup.unit,
    profile,
    setup,
    open: (what) => {
      const own = { runDir: config.runDir, bus: bus.id };
      return openTarget({ name: id, link: bus.link, own }, what, bus.units);
    },
  };
}

/** @throws VALIDATION_FAILED when the options do not make a target. */
export function wireTarget(where: string, flags: TargetFlags): Target {
  const unit = Number(flags.unit);
  if (flags.unit === undefined || !Number.isInteger(unit) || unit < 0 || unit > 247) {
    throw new ServocellError("VALIDATION_FAILED", "--unit is missing: 0 to 247.");
  }
  const format = serialFormats.find((one) => one === flags.format);
  const baud = Number(flags.baud);
  if (format === undefined || !Number.isInteger(baud) || baud < 300) {
    const known = serialFormats.join(", ");
    throw new ServocellError("VALIDATION_FAILED", `--baud is a rate, --format one of ${known}.`);
  }
  const link = linkOf(where, { baud, format, echo: flags.echo });
  if (unit === 0 && link.kind !== "tcp") {
    const text = "unit 0 is everybody on a line; name one unit";
    throw new ServocellError("VALIDATION_FAILED", text);
  }
  const profile =
    flags.profile === undefined
      ? undefined
      : profileNamed(flags.profile, [resolve(flags.profiles)]);
  const name = `unit ${unit} on ${where}`;
  const open = (what: "read" | "write") => openTarget({ name, link }, what);
  return { name, unit, profile, setup: undefined, open };
}

function profileNamed(id: string, folders: ProfileFolders): Profile {
  const loaded = loadProfile(id, folders);
  if (loaded.ok) return loaded.value;
  const [first] = loaded.problems;
  const hint = first?.suggestion === undefined ? "" : `; ${first.suggestion}`;
  throw new ServocellError("NOT_FOUND", `${id}: ${first?.message ?? "no such profile"}${hint}.`);
}

async function openTarget(
  wanted: WantedWire,
  what: "read" | "write",
  units: readonly UnitTiming[] = [],
): Promise<Wire> {
  if (what === "write") await refuseWhereRunning(wanted);
  else {
    const running = await runningBus(wanted);
    if (running !== undefined) return openLane(running, wanted.name);
  }
  return openWire(wanted.link, units);
}

/** @throws DEVICE_UNREACHABLE when the lane does not stand in 1 s. */
async function openLane({ cell, dir, bus }: RunningBus, name: string): Promise<Wire> {
  const wire = openModbusWire({ path: lanePath(dir, bus, "poll"), log: quietLog });
  const untilMs = performance.now() + laneMsMax;
  while (!wire.connected && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  if (wire.connected) return wire;
  await wire.close();
  const why = `${cell} runs and has ${name}, and its poll lane in ${dir} does not answer`;
  throw new ServocellError("DEVICE_UNREACHABLE", `${why}: read as its user, or try again.`);
}
