/**
 * What is checked before an operation begins: arguments, limits, and what the readings say.
 *
 * The idea: everything that can be refused is refused before the first frame, with the limit that
 * was passed. A speed that is missing is never taken for the greatest one, and a reading that is
 * missing is never taken for a good one. It refuses; it never corrects.
 */

import { rangeOf } from "./codec.js";
import type { ConditionContext } from "./condition.js";
import { worth } from "./condition.js";
import type { DeviceSetup, DeviceView, OperationRequest } from "./device-model.js";
import { codecOf, rawOf } from "./frame.js";
import type { ArgumentSpec, OperationSpec } from "./profile.js";
import type { Ms, OperationCode, Reading, Verdict } from "./reading.js";

export interface BeginContext extends ConditionContext {
  readonly setup: DeviceSetup;
  readonly view: DeviceView;
}

export type Args = { readonly [name: string]: number };

export type Prepared =
  | { readonly ok: true; readonly args: Args; readonly travelMs: Ms }
  | { readonly ok: false; readonly verdict: Verdict };

function refuse(code: OperationCode, text: string, detail: Args = {}): Prepared {
  return { ok: false, verdict: { verdict: "refused", code, text, detail } };
}

/** Arguments in user units with defaults filled in, or the verdict that refuses. */
export function prepare(
  operation: OperationSpec,
  request: OperationRequest,
  context: BeginContext,
): Prepared {
  const title = `${context.setup.device}: ${request.verb}`;
  const given = argsOf(operation, request.args);
  if (typeof given === "string") return refuse("VALIDATION_FAILED", `${title}: ${given}`);
  const args: { [name: string]: number } = {};
  for (const [name, spec] of Object.entries(operation.args)) {
    const value =
      given[name] ?? (spec.default === undefined ? undefined : worth(spec.default, context.names));
    if (value === undefined || !Number.isFinite(value)) {
      const why = value === undefined ? "is missing" : "is not a finite number";
      return refuse("VALIDATION_FAILED", `${title}: its ${name} ${why}`);
    }
    const limit = limitOf(name, spec, value, context);
    if (limit !== undefined)
      return refuse("LIMIT_EXCEEDED", `${title}: ${limit.text}`, limit.detail);
    args[name] = value;
  }
  const ready = readiness(operation, context.view);
  if (ready !== undefined) return refuse(ready.code, `${title}: ${ready.text}`);
  const travel = travelOf(operation, args, context);
  if (typeof travel === "string") return refuse("LIMIT_EXCEEDED", `${title}: ${travel}`, args);
  return { ok: true, args, travelMs: travel };
}

/** Names as the profile knows them, or the sentence that says what is wrong. */
function argsOf(operation: OperationSpec, given: Args): Args | string {
  const args: { [name: string]: number } = {};
  for (const [name, value] of Object.entries(given)) {
    const own = Object.entries(operation.args).find(
      ([key, spec]) => key === name || spec.alias === name,
    );
    if (own === undefined) {
      const known = Object.keys(operation.args).join(", ");
      return `it does not take ${name}${known === "" ? "" : `, only ${known}`}`;
    }
    if (args[own[0]] !== undefined) return `${own[0]} is given twice`;
    args[own[0]] = value;
  }
  return args;
}

/** Quantities of which a little is not the same as none. */
const ramps: ReadonlySet<ArgumentSpec["quantity"]> = new Set(["velocity", "acceleration"]);

interface Limit {
  readonly text: string;
  readonly detail: Args;
}

