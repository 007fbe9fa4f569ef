/**
 * A saga walked through before anything moves: how long each step takes at best, what would be
 * refused on the way, and what would run to make it safe from each point.
 *
 * The idea: the tree is walked once with what is known (start places, inputs, the limits of the
 * axes); where something is not known, all ways are walked, and the times become spans with the
 * things on which they depend. It is the walk as if nothing failed. Pure. It refuses to touch a
 * device, and to promise more than the cell file and the profiles say.
 */
import type { Ms } from "#drivers/reading.js";
import { evaluateExpression, type Value, type Written } from "./expression.js";
import {
  type ForecastCell,
  type ForecastDevice,
  type ForecastRefusal,
  forecastOperation,
} from "./forecast-operation.js";
import { oneAfterOther, type Passage, resting, withPlan } from "./forecast-passage.js";
import { type ForecastStart, worldAt } from "./forecast-start.js";
import { branched, chosen, repeated } from "./forecast-ways.js";
import {
  type Fact,
  given,
  meeting,
  open,
  opensOf,
  scopeOf,
  type World,
  withBegun,
  withVariable,
} from "./forecast-world.js";
import { exactly, inTurn, noTime, oneOf, type TimeSpan } from "./motion-time.js";
import type { Block, SagaDefinition, SagaStepDefinition } from "./saga.js";
import { devicesOf } from "./saga-walk.js";

export type { ForecastCell, ForecastDevice, ForecastRefusal, ForecastStart, TimeSpan };

/** One makeSafe that would run, in its turn. */
export interface SafeItem {
  readonly step: string;
  /** `z.moveTo position 100 velocity 150`, or `still`. */
  readonly text: string;
  /** Only if the run has come by that step. */
  readonly maybe: boolean;
  /** What the driver would say to it here; absent: nothing. */
  readonly refusals?: readonly ForecastRefusal[];
}

export interface StepForecast {
  readonly index: number;
  readonly name: string;
  readonly text: string;
  readonly kind: SagaStepDefinition["action"]["kind"];
  readonly parent?: number;
  /** How often it is begun on the way that was walked; 0: never. */
  readonly turns: number;
  /** Of one time that it is begun; containers: with all that stands in them. */
  readonly time: TimeSpan;
  readonly timeoutMs: Ms;
  /** True: it cannot be done within its timeout, whatever happens. */
  readonly overdue: boolean;
  readonly depends: readonly string[];
  readonly refusals: readonly ForecastRefusal[];
  /** What runs after the stop, if the run fails while this step is under way. */
  readonly safe: readonly SafeItem[];
  readonly safeTime: TimeSpan;
  /** It stands in the backup plan of this step. */
  readonly insteadOf?: string;
}

export interface SagaForecast {
  readonly saga: string;
  readonly total: TimeSpan;
  readonly depends: readonly string[];
  /** Steps at which a run fails for certain: refused with no backup plan left, or overdue. */
  readonly fails: readonly string[];
  /** One for each step of the definition, in its order. */
  readonly steps: readonly StepForecast[];
}

interface Draft {
  turns: number;
  time: TimeSpan | undefined;
  readonly depends: Set<string>;
  readonly refusals: Map<string, ForecastRefusal>;
  safe: readonly SafeItem[];
  safeTime: TimeSpan;
  insteadOf: string | undefined;
}

/** Steps walked in all; loops beyond that are reckoned by their last turn. */
const visitsMax = 5000;

/**
 * `forecastSaga(saga, { devices: [{ id, profile, axis }], interlocks }, { at, inputs })`. Without
 * `at` no place is known, so `time.fromMs` of every step is the least time that any start allows:
 * what `overdue` says then holds for all of them. Inputs that are not given take their default,
 * else they are not known. Never throws.
 */
export function forecastSaga(
  saga: SagaDefinition,
  cell: ForecastCell,
  start: ForecastStart = {},
): SagaForecast {
  const walk = new Walk(saga, cell);
  const body = saga.body ?? rootsOf(saga);
  const whole = walk.block(body, worldAt(saga, cell, start));
  return {
    saga: saga.name,
    total: whole.time,
    depends: whole.depends,
    fails: whole.fails,
    steps: saga.steps.map((step, index) => walk.told(step, index)),
  };
}

function rootsOf(saga: SagaDefinition): Block {
  return saga.steps.flatMap((step, index) => (step.parent === undefined ? [index] : []));
}

class Walk {
  readonly #saga: SagaDefinition;
  readonly #cell: ForecastCell;
  readonly #drafts = new Map<number, Draft>();
  #visits = 0;

