/**
 * `servocell dry-run`: a saga of a cell file, walked through with nothing touched.
 *
 * The idea: the places at the start are named, or assumed and said so; the forecast does the rest,
 * and is told as text or as JSON. It refuses to open a socket, a port or a bus.
 */
import { compileDevice } from "#drivers/compile.js";
import type { CellConfig, DeviceConfig, SagaDefinition } from "#kernel/config/cell.js";
import { deviceUnits, inUnit } from "#kernel/config/quantities.js";
import {
  type ForecastCell,
  type ForecastDevice,
  forecastSaga,
} from "#kernel/config/saga-forecast.js";
import { devicesOf } from "#kernel/config/saga-walk.js";
import { ServocellError } from "#kernel/errors.js";
import { forecastLines } from "./dry-run-text.js";
import { parseInputs } from "./run-inputs.js";

export interface DryRunFlags {
  readonly input: readonly string[];
  readonly at: readonly string[];
  readonly from: "middle" | "home";
  readonly json?: boolean;
}

/** Where an axis is taken to stand at the start, and why. */
export interface StartPlace {
  readonly device: string;
  readonly position: number;
  readonly unit: string;
  readonly assumed: boolean;
}

/** Exit code 0: no step fails for certain: refused with no backup plan left, or overdue. */
export function dryRun(
  config: CellConfig,
  name: string,
  flags: DryRunFlags,
  say: (line: string) => void,
): number {
  const saga = config.sagas.find((one) => one.name === name);
  if (saga === undefined) {
    const known = config.sagas.map((one) => one.name).join(", ");
    throw new ServocellError("NOT_FOUND", `There is no saga ${name}; there are ${known}.`);
  }
  const inputs = parseInputs(flags.input, inputSpecs(saga));
  const places = startPlaces(config, saga, flags);
  const at = Object.fromEntries(places.map(({ device, position }) => [device, position]));
  const forecast = forecastSaga(saga, forecastCell(config), { at, inputs });
  if (flags.json === true) say(JSON.stringify({ saga: saga.name, at, inputs, forecast }, null, 2));
  else for (const line of forecastLines({ saga, forecast, places, inputs })) say(line);
  return forecast.fails.length === 0 ? 0 : 1;
}

function inputSpecs(saga: SagaDefinition) {
  return Object.fromEntries(
    Object.entries(saga.inputs ?? {}).map(([name, { choices, ...spec }]) => {
      return [name, { ...spec, ...(choices === undefined ? {} : { choices: [...choices] }) }];
    }),
  );
}

export function forecastCell(config: CellConfig): ForecastCell {
  return { devices: config.devices.map(forecastDevice), interlocks: config.interlocks };
}

function forecastDevice({ id, profile, setup }: DeviceConfig): ForecastDevice {
  const model = compileDevice(profile, setup);
  const whyNot = (verb: string) => {
    if ([...model.verbs].some((known) => known === verb)) return undefined;
    return model.whyNot?.(verb) ?? `${id} cannot ${verb}`;
  };
  return { id, profile, axis: setup.axis, whyNot };
}

function startPlaces(
  config: CellConfig,
  saga: SagaDefinition,
  { at, from }: DryRunFlags,
): readonly StartPlace[] {
  const named = new Map(at.map((one) => namedPlace(config, one)));
  const used = devicesOf(saga, [...saga.steps.keys()]);
  const read = new Set(config.interlocks.map((one) => one.evaluator));
  return config.devices.flatMap(({ id, setup: { axis } }): StartPlace[] => {
    const unit = deviceUnits(axis).position;
    const given = named.get(id);
    if (given !== undefined) return [{ device: id, position: given, unit, assumed: false }];
    if (axis?.travel === undefined || !(used.has(id) || read.has(id))) return [];
    const { min, max } = axis.travel;
    const home = Math.min(Math.max(0, min), max);
    const position = from === "home" ? home : (min + max) / 2;
    return [{ device: id, position, unit, assumed: true }];
  });
}

function namedPlace(config: CellConfig, typed: string): readonly [string, number] {
  const [, id = "", text = ""] = /^([^=]+)=(.+)$/.exec(typed) ?? [];
  const device = config.devices.find((one) => one.id === id);
  const axis = device?.setup.axis;
  if (axis === undefined) {
    const axes = config.devices.filter((one) => one.setup.axis !== undefined).map((one) => one.id);
    const problem = `--at ${typed}: write axis=position; the axes are ${axes.join(", ")}.`;
    throw new ServocellError("VALIDATION_FAILED", problem);
  }
  const bare = Number(text);
  const place = Number.isFinite(bare) ? bare : inUnit(text, deviceUnits(axis).position);
  if (typeof place !== "number") {
    throw new ServocellError("VALIDATION_FAILED", `--at ${typed}: ${place.problem}.`);
  }
  const { travel } = axis;
  if (travel === undefined || (place >= travel.min && place <= travel.max)) return [id, place];
  const text2 = `--at ${typed}: ${id} cannot stand outside of ${travel.min} … ${travel.max}.`;
  throw new ServocellError("VALIDATION_FAILED", text2);
}
