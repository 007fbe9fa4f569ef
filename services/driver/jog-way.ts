/**
 * By which way an axis may be jogged: as a speed, or as a move on a leash.
 *
 * The idea: a motion that goes on while a button is held must end when everything else is gone. A
 * drive that provably stops by itself within 500 ms may be given a speed. Any other gets a place
 * never further ahead than v × 2 ttl, put further on while the button is held: when nobody does
 * that any more, the drive arrives and stands [PROTOCOL 16]. Pure; it refuses with the reasons of
 * both ways.
 */
import type { AxisSetup, DeviceModel, WatchdogFinding } from "#drivers/device-model.js";
import type { Ms, Reading } from "#drivers/reading.js";

/** A jog counts on a drive that stops within this by itself [PROTOCOL 16]. */
export const jogWatchdogMsMax: Ms = 500;
/** An echo older than this is ignored; the leash is twice as long. */
export const holdTtlMs: Ms = 200;
/** Endless axes: a leash of so much of a turn at most, so that the nearer way is the way meant. */
const turnShareMax = 0.25;

export type JogWay =
  | { readonly by: "speed"; readonly verb: "jog" | "velocity" }
  | { readonly by: "leash" }
  | { readonly by: "none"; readonly why: string };

export function jogWay(
  model: Pick<DeviceModel, "verbs" | "setup" | "watchdog" | "beginRetarget" | "ownJog">,
  watchdog: WatchdogFinding | undefined,
): JogWay {
  const { device, acceptNoWatchdog } = model.setup;
  const verb = model.ownJog === true ? "jog" : model.verbs.has("velocity") ? "velocity" : undefined;
  const watched = watchdogWord(model, watchdog);
  if (verb !== undefined && watched === undefined) return { by: "speed", verb };
  if (model.beginRetarget !== undefined && model.verbs.has("moveTo")) return { by: "leash" };
  if (verb !== undefined && acceptNoWatchdog !== undefined) return { by: "speed", verb };
  const speed = verb === undefined ? "it has no speed mode that is allowed" : watched;
  const leash = "its profile knows no move whose place can be put further on";
  return { by: "none", why: `${device} cannot be jogged: ${speed}, and ${leash}` };
}

/** Why the drive's own watchdog is not enough; undefined: it is. */
function watchdogWord(
  { watchdog: facts }: Pick<DeviceModel, "watchdog">,
  finding: WatchdogFinding | undefined,
): string | undefined {
  const state = finding?.state ?? (facts.kind === "fixed" ? "verified" : "unknown");
  if (state !== "verified") {
    const why = finding === undefined ? "" : `: ${finding.text}`;
    return `it has no verified drive watchdog (${state}${why})`;
  }
  const timeoutMs = finding?.timeoutMs ?? (facts.kind === "fixed" ? facts.timeoutMs : 0);
  if (timeoutMs <= jogWatchdogMsMax) return undefined;
  return `its watchdog takes ${timeoutMs} ms, and jog needs ${jogWatchdogMsMax} ms`;
}

/**
 * Where the leash may end now: ahead of the axis by no more than v × 2 ttl, and not beyond the end
 * of the travel that it leads to; the other end would draw an axis outside of it further than
 * that. Undefined: the place is not known.
 */
export function leashEnd(
  axis: Pick<AxisSetup, "travel" | "perRev" | "modulo">,
  position: Reading<number>,
  velocity: number,
): number | undefined {
  if (!position.ok) return undefined;
  const { travel, modulo } = axis;
  const long = (Math.abs(velocity) * 2 * holdTtlMs) / 1000;
  const ahead = modulo === undefined ? long : Math.min(long, modulo * turnShareMax);
  const end = position.value + Math.sign(velocity) * ahead;
  if (travel === undefined) return end;
  return velocity > 0 ? Math.min(travel.max, end) : Math.max(travel.min, end);
}
