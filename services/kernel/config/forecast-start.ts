/**
 * What a forecast takes for true at the start of a saga.
 *
 * The idea: as a run finds the cell, but for what the saga itself has to bring about, which is
 * open until then. Pure. It refuses to know a place that nobody has given.
 */
import type { Value } from "./expression.js";
import type { ForecastCell } from "./forecast-operation.js";
import { type Fact, given, open, type Place, type World } from "./forecast-world.js";
import type { SagaDefinition } from "./saga.js";

export interface ForecastStart {
  /** Where axes stand at the start, user units; the others are not known. */
  readonly at?: { readonly [device: string]: number };
  readonly inputs?: { readonly [name: string]: Value };
  /** False: whether axes are homed, enabled and at rest at the start is open. @default true */
  readonly isReady?: boolean;
}

/**
 * As a run finds the cell: enabled, homed and at rest, but for what the saga itself has to bring
 * about, which is open until then.
 */
export function worldAt(saga: SagaDefinition, cell: ForecastCell, start: ForecastStart): World {
  const { at, inputs, isReady = true } = start;
  const does = (device: string, verb: string) =>
    saga.steps.some(
      ({ action }) =>
        action.kind === "operation" &&
        action.operation.device === device &&
        action.operation.verb === verb,
    );
  const places = cell.devices.map(({ id, axis }): [string, Place] => {
    const stands = at?.[id];
    const ready = (verb: string, word: string) =>
      does(id, verb) || !isReady
        ? open<boolean>(`whether ${id} is ${word} at the start`)
        : given(true);
    const place = {
      position: stands === undefined ? open<number>(`where ${id} stands`) : given(stands),
      velocity: isReady ? given(0) : open<number>(`whether ${id} moves at the start`),
      homed: axis === undefined ? given(true) : ready("home", "homed"),
      enabled: ready("enable", "enabled"),
      gripped: open<boolean>(`whether ${id} holds a part`),
    };
    return [id, place];
  });
  const known = Object.entries(saga.inputs ?? {}).map(([name, spec]): [string, Fact<Value>] => {
    const value = inputs?.[name] ?? spec.default;
    return [name, value === undefined ? open(`the input ${name}`) : given(value)];
  });
  return { places: new Map(places), variables: new Map(), inputs: new Map(known), begun: [] };
}
