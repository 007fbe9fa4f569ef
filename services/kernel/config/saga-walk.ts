/**
 * The tree of a saga, walked: the blocks of a step, and what stands in them.
 *
 * The idea: whoever looks through a saga asks here for the blocks of a step, so that a new kind
 * of container is met everywhere. Pure. It refuses to know what a step does.
 */
import type { Block, SagaDefinition, SagaStepDefinition } from "./saga.js";

/** The blocks that a step may run, its backup plan last. */
export function blocksOf({ action, orElse }: SagaStepDefinition): readonly Block[] {
  const backup = orElse === undefined ? [] : [orElse];
  switch (action.kind) {
    case "parallel":
      return [...action.branches, ...backup];
    case "choose":
      return [...action.cases.map((one) => one.block), action.otherwise, ...backup];
    case "repeat":
    case "call":
      return [action.block, ...backup];
    case "operation":
    case "dwell":
    case "waitFor":
    case "waitForEvent":
    case "signal":
    case "ask":
    case "set":
      return backup;
    default:
      return action satisfies never;
  }
}

/** The devices that the steps of a block command, nested ones included. */
export function devicesOf(saga: SagaDefinition, block: Block): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (index: number): void => {
    const step = saga.steps[index];
    if (step === undefined) return;
    if (step.action.kind === "operation") found.add(step.action.operation.device);
    for (const inner of blocksOf(step)) for (const one of inner) walk(one);
  };
  for (const index of block) walk(index);
  return found;
}
