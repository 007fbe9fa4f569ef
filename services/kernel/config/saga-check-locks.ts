/**
 * Waits that nobody can end, because the run that waits holds what the other one needs.
 *
 * The idea: devices are leased all or none, so two runs never hold parts of each other's; but a
 * step that waits for what only another saga can bring about waits in vain where that saga shares
 * a device with this one. It refuses to count a person's jog as help.
 */
import { readingsOf } from "./expression.js";
import type { RuleConfig, SagaDefinition } from "./saga.js";
import type { Finding, SagaCell } from "./saga-check.js";

/** Readings that only a command to the device changes. */
const commandedFields: ReadonlySet<string> = new Set([
  "position",
  "velocity",
  "enabled",
  "homed",
  "moving",
  "inTarget",
  "gripped",
]);

export function checkLocks(saga: SagaDefinition, cell: SagaCell): readonly Finding[] {
  return saga.steps.flatMap(({ action }, step): readonly Finding[] => {
    if (action.kind === "waitFor") {
      const devices = readingsOf(action.condition.expression)
        .filter(({ field }) => commandedFields.has(field))
        .map(({ device }) => device);
      return [...new Set(devices)].flatMap((device) => forDevice({ saga, cell, step, device }));
    }
    if (action.kind !== "waitForEvent") return [];
    const { kind, id } = action.event;
    if (kind === "axis" && id !== undefined) return forDevice({ saga, cell, step, device: id });
    if (kind === "run") return forRun(saga, cell, step);
    return [];
  });
}

function shared(a: SagaDefinition, b: SagaDefinition): string | undefined {
  return a.uses.find((device) => b.uses.includes(device));
}

interface DeviceWait {
  readonly saga: SagaDefinition;
  readonly cell: SagaCell;
  readonly step: number;
  readonly device: string;
}

/** The saga does not have the device, and whoever commands it needs one that the saga has. */
function forDevice({ saga, cell, step, device }: DeviceWait): readonly Finding[] {
  if (saga.uses.includes(device)) return [];
  const movers = cell.sagas.filter((other) => other.uses.includes(device));
  const clashes = movers.flatMap((other) => {
    const common = shared(saga, other);
    return common === undefined ? [] : [`${other.name} needs ${common}`];
  });
  if (movers.length === 0 || clashes.length < movers.length) return [];
  const message =
    `nobody can command ${device} while this run waits for it: ` +
    `it holds its devices, and ${clashes.join(", ")}`;
  const suggestion = "command it in this saga, or call the other one";
  return [{ step, key: "waitFor", message, suggestion, severity: "warning" }];
}

/** It waits for another run, and no other run can be under way. */
function forRun(saga: SagaDefinition, { sagas }: SagaCell, step: number): readonly Finding[] {
  if (saga.uses.length === 0) return [];
  const others = sagas.filter((other) => other.name !== saga.name);
  const free = others.filter((other) => shared(saga, other) === undefined);
  if (free.length > 0) return [];
  const message = "no other run can be under way while this one waits: all sagas share its devices";
  const suggestion = "call the other saga as a step";
  return [{ step, key: "waitFor", message, suggestion, severity: "warning" }];
}

/**
 * Why a rule can never start its saga: the event comes from a device while the only sagas that
 * command it hold what the rule's saga needs, and the rule does not wait. Undefined: it can.
 */
export function ruleClash(
  { on, saga, wait }: Pick<RuleConfig, "on" | "saga" | "wait">,
  sagas: readonly SagaDefinition[],
): string | undefined {
  const started = sagas.find(({ name }) => name === saga);
  if (wait || on.kind !== "axis" || on.id === undefined || started === undefined) return undefined;
  const { id } = on;
  const sources = sagas.filter(({ uses }) => uses.includes(id));
  const clashes = sources.flatMap((source) => {
    const common = shared(source, started);
    return common === undefined ? [] : [`${source.name} holds ${common}`];
  });
  if (sources.length === 0 || clashes.length < sources.length) return undefined;
  return `the event comes while ${clashes.join(", ")}, which ${saga} needs; it would be refused`;
}