  constructor(saga: SagaDefinition, cell: ForecastCell) {
    this.#saga = saga;
    this.#cell = cell;
  }

  get isTired(): boolean {
    return this.#visits >= visitsMax;
  }

  told(step: SagaStepDefinition, index: number): StepForecast {
    const draft = this.#drafts.get(index);
    const { name, text, timeoutMs, action, parent } = step;
    const time = draft?.time ?? noTime;
    return {
      index,
      name,
      text,
      kind: action.kind,
      ...(parent === undefined ? {} : { parent }),
      turns: draft?.turns ?? 0,
      time,
      timeoutMs,
      overdue: time.fromMs > timeoutMs,
      depends: [...(draft?.depends ?? [])],
      refusals: [...(draft?.refusals.values() ?? [])],
      safe: draft?.safe ?? [],
      safeTime: draft?.safeTime ?? noTime,
      ...(draft?.insteadOf === undefined ? {} : { insteadOf: draft.insteadOf }),
    };
  }

  block(block: Block, world: World): Passage {
    const passages: Passage[] = [];
    let now = world;
    for (const index of block) {
      const passage = this.step(index, now);
      passages.push(passage);
      now = passage.world;
    }
    return oneAfterOther(passages, now);
  }

  step(index: number, before: World): Passage {
    const step = this.#saga.steps[index];
    if (step === undefined) return resting(before);
    this.#visits += 1;
    const draft = this.#draftOf(index);
    const world = withBegun(before, index);
    const { refusals, ...acted } = this.#act(step, world);
    const passage = judged(step, acted, refusals);
    draft.turns += 1;
    draft.time = draft.time === undefined ? passage.time : oneOf([draft.time, passage.time]);
    for (const on of passage.depends) draft.depends.add(on);
    for (const refusal of refusals) draft.refusals.set(refusal.text, refusal);
    if (draft.turns === 1) {
      // While it is under way its axis is somewhere between the two.
      const { safe, safeTime } = this.#safeFrom(passage.world);
      draft.safe = safe;
      draft.safeTime = oneOf([safeTime, this.#safeFrom(world, passage.world).safeTime]);
    }
    return this.#withPlanB(step, before, passage);
  }

  #draftOf(index: number): Draft {
    const known = this.#drafts.get(index);
    if (known !== undefined) return known;
    const draft: Draft = {
      turns: 0,
      time: undefined,
      depends: new Set(),
      refusals: new Map(),
      safe: [],
      safeTime: noTime,
      insteadOf: undefined,
    };
    this.#drafts.set(index, draft);
    return draft;
  }

  /** A refusal that is certain makes the backup plan the way; one that is not, one of two ways. */
  #withPlanB(step: SagaStepDefinition, before: World, passage: Passage): Passage {
    if (step.orElse === undefined) return passage;
    const plan = this.block(step.orElse, before);
    for (const index of step.orElse) this.#draftOf(index).insteadOf = step.name;
    const on = `whether ${step.name} is refused`;
    return withPlan(passage, plan, () => meeting([passage.world, plan.world], on), on);
  }

