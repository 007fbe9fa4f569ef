/**
 * Which devices a saga leases, and which of them it can do without.
 *
 * The idea: what the steps command is leased; a device whose every command has a backup plan, or
 * stands in one, is spare, so that a run can begin while it is missing. It refuses to call spare
 * what a makeSafe of another device's step would need.
 */
import { suggestion } from "#drivers/yaml-schema.js";
import type { DeviceDraft } from "./cell-devices.js";
import { listed } from "./file-problems.js";
import type { FileReader } from "./file-reader.js";
import type { SagaOperation, SagaStepDefinition } from "./saga.js";

type Steps = readonly SagaStepDefinition[];

/** Devices that the saga commands, sorted; what the file lists must hold them all. */
export function usesOf(
  read: FileReader,
  steps: Steps,
  devices: readonly DeviceDraft[],
): readonly string[] {
  const commanded = new Set(steps.flatMap(operationsOf).map((operation) => operation.device));
  if (read.raw(["uses"]) === undefined) return [...commanded].sort();
  const ids = devices.map((device) => device.id);
  const given = read.texts(["uses"]);
  for (const [i, id] of given.entries()) {
    if (ids.includes(id)) continue;
    const hint = suggestion(id, ids);
    const facts = hint === undefined ? {} : { suggestion: hint };
    read.problems.at(["uses", i], `there is no device ${id}`, facts);
  }
  const missing = [...commanded].filter((id) => !given.includes(id)).sort();
  if (missing.length > 0) {
    const text = `the steps command ${listed(missing)}, which uses does not name`;
    read.problems.at(["uses"], text, { key: true });
  }
  return [...new Set(given)].sort();
}

export function operationsOf(step: SagaStepDefinition): readonly SagaOperation[] {
  const safe = step.makeSafe.kind === "operations" ? step.makeSafe.operations : [];
  return step.action.kind === "operation" ? [step.action.operation, ...safe] : safe;
}

/** The device that the step itself commands. */
function deviceOf({ action }: SagaStepDefinition): string | undefined {
  return action.kind === "operation" ? action.operation.device : undefined;
}

/** Those of `uses` that may be missing; sorted. */
export function spareOf(uses: readonly string[], steps: Steps): readonly string[] {
  return uses.filter((device) => {
    const own = steps.flatMap((step, index) => (deviceOf(step) === device ? [index] : []));
    const needed = steps.some(
      (step) =>
        deviceOf(step) !== device && operationsOf(step).some((one) => one.device === device),
    );
    return own.length > 0 && !needed && own.every((index) => isCovered(steps, index, device));
  });
}

/** It has a plan, is one, or stands first in a container that has one. */
export function isCovered(steps: Steps, index: number, device: string): boolean {
  let inner = index;
  for (;;) {
    const step = steps[inner];
    if (step === undefined) return false;
    if (step.orElse !== undefined && comesFirst(steps, { container: inner, index, device })) {
      return true;
    }
    const outer = step.parent;
    if (outer === undefined) return false;
    if (steps[outer]?.orElse?.includes(inner) === true) return true;
    // A plan around parallel branches is not taken for one of them.
    if (steps[outer]?.action.kind === "parallel") return false;
    inner = outer;
  }
}

/** Nothing else is commanded in the container before the device is: its plan can still be taken. */
function comesFirst(
  steps: Steps,
  { container, index, device }: { container: number; index: number; device: string },
): boolean {
  for (let before = container; before < index; before += 1) {
    const other = deviceOf(steps[before] ?? noStep);
    if (other === undefined || !isInside(steps, before, container)) continue;
    // Where this device's command stood before, it was the one that was refused.
    return other === device;
  }
  return true;
}

const noStep: SagaStepDefinition = {
  name: "",
  text: "",
  timeoutMs: 0,
  action: { kind: "set", variables: [] },
  makeSafe: { kind: "none" },
};

/** Whether the step stands in the container itself, and not in its backup plan. */
function isInside(steps: Steps, index: number, container: number): boolean {
  let inner = index;
  for (;;) {
    if (inner === container) return true;
    const outer = steps[inner]?.parent;
    if (outer === undefined) return false;
    if (outer === container && steps[outer]?.orElse?.includes(inner) === true) return false;
    inner = outer;
  }
}
