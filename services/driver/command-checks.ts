/**
 * Whether a command may run now: the checks of a driver, in their order.
 *
 * The idea: one pure function over what the driver knows; the first check that fails names the
 * code, the reason and the limit [PROTOCOL 2, 4, 8, 14]. A fact that the profile does not have is
 * not a reason to refuse; a fact that could not be read is. It refuses to look anything up.
 */
import type {
  AxisSetup,
  DeviceModel,
  DeviceView,
  Finding,
  Verb,
  WatchdogFinding,
} from "#drivers/device-model.js";
import type { Detail, Ms, Reading, Verdict } from "#drivers/reading.js";
import { isMotion } from "#kernel/config/moving-verbs.js";
import type { DeviceState } from "#kernel/contract/payloads.js";
import type { ErrorCode } from "#kernel/errors.js";
import { jogWay } from "./jog-way.js";
import { type LeaseState, leaseLives } from "./lease.machine.js";
import { endAhead } from "./travel.js";

/** A reading older than this many poll periods is no ground to move on. */
export const freshPolls = 3;

export interface CommandFacts {
  readonly nowMs: Ms;
  readonly verb: string;
  readonly args: { readonly [name: string]: number };
  readonly given: { readonly holder: string; readonly epoch: number } | undefined;
  readonly lease: LeaseState;
  readonly latched: boolean;
  readonly stopping: boolean;
  readonly device: DeviceState;
  readonly readInFull: boolean;
  readonly identity: "unknown" | "match" | "mismatch";
  readonly view: DeviceView;
  readonly model: DeviceModel;
  /** The first interlock that forbids it, in words. */
  readonly interlock: string | undefined;
  readonly breaker: "closed" | "open" | "half-open";
  /** When the newest good status read was sent; undefined: never. */
  readonly statusAtMs: Ms | undefined;
  readonly pollPeriodMs: Ms;
  /** What is known of the drive's own watchdog; absent: what the profile says is all. */
  readonly watchdog?: WatchdogFinding;
  /** Whether the parameters that must stand do stand. */
  readonly commissioning?: Finding;
  readonly running: { readonly id: string; readonly verb: string } | undefined;
  /** Where the move is to end; undefined: it has no such place, or nobody knows from where. */
  readonly place: number | undefined;
}

const needsReference: ReadonlySet<string> = new Set(["moveTo", "moveBy"]);
const mendsFault: ReadonlySet<string> = new Set(["resetFault", "disable"]);
const unbounded: ReadonlySet<string> = new Set(["velocity", "jog"]);

/** A gripper may be enabled or reset by a full stroke: then permits are asked for that, too. */
export function mayMove(model: DeviceModel, verb: string): boolean {
  return isMotion(verb) || [...(model.movers ?? [])].some((one) => one === verb);
}

/** Verbs after whose end the axis goes on moving. */
export function isUnbounded(verb: string): boolean {
  return unbounded.has(verb);
}

export function refuse(code: ErrorCode, text: string, detail?: Detail): Verdict {
  const base = { verdict: "refused", code, text } as const;
  return detail === undefined ? base : { ...base, detail };
}

/** The refusal, or undefined when the command may run. */
export function checkCommand(facts: CommandFacts): Verdict | undefined {
  return checkLease(facts) ?? checkWithoutLease(facts);
}

/** The same before there is a lease, for who asks for one only to give this command. */
export function checkWithoutLease(facts: CommandFacts): Verdict | undefined {
  return checkDevice(facts) ?? checkReady(facts) ?? checkLimits(facts) ?? checkSurroundings(facts);
}

function checkLease(facts: CommandFacts): Verdict | undefined {
  const { given, lease, nowMs } = facts;
  if (given === undefined) return refuse("LEASE_REQUIRED", "the command names no lease");
  if (!leaseLives(lease, given.holder, given.epoch, nowMs)) {
    const current = lease.at === "held" ? lease.epoch : lease.epoch + 1;
    if (given.epoch < current) {
      const text = `epoch ${given.epoch} of the lease has ended; the newest is ${lease.epoch}`;
      return refuse("EXPIRED", text, { epoch: lease.epoch });
    }
    return refuse("LEASE_REQUIRED", `${given.holder} has no lease with epoch ${given.epoch}`);
  }
  if (facts.latched) return refuse("LATCHED", "a stop is latched; reset it first");
  if (facts.stopping) return refuse("SUPERSEDED", "the axis is being stopped");
  return undefined;
}

