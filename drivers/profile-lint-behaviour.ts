/**
 * Lint of flags, operations and stops: every name exists, every trigger is awaited.
 *
 * The idea: an operation that would stumble over a missing point, argument or block on a running
 * machine is found when the file is read. It refuses flags whose bits meet in one role, motion
 * without acceptance, and stops that leave something behind without discarding it.
 */
import { namesIn } from "./expression.js";
import { type Say, unknownName } from "./lint-report.js";
import type { OperationSpec, Profile, StepSpec, StopSpec } from "./profile.js";
import type { Condition, Operand } from "./profile-behaviour.js";
import { viewFlags } from "./profile-behaviour.js";
import type { At } from "./profile-walk.js";
import { conditionsIn, conditionsOfStep, stepsIn } from "./profile-walk.js";
import { axisNames } from "./scaling.js";
import type { YamlPath } from "./yaml-schema.js";

const conditionKeys = ["all", "any", "not", "state", "flag", "point"] as const;
const pointTests = ["equals", "atLeast", "atMost", "absAtMost", "near"] as const;
const stepKeys = [
  "write",
  "edge",
  "hold",
  "wait",
  "reach",
  "readBack",
  "capture",
  "output",
  "endIf",
  "when",
] as const;

interface Scope {
  readonly args: { readonly [name: string]: unknown };
  readonly captures: Set<string>;
}
const noScope: Scope = { args: {}, captures: new Set() };

export function lintBehaviour(profile: Profile, say: Say): void {
  const { status, identity } = profile;
  for (const [name, flag] of Object.entries(status.flags)) {
    lintFlagged(profile, flag.when, ["status", "flags", name, "when"], say);
  }
  lintFlagged(profile, status.still.when, ["status", "still", "when"], say);
  lintRoles(profile, say);
  if (Array.isArray(status.rebootEvidence)) {
    status.rebootEvidence.forEach((one, i) => {
      const path = ["status", "rebootEvidence", i];
      lintCondition(profile, one.before, [...path, "before"], say, noScope);
      lintCondition(profile, one.after, [...path, "after"], say, noScope);
    });
  }
  if (Array.isArray(identity.probe)) {
    identity.probe.forEach((one, i) => {
      lintCondition(profile, one.when, ["identity", "probe", i, "when"], say, noScope);
    });
  }
  for (const [verb, operation] of Object.entries(profile.operations)) {
    if (operation !== undefined) lintOperation(profile, operation, ["operations", verb], say);
  }
  const { retarget } = profile;
  if (retarget !== undefined) {
    lintOperation(profile, retarget, ["retarget"], say);
    const names = Object.keys(retarget.args);
    if (names.join() !== "position" || profile.operations.moveTo === undefined) {
      say(["retarget"], "it continues moveTo and takes position, nothing else", { at: "key" });
    }
  }
  for (const [name, stop] of Object.entries(profile.stops)) {
    if (stop !== undefined) lintStop(profile, stop, ["stops", name], say);
  }
}

/** A flag is decided by points and states only, so that flags can never go in circles. */
function lintFlagged(profile: Profile, when: Condition, path: YamlPath, say: Say): void {
  lintCondition(profile, when, path, say, noScope);
  for (const at of conditionsIn(when, path)) {
    if (at.value.flag !== undefined)
      say([...at.path, "flag"], "a flag cannot rest on another flag");
  }
}

/** MO-15: two roles of the view that one raw value would set together. */
function lintRoles(profile: Profile, say: Say): void {
  const roles = viewFlags.flatMap((name) => {
    const when = profile.status.flags[name]?.when;
    return when?.point === undefined || when.equals === undefined
      ? []
      : [{ name, point: when.point, mask: when.mask ?? 0xffff, equals: when.equals }];
  });
  roles.forEach((role, i) => {
    const other = roles.slice(0, i).find((earlier) => {
      const common = earlier.mask & role.mask;
      if (earlier.point !== role.point || common === 0) return false;
      return earlier.equals.some((a) => role.equals.some((b) => (a & common) === (b & common)));
    });
    if (other !== undefined) {
      say(["status", "flags", role.name, "when"], `uses the bits of ${other.name}`, { at: "key" });
    }
  });
}

function lintCondition(
  profile: Profile,
  condition: Condition,
  path: YamlPath,
  say: Say,
  scope: Scope,
): void {
  for (const at of conditionsIn(condition, path)) lintOne(profile, at, say, scope);
}

