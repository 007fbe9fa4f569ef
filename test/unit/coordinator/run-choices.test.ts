/**
 * What a person may choose for a run that needs one, and what is written down of it.
 *
 * The idea: a run with one makeSafe that fails, one that was not tried because of it, and one of
 * another device; each choice is walked through. It refuses clocks.
 */
import { describe, expect, test } from "vitest";
import type { RunTurn } from "../../../services/coordinator/run-events.js";
import { causeTextMax } from "../../../services/coordinator/run-limits.js";
import { move, saga } from "../../fixtures/coordinator/coordinator-cell.js";
import { done, faulted, refused, tryFeed, Walk } from "../../fixtures/coordinator/saga-states.js";

/** y, then x, then z twice; the newest makeSafe of z fails. */
const four = saga(
  "four",
  ["x", "y", "z"],
  [move("turn", "y", 3), move("go", "x", 10), move("lift", "z", 20), move("press", "z", 30)],
);

function needsOperator(): Walk {
  const walk = new Walk(four).leased("x", 1).leased("y", 1).leased("z", 1);
  for (const step of ["turn", "go", "lift"]) walk.verdict(step, done);
  walk.feed({ kind: "cancelled", text: "by ann" }).still("x", "y", "z");
  walk.leased("z", 2);
  walk.feed({ kind: "verdict", id: walk.asked, verdict: faulted });
  expect(walk.safely()).toEqual(["go x moveTo", "turn y moveTo"]);
  return walk.feed({ kind: "released" });
}
const safes = ({ run }: Walk) => run.steps.map(({ safe }) => safe);
function told(turn: RunTurn | undefined): object | undefined {
  const chosen = turn?.effects.find((one) => one.kind === "event" && one.type === "chosen");
  return chosen?.kind === "event" ? chosen.data : undefined;
}

describe("a makeSafe that failed", () => {
  test("SG-05: the others are run all the same, and the run says what is not known", () => {
    const walk = needsOperator();
    expect(safes(walk)).toEqual(["done", "done", "failed", "failed"]);
    expect(walk.run.phase).toEqual({
      at: "needsOperator",
      unknowns: [{ device: "z", text: "overload" }],
    });
    expect(walk.run.steps[2]?.safeError?.text).toMatch(/not tried, because of z/);
  });

  test("SG-05: refused for ever: once more, then the others; retry after the repair ends it", () => {
    const walk = new Walk(four).leased("x", 1).leased("y", 1).leased("z", 1);
    for (const step of ["turn", "go", "lift"]) walk.verdict(step, done);
    walk.feed({ kind: "cancelled", text: "by ann" }).still("x", "y", "z").leased("z", 2);
    walk.feed({ kind: "verdict", id: walk.asked, verdict: refused });
    walk.feed({ kind: "verdict", id: walk.asked, verdict: refused });
    expect(walk.safely()).toEqual(["go x moveTo", "turn y moveTo"]);
    walk.feed({ kind: "released" }).feed({ kind: "retry", user: "ann" }).still("x", "y", "z");
    expect(walk.safely()).toEqual(["press z moveTo", "lift z moveTo"]);
    expect(walk.feed({ kind: "released" }).run.phase.at).toBe("madeSafe");
  });
});

describe("the choices", () => {
  test("skip: the failed one is left out, what was not tried because of it is run after a stop", () => {
    const walk = needsOperator();
    walk.feed({ kind: "skip", user: "ann", text: "the press is up" });
    expect(walk.said[0]).toBe("stop");
    expect(walk.run.steps[3]).toMatchObject({
      safe: "none",
      safeError: { text: "overload; left out by ann: the press is up" },
    });
    walk.still("x", "y", "z");
    expect(walk.safely()).toEqual(["lift z moveTo"]);
    expect(walk.feed({ kind: "released" }).run.phase.at).toBe("madeSafe");
    expect(walk.run.cause.text).toBe("by ann; skipped by ann: the press is up");
  });

  test("resolve: the run ends made safe, and nothing moves", () => {
    const walk = needsOperator();
    walk.feed({ kind: "resolve", user: "ann", text: "all is in place" });
    expect(walk.said).toEqual(["chosen", "ended"]);
    expect(walk.run.phase.at).toBe("madeSafe");
    expect(walk.run.cause.text).toBe("by ann; resolved by ann: all is in place");
  });

  test.each(["makeSafe", "retry", "skip", "resolve"] as const)(
    "%s: who chose it is told",
    (kind) => {
      const walk = needsOperator();
      const turn = tryFeed(walk.run, { kind, user: "ann", text: "why" }, walk.nowMs);
      expect(told(turn)).toMatchObject({ choice: kind, user: "ann" });
      expect(turn?.state.cause.text).toMatch(/by ann/);
    },
  );

  test("a cause stays within its bound, however often somebody chooses", () => {
    const walk = needsOperator();
    for (let i = 0; i < 100; i += 1) {
      walk.run = { ...walk.run, phase: { at: "needsOperator", unknowns: [] } };
      walk.feed({ kind: "retry", user: "ann" });
    }
    expect(walk.run.cause.text.length).toBeLessThanOrEqual(causeTextMax);
  });
});

describe("makeSafe under way", () => {
  test("a second cancel is harmless, a person's stop is not", () => {
    const walk = new Walk().safeMove();
    const cancel = { kind: "cancelled", text: "again" } as const;
    expect(tryFeed(walk.run, cancel, walk.nowMs)).toBeUndefined();
    walk.feed({ kind: "operatorStop", stop: "S", how: "quickStop", text: "by ann" });
    expect(walk.effects[0]).toMatchObject({ kind: "stop", how: "quickStop" });
    walk.still("x", "z");
    expect(walk.run.phase.at).toBe("stopped");
    expect(walk.run.steps.map(({ safe }) => safe)).not.toContain("running");
  });
});
