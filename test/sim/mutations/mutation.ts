/**
 * What a mutation is: one thing of the product broken on purpose, and the judge that must see it.
 *
 * The idea: the product as it is passes the story, the broken one is caught in the same story, so
 * the judge sees the promise and not the weather. It refuses to break two things at once.
 */
import type { CellWorld } from "#simulators/world/cell-world.js";
import type { Undo } from "./patches.js";
import type { StoryName } from "./stories.js";

export interface Mutation {
  /** What is broken, as a sentence about the product. */
  readonly breaks: string;
  /** Name of the judge that must find something. */
  readonly caughtBy: string;
  readonly story: StoryName;
  readonly apply: (world: CellWorld) => Undo;
}
