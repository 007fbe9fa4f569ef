/**
 * What one operation of a saga is expected to do: its time, its refusals, the place it leaves.
 *
 * The idea: the cell file's limits and the profile's bounds are enough to say how long a motion
 * takes and what the driver would refuse, as far as the places before it are known. Pure. It
 * refuses to promise: what is not known is a span, and says on what it depends.
 */
import type { AxisSetup } from "#drivers/device-model.js";
import type { OperationSpec, Profile } from "#drivers/profile.js";
import type { Ms } from "#drivers/reading.js";
import type { InterlockConfig } from "./cell.js";
import { evaluate } from "./condition.js";
import { evaluateExpression } from "./expression.js";
import {
  type Fact,
  factOf,
  given,
  open,
  opensOf,
  type Place,
  scopeOf,
  type World,
  withPlace,
} from "./forecast-world.js";
import { exactly, oneOf, rampsOf, type TimeSpan, travelMs, wayMax, waysTo } from "./motion-time.js";
import { isMotion } from "./moving-verbs.js";
import { deviceUnits } from "./quantities.js";
import type { SagaOperation } from "./saga.js";

export interface ForecastDevice {
  readonly id: string;
  readonly profile?: Pick<Profile, "operations"> | undefined;
  readonly axis?: AxisSetup | undefined;
  /** Why it never offers this operation, as a sentence. */
  readonly whyNot?: ((verb: string) => string | undefined) | undefined;
}

export interface ForecastCell {
  readonly devices: readonly ForecastDevice[];
  readonly interlocks: readonly Pick<InterlockConfig, "name" | "moves" | "require">[];
}

/** What the driver would say; not certain: it depends on what is not known. */
export interface ForecastRefusal {
  readonly code:
    | "INTERLOCKED"
    | "LIMIT_EXCEEDED"
    | "NOT_HOMED"
    | "NOT_ENABLED"
    | "NOT_SUPPORTED"
    | "VALIDATION_FAILED";
  readonly text: string;
  readonly certain: boolean;
}

export interface OperationForecast {
  readonly time: TimeSpan;
  readonly depends: readonly string[];
  readonly refusals: readonly ForecastRefusal[];
  readonly world: World;
}

type Facts = { readonly [name: string]: Fact<number> };

/** `limitMs`: the time of its step, which bounds what is not known. */
export function forecastOperation(
  operation: SagaOperation,
  cell: ForecastCell,
  world: World,
  limitMs: Ms,
): OperationForecast {
  const device = cell.devices.find((one) => one.id === operation.device);
  const place = world.places.get(operation.device);
  const refusals: ForecastRefusal[] = [];
  const why = device?.whyNot?.(operation.verb);
  if (why !== undefined) refusals.push({ code: "NOT_SUPPORTED", text: why, certain: true });
  const args = argsOf(operation, world, refusals);
  const spec = specOf(device, operation.verb);
  refusals.push(...readiness(operation.device, spec, place));
  if (isMotion(operation.verb)) refusals.push(...interlocked(operation.device, cell, world));
  const boundMs = Math.min(limitMs, spec?.timeoutMs ?? limitMs);
  const work = { operation, device, place, args, boundMs };
  const effect = effectOf(work);
  refusals.push(...effect.refusals);
  const opens = Object.values(args).flatMap((fact) => (fact.known ? [] : [fact.on]));
  return {
    time: effect.time,
    depends: [...new Set([...opens, ...effect.depends])],
    refusals,
    world: withPlace(world, operation.device, effect.place),
  };
}

function specOf(device: ForecastDevice | undefined, verb: string): OperationSpec | undefined {
  const known: { readonly [verb: string]: OperationSpec | undefined } =
    device?.profile?.operations ?? {};
  return Object.hasOwn(known, verb) ? known[verb] : undefined;
}