function limitOf(
  name: string,
  spec: ArgumentSpec,
  value: number,
  { names, profile, setup }: BeginContext,
): Limit | undefined {
  const travel = spec.quantity === "position" ? setup.axis?.travel : undefined;
  const bounds: readonly (readonly [number | undefined, number | undefined])[] = [
    [
      spec.min === undefined ? undefined : worth(spec.min, names),
      spec.max === undefined ? undefined : worth(spec.max, names),
    ],
    [travel?.min, travel?.max],
  ];
  for (const [min, max] of bounds) {
    const detail = {
      [name]: value,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
    };
    if (min !== undefined && (spec.above === true ? value <= min : value < min)) {
      const word = spec.above === true ? "must be above" : "is below";
      return { text: `${name} ${value} ${word} ${min}`, detail };
    }
    if (max !== undefined && value > max)
      return { text: `${name} ${value} is above ${max}`, detail };
  }
  if (spec.quantity === "number" && !Number.isInteger(value)) {
    return { text: `${name} ${value} is not a whole number`, detail: { [name]: value } };
  }
  if (spec.point === undefined) return undefined;
  const codec = codecOf(profile, names, spec.point);
  const raw = rawOf(codec, value);
  const range = rangeOf(codec.spec);
  if (!raw.ok) return { text: `${name} ${value}: ${raw.why}`, detail: { [name]: value } };
  const sent = BigInt(raw.value);
  // MO-21: 0 means "as fast as it goes", or a ramp that never ends, to one drive or another.
  if (sent === 0n && value !== 0 && ramps.has(spec.quantity)) {
    const text = `${name} ${value} would be written as 0, which is not the same as a little`;
    return { text, detail: { [name]: value } };
  }
  // A distance is not what is written: it may point either way as far as the register is wide.
  const least = spec.quantity === "distance" ? range.min - range.max : range.min;
  const most = spec.quantity === "distance" ? range.max - range.min : range.max;
  if (sent >= least && sent <= most) return undefined;
  return {
    text: `${name} ${value} does not fit the register ${spec.point}`,
    detail: { [name]: value },
  };
}

interface NotReady {
  readonly code: OperationCode;
  readonly text: string;
}

/** What the readings must say; a missing one refuses, except where no point tells it. */
function readiness(operation: OperationSpec, view: DeviceView): NotReady | undefined {
  const needs: (readonly [Reading<boolean>, boolean, NotReady])[] = [
    [view.remote, true, { code: "DEVICE_LOCAL", text: "the drive is under local control" }],
  ];
  if (operation.toleratesFault !== true && operation.requires.length > 0) {
    const text = "the drive reports a fault; reset it first";
    needs.push([view.fault, false, { code: "DRIVE_FAULT", text }]);
  }
  if (operation.requires.includes("enabled")) {
    needs.push([view.enabled, true, { code: "NOT_ENABLED", text: "the drive is not enabled" }]);
  }
  if (operation.requires.includes("homed")) {
    needs.push([
      view.homed,
      true,
      { code: "NOT_HOMED", text: "the axis has no reference; home it" },
    ]);
  }
  for (const [reading, wanted, refusal] of needs) {
    if (!reading.ok && reading.reason === "not-in-profile") continue;
    if (!reading.ok) {
      const text = `its state is not known (${reading.reason}); nothing was sent`;
      return { code: "DEVICE_UNREACHABLE", text };
    }
    if (reading.value !== wanted) return refusal;
  }
  return undefined;
}

/** Estimated time of the travel, or the sentence that refuses a target outside of it. */
function travelOf(operation: OperationSpec, args: Args, context: BeginContext): Ms | string {
  const { view, setup } = context;
  const velocity = args.velocity;
  const moving = velocity !== undefined && velocity !== 0;
  const timeOf = (distance: number) => {
    return moving ? (1000 * Math.abs(distance)) / Math.abs(velocity) : 0;
  };
  const by = args.distance;
  if (by !== undefined) {
    const travel = setup.axis?.travel;
    if (travel === undefined) return timeOf(by);
    if (!view.position.ok) return `its position is not known (${view.position.reason})`;
    const target = view.position.value + by;
    if (target < travel.min || target > travel.max) {
      return `the target ${target} is outside ${travel.min} to ${travel.max}`;
    }
    return timeOf(by);
  }
  const to = operation.args.position === undefined ? undefined : args.position;
  if (to === undefined || !view.position.ok) return 0;
  return timeOf(to - view.position.value);
}
