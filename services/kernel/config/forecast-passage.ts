/**
 * A part of a saga that a forecast has walked, and how such parts make a longer one.
 *
 * The idea: beside time and world it says whether the part would be refused before anything of it
 * moved (then a backup plan around it takes over) and at which steps the run would fail for
 * certain. Pure. It refuses to call a failure what one of several ways goes around.
 */
import type { World } from "./forecast-world.js";
import { inTurn, noTime, oneOf, type TimeSpan } from "./motion-time.js";

export interface Passage {
  readonly time: TimeSpan;
  readonly depends: readonly string[];
  readonly world: World;
  /** Before anything of it has moved, with no backup plan of its own. */
  readonly refused: "no" | "maybe" | "certain";
  /** It commands something that is not refused for certain. */
  readonly moves: boolean;
  /** Steps at which the run fails, whatever happens. */
  readonly fails: readonly string[];
}

/** Nothing is commanded in it. */
export function resting(
  world: World,
  time: TimeSpan = noTime,
  depends: readonly string[] = [],
): Passage {
  return { time, depends, world, refused: "no", moves: false, fails: [] };
}

function listed(lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())];
}

/** One after the other; `world` is what the last one leaves. */
export function oneAfterOther(passages: readonly Passage[], world: World): Passage {
  let refused: Passage["refused"] = "no";
  let moves = false;
  for (const passage of passages) {
    if (!moves && refused !== "certain" && passage.refused !== "no") refused = passage.refused;
    moves ||= passage.moves;
  }
  return {
    time: inTurn(...passages.map((one) => one.time)),
    depends: listed(passages.map((one) => one.depends)),
    world,
    refused,
    moves,
    fails: listed(passages.map((one) => one.fails)),
  };
}

/** One of them, and nobody knows which. */
export function oneOfWays(passages: readonly Passage[], world: World): Passage {
  const certain = passages.every((one) => one.refused === "certain");
  const never = passages.every((one) => one.refused === "no");
  return {
    time: oneOf(passages.map((one) => one.time)),
    depends: listed(passages.map((one) => one.depends)),
    world,
    refused: never ? "no" : certain ? "certain" : "maybe",
    moves: passages.some((one) => one.moves),
    fails: failsOfWays(passages),
  };
}

/** Only where every way fails. */
export function failsOfWays(passages: readonly Passage[]): readonly string[] {
  const all = passages.every((one) => one.fails.length > 0);
  return all ? listed(passages.map((one) => one.fails)) : [];
}

/** A backup plan: taken for certain, perhaps, or not at all. */
export function withPlan(own: Passage, plan: Passage, meet: () => World, on: string): Passage {
  if (own.refused === "certain") return plan;
  if (own.refused === "no") return own;
  const both = oneOfWays([own, plan], meet());
  const refused = plan.refused === "no" ? "no" : "maybe";
  return { ...both, refused, depends: listed([both.depends, [on]]) };
}
