/**
 * Branches that `first` leaves behind.
 *
 * The idea: the branch that ends first decides; the axes that the others have commanded are stopped
 * and seen still before the saga goes on, and their steps end as skipped. They stay in the list of
 * what has to be made safe. Pure. It refuses to go on beside something that may still move.
 */
import type { Block, SagaDefinition } from "#kernel/config/saga.js";
import { blocksOf } from "#kernel/config/saga-walk.js";
import { still } from "./run-retry.js";
import type { Thread } from "./run-state.js";
import type { Stepper } from "./run-stepper.js";

export function leaveOthers(s: Stepper, parent: Thread, left: readonly number[]): void {
  const gone = withBranchesOf(s.threads, left);
  const steps = gone
    .filter(({ parent: of }) => of === parent.id)
    .flatMap(({ frames }) => branchSteps(s.run.saga, parent.step, frames[0]?.block));
  const since = s.run.steps[parent.step]?.order ?? 0;
  const axes = new Set<string>();
  for (const step of steps) {
    const record = s.run.steps[step];
    if (record?.order === undefined || record.order <= since) continue;
    const action = s.definition(step)?.action;
    if (action?.kind === "operation") axes.add(action.operation.device);
    if (record.status !== "running") continue;
    s.forget(step, {});
    s.end(step, { status: "skipped" });
  }
  s.drop(gone.map(({ id }) => id));
  for (const { device } of s.run.missing ?? []) axes.delete(device);
  if (axes.size === 0) s.done(parent.id);
  else still(s, parent.id, [...axes].sort(), "leave");
}

/** These threads with all that they wait for themselves. */
function withBranchesOf(threads: readonly Thread[], ids: readonly number[]): readonly Thread[] {
  const gone = new Set(ids);
  // A branch stands behind its parent in the list.
  for (const { id, parent } of threads) if (parent !== undefined && gone.has(parent)) gone.add(id);
  return threads.filter(({ id }) => gone.has(id));
}

function branchSteps(
  saga: SagaDefinition,
  parallel: number,
  branch: number | undefined,
): readonly number[] {
  const action = saga.steps[parallel]?.action;
  if (action?.kind !== "parallel" || branch === undefined) return [];
  return stepsWithin(saga, action.branches[branch] ?? []);
}

/** All steps of a block, with those of the blocks inside it. */
function stepsWithin(saga: SagaDefinition, block: Block): readonly number[] {
  return block.flatMap((step) => {
    const definition = saga.steps[step];
    if (definition === undefined) return [];
    return [step, ...blocksOf(definition).flatMap((one) => stepsWithin(saga, one))];
  });
}
