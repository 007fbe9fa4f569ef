/**
 * Lint of what a device demands or does by itself: commissioning, watchdog, repeated commands.
 *
 * The idea: a watchdog that nobody can read is a promise, so what stands here must be readable and
 * comparable. It refuses an expectation without a point, and reactions that are not told apart.
 */
import { type Say, unknownName } from "./lint-report.js";
import type { Profile } from "./profile.js";
import type { YamlPath } from "./yaml-schema.js";

export function lintDuties(profile: Profile, say: Say): void {
  lintCommissioning(profile, say);
  lintWatchdog(profile, say);
}

/** A raw register of the full read: what it holds is compared as it stands. */
function lintRaw(profile: Profile, name: string, path: YamlPath, say: Say): void {
  const point = profile.points[name];
  if (point === undefined) unknownName(say, path, "point", { name, known: profile.points });
  else if (point.read === undefined) say(path, `${name} cannot be read`);
  else if (point.quantity !== "none") say(path, `${name} is a quantity; it must be raw`);
  else if (point.poll === "never") say(path, `${name} is read never; poll it slow or full`);
}

function lintCommissioning(profile: Profile, say: Say): void {
  const { parameters, save } = profile.commissioning;
  parameters.forEach((one, i) => {
    const path = ["commissioning", "parameters", i];
    if (one.point !== undefined && one.expect !== undefined) {
      lintRaw(profile, one.point, [...path, "point"], say);
    } else if (one.point !== undefined && profile.points[one.point] === undefined) {
      const known = profile.points;
      unknownName(say, [...path, "point"], "point", { name: one.point, known });
    } else if (one.expect !== undefined) {
      say([...path, "expect"], "what is expected needs the point that is read");
    }
    if (one.access === "mayWrite" && one.point !== undefined) {
      lintWritable(profile, one.point, [...path, "access"], say);
    }
  });
  for (const key of ["point", "result"] as const) {
    const name = save?.[key];
    if (name !== undefined && profile.points[name] === undefined) {
      const known = profile.points;
      unknownName(say, ["commissioning", "save", key], "point", { name, known });
    }
  }
}

function lintWritable(profile: Profile, name: string, path: YamlPath, say: Say): void {
  const point = profile.points[name];
  if (point !== undefined && point.write === undefined) say(path, `${name} cannot be written`);
}

function lintWatchdog(profile: Profile, say: Say): void {
  const { watchdog } = profile;
  const { kind, timeoutMs, timeoutPoint, reactionPoint, accept, unitMs } = watchdog;
  const path = ["watchdog"];
  if (kind === "fixed" && timeoutMs === undefined) {
    say([...path, "kind"], "a fixed watchdog needs its timeoutMs");
  }
  for (const key of ["timeoutPoint", "reactionPoint"] as const) {
    const name = watchdog[key];
    if (name !== undefined) lintRaw(profile, name, [...path, key], say);
    if (name !== undefined && kind !== "settable") {
      say([...path, key], "only a settable watchdog has points");
    }
  }
  if (timeoutPoint !== undefined && unitMs === undefined) {
    say([...path, "timeoutPoint"], "the time needs its unitMs");
  }
  if ((reactionPoint === undefined) !== (accept === undefined)) {
    say(path, "reactionPoint and accept stand together", { at: "key" });
  }
  if (kind !== "settable") return;
  if (timeoutPoint === undefined) {
    const message = "without timeoutPoint it cannot be verified, so it counts as unknown";
    say([...path, "kind"], message, { severity: "warning" });
  } else if (reactionPoint === undefined && !stopsAlways(watchdog.reactions)) {
    say([...path, "kind"], "without reactionPoint every reaction must bring the axis to rest");
  }
}

/** Reactions after which an axis stands. */
function stopsAlways(reactions: Profile["watchdog"]["reactions"]): boolean {
  const rests: readonly string[] = ["ramp", "coast", "fault"];
  return reactions !== undefined && reactions.every((one) => rests.includes(one));
}