function asVerb(model: DeviceModel, verb: string): Verb | undefined {
  return [...model.verbs].find((known) => known === verb);
}

function checkDevice(facts: CommandFacts): Verdict | undefined {
  const { model, view, verb } = facts;
  const name = model.setup.device;
  if (facts.device === "unconfigured" || !facts.readInFull) {
    return refuse("NOT_READY", `${name} has not been read in full since it was last lost`);
  }
  if (facts.device === "faulted" && !mendsFault.has(verb)) {
    const code = view.faultCode.ok ? ` ${view.faultCode.value}` : "";
    const detail: Detail = view.faultCode.ok ? { faultCode: view.faultCode.value } : {};
    return refuse("DRIVE_FAULT", `${name} reports fault${code}; reset it first`, detail);
  }
  if (view.remote.ok && !view.remote.value) {
    return refuse("DEVICE_LOCAL", `${name} is under local control and ignores the fieldbus`);
  }
  if (facts.identity === "mismatch") {
    return refuse("IDENTITY_MISMATCH", `${name} is not what profile ${model.profileId} describes`);
  }
  if (facts.identity === "unknown") {
    return refuse("NOT_READY", `the identity of ${name} has not been read yet`);
  }
  // An axis that cannot be jogged says why by what it lacks, see checkWatchdog.
  const judgedLater = verb === "jog" && model.setup.axis !== undefined;
  if (asVerb(model, verb) === undefined && !judgedLater) {
    const known = [...model.verbs].join(", ");
    const why = model.whyNot?.(verb);
    const reason = why === undefined ? "" : ` (${why})`;
    return refuse("NOT_SUPPORTED", `${name} cannot ${verb}${reason}; it can ${known}`);
  }
  return undefined;
}

/** True unless the fact is known not to hold, or should be known and is not. */
function holds(reading: Reading<boolean>): boolean {
  return reading.ok ? reading.value : reading.reason === "not-in-profile";
}

function checkReady(facts: CommandFacts): Verdict | undefined {
  const { model, view, verb } = facts;
  const name = model.setup.device;
  if (isMotion(verb) && !holds(view.enabled)) {
    return refuse("NOT_ENABLED", `${name} is not enabled; enable it first`);
  }
  if (needsReference.has(verb) && !holds(view.homed)) {
    return refuse("NOT_HOMED", `${name} has no position reference; home it first`);
  }
  const { commissioning } = facts;
  if (mayMove(model, verb) && commissioning?.ok === false) {
    return refuse("NOT_COMMISSIONED", `${name} is not set up for motion: ${commissioning.text}`);
  }
  return isUnbounded(verb) ? checkWatchdog(facts) : undefined;
}

/** What goes on without a target must end without us, too [PROTOCOL 9, 16]. */
function checkWatchdog({ model, verb, watchdog }: CommandFacts): Verdict | undefined {
  if (verb === "jog") {
    const way = jogWay(model, watchdog);
    return way.by === "none" ? refuse("NO_WATCHDOG", way.why) : undefined;
  }
  const { device, acceptNoWatchdog } = model.setup;
  if (acceptNoWatchdog !== undefined) return undefined;
  const verified = watchdog?.state ?? (model.watchdog.kind === "fixed" ? "verified" : "unknown");
  if (verified === "verified") return undefined;
  const why = watchdog === undefined ? "" : ` (${watchdog.state}: ${watchdog.text})`;
  const text = `${device} has no verified drive watchdog${why}, so ${verb} is refused`;
  return refuse("NO_WATCHDOG", text);
}

