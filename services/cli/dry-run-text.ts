/**
 * A forecast in words: one line a step, what would be refused, what would make it safe, the total.
 *
 * The idea: the tree is indented as in the file; times that are not known stand as a span with
 * what they depend on; the way to make it safe is told where it changes. Pure. It refuses to hide
 * that a time is the least one.
 */
import type { SagaDefinition } from "#kernel/config/cell.js";
import type { TimeSpan } from "#kernel/config/motion-time.js";
import type { SagaForecast, StepForecast } from "#kernel/config/saga-forecast.js";
import type { StartPlace } from "./dry-run.js";
import type { Inputs } from "./run-inputs.js";
import { seconds } from "./run-report.js";
import { depthOf } from "./run-tree.js";

export interface ForecastTold {
  readonly saga: SagaDefinition;
  readonly forecast: SagaForecast;
  readonly places: readonly StartPlace[];
  readonly inputs: Inputs;
}

export function spanText({ fromMs, toMs }: TimeSpan): string {
  if (fromMs === toMs) return seconds(fromMs);
  return `${(fromMs / 1000).toFixed(2)} … ${seconds(toMs)}`;
}

export function forecastLines(told: ForecastTold): readonly string[] {
  const { saga, forecast } = told;
  const inside = new Set(saga.steps.flatMap(({ orElse }) => orElse ?? []));
  const depths = forecast.steps.map((step) => depthOf(forecast.steps, step));
  const names = forecast.steps.map((step, i) => `${"  ".repeat(depths[i] ?? 0)}${step.name}`);
  const widths = {
    time: Math.max(4, ...forecast.steps.map((step) => spanText(step.time).length)),
    name: Math.max(4, ...names.map((name) => name.length)),
  };
  let safe = "";
  const lines = forecast.steps.flatMap((step, i) => {
    const told = stepLines(step, { widths, name: names[i] ?? "", backup: inside.has(i) });
    const next = safeText(step);
    const changed = next !== safe && step.turns > 0;
    if (changed) safe = next;
    const margin = " ".repeat(widths.time + 4);
    return changed ? [...told, `${margin}↩ ${next}`] : told;
  });
  return [...headLines(told), ...lines, ...totalLines(forecast)];
}

function headLines({ saga, places, inputs }: ForecastTold): readonly string[] {
  const stands = places.map(({ device, position, unit, assumed }) => {
    return `${device} ${Math.round(position * 1000) / 1000} ${unit}${assumed ? " (assumed)" : ""}`;
  });
  const given = Object.entries(saga.inputs ?? {}).map(([name, spec]) => {
    const value = inputs[name] ?? spec.default;
    const unit = spec.unit === undefined ? "" : ` ${spec.unit}`;
    return value === undefined ? `${name} not given` : `${name} ${String(value)}${unit}`;
  });
  return [
    `${saga.name} (${saga.version}): ${saga.title}`,
    ...(stands.length === 0 ? [] : [`  starts with ${stands.join(", ")}`]),
    ...(given.length === 0 ? [] : [`  inputs ${given.join(", ")}`]),
    ...(saga.prepare === undefined
      ? []
      : [`  after ${saga.prepare}, where an axis is not homed or not enabled`]),
  ];
}

interface Layout {
  readonly widths: { readonly time: number; readonly name: number };
  readonly name: string;
  readonly backup: boolean;
}

function stepLines(step: StepForecast, { widths, name, backup }: Layout): readonly string[] {
  const certain = step.refusals.some((one) => one.certain);
  const open = step.refusals.length > 0;
  const mark = step.turns === 0 ? "·" : certain || step.overdue ? "✘" : open ? "?" : " ";
  const time = step.turns === 0 ? "–" : spanText(step.time);
  const margin = " ".repeat(widths.time + 4);
  const turns = step.turns > 1 ? `  ${step.turns} times` : "";
  const what = step.turns === 0 ? `${step.text}  not on this way` : step.text;
  const plan = backup ? `  instead of ${step.insteadOf ?? "a step that is refused"}` : "";
  const head = `${mark} ${time.padStart(widths.time)}  ${name.padEnd(widths.name)}  ${what}`;
  const limit = seconds(step.timeoutMs);
  return [
    `${head}${turns}${plan}`,
    ...(step.turns > 0 && step.depends.length > 0
      ? [`${margin}depends on ${step.depends.join("; ")}`]
      : []),
    ...(step.overdue ? [`${margin}overdue: it has ${limit} (NOT_DONE_IN_TIME)`] : []),
    ...step.refusals.map(({ certain: sure, text, code }) => {
      return `${margin}${sure ? "refused" : "may be refused"}: ${text} (${code})`;
    }),
  ];
}

/** What would run if the run failed while this step is under way. */
function safeText({ safe, safeTime }: StepForecast): string {
  const items: { readonly text: string; readonly steps: string[] }[] = [];
  for (const { step, text, maybe } of safe.filter((one) => one.text !== "still")) {
    const told = maybe ? `${step} if begun` : step;
    const last = items.at(-1);
    // Twice the same in a row is one way for the axis.
    if (last?.text === text) last.steps.push(told);
    else items.push({ text, steps: [told] });
  }
  if (items.length === 0) return "if it fails: stop";
  const ways = items.map(({ text, steps }) => `${text} (${steps.join(", ")})`);
  return `if it fails: stop, then ${ways.join(", then ")}; ${spanText(safeTime)}`;
}

function totalLines({ total, depends, fails }: SagaForecast): readonly string[] {
  return [
    `in all ${spanText(total)} at best: without the bus, settling and whatever fails`,
    ...(depends.length === 0 ? [] : [`  depends on ${depends.join("; ")}`]),
    ...(fails.length === 0 ? [] : [`  would fail: ${fails.join(", ")}`]),
  ];
}
