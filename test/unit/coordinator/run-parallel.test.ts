/**
 * Branches that run at the same time, and what becomes of them when something goes wrong.
 *
 * The idea: each situation is walked through and read off the effects. It refuses clocks.
 */
import { describe, expect, test } from "vitest";
import type { SagaDefinition } from "#kernel/config/saga.js";
import { move, saga, step } from "../../fixtures/coordinator/coordinator-cell.js";
import { done, faulted, short, tryFeed, Walk } from "../../fixtures/coordinator/saga-states.js";
import { either } from "../../fixtures/coordinator/saga-thread-states.js";

/** Move a, move b and clamp c at the same time. */
const three: SagaDefinition = {
  ...saga(
    "three",
    ["a", "b", "c"],
    [
      step("all", { action: { kind: "parallel", until: "all", branches: [[1], [2], [3]] } }),
      { ...move("move-a", "a", 1), parent: 0 },
      { ...move("move-b", "b", 1), parent: 0 },
      { ...move("clamp-c", "c", 1), parent: 0 },
      move("after", "a", 9),
    ],
  ),
  body: [0, 4],
};
const begun = (definition: SagaDefinition = three) =>
  new Walk(definition).leased("a", 1).leased("b", 1).leased("c", 1);

describe("parallel", () => {
  test("all: every branch leaves at once; the saga goes on when the last has ended", () => {
    const walk = begun();
    expect(walk.sent).toEqual(["a moveTo", "b moveTo", "c moveTo"]);
    walk.verdict("clamp-c", done).verdict("move-a", done);
    expect(walk.sent).toEqual([]);
    walk.verdict("move-b", done);
    expect(walk.sent).toEqual(["a moveTo"]);
    expect(walk.statusOf("all")).toBe("done");
  });

  test("SG-08: cancelled while b moves, with a and c done: all three are made safe", () => {
    const walk = begun().verdict("move-a", done).verdict("clamp-c", done);
    walk.feed({ kind: "cancelled", text: "by ann" });
    expect(walk.effects[0]).toMatchObject({ kind: "stop", axes: ["a", "b", "c"] });
    walk.still("a", "b", "c");
    expect(walk.safely()).toEqual(["clamp-c c moveTo", "move-b b moveTo", "move-a a moveTo"]);
    expect(walk.run.phase).toMatchObject({ at: "releasing", result: "madeSafe" });
  });

  test("SG-08: the coordinator dies instead: the same three, and b is asked for first", () => {
    const walk = begun().verdict("move-a", done).verdict("clamp-c", done);
    const id = walk.idOf("move-b");
    walk.feed({ kind: "restarted", text: "restarted" });
    walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" }).still("a", "b", "c");
    walk.feed({ kind: "queried", id, verdict: short });
    expect(walk.safely()).toEqual(["clamp-c c moveTo", "move-b b moveTo", "move-a a moveTo"]);
  });

  test("several commands in doubt are all asked for, each once its device stands still", () => {
    const walk = begun().feed({ kind: "restarted", text: "restarted" });
    walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" });
    for (const device of ["a", "b", "c"]) {
      walk.feed({ kind: "still", order: walk.order, device });
      expect(walk.effects).toMatchObject([{ kind: "query", device }]);
    }
    for (const step of ["move-a", "move-b"]) {
      walk.feed({ kind: "queried", id: walk.idOf(step), verdict: done });
      expect(walk.run.phase.at).toBe("stopping");
    }
    walk.feed({ kind: "queried", id: walk.idOf("clamp-c"), verdict: done });
    expect(walk.run.phase.at).toBe("makingSafe");
  });

  test("a branch that fails stops the others; a late verdict of theirs corrects its record", () => {
    const walk = begun().verdict("move-a", faulted);
    expect(walk.run.phase).toMatchObject({ at: "stopping", next: "makeSafe" });
    walk.verdict("move-b", short);
    expect(walk.statusOf("move-b")).toBe("faulted");
    walk.still("a", "b", "c");
    expect(walk.statusOf("clamp-c")).toBe("unknown");
    expect(walk.statusOf("all")).toBe("faulted");
  });

  test("what a branch was about to send when another fails in the same turn never leaves", () => {
    const late = { text: "v", expression: { kind: "variable", name: "nothing" } } as const;
    const definition: SagaDefinition = {
      ...saga(
        "turn",
        ["a", "b", "c"],
        [
          step("both", { action: { kind: "parallel", until: "all", branches: [[1], [2]] } }),
          { ...move("move-a", "a", 1), parent: 0 },
          step("bad", {
            action: { kind: "set", variables: [{ name: "n", value: late }] },
            parent: 0,
          }),
        ],
      ),
      body: [0],
    };
    const walk = begun(definition);
    expect(walk.sent).toEqual([]);
    expect(walk.said[0]).toBe("stop");
    expect(walk.run.steps[1]).toMatchObject({
      status: "refused",
      error: { code: "VALIDATION_FAILED" },
    });
    expect(walk.run.cause.text).toMatch(/^bad: v: the variable nothing has no value/);
  });
});