/** A leash is no longer than the travel: what is refused is a jog that has nowhere to go. */
function checkLeash(facts: CommandFacts, axis: AxisSetup): Verdict | undefined {
  const { place, view, args } = facts;
  const { position, homed } = view;
  if (!position.ok || place === undefined) {
    return refuse("NOT_READY", "the actual position is not known, so there is no leash from it");
  }
  if (axis.travel !== undefined && homed.ok && !homed.value) {
    return refuse("NOT_HOMED", `${facts.model.setup.device} has no position reference; home it`);
  }
  const ahead = (place - position.value) * Math.sign(args.velocity ?? 0);
  if (ahead > axis.tolerance) return undefined;
  return refuse("LIMIT_EXCEEDED", `the axis stands at the end of its travel (${position.value})`);
}

function over(what: string, value: number, limit: number, unit: string): Verdict {
  const text = `${what} ${value} ${unit} is outside the limit of ${limit} ${unit}`;
  return refuse("LIMIT_EXCEEDED", text, { value, limit });
}

function checkLimits(facts: CommandFacts): Verdict | undefined {
  const { args, view, verb, model } = facts;
  for (const [name, value] of Object.entries(args)) {
    if (!Number.isFinite(value)) return refuse("VALIDATION_FAILED", `${name} is not a number`);
  }
  const axis = model.setup.axis;
  if (axis === undefined) return undefined;
  const { position, distance, velocity, acceleration } = args;
  const speed = `${axis.unit}/s`;
  if (velocity !== undefined) {
    if (!isUnbounded(verb) && velocity <= 0) {
      return refuse("LIMIT_EXCEEDED", `velocity must be above 0 ${speed}, got ${velocity}`);
    }
    const most = axis.velocityMax;
    if (Math.abs(velocity) > most) return over("velocity", velocity, most, speed);
  }
  if (verb === "jog" && (velocity === undefined || velocity === 0)) {
    return refuse("LIMIT_EXCEEDED", "jog needs a velocity other than 0");
  }
  if (verb === "jog" && jogWay(model, facts.watchdog).by === "leash") {
    return checkLeash(facts, axis);
  }
  if (velocity !== undefined && velocity !== 0 && isUnbounded(verb)) {
    const ahead = { ...view, velocity: { ok: true, value: velocity, atMs: facts.nowMs } } as const;
    const end = endAhead(ahead, axis, facts.pollPeriodMs);
    if (end !== undefined) return refuse("LIMIT_EXCEEDED", `${verb} leads to ${end}`, { velocity });
  }
  if (acceleration !== undefined) {
    const most = axis.accelerationMax;
    if (acceleration <= 0 || acceleration > most) {
      return over("acceleration", acceleration, most, `${speed}²`);
    }
  }
  if (verb === "moveTo" && position !== undefined) return outside(axis, "position", position);
  if (verb === "moveBy" && distance !== undefined && axis.travel !== undefined) {
    const { place } = facts;
    if (place === undefined) return refuse("NOT_READY", "the actual position is not known");
    return outside(axis, "target", place);
  }
  return undefined;
}

function outside(
  axis: { unit: string; travel?: { readonly min: number; readonly max: number } },
  what: string,
  value: number,
): Verdict | undefined {
  const { travel, unit } = axis;
  if (travel === undefined) return undefined;
  if (value < travel.min) return over(what, value, travel.min, unit);
  if (value > travel.max) return over(what, value, travel.max, unit);
  return undefined;
}

function checkSurroundings(facts: CommandFacts): Verdict | undefined {
  const { model, verb } = facts;
  const name = model.setup.device;
  if (mayMove(model, verb) && facts.interlock !== undefined) {
    return refuse("INTERLOCKED", facts.interlock);
  }
  if (facts.breaker !== "closed") {
    return refuse("BREAKER_OPEN", `${name} failed repeatedly and is being left alone`);
  }
  const oldestMs = freshPolls * facts.pollPeriodMs;
  if (facts.statusAtMs === undefined || facts.nowMs - facts.statusAtMs > oldestMs) {
    return refuse("NOT_READY", `the status of ${name} is older than ${oldestMs} ms`);
  }
  if (facts.running !== undefined) {
    const { verb: busyVerb, id } = facts.running;
    return refuse("BUSY", `${name} is executing ${busyVerb} (${id}); wait for its end`);
  }
  return undefined;
}
