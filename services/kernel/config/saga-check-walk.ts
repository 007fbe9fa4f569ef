/**
 * What a walk through a saga shows: interlocks that its path must break, times that cannot be
 * kept, steps that are never reached, and a makeSafe that would be refused in its turn.
 *
 * The idea: the forecast walks all ways with what is known of places and values, with the inputs
 * open; only what holds on every way that leads to a step is an error. It refuses to judge what
 * depends on where the axes stand at the start.
 */

import { readingsOf } from "./expression.js";
import type { SagaDefinition } from "./saga.js";
import type { Finding, SagaCell } from "./saga-check.js";
import {
  type ForecastRefusal,
  forecastSaga,
  type SafeItem,
  type SagaForecast,
  type StepForecast,
} from "./saga-forecast.js";

/** A walk with more turns has not seen every step as often as it is run. */
const turnsMax = 4_000;

export function checkWalk(saga: SagaDefinition, cell: SagaCell): readonly Finding[] {
  const { devices, interlocks } = cell;
  const known = { devices, interlocks };
  const forecast = forecastSaga(withoutDefaults(saga), known, { isReady: false });
  return [
    ...forecast.steps.flatMap((step) => [
      ...refused(saga, cell, step),
      ...overdue(saga, step),
      ...unsafe(saga, cell, step),
    ]),
    ...unreached(saga, forecast),
  ];
}

/** A default is only one of the values that the input may have. */
function withoutDefaults(saga: SagaDefinition): SagaDefinition {
  if (saga.inputs === undefined) return saga;
  const inputs = Object.entries(saga.inputs).map(([name, { default: _default, ...spec }]) => {
    return [name, spec] as const;
  });
  return { ...saga, inputs: Object.fromEntries(inputs) };
}

/** The driver will say no, whatever the start. */
function refused(saga: SagaDefinition, cell: SagaCell, step: StepForecast): readonly Finding[] {
  const { index, refusals } = step;
  return refusals
    .filter(({ certain, code }) => certain && code !== "NOT_SUPPORTED")
    .map((refusal) => {
      const hasPlan = saga.steps[index]?.orElse !== undefined;
      const plan = hasPlan ? "; its backup plan is always taken" : "";
      return {
        step: index,
        key: "do",
        message: `this step is always refused: ${reason(saga, cell, refusal, index)}${plan}`,
        severity: hasPlan ? "warning" : "error",
      };
    });
}

/** With the step that left the other device where it is. */
function reason(
  saga: SagaDefinition,
  { interlocks }: SagaCell,
  { code, text }: ForecastRefusal,
  before: number,
): string {
  if (code !== "INTERLOCKED") return text;
  const interlock = interlocks.find(({ name }) => text.startsWith(`${name}:`));
  const read = interlock?.require.terms.map(({ device }) => device) ?? [];
  const last = saga.steps.findLast(
    ({ action }, index) =>
      index < before && action.kind === "operation" && read.includes(action.operation.device),
  );
  const by = last === undefined ? "" : `, where ${last.name} (${last.text}) has left it`;
  return `the interlock ${text}${by}`;
}

function overdue(saga: SagaDefinition, step: StepForecast): readonly Finding[] {
  const definition = saga.steps[step.index];
  if (!step.overdue || definition?.action.kind !== "operation") return [];
  const least = Math.ceil(step.time.fromMs / 100) / 10;
  const message = `its timeout is ${seconds(step.timeoutMs)}, and it takes at least ${least} s`;
  const suggestion = `timeout: ${Math.ceil(least * 1.5)} s`;
  return [{ step: step.index, key: "timeout", message, suggestion, severity: "error" }];
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

/** If the run fails right behind this step, something of its makeSafe is refused. */
function unsafe(saga: SagaDefinition, cell: SagaCell, step: StepForecast): readonly Finding[] {
  return step.safe.flatMap((item) => {
    const refusal = item.refusals?.find(({ certain, code }) => certain && code !== "NOT_SUPPORTED");
    return refusal === undefined || item.maybe ? [] : unsafeItem(saga, cell, step, item, refusal);
  });
}

function unsafeItem(
  saga: SagaDefinition,
  cell: SagaCell,
  { index, name }: StepForecast,
  item: SafeItem,
  refusal: ForecastRefusal,
): readonly Finding[] {
  const at = saga.steps.findIndex((one) => one.name === item.step);
  const message =
    `if the run fails behind ${name}, this makeSafe (${item.text}) is refused: ` +
    reason(saga, cell, refusal, index + 1);
  const suggestion = "name the step that clears the way in safeFirst";
  return [{ step: at, key: "makeSafe", message, suggestion, severity: "warning" }];
}

/** Steps that no way leads to. */
function unreached(saga: SagaDefinition, { steps }: SagaForecast): readonly Finding[] {
  const turns = steps.reduce((sum, step) => sum + step.turns, 0);
  if (turns > turnsMax) return [];
  return steps.flatMap(({ index, turns: own, parent }): Finding[] => {
    const outer = parent === undefined ? undefined : steps[parent];
    if (own > 0 || outer?.turns === 0 || readsDevices(saga, parent)) return [];
    const [first] = siblings(saga, index);
    // One finding for a block of them.
    if (first !== index) return [];
    return [
      { step: index, key: "name", message: "this step is never reached", severity: "warning" },
    ];
  });
}

/** What a device reads at run time is not known now, whatever a forecast takes for granted. */
function readsDevices(saga: SagaDefinition, index: number | undefined): boolean {
  const action = index === undefined ? undefined : saga.steps[index]?.action;
  const asked =
    action?.kind === "choose"
      ? action.cases.map(({ when }) => when)
      : action?.kind === "repeat" && action.whilst !== undefined
        ? [action.whilst]
        : [];
  return asked.some(({ expression }) => readingsOf(expression).length > 0);
}

/** The steps of the block in which a step stands. */
function siblings({ steps }: SagaDefinition, index: number): readonly number[] {
  const parent = steps[index]?.parent;
  const owner = parent === undefined ? undefined : steps[parent];
  const action = owner?.action;
  const blocks = [
    owner?.orElse ?? [],
    ...(action?.kind === "choose"
      ? [...action.cases.map((one) => one.block), action.otherwise]
      : []),
    ...(action?.kind === "parallel" ? action.branches : []),
    ...(action?.kind === "repeat" || action?.kind === "call" ? [action.block] : []),
  ];
  return blocks.find((block) => block.includes(index)) ?? [index];
}
