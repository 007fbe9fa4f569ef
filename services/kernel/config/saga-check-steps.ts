/**
 * What is wrong with a step for what its profile says, or for what its backup plan leaves behind.
 *
 * The idea: a table of looks at one step at a time. It refuses to follow positions
 * (saga-check-walk.ts).
 */
import type { Profile } from "#drivers/profile.js";
import type { SagaDefinition, SagaOperation, SagaStepDefinition } from "./saga.js";
import type { Finding, SagaCell } from "./saga-check.js";
import { isCovered } from "./saga-uses.js";
import { blocksOf } from "./saga-walk.js";

export function checkSteps(saga: SagaDefinition, cell: SagaCell): readonly Finding[] {
  return saga.steps.flatMap((step, index) => [
    ...retryOf(step, index, cell),
    ...goesOn(step, index),
    ...stillNeeded(saga, index),
  ]);
}

function profileOf({ devices }: SagaCell, id: string): Profile | undefined {
  return devices.find((device) => device.id === id)?.profile;
}

/** The profile says what may be given again; a retry may not say otherwise. */
function retryOf(step: SagaStepDefinition, index: number, cell: SagaCell): readonly Finding[] {
  if (step.retry === undefined || step.action.kind !== "operation") return [];
  const { device, verb } = step.action.operation;
  const profile = profileOf(cell, device);
  const operations: { readonly [verb: string]: { readonly repeat: string } | undefined } =
    profile?.operations ?? {};
  if (operations[verb]?.repeat !== "never") return [];
  const message = `${profile?.id} does not let ${verb} be given again (repeat: never)`;
  const suggestion = "leave retry out; orElse may say what is done instead";
  return [{ step: index, key: "retry", message, suggestion, severity: "error" }];
}

/** A motion that its step starts and does not end. */
function keepsMoving({ verb, args, worked }: SagaOperation): boolean {
  if (verb !== "velocity" && verb !== "jog") return false;
  return worked?.velocity !== undefined || (args.velocity ?? 0) !== 0;
}

/** `none` says that nothing can be held or moving; an axis that goes on is. */
function goesOn({ action, makeSafe }: SagaStepDefinition, index: number): readonly Finding[] {
  if (action.kind !== "operation" || makeSafe.kind !== "none") return [];
  const { device, verb } = action.operation;
  if (!keepsMoving(action.operation)) return [];
  const message = `${device} goes on moving after ${verb}, and nothing makes it safe`;
  const suggestion = "write makeSafe: still, so that its standstill is seen";
  return [{ step: index, key: "makeSafe", message, suggestion, severity: "warning" }];
}

/** A backup plan that only puts off the refusal: a later step needs the device again. */
function stillNeeded(saga: SagaDefinition, index: number): readonly Finding[] {
  const { steps } = saga;
  const step = steps[index];
  if (step?.orElse === undefined) return [];
  const device = firstDevice(saga, index);
  if (device === undefined) return [];
  const inside = insideOf(saga, index);
  const later = steps.findIndex(
    (other, at) =>
      at > index &&
      !inside.has(at) &&
      other.action.kind === "operation" &&
      other.action.operation.device === device &&
      !isCovered(steps, at, device) &&
      !excludes(saga, index, at),
  );
  if (later === -1) return [];
  const message = `after this backup plan ${steps[later]?.name} needs ${device} all the same`;
  const suggestion = "give that step a plan too, or put both into one step with one plan";
  return [{ step: index, key: "orElse", message, suggestion, severity: "warning" }];
}

/** The device whose refusal leads to the plan of this step. */
function firstDevice(saga: SagaDefinition, index: number): string | undefined {
  const step = saga.steps[index];
  if (step === undefined) return undefined;
  if (step.action.kind === "operation") return step.action.operation.device;
  for (const inner of blocksOf(step).flat()) {
    if (step.orElse?.includes(inner) === true) continue;
    const found = firstDevice(saga, inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** All steps within a step, its backup plan included. */
export function insideOf({ steps }: SagaDefinition, index: number): ReadonlySet<number> {
  const found = new Set<number>([index]);
  for (const [at, { parent }] of steps.entries()) {
    if (parent !== undefined && found.has(parent)) found.add(at);
  }
  return found;
}

/** The ways from the saga down to a step. */
function waysTo({ steps }: SagaDefinition, index: number): readonly number[] {
  const way = [index];
  for (let at = steps[index]?.parent; at !== undefined; at = steps[at]?.parent) way.unshift(at);
  return way;
}

/** Whether only one of the two is ever run: they stand in different cases of one choose. */
export function excludes(saga: SagaDefinition, a: number, b: number): boolean {
  const [first, second] = [waysTo(saga, a), waysTo(saga, b)];
  const fork = first.findIndex((step, depth) => step !== second[depth]);
  if (fork < 1) return false;
  const owner = saga.steps[first[fork - 1] ?? -1];
  const [left, right] = [first[fork], second[fork]];
  if (owner === undefined || left === undefined || right === undefined) return false;
  const inPlan = (at: number) => owner.orElse?.includes(at) === true;
  if (inPlan(left) !== inPlan(right)) return true;
  if (owner.action.kind !== "choose") return false;
  const blocks = [...owner.action.cases.map(({ block }) => block), owner.action.otherwise];
  return (
    blocks.findIndex((one) => one.includes(left)) !== blocks.findIndex((one) => one.includes(right))
  );
}
