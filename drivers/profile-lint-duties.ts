/**
 * Lint of what a device demands or does by itself: commissioning, watchdog, repeated commands.
 *
 * The idea: a watchdog that nobody can read is a promise, so what stands here must be readable and
 * comparable. It refuses an expectation without a point, and reactions that are not told apart.
 */
import { restingReactions } from "./device-duties.js";
import { type Say, unknownName } from "./lint-report.js";
import type { OperationSpec, Profile } from "./profile.js";
import type { YamlPath } from "./yaml-schema.js";

export function lintDuties(profile: Profile, say: Say): void {
  lintCommissioning(profile, say);
  lintWatchdog(profile, say);
  lintRefresh(profile, say);
  const { check } = profile.transport.order;
  if (check !== undefined) {
    lintRaw(profile, check.point, ["transport", "order", "check", "point"], say);
  }
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

/** A duty that nothing fulfils would let the axis stop by itself. */
function lintRefresh(profile: Profile, say: Say): void {
  const operations: { readonly [verb: string]: OperationSpec | undefined } = profile.operations;
  profile.refresh.forEach((duty, i) => {
    const path = ["refresh", i];
    const operation = Object.hasOwn(operations, duty.operation)
      ? operations[duty.operation]
      : undefined;
    if (operation === undefined) {
      const known = profile.operations;
      unknownName(say, [...path, "operation"], "operation", { name: duty.operation, known });
    }
    if (duty.write === undefined) {
      say(path, "a refresh duty needs what is written", { at: "key" });
    }
    if (duty.everyMs >= duty.deadlineMs) {
      say([...path, "everyMs"], "it must be repeated before its deadline");
    }
    if (duty.block !== undefined && profile.blocks[duty.block] === undefined) {
      const known = profile.blocks;
      unknownName(say, [...path, "block"], "block", { name: duty.block, known });
    }
    for (const [name, value] of Object.entries(duty.write ?? {})) {
      const at = [...path, "write", name];
      const point = profile.points[name];
      if (point === undefined) unknownName(say, at, "point", { name, known: profile.points });
      else if (point.write === undefined) say(at, `${name} cannot be written`);
      const args = operation?.args ?? {};
      if (typeof value !== "number" && !Object.hasOwn(args, value.arg)) {
        unknownName(say, [...at, "arg"], "argument", { name: value.arg, known: args });
      }
    }
  });
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
  const { feed } = watchdog;
  if (feed !== undefined && profile.points[feed.point]?.write === undefined) {
    say([...path, "feed", "point"], `${feed.point} cannot be written`);
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
  return reactions?.every((one) => restingReactions.includes(one)) ?? false;
}