describe("first", () => {
  test("the axes of the others are stopped and seen still before the saga goes on", () => {
    const walk = new Walk(either).running().verdict("right", done);
    expect(walk.effects[0]).toMatchObject({ kind: "stop", axes: ["z"] });
    expect(walk.sent).toEqual([]);
    expect(walk.statusOf("left")).toBe("skipped");
    walk.still("z");
    expect(walk.said).toEqual(["lease"]);
    walk.leased("z", 2);
    expect(walk.sent).toEqual(["x moveTo"]);
  });

  test("the branch left behind is made safe as well, and its late verdict is refused", () => {
    const walk = new Walk(either).running();
    const left = walk.idOf("left");
    walk.verdict("right", done).still("z").leased("z", 2);
    const late = { kind: "verdict", id: left, verdict: faulted } as const;
    expect(tryFeed(walk.run, late, walk.nowMs)).toBeUndefined();
    walk.feed({ kind: "cancelled", text: "by ann" }).still("x", "z");
    expect(walk.safely()).toEqual(["after x moveTo", "right x moveTo", "left z moveTo"]);
  });
});

test("first, in a later turn: what a branch has commanded only in the turn before is not stopped", () => {
  const loop: SagaDefinition = {
    ...saga(
      "loop",
      ["x", "z"],
      [
        step("loop", { action: { kind: "repeat", times: 2, turnsMax: 2, block: [1] } }),
        step("race", {
          action: { kind: "parallel", until: "first", branches: [[2], [3, 4]] },
          parent: 0,
        }),
        { ...move("fast", "x", 1), parent: 1 },
        step("wait", { action: { kind: "dwell", forMs: 50 }, parent: 1 }),
        { ...move("late", "z", 1), parent: 1 },
      ],
    ),
    body: [0],
  };
  const walk = new Walk(loop).running();
  walk.feed({ kind: "accepted", id: walk.idOf("fast") }).feed({ kind: "tick" }, 50);
  expect(walk.sent).toEqual(["z moveTo"]);
  walk.verdict("fast", done);
  expect(walk.effects[0]).toMatchObject({ kind: "stop", axes: ["z"] });
  walk.still("z").leased("z", 2);
  expect(walk.sent).toEqual(["x moveTo"]);
  walk.verdict("fast", done);
  expect(walk.said).toEqual(["step.ended", "step.ended", "step.ended", "step.ended", "release"]);
});

test("safeFirst: hold the load before anything else is made safe", () => {
  const walk = begun({ ...three, safeFirst: ["move-a"] }).feed({ kind: "cancelled", text: "" });
  walk.still("a", "b", "c");
  expect(walk.safely()).toEqual(["move-a a moveTo", "clamp-c c moveTo", "move-b b moveTo"]);
});