function lintOne(profile: Profile, at: At<Condition>, say: Say, scope: Scope): void {
  const { path, value } = at;
  const leading = conditionKeys.filter((key) => value[key] !== undefined);
  if (leading.length !== 1) {
    say(path, `exactly one of ${conditionKeys.join(", ")} must stand here`, { at: "key" });
  }
  if (value.flag !== undefined && profile.status.flags[value.flag] === undefined) {
    unknownName(say, [...path, "flag"], "flag", { name: value.flag, known: profile.status.flags });
  }
  const tests = pointTests.filter((key) => value[key] !== undefined);
  if (value.point === undefined) {
    if (tests.length > 0) say(path, `${tests.join(", ")} needs a point`, { at: "key" });
    return;
  }
  const point = needReadable(profile, value.point, [...path, "point"], say);
  if (tests.length !== 1) {
    say(path, `exactly one of ${pointTests.join(", ")} must stand beside the point`, { at: "key" });
  }
  if ((value.near === undefined) !== (value.within === undefined)) {
    say(path, "near and within stand together", { at: "key" });
  }
  if (value.equals !== undefined && point !== undefined && point.quantity !== "none") {
    say([...path, "equals"], `${value.point} is a quantity; use near or atMost`);
  }
  for (const one of value.equals ?? []) {
    if (value.mask !== undefined && (one & ~value.mask) !== 0) {
      say([...path, "equals"], `${one} has bits outside the mask, so it can never match`);
    }
  }
  for (const key of ["atLeast", "atMost", "absAtMost", "within"] as const) {
    lintExpression(profile, value[key], [...path, key], say);
  }
  if (value.near !== undefined) lintOperand(value.near, [...path, "near"], say, scope);
}

function lintExpression(
  profile: Profile,
  expression: number | string | undefined,
  path: YamlPath,
  say: Say,
): void {
  const known = { ...profile.constants, ...Object.fromEntries(axisNames.map((one) => [one, 0])) };
  for (const name of namesIn(expression ?? 0)) {
    if (!Object.hasOwn(known, name)) unknownName(say, path, "constant", { name, known });
  }
}

function needReadable(profile: Profile, name: string, path: YamlPath, say: Say) {
  const point = profile.points[name];
  if (point === undefined) unknownName(say, path, "point", { name, known: profile.points });
  else if (point.read === undefined) say(path, `${name} cannot be read`);
  return point;
}

function lintOperand(operand: number | Operand, path: YamlPath, say: Say, scope: Scope): void {
  if (typeof operand === "number") return;
  if ((operand.arg === undefined) === (operand.capture === undefined)) {
    say(path, "exactly one of arg, capture must stand here", { at: "key" });
  }
  for (const key of ["arg", "plus"] as const) {
    const name = operand[key];
    if (name !== undefined && !Object.hasOwn(scope.args, name)) {
      unknownName(say, [...path, key], "argument", { name, known: scope.args });
    }
  }
  const { capture } = operand;
  const bits = [operand.clear, operand.set, operand.toggle].some((one) => one !== undefined);
  if (bits && capture === undefined) {
    say(path, "clear, set and toggle change a captured word", { at: "key" });
  }
  if (capture !== undefined && !scope.captures.has(capture)) {
    say([...path, "capture"], `${capture} is not captured before`);
  }
}

function lintOperation(profile: Profile, operation: OperationSpec, path: YamlPath, say: Say): void {
  for (const [name, spec] of Object.entries(operation.args)) {
    const at = [...path, "args", name];
    if (spec.point === undefined) {
      if (spec.quantity !== "number") say(at, "the argument needs its point", { at: "key" });
    } else if (profile.points[spec.point] === undefined) {
      const known = profile.points;
      unknownName(say, [...at, "point"], "point", { name: spec.point, known });
    }
    for (const key of ["default", "min", "max"] as const) {
      lintExpression(profile, spec[key], [...at, key], say);
    }
  }
  operation.result.forEach((name, i) => {
    needReadable(profile, name, [...path, "result", i], say);
  });
  const scope = { args: operation.args, captures: new Set<string>() };
  lintSteps(profile, operation.steps, [...path, "steps"], say, scope);
  const steps = stepsIn(operation.steps, [...path, "steps"]);
  steps.forEach((at, i) => {
    const triggers = at.value.trigger === true || at.value.edge?.trigger === true;
    const next = steps[i + 1];
    if (triggers && operation.repeat === "always") {
      say([...path, "repeat"], "an operation with a trigger is never repeated as a whole");
    }
    if (triggers && next?.value.wait?.accept !== true) {
      say(at.path, "a trigger must be followed by a wait with accept: true", { at: "key" });
    }
  });
}

