/**
 * Branches that get in each other's way.
 *
 * The idea: branches run at the same time, so what one commands, sets or must have standing clear
 * is no business of another. It refuses to guess an order between branches.
 */

import type { Block, SagaDefinition } from "./saga.js";
import type { Finding, SagaCell } from "./saga-check.js";
import { blocksOf, devicesOf } from "./saga-walk.js";

export function checkParallel(saga: SagaDefinition, cell: SagaCell): readonly Finding[] {
  return saga.steps.flatMap(({ action }, step) => {
    if (action.kind !== "parallel") return [];
    const branches = action.branches.map((block) => ({
      block,
      devices: devicesOf(saga, block),
      variables: variablesOf(saga, block),
    }));
    const pairs = branches.flatMap((one, i) =>
      branches.slice(i + 1).map((other) => [one, other] as const),
    );
    return pairs.flatMap(([one, other]) => [
      ...sameDevice(saga, one, other),
      ...sameVariable(step, one, other),
      ...interlocked(step, cell, one, other),
      ...interlocked(step, cell, other, one),
    ]);
  });
}

interface Branch {
  readonly block: Block;
  readonly devices: ReadonlySet<string>;
  readonly variables: ReadonlySet<string>;
}

function variablesOf(saga: SagaDefinition, block: Block): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (index: number): void => {
    const step = saga.steps[index];
    if (step === undefined) return;
    const { action } = step;
    if (action.kind === "set") for (const { name } of action.variables) found.add(name);
    if (action.kind === "ask" && action.as !== undefined) found.add(action.as);
    // A called saga has variables of its own.
    const blocks = action.kind === "call" ? [step.orElse ?? []] : blocksOf(step);
    for (const inner of blocks.flat()) walk(inner);
  };
  for (const index of block) walk(index);
  return found;
}

/** Index of the first step of the block that commands the device. */
function commanding(saga: SagaDefinition, block: Block, device: string): number | undefined {
  for (const index of block) {
    const step = saga.steps[index];
    if (step === undefined) continue;
    if (step.action.kind === "operation" && step.action.operation.device === device) return index;
    const inner = commanding(saga, blocksOf(step).flat(), device);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function sameDevice(saga: SagaDefinition, one: Branch, other: Branch): readonly Finding[] {
  return [...one.devices]
    .filter((device) => other.devices.has(device))
    .flatMap((device): Finding[] => {
      const first = commanding(saga, one.block, device);
      const second = commanding(saga, other.block, device);
      if (first === undefined || second === undefined) return [];
      const name = saga.steps[first]?.name;
      const message = `${device} is commanded by ${name} in another branch at the same time`;
      const suggestion = "put both into one branch, or one behind the parallel step";
      return [{ step: second, key: "do", message, suggestion, severity: "error" }];
    });
}

function sameVariable(step: number, one: Branch, other: Branch): readonly Finding[] {
  return [...one.variables]
    .filter((name) => other.variables.has(name))
    .map((name) => ({
      step,
      key: "parallel",
      message: `two branches set the variable ${name}; nobody knows which one is later`,
      severity: "warning",
    }));
}

/** One branch moves what the permit of the other one's motion is read from. */
function interlocked(
  step: number,
  { interlocks }: SagaCell,
  mover: Branch,
  other: Branch,
): readonly Finding[] {
  return interlocks.flatMap(({ name, moves, require }): Finding[] => {
    const device = moves.find((id) => mover.devices.has(id));
    const read = require.terms.find((term) => other.devices.has(term.device))?.device;
    if (device === undefined || read === undefined || device === read) return [];
    const message =
      `${device} moves only while ${require.text} (${name}), ` +
      `and another branch moves ${read} at the same time`;
    const suggestion = `bring ${read} where it must be before the branches begin`;
    return [{ step, key: "parallel", message, suggestion, severity: "warning" }];
  });
}
