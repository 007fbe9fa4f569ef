/**
 * The proof that judges bite: the product is broken on purpose, and each break is caught.
 *
 * The idea: a story that ends well with the product as it is, and the same story with one thing
 * broken, in which the judge of that promise finds something within a few seeds. It refuses a
 * judge that nothing has ever tried.
 */
import { expect, test } from "vitest";
import type { Finding } from "#simulators/judges/judge.js";
import { mutations } from "./mutations/mutations.js";
import { playStory, type StoryName, stories } from "./mutations/stories.js";

const firstSeed = 1;
/** A mutation must be caught within so many seeds. */
const seedsMax = 3;

const said = ({ judge, at, text }: Finding) => `${judge} ${at.toFixed(1)}: ${text}`;

test.each(Object.keys(stories) as StoryName[])(
  "story %s ends well as it is",
  async (name) => {
    const { findings, counts } = await playStory(name, firstSeed);
    expect(findings.map(said)).toEqual([]);
    expect(counts.motions).toBeGreaterThan(0);
  },
  240_000,
);

test.each(mutations)(
  "mutation: $breaks, caught by $caughtBy",
  async ({ caughtBy, story, apply }) => {
    const found: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seedsMax; seed += 1) {
      let undo = () => {};
      try {
        const { findings } = await playStory(story, seed, (world) => {
          undo = apply(world);
        });
        found.push(...findings.map(said));
        if (findings.some(({ judge }) => judge === caughtBy)) return;
      } finally {
        undo();
      }
    }
    expect.fail(`not caught by ${caughtBy}: ${found.slice(0, 5).join("; ") || "nothing found"}`);
  },
  480_000,
);
