/**
 * Rules that lead back to themselves: an event starts a saga, which brings about the event again.
 *
 * The idea: a graph of rules; from one to the next where a run of the first one's saga can bring
 * about what the second one waits for, as far as that is known beforehand: by the devices and verbs
 * of the saga, its name and its steps. What is not known (a state, a verdict) counts as possible.
 * It refuses to take what only people bring about for a loop.
 */
import { evaluateExpression, eventScope, type Value } from "./expression.js";
import type { EventFilter, RuleConfig, SagaDefinition, SagaOperation } from "./saga.js";

export interface LinkedRule {
  readonly rule: RuleConfig;
  /** A person has given a reason for the loop. */
  readonly accepted: boolean;
}

/** Events of the cell that no run brings about. */
const byPeople: ReadonlySet<string> = new Set([
  "mode.changed",
  "stops.reset",
  "device.excluded",
  "device.included",
]);
/** States of the cell that runs and suspend conditions lead to; only people lead to the others. */
const byRuns = [
  "Starting",
  "Execute",
  "Completing",
  "Complete",
  "Suspending",
  "Suspended",
  "Unsuspending",
  "Stopping",
  "Stopped",
  "Aborting",
  "Aborted",
];

type Fields = { readonly [name: string]: Value };

/** False: with these fields, whatever the others are, the filter's condition does not hold. */
function canHold({ where }: EventFilter, fields: Fields): boolean {
  if (where === undefined) return true;
  const worth = evaluateExpression(where.expression, eventScope(fields));
  return !worth.ok || worth.value !== false;
}

function operationsOf(saga: SagaDefinition): readonly SagaOperation[] {
  return saga.steps.flatMap(({ action, makeSafe }) => [
    ...(action.kind === "operation" ? [action.operation] : []),
    ...(makeSafe.kind === "operations" ? makeSafe.operations : []),
  ]);
}

/** Whether a run of this saga can bring about an event that is meant. */
export function mayCause(saga: SagaDefinition, on: EventFilter): boolean {
  const { kind, id, type } = on;
  if (kind === "run") {
    const ofSaga: Fields = { saga: saga.name };
    if (!/^(step|safe)\./.test(type)) return canHold(on, ofSaga);
    return saga.steps.some(({ name }) => canHold(on, { ...ofSaga, step: name }));
  }
  if (kind === "cell") {
    if (type === "state.changed") return byRuns.some((to) => canHold(on, { to }));
    return !byPeople.has(type);
  }
  const isMine = (device: string) => saga.uses.includes(device) && (id ?? device) === device;
  if (!type.startsWith("command.")) return saga.uses.some(isMine) && canHold(on, {});
  const mine = operationsOf(saga).filter(({ device }) => isMine(device));
  return mine.some(({ verb }) => canHold(on, { verb }));
}

/** Loops without a reason, each once, as the rules in their order; the first one starts again. */
export function loopsOf(
  rules: readonly LinkedRule[],
  sagas: readonly SagaDefinition[],
): readonly (readonly LinkedRule[])[] {
  const open = rules.filter(({ accepted }) => !accepted);
  const told = new Set<LinkedRule>();
  return open.flatMap((first) => {
    const way = wayBack(first, open, sagas);
    if (way === undefined || way.some((one) => told.has(one))) return [];
    for (const one of way) told.add(one);
    return [way];
  });
}

/** The shortest way by rules from this one's saga to its own event; undefined: there is none. */
export function wayBack<R extends LinkedRule>(
  first: R,
  rules: readonly R[],
  sagas: readonly SagaDefinition[],
): readonly R[] | undefined {
  const sagaOf = ({ rule }: R) => sagas.find(({ name }) => name === rule.saga);
  const ways: R[][] = [[first]];
  const seen = new Set<R>([first]);
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const last = way.at(-1);
    const saga = last === undefined ? undefined : sagaOf(last);
    if (saga === undefined) continue;
    if (mayCause(saga, first.rule.on)) return way;
    for (const next of rules) {
      if (seen.has(next) || !mayCause(saga, next.rule.on)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}
