/**
 * What a forecast takes for true at a point of a saga: places, values, and the steps begun.
 *
 * The idea: every fact is a value or the words for what it depends on, and two ways that meet
 * again keep only what both agree on. Plain data, copied on change. It refuses to guess: what one
 * way leaves open is open after both.
 */
import { type Expression, partsOf, type Scope, type Value } from "./expression.js";

/** A value, or what it depends on, in words. */
export type Fact<T> =
  | { readonly known: true; readonly value: T }
  | { readonly known: false; readonly on: string };

export interface Place {
  readonly position: Fact<number>;
  readonly velocity: Fact<number>;
  readonly homed: Fact<boolean>;
  readonly enabled: Fact<boolean>;
  readonly gripped: Fact<boolean>;
}

/** A step that has been begun; `maybe`: on some ways only. */
export interface Begun {
  readonly step: number;
  readonly maybe: boolean;
}

export interface World {
  readonly places: ReadonlyMap<string, Place>;
  /** Variables of the saga or of the call that is being run. */
  readonly variables: ReadonlyMap<string, Fact<Value>>;
  readonly inputs: ReadonlyMap<string, Fact<Value>>;
  /** Distinct steps, newest first. */
  readonly begun: readonly Begun[];
}

export function given<T>(value: T): Fact<T> {
  return { known: true, value };
}

export function open<T>(on: string): Fact<T> {
  return { known: false, on };
}

export function withPlace(world: World, device: string, change: Partial<Place>): World {
  const before = world.places.get(device);
  if (before === undefined) return world;
  const places = new Map(world.places).set(device, { ...before, ...change });
  return { ...world, places };
}

export function withVariable(world: World, name: string, value: Fact<Value>): World {
  return { ...world, variables: new Map(world.variables).set(name, value) };
}

export function withBegun(world: World, step: number): World {
  const others = world.begun.filter((one) => one.step !== step);
  return { ...world, begun: [{ step, maybe: false }, ...others] };
}

function agreed<T>(facts: readonly (Fact<T> | undefined)[], on: string): Fact<T> {
  const [first] = facts;
  if (first === undefined) return open(on);
  const same = facts.every((fact) => {
    if (fact === undefined || fact.known !== first.known) return false;
    if (fact.known && first.known) return fact.value === first.value;
    return !fact.known && !first.known && fact.on === first.on;
  });
  return same ? first : open(on);
}

/** Where one of several ways was taken: only what all agree on is known. */
export function meeting(worlds: readonly World[], on: string): World {
  const [first, ...others] = worlds;
  if (first === undefined) throw new RangeError("no way to meet");
  if (others.length === 0) return first;
  const places = [...first.places.keys()].map((device) => {
    const all = worlds.map((world) => world.places.get(device));
    const place: Place = {
      position: agreed(
        all.map((one) => one?.position),
        on,
      ),
      velocity: agreed(
        all.map((one) => one?.velocity),
        on,
      ),
      homed: agreed(
        all.map((one) => one?.homed),
        on,
      ),
      enabled: agreed(
        all.map((one) => one?.enabled),
        on,
      ),
      gripped: agreed(
        all.map((one) => one?.gripped),
        on,
      ),
    };
    return [device, place] as const;
  });
  const names = new Set(worlds.flatMap((world) => [...world.variables.keys()]));
  const variables = [...names].map((name) => {
    return [
      name,
      agreed(
        worlds.map((world) => world.variables.get(name)),
        on,
      ),
    ] as const;
  });
  return {
    places: new Map(places),
    variables: new Map(variables),
    inputs: first.inputs,
    begun: begunOf(worlds),
  };
}

/** The steps of any of the ways; those that are not on all of them are marked. */
function begunOf(worlds: readonly World[]): readonly Begun[] {
  const steps: number[] = [];
  const longest = Math.max(...worlds.map((world) => world.begun.length));
  // From the oldest on, so that what the ways share keeps its order.
  for (let age = 0; age < longest; age += 1) {
    for (const { begun } of worlds) {
      const one = begun[begun.length - 1 - age];
      if (one !== undefined && !steps.includes(one.step)) steps.unshift(one.step);
    }
  }
  return steps.map((step) => {
    const found = worlds.map((world) => world.begun.find((one) => one.step === step));
    return { step, maybe: found.some((one) => one === undefined || one.maybe) };
  });
}

/** What of an expression has no value here, each thing once, in words. */
export function opensOf(expression: Expression, world: World): readonly string[] {
  const found = new Set<string>();
  const note = (fact: Fact<unknown> | undefined, otherwise: string) => {
    if (fact === undefined) found.add(otherwise);
    else if (!fact.known) found.add(fact.on);
  };
  for (const part of partsOf(expression)) {
    const { kind } = part;
    if (kind === "reading") {
      note(factOf(world, part.device, part.field), `${part.device}.${part.field}`);
    } else if (kind === "input") note(world.inputs.get(part.name), `the input ${part.name}`);
    else if (kind === "variable") note(world.variables.get(part.name), `the variable ${part.name}`);
    else if (kind === "event") found.add(`the event's ${part.name}`);
  }
  return [...found];
}

/** A field of a device as a condition names it. */
export function factOf(
  world: World,
  device: string,
  field: string,
): Fact<number | boolean> | undefined {
  const place = world.places.get(device);
  if (place === undefined) return undefined;
  switch (field) {
    case "position":
    case "velocity":
    case "homed":
    case "enabled":
    case "gripped": {
      const fact: Fact<number | boolean> = place[field];
      return fact;
    }
    case "moving":
      return place.velocity.known ? given(place.velocity.value !== 0) : place.velocity;
    case "fault":
      return given(false);
    default:
      return undefined;
  }
}

export function scopeOf(world: World): Scope {
  const worthOf = (fact: Fact<Value> | undefined) => (fact?.known ? fact.value : undefined);
  return {
    input: (name) => worthOf(world.inputs.get(name)),
    variable: (name) => worthOf(world.variables.get(name)),
    event: () => undefined,
    reading: (device, field) => {
      const fact = factOf(world, device, field);
      return fact?.known ? { ok: true, value: fact.value, atMs: 0 } : undefined;
    },
  };
}