function lintStop(profile: Profile, stop: StopSpec, path: YamlPath, say: Say): void {
  if (stop.blind.length === 0 && stop.readFirst === undefined) {
    say([...path, "blind"], "without blind frames the stop must say what it reads first");
  }
  const firsts = [...stop.blind.map((one, i) => ({ one, at: [...path, "blind", i] }))];
  if (stop.whenKnown !== undefined) {
    firsts.push({ one: stop.whenKnown, at: [...path, "whenKnown"] });
    lintCondition(profile, stop.whenKnown.when, [...path, "whenKnown", "when"], say, noScope);
  }
  for (const { one, at } of firsts) {
    const write = Object.fromEntries(Object.keys(one.write).map((name) => [name, 0]));
    lintWrite(profile, { write, block: one.block }, at, say, noScope);
    for (const [name, value] of Object.entries(one.write)) {
      lintExpression(profile, value, [...at, "write", name], say);
    }
  }
  lintSteps(profile, stop.steps, [...path, "steps"], say, { args: {}, captures: new Set() });
  const writes = stepsIn(stop.steps, []).some(({ value }) => value.write !== undefined);
  if (stop.remainder === "kept" && !writes) {
    say([...path, "remainder"], "what is kept must be discarded by a step that writes");
  }
}

function lintSteps(
  profile: Profile,
  steps: readonly StepSpec[],
  path: YamlPath,
  say: Say,
  scope: Scope,
): void {
  for (const at of stepsIn(steps, path)) {
    const { value: step } = at;
    const leading = stepKeys.filter((key) => step[key] !== undefined);
    if (leading.length !== 1) {
      say(at.path, `exactly one of ${stepKeys.join(", ")} must stand here`, { at: "key" });
    }
    const values = Object.values(step.write ?? {});
    const toggles = values.some((one) => typeof one !== "number" && one.toggle !== undefined);
    if (toggles && step.once !== true && step.trigger !== true) {
      say(at.path, "a toggle must not arrive twice: it needs once: true", { at: "key" });
    }
    if (step.once === true && step.write === undefined) {
      say([...at.path, "once"], "once stands with write");
    }
    if (step.when === undefined && (step.do !== undefined || step.else !== undefined)) {
      say(at.path, "do and else need when", { at: "key" });
    }
    for (const one of conditionsOfStep(at)) lintOne(profile, one, say, scope);
    lintWrite(profile, step, at.path, say, scope);
    for (const key of ["edge", "reach"] as const) {
      const name = step[key]?.point;
      if (name !== undefined) lintTarget(profile, name, [...at.path, key, "point"], say, undefined);
    }
    for (const [name, operand] of Object.entries(step.readBack ?? {})) {
      needReadable(profile, name, [...at.path, "readBack", name], say);
      lintOperand(operand, [...at.path, "readBack", name], say, scope);
    }
    if (step.output !== undefined) lintOutput(profile, step.output, at.path, say, scope);
    for (const [name, point] of Object.entries(step.capture ?? {})) {
      needReadable(profile, point, [...at.path, "capture", name], say);
      scope.captures.add(name);
    }
  }
}

function lintOutput(
  profile: Profile,
  output: NonNullable<StepSpec["output"]>,
  path: YamlPath,
  say: Say,
  scope: Scope,
): void {
  for (const key of ["number", "value"] as const) {
    lintOperand({ arg: output[key] }, [...path, "output", key], say, scope);
  }
  output.points.forEach((name, i) => {
    lintTarget(profile, name, [...path, "output", "points", i], say, undefined);
    needReadable(profile, name, [...path, "output", "points", i], say);
  });
}

function lintWrite(
  profile: Profile,
  step: Pick<StepSpec, "write" | "block">,
  path: YamlPath,
  say: Say,
  scope: Scope,
): void {
  const { block } = step;
  if (block !== undefined && profile.blocks[block] === undefined) {
    unknownName(say, [...path, "block"], "block", { name: block, known: profile.blocks });
    return;
  }
  for (const [name, operand] of Object.entries(step.write ?? {})) {
    lintTarget(profile, name, [...path, "write", name], say, block);
    lintOperand(operand, [...path, "write", name], say, scope);
  }
}

function lintTarget(
  profile: Profile,
  name: string,
  path: YamlPath,
  say: Say,
  block: string | undefined,
): void {
  const point = profile.points[name];
  if (point === undefined) {
    unknownName(say, path, "point", { name, known: profile.points });
  } else if (point.write === undefined) {
    say(path, `${name} cannot be written`);
  } else if (block !== undefined) {
    if (profile.blocks[block]?.fields.includes(name) !== true) {
      say(path, `${name} is not a field of the block ${block}`);
    }
  } else if (point.byte !== undefined || point.bits !== undefined) {
    say(path, `${name} shares its register, so it is written in a block`);
  }
}
