/**
 * What the readings of a device mean: state, flags, position, identity, reboot.
 *
 * The idea: a meaning is as good as its worst reading, and carries the oldest time among them; a
 * flag that the profile does not have is a reason like any other. It refuses to guess.
 */
import type { ConditionContext, Lookup, Test } from "./condition.js";
import { compileCondition, noOperands, stateOf } from "./condition.js";
import type { DeviceView, PointTable } from "./device-model.js";
import type { Profile } from "./profile.js";
import { conditionsIn } from "./profile-walk.js";
import type { Reading } from "./reading.js";

const notInProfile: Reading<never> = { ok: false, reason: "not-in-profile", atMs: 0 };

function pointReading(points: PointTable, name: string | undefined): Reading<number> {
  if (name === undefined) return notInProfile;
  return points.get(name) ?? { ok: false, reason: "never-read", atMs: 0 };
}

function lookup(points: PointTable): Lookup {
  return (name: string) => {
    const reading = points.get(name);
    return reading?.ok === true ? reading.value : undefined;
  };
}

/** The answer of a test over readings: the first bad one decides, else the oldest time counts. */
function ask(
  test: Test | undefined,
  points: PointTable,
  look: Lookup = lookup(points),
): Reading<boolean> {
  if (test === undefined) return notInProfile;
  let atMs = Number.POSITIVE_INFINITY;
  for (const name of test.points) {
    const reading = pointReading(points, name);
    if (!reading.ok) return reading;
    atMs = Math.min(atMs, reading.atMs);
  }
  const value = test.ask(look, noOperands);
  return value === undefined
    ? { ok: false, reason: "invalid-value", atMs }
    : { ok: true, value, atMs };
}

/** Points of a module that are one bit, and so a reading of their own. */
export function signalNames({ kind, points }: Profile): readonly string[] {
  if (kind !== "io") return [];
  return Object.entries(points)
    .filter(([, { read, type, bits, poll }]) => {
      const one = type === "bool" || (type === "bits" && bits?.width === 1);
      return one && read !== undefined && poll !== "never";
    })
    .map(([name]) => name);
}

function signalReadings(names: readonly string[], points: PointTable) {
  const entries = names.map((name) => {
    const reading = pointReading(points, name);
    return [name, reading.ok ? { ...reading, value: reading.value !== 0 } : reading] as const;
  });
  return Object.fromEntries(entries);
}

/** Points that a field of a device is read from, through the flags that a flag asks. */
export function pointsOfField(profile: Profile, field: string): readonly string[] {
  const { status } = profile;
  if (signalNames(profile).includes(field)) return [field];
  if (field === "position" || field === "velocity" || field === "faultCode") {
    const point = status[field];
    return point === undefined ? [] : [point];
  }
  const { when } = status.flags[field] ?? {};
  if (when === undefined) return [];
  return conditionsIn(when, []).flatMap(({ value: { point, flag, state } }) => [
    ...(point === undefined ? [] : [point]),
    ...(flag === undefined ? [] : pointsOfField(profile, flag)),
    ...(state === undefined ? [] : [status.state.point]),
  ]);
}

export interface Meaning {
  view(points: PointTable): DeviceView;
  identityMatches(points: PointTable): { readonly ok: boolean; readonly text: string };
  rebooted(before: PointTable, after: PointTable): boolean;
  readonly rebootPoints: readonly string[];
}

function flagTests(context: ConditionContext) {
  const { flags } = context.profile.status;
  const test = (name: string) => {
    const flag = flags[name];
    return flag === undefined ? undefined : compileCondition(flag.when, context);
  };
  return {
    enabled: test("enabled"),
    homed: test("homed"),
    moving: test("moving"),
    inTarget: test("inTarget"),
    fault: test("fault"),
    warning: test("warning"),
    remote: test("remote"),
    limit: test("limit"),
    gripped: test("gripped"),
  };
}

export function compileMeaning(context: ConditionContext): Meaning {
  const { profile } = context;
  const { status, identity } = profile;
  const flags = flagTests(context);
  const evidence = Array.isArray(status.rebootEvidence) ? status.rebootEvidence : [];
  const reboots = evidence.map((one) => ({
    before: compileCondition(one.before, context),
    after: compileCondition(one.after, context),
  }));
  const probes = (Array.isArray(identity.probe) ? identity.probe : []).map((one) => ({
    text: one.text,
    test: compileCondition(one.when, context),
  }));
  const signals = signalNames(profile);
  return {
    view: (points) => {
      const look = lookup(points);
      const word = pointReading(points, status.state.point);
      const state = stateOf(profile, look) ?? "unknown";
      const view: DeviceView = {
        state: word.ok ? { ok: true, value: state, atMs: word.atMs } : word,
        enabled: ask(flags.enabled, points, look),
        homed: ask(flags.homed, points, look),
        moving: ask(flags.moving, points, look),
        inTarget: ask(flags.inTarget, points, look),
        fault: ask(flags.fault, points, look),
        warning: ask(flags.warning, points, look),
        remote: ask(flags.remote, points, look),
        limit: ask(flags.limit, points, look),
        gripped: ask(flags.gripped, points, look),
        position: pointReading(points, status.position),
        velocity: pointReading(points, status.velocity),
        faultCode: pointReading(points, status.faultCode),
      };
      return signals.length === 0 ? view : { ...view, signals: signalReadings(signals, points) };
    },
    identityMatches: (points) => {
      const order = orderMatches(profile, points);
      if (!order.ok) return order;
      if (!Array.isArray(identity.probe)) return { ok: true, text: identity.probe.none };
      for (const { text, test } of probes) {
        const answer = ask(test, points);
        if (!answer.ok) return { ok: false, text: `not known whether ${text} (${answer.reason})` };
        if (!answer.value) return { ok: false, text: `it does not hold that ${text}` };
      }
      return { ok: true, text: probes.map(({ text }) => text).join("; ") };
    },
    rebootPoints: [
      ...new Set(reboots.flatMap(({ before, after }) => [...before.points, ...after.points])),
    ],
    rebooted: (before, after) => {
      return reboots.some((one) => {
        const was = ask(one.before, before);
        const is = ask(one.after, after);
        return was.ok && was.value && is.ok && is.value;
      });
    },
  };
}

/** Variation 4: a register with a known value shows whether the words come in the right order. */
function orderMatches({ transport }: Profile, points: PointTable): { ok: boolean; text: string } {
  const { check } = transport.order;
  if (check === undefined) return { ok: true, text: "" };
  const reading = pointReading(points, check.point);
  if (!reading.ok)
    return { ok: false, text: `the order of words is not known (${reading.reason})` };
  const is = reading.value;
  const ok = is === check.equals;
  return { ok, text: `${check.point} reads ${is} and not ${check.equals}: another order of words` };
}
