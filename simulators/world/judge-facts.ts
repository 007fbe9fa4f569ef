/**
 * What judges need to know of a cell, from its validated configuration.
 *
 * The idea: the same facts for a world and for a cell of real processes: limits as the cell file
 * has them, frames as the profiles write them, times as the wire plan and the stop's ladder bound
 * them. It refuses to judge, and to guess where the file says nothing.
 */
import type { CellConfig, Condition, ConditionTerm, DeviceConfig } from "#kernel/config/cell.js";
import type { SagaDefinition } from "#kernel/config/saga.js";
import { planBus } from "#kernel/config/wire-plan.js";
import { frameKinds } from "../judges/frames.js";
import type { JudgedDevice, JudgedInterlock, JudgedSaga, JudgeFacts } from "../judges/judge.js";

/** A bound beyond the ramp after which a stop climbs to its next class (services/driver). */
const rampMarginMs = 1000;
/** Where no axis says how fast it brakes. */
const noRampMs = 2000;
/** Controlled, fast, disable. */
const rungs = 3;
/** The bus sends the blind stop of a driver that has been silent so long [PROTOCOL 9]. */
const guardianMs = 500;
/** What the loop of a process that is not disturbed is taken to be late. */
const loopMs = 50;

/** `healedMs`, `endMs`: of the trace. `recipes`: the sagas themselves are judged, too. */
export function judgeFacts(
  config: CellConfig,
  times: { readonly healedMs?: number; readonly endMs?: number; readonly recipes?: boolean } = {},
): JudgeFacts {
  const { buses, devices, interlocks } = config;
  const bounds = buses.map((bus) => planBus(bus, devices).stop.boundMs);
  const stopBeginMs = Math.max(0, ...bounds) + loopMs;
  const rampMs = Math.max(0, ...devices.map(rampOf));
  return {
    devices: devices.map((device) => judgedDevice(device, config)),
    interlocks: interlocks.map(({ name, moves, margin, require }): JudgedInterlock => {
      return { name, moves, margin, holds: (position) => holds(require, position) };
    }),
    ...(times.recipes === true && { sagas: config.sagas.map(judgedSaga) }),
    leaseMs: Math.max(0, ...devices.map(({ leaseMs }) => leaseMs)),
    stopBeginMs,
    standstillMs: stopBeginMs + guardianMs + rungs * (rampMs + rampMarginMs),
    healedMs: times.healedMs ?? Number.POSITIVE_INFINITY,
    endMs: times.endMs ?? Number.POSITIVE_INFINITY,
  };
}

/**
 * User units per raw unit of a simulated plant's position; undefined: it has no place in user
 * units (grippers, and belts that only have a speed).
 */
export function unitsPerCount({ setup: { axis } }: DeviceConfig): number | undefined {
  if (axis === undefined || axis.unit === "percent") return undefined;
  return (axis.perRev * axis.gear.output) / (axis.gear.motor * axis.countsPerRev);
}

function judgedDevice(device: DeviceConfig, config: CellConfig): JudgedDevice {
  const { id, profile, setup, pollFastMs } = device;
  const { axis } = setup;
  const { travel, modulo } = axis ?? {};
  return {
    id,
    service: driverOf(id, config.isolation ?? []),
    bus: busOf(device, config),
    ...(modulo === undefined ? {} : { modulo }),
    kind: axis === undefined ? "other" : "axis",
    ...(travel === undefined ? {} : { travel: [travel.min, travel.max] as const }),
    ...(axis === undefined
      ? {}
      : { velocityMax: axis.velocityMax, accelerationMax: axis.accelerationMax }),
    pollMs: pollFastMs,
    // Without an axis nobody promises a place.
    tolerance: axis?.tolerance ?? Number.POSITIVE_INFINITY,
    ...frameKinds(profile, setup),
  };
}

/** Devices of a group share a process, which is called after the first. */
function driverOf(id: string, groups: readonly (readonly string[])[]): string {
  const group = groups.find((one) => one.includes(id));
  return group === undefined || group.length === 1 ? `driver-${id}` : `drivers-${group[0]}`;
}

/** A line has a process of its own. */
function busOf({ bus }: DeviceConfig, { buses }: CellConfig): string {
  const isLine = buses.some(({ id, link }) => id === bus && link.kind === "serial");
  return isLine ? `bus-${bus}` : "bus";
}

function judgedSaga({ name, steps }: SagaDefinition): JudgedSaga {
  return {
    name,
    steps: steps.map(({ name: step, action, makeSafe }) => ({
      name: step,
      ...(action.kind === "operation" && {
        device: action.operation.device,
        verb: action.operation.verb,
      }),
      makeSafe: makeSafe.kind,
    })),
  };
}

function rampOf({ setup: { axis } }: DeviceConfig): number {
  return axis === undefined ? noRampMs : (1000 * axis.velocityMax) / axis.accelerationMax;
}

/** One term that is known not to hold decides; what is no position is not known. */
function holds(
  { terms }: Condition,
  position: (device: string) => number | undefined,
): boolean | undefined {
  const answers = terms.map((term) => termHolds(term, position));
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

function termHolds(
  { device, field, op, value }: ConditionTerm,
  position: (device: string) => number | undefined,
): boolean | undefined {
  const is = field === "position" ? position(device) : undefined;
  if (is === undefined || typeof value !== "number") return undefined;
  switch (op) {
    case ">=":
      return is >= value;
    case "<=":
      return is <= value;
    case ">":
      return is > value;
    case "<":
      return is < value;
    case "==":
      return is === value;
    case "!=":
      return is !== value;
    default:
      return op satisfies never;
  }
}