/** Arguments that are worked out have limits of their own. */
function argsOf(operation: SagaOperation, world: World, refusals: ForecastRefusal[]): Facts {
  const facts: { [name: string]: Fact<number> } = {};
  for (const [name, value] of Object.entries(operation.args)) facts[name] = given(value);
  for (const [name, { value, min, max }] of Object.entries(operation.worked ?? {})) {
    const worked = evaluateExpression(value.expression, scopeOf(world));
    if (!worked.ok) {
      const on = opensOf(value.expression, world);
      facts[name] = open(on.length === 0 ? value.text : on.join(", "));
      if (on.length > 0) continue;
      const text = `${name} = ${value.text}: ${worked.reason}`;
      refusals.push({ code: "VALIDATION_FAILED", text, certain: true });
      continue;
    }
    const number = Number(worked.value);
    facts[name] = given(number);
    const below = min !== undefined && number < min;
    if (!below && !(max !== undefined && number > max)) continue;
    const limit = below ? `below ${min}` : `above ${max}`;
    const text = `${name} = ${value.text} is ${shown(number)}, ${limit}`;
    refusals.push({ code: "LIMIT_EXCEEDED", text, certain: true });
  }
  return facts;
}

function readiness(
  device: string,
  spec: OperationSpec | undefined,
  place: Place | undefined,
): ForecastRefusal[] {
  const needs = [
    { flag: "enabled", code: "NOT_ENABLED" },
    { flag: "homed", code: "NOT_HOMED" },
  ] as const;
  return needs.flatMap(({ flag, code }): ForecastRefusal[] => {
    if (spec === undefined || !spec.requires.some((one) => one === flag)) return [];
    const fact = place?.[flag];
    if (fact?.known === true && fact.value) return [];
    if (fact?.known === true) return [{ code, text: `${device} is not ${flag}`, certain: true }];
    return [
      { code, text: `${device} may not be ${flag}: ${fact?.on ?? "unknown"}`, certain: false },
    ];
  });
}

function interlocked(device: string, cell: ForecastCell, world: World): ForecastRefusal[] {
  return cell.interlocks.flatMap(({ name, moves, require }): ForecastRefusal[] => {
    if (!moves.includes(device)) return [];
    const opens: string[] = [];
    const judged = evaluate(require, (id, field) => {
      const fact = factOf(world, id, field);
      if (fact?.known === true) return { ok: true, value: fact.value, atMs: 0 };
      opens.push(fact === undefined ? `${id}.${field}` : `${id}.${field}: ${fact.on}`);
      return undefined;
    });
    const code = "INTERLOCKED";
    if (judged.ok && judged.holds) return [];
    if (judged.ok) return [{ code, text: `${name}: ${judged.missing}`, certain: true }];
    return [{ code, text: `${name}: depends on ${opens.join("; ")}`, certain: false }];
  });
}

interface Work {
  readonly operation: SagaOperation;
  readonly device: ForecastDevice | undefined;
  readonly place: Place | undefined;
  readonly args: Facts;
  readonly boundMs: Ms;
}
interface Effect {
  readonly time: TimeSpan;
  readonly depends: readonly string[];
  readonly refusals: readonly ForecastRefusal[];
  readonly place: Partial<Place>;
}

function effectOf(work: Work): Effect {
  const { operation, device, boundMs } = work;
  const id = operation.device;
  const unknown = { time: { fromMs: 0, toMs: boundMs }, refusals: [], place: {} };
  switch (operation.verb) {
    case "moveTo":
    case "moveBy":
      return device?.axis === undefined ? openMove(work) : motion(work, device.axis);
    case "velocity":
    case "jog":
      return ramp(work);
    case "home": {
      const on = `the homing of ${id}`;
      const place = { homed: given(true), position: reference(device?.axis), velocity: given(0) };
      return { ...unknown, depends: [on], place };
    }
    case "enable":
    case "disable": {
      const enabled = given(operation.verb === "enable");
      const depends = [`the time that ${id} takes to ${operation.verb}`];
      return { ...unknown, depends, place: { enabled, velocity: given(0) } };
    }
    case "grip":
    case "release": {
      // Whether there is a part to be held is what the step finds out.
      const gripped = operation.verb === "release" ? given(false) : given(true);
      const position = open<number>(`what ${id} has met`);
      const depends = [`the stroke and speed of ${id}`];
      return { ...unknown, depends, place: { gripped, position } };
    }
    default:
      return { ...unknown, depends: [`${id}.${operation.verb}`] };
  }
}