  #act(
    step: SagaStepDefinition,
    world: World,
  ): Passage & { readonly refusals: readonly ForecastRefusal[] } {
    const { action, timeoutMs } = step;
    const rests = (passage: Passage) => ({ ...passage, refusals: [] });
    const waits = (on: string, after = world) =>
      rests(resting(after, { fromMs: 0, toMs: timeoutMs }, [on]));
    switch (action.kind) {
      case "operation": {
        const done = forecastOperation(action.operation, this.#cell, world, timeoutMs);
        return { ...resting(done.world, done.time, done.depends), refusals: done.refusals };
      }
      case "dwell":
        return rests(this.#dwell(action.forMs, world, timeoutMs));
      case "waitFor": {
        const held = factFor(action.condition, world);
        if (held.known && held.value === true) return rests(resting(world));
        return waits(held.known ? action.condition.text : held.on);
      }
      case "waitForEvent": {
        const { kind, id, type } = action.event;
        return waits(`the event ${[kind, id, type].filter((part) => part).join(".")}`);
      }
      case "signal":
        return waits(`the signal ${action.signal}`);
      case "ask": {
        const on = `the answer to ${step.name}`;
        return waits(
          on,
          action.as === undefined ? world : withVariable(world, action.as, open(on)),
        );
      }
      case "set": {
        const after = action.variables.reduce(
          (now, { name, value }) => withVariable(now, name, factFor(value, now)),
          world,
        );
        return rests(resting(after));
      }
      case "parallel":
      case "choose":
      case "repeat":
      case "call":
        return rests(this.#container(step, world));
      default:
        return action satisfies never;
    }
  }

  #dwell(forMs: Ms | Written, world: World, timeoutMs: Ms): Passage {
    if (typeof forMs === "number") return resting(world, exactly(forMs));
    const fact = factFor(forMs, world);
    if (fact.known) return resting(world, exactly(Math.max(0, Number(fact.value))));
    return resting(world, { fromMs: 0, toMs: timeoutMs }, [fact.on]);
  }

  #container({ name, action }: SagaStepDefinition, world: World): Passage {
    const walk = (block: Block, from: World) => this.block(block, from);
    const devices = (block: Block) => devicesOf(this.#saga, block);
    const stopMs = (ids: readonly string[]) => stopMsMax(this.#cell, ids);
    if (action.kind === "parallel") return branched({ name, action, world, walk, devices, stopMs });
    const fact = (written: Written, now: World) => factFor(written, now);
    if (action.kind === "choose") return chosen({ name, action, world, walk, fact });
    if (action.kind === "repeat") {
      return repeated({ name, action, world, walk, fact, isTired: () => this.isTired });
    }
    if (action.kind !== "call") return resting(world);
    const inputs = Object.entries(action.inputs).map(([input, value]): [string, Fact<Value>] => {
      return [input, typeof value === "object" ? factFor(value, world) : given(value)];
    });
    const inner = { ...world, inputs: new Map(inputs), variables: new Map() };
    const passage = walk(action.block, inner);
    const { inputs: own, variables } = world;
    return { ...passage, world: { ...passage.world, inputs: own, variables } };
  }

  /** Newest intent first, after those that the saga puts before all others. */
  #safeFrom(
    world: World,
    { begun } = world,
  ): { readonly safe: readonly SafeItem[]; readonly safeTime: TimeSpan } {
    const first = this.#saga.safeFirst ?? [];
    const nameOf = (index: number) => this.#saga.steps[index]?.name ?? "";
    const rank = ({ step }: { readonly step: number }) => {
      const place = first.indexOf(nameOf(step));
      return place === -1 ? first.length : place;
    };
    const order = [...begun].sort((a, b) => rank(a) - rank(b));
    let now = world;
    const times: TimeSpan[] = [];
    const safe = order.flatMap(({ step, maybe }): SafeItem[] => {
      const makeSafe = this.#saga.steps[step]?.makeSafe ?? { kind: "none" };
      if (makeSafe.kind === "none") return [];
      if (makeSafe.kind === "still") return [{ step: nameOf(step), text: "still", maybe }];
      return makeSafe.operations.map((operation) => {
        const limitMs = this.#saga.steps[step]?.timeoutMs ?? 0;
        const done = forecastOperation(operation, this.#cell, now, limitMs);
        now = done.world;
        times.push(maybe ? { fromMs: 0, toMs: done.time.toMs } : done.time);
        const { device, verb, args } = operation;
        const given = Object.entries(args).map(([name, value]) => `${name} ${value}`);
        const text = [`${device}.${verb}`, ...given].join(" ");
        const { refusals } = done;
        const refused = refusals.length === 0 ? {} : { refusals };
        return { step: nameOf(step), text, maybe, ...refused };
      });
    });
    return { safe, safeTime: inTurn(...times) };
  }
}

/** What the refusals of a step, and its time, say of the run. */
function judged(
  { name, action, timeoutMs }: SagaStepDefinition,
  passage: Passage,
  refusals: readonly ForecastRefusal[],
): Passage {
  const overdue = passage.time.fromMs > timeoutMs ? [name] : [];
  if (action.kind !== "operation") return { ...passage, fails: [...passage.fails, ...overdue] };
  if (refusals.some((one) => one.certain)) return { ...passage, refused: "certain", fails: [name] };
  const refused = refusals.length === 0 ? "no" : "maybe";
  return { ...passage, refused, moves: true, fails: overdue };
}

function stopMsMax({ devices }: ForecastCell, ids: readonly string[]): Ms {
  const times = devices.map(({ id, axis }) => {
    if (axis === undefined || !ids.includes(id)) return 0;
    return (axis.velocityMax / axis.accelerationMax) * 1000;
  });
  return Math.max(0, ...times);
}

function factFor(written: Written, world: World): Fact<Value> {
  const worth = evaluateExpression(written.expression, scopeOf(world));
  if (worth.ok) return given(worth.value);
  const opens = opensOf(written.expression, world);
  return open(opens.length === 0 ? `${written.text} (${worth.reason})` : opens.join(", "));
}
