/**
 * Several ways at once, one of several, one several times: parallel, choose, repeat in a forecast.
 *
 * The idea: a branch sees what the others move as open, and after all of them each device is as
 * its own branch left it; turns are walked one by one as long as it is known that there is
 * another, and bounded by the most that there can be when it is not. Pure. It refuses to walk for
 * ever: a loop beyond the bound is reckoned by its last turn.
 */
import type { Ms } from "#drivers/reading.js";
import type { Value, Written } from "./expression.js";
import {
  failsOfWays,
  oneAfterOther,
  oneOfWays,
  type Passage,
  resting,
} from "./forecast-passage.js";
import { type Begun, type Fact, meeting, open, type World, withPlace } from "./forecast-world.js";
import { inTurn, noTime, untilAll, untilFirst } from "./motion-time.js";
import type { Block, SagaAction } from "./saga.js";

type Way = (block: Block, world: World) => Passage;

interface Branching {
  readonly name: string;
  readonly action: SagaAction & { readonly kind: "parallel" };
  readonly world: World;
  readonly walk: Way;
  readonly devices: (block: Block) => ReadonlySet<string>;
  /** From its greatest velocity to a stand, of the slowest of these. */
  readonly stopMs: (devices: readonly string[]) => Ms;
}

export function branched(how: Branching): Passage {
  const { name, action, world, walk, devices } = how;
  const { branches, until } = action;
  const moved = branches.map(devices);
  const passages = branches.map((block, i) => {
    const others = moved.filter((_, other) => other !== i).flatMap((one) => [...one]);
    return walk(block, others.reduce(inMotion, world));
  });
  const times = passages.map((one) => one.time);
  const moving = [...new Set(moved.flatMap((one) => [...one]))];
  // The axes that `first` leaves behind are stopped and seen still before it is over.
  const leaves = until === "first" && branches.length > 1 && moving.length > 0;
  const stop = leaves ? { fromMs: 0, toMs: how.stopMs(moving) } : noTime;
  const on = leaves ? [`how soon the other branches of ${name} stand still`] : [];
  const movers = passages.filter((one) => one.moves).length;
  const refused = passages.map((one, i) => {
    // What another branch has moved by then rules a backup plan out.
    const alone = movers - (passages[i]?.moves === true ? 1 : 0) === 0;
    return alone ? one.refused : "no";
  });
  return {
    time: until === "all" ? untilAll(times) : inTurn(untilFirst(times), stop),
    depends: [...new Set([...passages.flatMap((one) => one.depends), ...on])],
    world: joined({ name, action, world, moved, passages }),
    refused:
      refused.find((one) => one === "certain") ?? refused.find((one) => one === "maybe") ?? "no",
    moves: movers > 0,
    fails: until === "all" ? passages.flatMap((one) => one.fails) : failsOfWays(passages),
  };
}

function inMotion(world: World, device: string): World {
  const on = `${device} is moved by another branch`;
  const gripped = open<boolean>(on);
  return withPlace(world, device, { position: open(on), velocity: open(on), gripped });
}

function joined(
  how: Pick<Branching, "name" | "action" | "world"> & {
    readonly moved: readonly ReadonlySet<string>[];
    readonly passages: readonly Passage[];
  },
): World {
  const { name, action, world, moved, passages } = how;
  const first = action.until === "first" && passages.length > 1;
  const on = first ? `which branch of ${name} ends first` : `the order of the branches of ${name}`;
  const worlds = passages.map((one) => one.world);
  const places = [...world.places].map(([device, before]) => {
    const movers = worlds.filter((_, i) => moved[i]?.has(device) === true);
    const [own] = movers;
    if (own === undefined) return [device, before] as const;
    const met = first ? meeting([world, ...movers], on) : meeting(movers, on);
    return [device, met.places.get(device) ?? before] as const;
  });
  const met = worlds.length === 0 ? world : meeting(worlds, on);
  const variables = new Map(met.variables);
  // Set by one branch only: known when all are over.
  for (const [i, branch] of first ? [] : worlds.entries()) {
    for (const [key, value] of branch.variables) {
      const others = worlds.filter((_, other) => other !== i);
      const alone = others.every((one) => one.variables.get(key) === world.variables.get(key));
      if (alone && value !== world.variables.get(key)) variables.set(key, value);
    }
  }
  return { ...world, places: new Map(places), variables, begun: begunIn(worlds, world, first) };
}