/** Homing ends at the reference; only the drive knows where: 0 is assumed, within the travel. */
export function reference(axis: AxisSetup | undefined): Fact<number> {
  const { min = 0, max = 0 } = axis?.travel ?? {};
  return given(Math.min(Math.max(0, min), Math.max(max, min)));
}

function openMove({ operation, args, boundMs }: Work): Effect {
  const place = { position: args.position ?? args.width ?? open<number>(operation.device) };
  const time = { fromMs: 0, toMs: boundMs };
  return { time, depends: [`the stroke and speed of ${operation.device}`], refusals: [], place };
}

function numbersOf(args: Facts): { readonly [name: string]: number } {
  const known = Object.entries(args).flatMap(([name, fact]) =>
    fact.known ? [[name, fact.value] as const] : [],
  );
  return Object.fromEntries(known);
}

function motion({ operation, place, args, boundMs }: Work, axis: AxisSetup): Effect {
  const ramps = rampsOf(axis, numbersOf(args));
  const from = place?.position ?? open<number>(operation.device);
  const by = args.distance ?? open<number>("the distance");
  const absolute = operation.verb === "moveTo";
  const to = absolute ? (args.position ?? open<number>("the position")) : sumOf(from, by);
  const velocity = given(0);
  // Its own velocity is not known: the greatest one is the least time.
  const slow = args.velocity?.known === false || args.acceleration?.known === false;
  const refusals = outside(operation.device, to, axis);
  const longest = wayMax(axis);
  const wholeMs = longest === undefined || slow ? boundMs : travelMs(longest, ramps);
  const timed = absolute ? from.known && to.known : by.known;
  if (!timed) {
    const on = absolute && to.known && !from.known ? [from.on] : [];
    return {
      time: { fromMs: 0, toMs: Math.min(boundMs, wholeMs) },
      depends: on,
      refusals,
      place: { position: to, velocity },
    };
  }
  const ways =
    absolute && from.known && to.known
      ? waysTo(axis, from.value, to.value)
      : [by.known ? Math.abs(by.value) : 0];
  const span = oneOf(ways.map((way) => exactly(travelMs(way, ramps))));
  const time = slow ? { fromMs: span.fromMs, toMs: Math.max(span.fromMs, boundMs) } : span;
  return { time, depends: [], refusals, place: { position: to, velocity } };
}

function sumOf(from: Fact<number>, by: Fact<number>): Fact<number> {
  if (!from.known) return from;
  return by.known ? given(from.value + by.value) : by;
}

function outside(device: string, to: Fact<number>, { travel, unit }: AxisSetup): ForecastRefusal[] {
  if (travel === undefined || !to.known) return [];
  if (to.value >= travel.min && to.value <= travel.max) return [];
  const { position } = deviceUnits({ unit });
  const goes = `${device} would go to ${shown(to.value)} ${position}`;
  const text = `${goes}, outside of ${travel.min} … ${travel.max}`;
  return [{ code: "LIMIT_EXCEEDED", text, certain: true }];
}

/** The ramp to another speed, where the operation says it; else it is a parameter of the drive. */
function ramp({ operation, device, place, args, boundMs }: Work): Effect {
  const wanted = args.velocity ?? open<number>("the velocity");
  const position = open<number>(`how long ${operation.device} runs`);
  const now = place?.velocity;
  const place2 = { velocity: wanted, position };
  const axis = device?.axis;
  const told = specOf(device, operation.verb)?.args.acceleration !== undefined;
  if (!told || !wanted.known || now?.known !== true || axis === undefined) {
    const own = told ? [] : [`the ramp set in ${operation.device}`];
    const depends = now?.known === false ? [now.on, ...own] : own;
    return { time: { fromMs: 0, toMs: boundMs }, depends, refusals: [], place: place2 };
  }
  const acceleration = numbersOf(args).acceleration ?? axis.accelerationMax;
  const ms = (Math.abs(wanted.value - now.value) / acceleration) * 1000;
  return { time: exactly(ms), depends: [], refusals: [], place: place2 };
}

function shown(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
