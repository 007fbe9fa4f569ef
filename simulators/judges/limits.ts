/**
 * The judge of limits: travel and interlocks, on true positions.
 *
 * The idea: the plant itself is asked, so a wrong scaling or a stale permit cannot hide. Beyond the
 * travel only a step farther out is a break, because an axis may have been left there. While an
 * interlock is false its axes may run on for as long as readings, permits, stop and brake take; a
 * hold that leaves it out of account by name may move slowly (hold-to-run judges that). It refuses
 * to judge an interlock whose truth is not known.
 */
import { type HoldSpan, holdSpans } from "./hold-spans.js";
import { jogsAsked } from "./hold-to-run.js";
import type { Finding, Judge, JudgedDevice, JudgedInterlock, JudgeFacts } from "./judge.js";
import { outagesOf } from "./outages.js";
import { indexUpTo, type Motion, motionsOf, ms } from "./timeline.js";
import { type LineOf, linesOf, type TraceLine } from "./trace.js";

type Found = Omit<Finding, "judge">;

/** A permit may be so old [PROTOCOL 8]. */
const permitMs = 200;

export const limits: Judge = {
  name: "limits",
  promise: "Our commands never carry an axis beyond its travel or through a false interlock.",
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Found[] {
    const truths = linesOf(trace, "truth");
    return [...beyondTravel(trace, facts), ...acrossInterlocks(trace, truths, facts)];
  },
};

/** Until an axis is homed, and while it is, its place says nothing of the travel. */
function beyondTravel(trace: readonly TraceLine[], facts: JudgeFacts): Found[] {
  const devices = new Map(facts.devices.map((device) => [device.id, device]));
  const placeless = new Set(homedIn(trace));
  const homings = new Map<string, string>();
  const excesses = new Map<string, number>();
  const known = new Set<string>();
  const found: Found[] = [];
  for (const line of trace) {
    if (line.kind === "command" && line.verb === "home") {
      homings.set(line.id, line.device);
      placeless.add(line.device);
    } else if (line.kind === "verdict" && line.verdict === "done") {
      placeless.delete(homings.get(line.id) ?? "");
    } else if (line.kind === "fault" && line.rebooted !== undefined) placeless.add(line.rebooted);
    if (line.kind !== "truth" || placeless.has(line.device)) continue;
    const { at, device: id, position } = line;
    const device = devices.get(id);
    if (device?.travel === undefined) continue;
    const excess = excessOf(device, device.travel, position);
    const before = excesses.get(id);
    excesses.set(id, excess);
    if (excess <= 0) known.delete(id);
    if (excess <= 0 || before === undefined || excess <= before || known.has(id)) continue;
    known.add(id);
    const text = `${id} is at ${position}, its travel is ${device.travel.join(" to ")}`;
    found.push({ at, device: id, text });
  }
  return found;
}

/** Devices that are homed somewhere in the trace: before, nobody knows where they are. */
function homedIn(trace: readonly TraceLine[]): readonly string[] {
  return linesOf(trace, "command").flatMap((line) => (line.verb === "home" ? [line.device] : []));
}

/** How far outside, tolerance and lag apart; 0 or less: inside. */
function excessOf(device: JudgedDevice, [min, max]: readonly [number, number], position: number) {
  const outside = Math.max(min - position, position - max);
  return outside - device.tolerance - (device.lag ?? 0);
}

/** A stretch of time in which an interlock was false. */
interface Broken {
  readonly from: number;
  readonly to: number;
}

function acrossInterlocks(
  trace: readonly TraceLine[],
  truths: readonly LineOf<"truth">[],
  facts: JudgeFacts,
): Found[] {
  if (facts.interlocks.length === 0) return [];
  const motions = motionsOf(trace, facts);
  const outages = outagesOf(trace, facts);
  const pollMs = Math.max(0, ...facts.devices.map((device) => device.pollMs));
  const holds = holdSpans(trace, facts);
  const asked = jogsAsked(trace);
  return facts.interlocks.flatMap((interlock) => {
    const broken = brokenOf(interlock, truths);
    return facts.devices.flatMap((device) => {
      if (!interlock.moves.includes(device.id)) return [];
      const past = (holds.get(device.id) ?? []).filter(({ hold }) => {
        return asked.get(hold)?.bypass.includes(interlock.name) === true;
      });
      const own = (motions.get(device.id) ?? []).filter((motion) => !carried(motion, past));
      const boundMs = pollMs + permitMs + facts.stopBeginMs + brakeMsOf(device, facts);
      return broken.flatMap(({ from, to }): Found[] => {
        const late = outages.deadline(device, "driverAndBus", from, boundMs);
        const motion = overlap(own, late, to);
        if (motion === undefined) return [];
        const text = `${device.id} moves, and ${interlock.name} is false since ${ms(from)}`;
        return [{ at: Math.max(late, motion.from), device: device.id, text }];
      });
    });
  });
}

/** Whether a motion began in one of these holds. */
function carried({ from }: Motion, holds: readonly HoldSpan[]): boolean {
  return holds.some((hold) => hold.provedAt !== undefined && hold.from <= from && from < hold.over);
}

function brakeMsOf({ velocityMax, accelerationMax }: JudgedDevice, facts: JudgeFacts): number {
  if (velocityMax === undefined || accelerationMax === undefined) return facts.standstillMs;
  return (1000 * velocityMax) / accelerationMax;
}

function brokenOf(interlock: JudgedInterlock, truths: readonly LineOf<"truth">[]): Broken[] {
  const positions = new Map<string, number>();
  const broken: Broken[] = [];
  let since: number | undefined;
  for (const { at, device, position } of truths) {
    positions.set(device, position);
    const isFalse = interlock.holds((id) => positions.get(id)) === false;
    if (isFalse) {
      since ??= at;
    } else if (since !== undefined) {
      broken.push({ from: since, to: at });
      since = undefined;
    }
  }
  if (since !== undefined) broken.push({ from: since, to: Number.POSITIVE_INFINITY });
  return broken;
}

/** The first real motion that goes on within a stretch of time. */
function overlap(motions: readonly Motion[], from: number, to: number): Motion | undefined {
  if (from >= to) return undefined;
  let i = Math.max(
    0,
    indexUpTo(motions, from, (motion) => motion.from),
  );
  for (; i < motions.length; i += 1) {
    const motion = motions[i];
    if (motion === undefined || motion.from >= to) return undefined;
    if (motion.to > from && !motion.settles) return motion;
  }
  return undefined;
}