/** Every branch is begun; which of their steps is the newest, time decides. */
function begunIn(worlds: readonly World[], before: World, maybe: boolean): readonly Begun[] {
  const old = new Set(before.begun.map((one) => one.step));
  const fresh = worlds.flatMap(({ begun }) => begun.filter((one) => !old.has(one.step)));
  const told = fresh.map((one) => (maybe ? { ...one, maybe: true } : one));
  return [...told, ...before.begun];
}

type FactOf = (written: Written, world: World) => Fact<Value>;

interface Choosing {
  readonly name: string;
  readonly action: SagaAction & { readonly kind: "choose" };
  readonly world: World;
  readonly walk: Way;
  readonly fact: FactOf;
}

/** The first case that holds; those before it that may hold are ways as well. */
export function chosen({ name, action, world, walk, fact }: Choosing): Passage {
  const ways: Block[] = [];
  const opens: string[] = [];
  let sure = false;
  for (const { when, block } of action.cases) {
    const holds = fact(when, world);
    if (holds.known && holds.value !== true) continue;
    ways.push(block);
    sure = holds.known;
    if (sure) break;
    if (!holds.known) opens.push(holds.on);
  }
  if (!sure) ways.push(action.otherwise);
  const passages = ways.map((block) => walk(block, world));
  const worlds = passages.map((one) => one.world);
  const met = meeting(worlds, opens.length === 0 ? name : opens.join(", "));
  const either = oneOfWays(passages, met);
  return { ...either, depends: [...new Set([...opens, ...either.depends])] };
}

interface Repeating {
  readonly name: string;
  readonly action: SagaAction & { readonly kind: "repeat" };
  readonly world: World;
  readonly walk: Way;
  readonly fact: FactOf;
  readonly isTired: () => boolean;
}

export function repeated(how: Repeating): Passage {
  const { action, walk, fact } = how;
  const times =
    action.times === undefined || typeof action.times === "number"
      ? action.times
      : fact(action.times, how.world);
  const known = typeof times === "object" ? (times.known ? Number(times.value) : undefined) : times;
  const turnsMax = Math.max(0, Math.min(action.turnsMax, known ?? action.turnsMax));
  const turns: Passage[] = [];
  let world = how.world;
  for (let turn = 0; turn < turnsMax; turn += 1) {
    const on = typeof times === "object" && !times.known ? times.on : undefined;
    const goesOn = action.whilst === undefined ? undefined : fact(action.whilst, world);
    if (goesOn?.known === true && goesOn.value !== true) break;
    const opens = goesOn?.known === false ? goesOn.on : on;
    const left = turnsMax - turn;
    const last = opens !== undefined || how.isTired();
    if (opens !== undefined) turns.push(openTurns(how, world, { left, on: opens }));
    else if (last) {
      const { fromMs = 0, toMs = 0 } = turns.at(-1)?.time ?? {};
      const least = goesOn === undefined ? fromMs * left : 0;
      turns.push(resting(world, { fromMs: least, toMs: toMs * left }));
    } else turns.push(walk(action.block, world));
    world = turns.at(-1)?.world ?? world;
    if (last) break;
  }
  return oneAfterOther(turns, world);
}

/** Nobody knows whether there is another turn: from none to the most that there can be. */
function openTurns(
  { name, action, walk }: Repeating,
  world: World,
  { left, on }: { readonly left: number; readonly on: string },
): Passage {
  const one = walk(action.block, world);
  const again = meeting([world, one.world], `how often ${name} is repeated`);
  const other = left > 1 ? walk(action.block, again) : one;
  const most = one.time.toMs + Math.max(one.time.toMs, other.time.toMs) * (left - 1);
  return {
    time: { fromMs: 0, toMs: most },
    depends: [...new Set([on, ...one.depends, ...other.depends])],
    world: meeting([again, other.world], `how often ${name} is repeated`),
    refused: one.refused === "no" ? "no" : "maybe",
    moves: one.moves || other.moves,
    fails: [],
  };
}
