/**
 * Every condition, operand and step of a profile with the path at which it stands.
 *
 * The idea: the lint and the compiler ask the same questions (which points, flags and arguments
 * does this use?), so the walk exists once. It refuses to judge; it only lists.
 */
import type { Condition, StepSpec } from "./profile-behaviour.js";
import type { YamlPath } from "./yaml-schema.js";

export interface At<T> {
  readonly path: YamlPath;
  readonly value: T;
}

/** The condition itself and everything inside it. */
export function conditionsIn(condition: Condition, path: YamlPath): readonly At<Condition>[] {
  const inside = [
    ...(condition.all ?? []).flatMap((one, i) => conditionsIn(one, [...path, "all", i])),
    ...(condition.any ?? []).flatMap((one, i) => conditionsIn(one, [...path, "any", i])),
    ...(condition.not === undefined ? [] : conditionsIn(condition.not, [...path, "not"])),
  ];
  return [{ path, value: condition }, ...inside];
}

/** All steps, branches included, in the order of the file. */
export function stepsIn(steps: readonly StepSpec[], path: YamlPath): readonly At<StepSpec>[] {
  return steps.flatMap((step, i) => {
    const here = [...path, i];
    return [
      { path: here, value: step },
      ...stepsIn(step.do ?? [], [...here, "do"]),
      ...stepsIn(step.else ?? [], [...here, "else"]),
    ];
  });
}

/** Conditions that one step (without its branches) decides on. */
export function conditionsOfStep({ path, value: step }: At<StepSpec>): readonly At<Condition>[] {
  const own: At<Condition>[] = [];
  const take = (condition: Condition | undefined, ...more: YamlPath) => {
    if (condition !== undefined) own.push(...conditionsIn(condition, [...path, ...more]));
  };
  take(step.edge?.lowUntil, "edge", "lowUntil");
  take(step.wait?.until, "wait", "until");
  step.wait?.fail?.forEach((one, i) => {
    take(one.when, "wait", "fail", i, "when");
  });
  take(step.endIf, "endIf");
  take(step.when, "when");
  return own;
}
