/**
 * The ladder of stop classes that an order climbs, and what stands in for one that is empty.
 *
 * The idea: an order names how hard to stop, the profile has what it has, and the cell file says
 * whether the power may go; together they make a list. Where it is empty nothing can be sent, so
 * readings alone prove the standstill. Pure; it refuses to disable an axis that does not stay.
 */
import type { StopClass } from "#drivers/device-model.js";
import {
  type Climb,
  type StopEffect,
  type StopKind,
  type StopProgress,
  type StopRules,
  unsentSettleMs,
} from "./stop-state.js";

/** The classes to try, in order; disable only where the axis stays without power. */
export function ladderOf(stop: StopKind, rules: StopRules): readonly StopClass[] {
  const { classes } = rules;
  const first: StopClass[] = stop === "stop" ? ["controlled", "fast"] : ["fast"];
  const ladder = first.filter((c) => classes.has(c));
  if (ladder.length === 0 && classes.has("controlled")) ladder.push("controlled");
  if (rules.whenOff === "stays" && classes.has("disable")) ladder.push("disable");
  return ladder;
}

/** The class under way is too weak for this kind of stop, whatever its id. */
export function isStronger(progress: StopProgress, stop: StopKind, rules: StopRules): boolean {
  if (progress.at !== "stopping") return false;
  const ladder = ladderOf(stop, rules);
  const now = progress.ladder[progress.rung];
  return now !== undefined && ladder.length > 0 && !ladder.includes(now);
}

/**
 * An empty ladder. Readings count at once where the axis is known still; else a trigger that has
 * just left may still begin to move it, and a newer order does not make them count earlier.
 */
export function unsent(fresh: Climb, before: StopProgress, rules: StopRules): Climb {
  const fromMs = rules.nowMs + (rules.still ? 0 : unsentSettleMs);
  const open = before.at !== "none" && before.ladder.length === 0;
  const frameAtMs = open ? Math.max(fromMs, before.frameAtMs) : fromMs;
  return { ...fresh, frames: "acked", done: true, frameAtMs };
}

/** The end of every ladder. */
export function unconfirmed(ids: readonly string[], rules: StopRules): readonly StopEffect[] {
  return [
    { kind: "ack", ids, status: "unconfirmed" },
    { kind: "unconfirmed", ids, critical: rules.whenOff !== "stays" },
  ];
}
