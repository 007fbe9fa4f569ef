/**
 * What a device must hold before it moves, and what keeps it moving: parameters, watchdog, refresh.
 *
 * The idea: each is judged from readings like everything else, so a value that could not be read
 * is never taken for the right one. A watchdog counts when its time runs and its reaction brings
 * the axis to rest; one that the traffic of neighbours keeps quiet guards nothing [devices.md
 * 10.4.2]. It refuses to trust a register that was not read.
 */
import { toRaw } from "./codec.js";
import type {
  DeviceModel,
  DeviceSetup,
  Finding,
  PointTable,
  RefreshDuty,
  Verb,
  WatchdogFacts,
  WatchdogFinding,
} from "./device-model.js";
import { codecOf, frameOf } from "./frame.js";
import type { Profile } from "./profile.js";
import type { CompileContext } from "./program-compile.js";
import { frameMakers } from "./program-compile.js";
import { rational } from "./rational.js";
import { planReads } from "./read-plan.js";

/** Reactions after which an axis stands still. */
export const restingReactions: readonly string[] = ["ramp", "coast", "fault"];

export function watchdogFacts(profile: Profile, setup: DeviceSetup): WatchdogFacts {
  const { kind, note, timeoutMs, reactions, timeoutPoint, reactionPoint } = profile.watchdog;
  if (kind === "none") return { kind };
  const shared = profile.watchdog.fedBy === "anyTraffic" && setup.sharesLine === true;
  if (kind === "fixed" && timeoutMs !== undefined) {
    const reaction = (reactions ?? []).join(", ") || note;
    return { kind, timeoutMs, reaction, fedByNeighbours: shared };
  }
  if (kind !== "settable" || timeoutPoint === undefined) return { kind: "unknown", note };
  const points = [timeoutPoint, ...(reactionPoint === undefined ? [] : [reactionPoint])];
  return { kind, note, fedByNeighbours: shared, points, requests: planReads(profile, points) };
}

/** What is known now of the drive's own watchdog. */
export function judgeWatchdog(
  profile: Profile,
  facts: WatchdogFacts,
  points: PointTable,
): WatchdogFinding {
  if (facts.kind === "none") return { state: "none", text: "the drive has no watchdog" };
  if (facts.kind === "unknown") return { state: "unknown", text: facts.note };
  if (facts.fedByNeighbours) {
    const text = "the traffic of other units on the line keeps it quiet";
    return { state: "fedByNeighbours", text };
  }
  if (facts.kind === "fixed") {
    const { timeoutMs, reaction } = facts;
    const rests = (profile.watchdog.reactions ?? []).every((one) => restingReactions.includes(one));
    if (!rests) return { state: "wrong-reaction", text: `its reaction is ${reaction}`, timeoutMs };
    return { state: "verified", text: `${reaction} after ${timeoutMs} ms`, timeoutMs };
  }
  return judgeRegisters(profile, points);
}

function judgeRegisters({ watchdog }: Profile, points: PointTable): WatchdogFinding {
  const { timeoutPoint = "", reactionPoint, accept, off, unitMs = 1 } = watchdog;
  const time = points.get(timeoutPoint);
  if (time?.ok !== true) return { state: "unknown", text: `${timeoutPoint} has not been read` };
  if (time.value === off || time.value <= 0) {
    return { state: "off", text: `${timeoutPoint} is ${time.value}: the watchdog is off` };
  }
  const timeoutMs = time.value * unitMs;
  if (reactionPoint === undefined) {
    return { state: "verified", text: `after ${timeoutMs} ms`, timeoutMs };
  }
  const reaction = points.get(reactionPoint);
  if (reaction?.ok !== true) {
    return { state: "unknown", text: `${reactionPoint} has not been read` };
  }
  if (accept?.includes(reaction.value) === true) {
    const text = `after ${timeoutMs} ms, reaction ${reaction.value}`;
    return { state: "verified", text, timeoutMs };
  }
  const wanted = (accept ?? []).join(" or ");
  const text = `${reactionPoint} is ${reaction.value}, which does not stop the axis (${wanted} do)`;
  return { state: "wrong-reaction", text, timeoutMs };
}

/**
 * Frames that bring the watchdog to the time that the cell file asks for; empty: it stands so
 * already, or nothing is asked. Only registers that differ are written: some wear out.
 */
export function watchdogFrames(
  { profile, names }: CompileContext,
  setMs: number,
  points: PointTable,
): readonly Uint8Array[] {
  const { timeoutPoint, reactionPoint, accept, unitMs = 1 } = profile.watchdog;
  if (timeoutPoint === undefined) return [];
  const scaled = toRaw(setMs, { scale: rational(1n), offset: rational(0n) });
  const wanted: (readonly [string, number])[] = [];
  if (scaled.ok) wanted.push([timeoutPoint, Math.max(1, Math.round(scaled.value / unitMs))]);
  const reaction = reactionPoint === undefined ? undefined : points.get(reactionPoint);
  const right = reaction?.ok === true && accept?.includes(reaction.value) === true;
  const first = accept?.[0];
  if (reactionPoint !== undefined && first !== undefined && !right) {
    wanted.push([reactionPoint, first]);
  }
  return wanted.flatMap(([name, value]) => {
    const there = points.get(name);
    if (there?.ok === true && there.value === value) return [];
    const frame = frameOf(profile, codecOf(profile, names, name), value);
    return frame.ok ? [frame.value] : [];
  });
}

/** Frames that keep it fed, in turn. @throws RangeError when a value does not fit its point */
export function watchdogFeed({
  profile,
  names,
}: CompileContext): Pick<DeviceModel, "watchdogFeed"> {
  const { feed } = profile.watchdog;
  if (feed === undefined) return {};
  const frames = feed.values.map((value) => {
    const made = frameOf(profile, codecOf(profile, names, feed.point), value);
    if (!made.ok) throw new RangeError(made.why);
    return made.value;
  });
  return { watchdogFeed: { frames, everyMs: feed.everyMs } };
}

/** The parameters that must stand before motion, compared with a full read. */
export function judgeCommissioning({ commissioning }: Profile, points: PointTable): Finding {
  for (const { text, point, expect } of commissioning.parameters) {
    if (point === undefined || expect === undefined) continue;
    const reading = points.get(point);
    const wanted = typeof expect === "number" ? [expect] : expect;
    const is = reading?.ok === true ? String(reading.value) : "not read";
    if (reading?.ok === true && wanted.includes(reading.value)) continue;
    return { ok: false, text: `${text}: ${point} must be ${wanted.join(" or ")}, it is ${is}` };
  }
  return { ok: true, text: "" };
}

/** What must be repeated while a motion of this verb goes on. @throws RangeError for bad steps */
export function refreshDuty(
  context: CompileContext,
  verb: Verb,
  args: { readonly [name: string]: number },
): RefreshDuty | undefined {
  const duty = context.profile.refresh.find((one) => one.operation === verb);
  if (duty?.write === undefined) return undefined;
  const frames = frameMakers({ write: duty.write, block: duty.block }, context).flatMap((make) => {
    const made = make({ args, captures: {} });
    return made.ok ? [made.value] : [];
  });
  return { frames, everyMs: duty.everyMs, deadlineMs: duty.deadlineMs };
}
