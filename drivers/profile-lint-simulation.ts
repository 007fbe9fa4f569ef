/**
 * Lint of the simulation: every point and flag that it names exists.
 *
 * The idea: a command that rests on a register which nobody can write would never come, and the
 * axis would stand for no visible reason. It refuses to judge whether the device is pretended well.
 */
import { type Say, unknownName } from "./lint-report.js";
import type { Profile } from "./profile.js";
import type { Condition } from "./profile-behaviour.js";
import { conditionsIn } from "./profile-walk.js";
import type { YamlPath } from "./yaml-schema.js";

export function lintSimulation(profile: Profile, say: Say): void {
  const { simulation } = profile;
  if (simulation === undefined) return;
  const path = ["simulation"];
  for (const key of ["enable", "relative", "run", "stop", "fast"] as const) {
    lintWhen(profile, simulation[key], [...path, key], say);
  }
  for (const key of ["start", "home", "reset"] as const) {
    lintWhen(profile, simulation[key]?.when, [...path, key, "when"], say);
  }
  for (const key of ["target", "speed", "runSpeed"] as const) {
    const name = simulation[key];
    if (name === undefined) continue;
    const point = profile.points[name];
    if (point === undefined) {
      unknownName(say, [...path, key], "point", { name, known: profile.points });
    } else if (point.write === undefined) say([...path, key], `${name} cannot be written`);
  }
  if (simulation.start !== undefined && simulation.target === undefined) {
    say([...path, "start"], "a start needs its target", { at: "key" });
  }
  if (simulation.run !== undefined && simulation.runSpeed === undefined) {
    say([...path, "run"], "a run needs its runSpeed", { at: "key" });
  }
  for (const flag of Object.keys(simulation.shows ?? {})) {
    if (profile.status.flags[flag] !== undefined) continue;
    const known = profile.status.flags;
    unknownName(say, [...path, "shows", flag], "flag", { name: flag, known });
  }
  for (const name of Object.keys(simulation.defaults ?? {})) {
    if (profile.points[name] !== undefined) continue;
    unknownName(say, [...path, "defaults", name], "point", { name, known: profile.points });
  }
}

/** Commands are raw words: equals with or without a mask, joined as one likes. */
function lintWhen(profile: Profile, when: Condition | undefined, path: YamlPath, say: Say): void {
  if (when === undefined) return;
  for (const { path: at, value } of conditionsIn(when, path)) {
    if (value.flag !== undefined || value.state !== undefined) {
      say(at, "a command is told by what was written, not by flags or states", { at: "key" });
    }
    if (value.point === undefined) continue;
    if (profile.points[value.point] === undefined) {
      const known = profile.points;
      unknownName(say, [...at, "point"], "point", { name: value.point, known });
    } else if (value.equals === undefined) {
      say(at, "a command is a raw word: it needs equals", { at: "key" });
    }
  }
}
