/**
 * The way through a saga: values, blocks, bounds, holds, events.
 *
 * The idea: each situation is walked through and read off the effects. It refuses clocks.
 */
import { describe, expect, test } from "vitest";
import type { Expression, Written } from "#kernel/config/expression.js";
import type { SagaAction, SagaDefinition, SagaStepDefinition } from "#kernel/config/saga.js";
import { isAtRest } from "../../../services/coordinator/cell-rest.js";
import type { RunEffect } from "../../../services/coordinator/run-events.js";
import { begin } from "../../../services/coordinator/run-leasing.js";
import {
  framesMax,
  stepsEnteredMax,
  threadsMax,
  toldTimesMax,
  turnStepsMax,
} from "../../../services/coordinator/run-limits.js";
import type { Run } from "../../../services/coordinator/run-state.js";
import { conditionsOf } from "../../../services/coordinator/run-values.js";
import { next } from "../../../services/coordinator/saga.machine.js";
import { move, saga, step } from "../../fixtures/coordinator/coordinator-cell.js";
import { done, refused, tryFeed, Walk } from "../../fixtures/coordinator/saga-states.js";
import { onEvent, onReading, repeatable } from "../../fixtures/coordinator/saga-thread-states.js";

const written = (expression: Expression): Written => ({ text: "e", expression });
const literal = (value: number | boolean) => written({ kind: "literal", value });
const variable = (name: string): Expression => ({ kind: "variable", name });
const plus = (name: string, value: number) =>
  written({ kind: "binary", op: "+", left: variable(name), right: { kind: "literal", value } });
const below = (name: string, value: number) =>
  written({ kind: "binary", op: "<", left: variable(name), right: { kind: "literal", value } });
const set = (name: string, value: Written): SagaAction => ({
  kind: "set",
  variables: [{ name, value }],
});
const act = (name: string, action: SagaAction): SagaStepDefinition => step(name, { action });

/** `body` names the steps of the saga itself; the others stand in containers. */
function program(steps: SagaStepDefinition[], body: number[]): SagaDefinition {
  return { ...saga("program", [], steps), body };
}
function ran(definition: SagaDefinition): Run {
  return new Walk(definition).run;
}

test("a turn that takes many steps leaves the run that it came from as it was", () => {
  const sets = ["a", "b", "c"].map((name) => act(name, set(name, literal(1))));
  const steps = [act("dwell", { kind: "dwell", forMs: 5 }), ...sets];
  const walk = new Walk(program(steps, [0, 1, 2, 3]));
  const before = walk.run;
  const kept = structuredClone(before);
  walk.feed({ kind: "tick" }, 10);
  expect(walk.run.steps.map(({ status }) => status)).toEqual(["done", "done", "done", "done"]);
  expect(before).toEqual(kept);
});

describe("values", () => {
  test("a target that is worked out is checked when the step begins: outside, nothing is sent", () => {
    const walk = new Walk(onReading).running();
    expect(walk.effects).toMatchObject([
      { kind: "event" },
      { kind: "read", what: [{ device: "z", field: "position" }], ageMsMax: 1000 },
    ]);
    const token = walk.asked;
    walk.feed({ kind: "evaluated", token, readings: { "z.position": 11 } });
    expect(walk.sent).toEqual([]);
    expect(walk.run.steps[0]).toMatchObject({
      status: "refused",
      error: { code: "LIMIT_EXCEEDED" },
    });
  });

  test("within its limits, it is sent as it was worked out", () => {
    const walk = new Walk(onReading).running();
    walk.feed({ kind: "evaluated", token: walk.asked, readings: { "z.position": 3 } });
    expect(walk.effects).toMatchObject([{ kind: "send", flight: { args: { position: 3 } } }]);
  });

  test("a reading that is not known is refused, and says which", () => {
    const walk = new Walk(onReading).running();
    const readings = { "z.position": { reason: "link-down" } } as const;
    walk.feed({ kind: "evaluated", token: walk.asked, readings });
    expect(walk.run.cause.text).toMatch(/z\.position is not known: link-down/);
  });

  test("a called saga has inputs and variables of its own", () => {
    const call: SagaAction = {
      kind: "call",
      saga: "inner",
      inputs: { a: written(variable("n")), b: 2 },
      block: [2],
    };
    const inner = set("n", written({ kind: "input", name: "a" }));
    const run = ran(
      program(
        [act("set", set("n", literal(7))), act("call", call), act("call/set", inner)],
        [0, 1],
      ),
    );
    expect(run.values).toMatchObject({ "": { n: 7 }, "1/inputs": { a: 7, b: 2 }, "1": { n: 7 } });
    expect(run.cause.code).toBe("COMPLETED");
  });

  test("variables are set in their order, each after those before it", () => {
    const action: SagaAction = {
      kind: "set",
      variables: [
        { name: "a", value: literal(1) },
        { name: "b", value: plus("a", 1) },
      ],
    };
    expect(ran(program([act("set", action)], [0])).values[""]).toEqual({ a: 1, b: 2 });
  });

  test("a condition is looked at with the inputs and variables of its thread", () => {
    const condition = below("n", 5);
    const steps = [act("set", set("n", literal(3))), act("wait", { kind: "waitFor", condition })];
    const [open] = conditionsOf(ran(program(steps, [0, 1])), () => undefined);
    expect(open?.scope.variable("n")).toBe(3);
    expect(open?.step).toBe(1);
  });
});

describe("choose and repeat", () => {
  test("repeat whilst: as often as it holds, and `times` is a limit beside it", () => {
    const loop = (times?: number): SagaAction => ({
      kind: "repeat",
      whilst: below("n", 4),
      ...(times === undefined ? {} : { times }),
      turnsMax: 10,
      block: [2],
    });
    const steps = (times?: number) => [
      act("set", set("n", literal(0))),
      act("loop", loop(times)),
      act("count", set("n", plus("n", 1))),
    ];
    expect(ran(program(steps(), [0, 1])).values[""]).toEqual({ n: 4 });
    expect(ran(program(steps(2), [0, 1])).values[""]).toEqual({ n: 2 });
    expect(ran(program(steps(2), [0, 1])).steps[2]).toMatchObject({ times: 2, status: "done" });
  });

  test("choose: the first case that holds, or what stands otherwise", () => {
    const choose = (n: number): SagaDefinition =>
      program(
        [
          act("set", set("n", literal(n))),
          act("choose", {
            kind: "choose",
            cases: [
              { when: below("n", 1), block: [2] },
              { when: below("n", 5), block: [3] },
            ],
            otherwise: [4],
          }),
          ...["one", "two", "three"].map((name) => act(name, set("said", literal(name.length)))),
        ],
        [0, 1],
      );
    const doneOf = (n: number) => ran(choose(n)).steps.map(({ status }) => status === "done");
    expect(doneOf(0)).toEqual([true, true, true, false, false]);
    expect(doneOf(3)).toEqual([true, true, false, true, false]);
    expect(doneOf(9)).toEqual([true, true, false, false, true]);
  });
});

describe("bounds", () => {
  test("turnsMax: a repeat that is not at its end then fails the run", () => {
    const loop: SagaAction = { kind: "repeat", whilst: literal(true), turnsMax: 3, block: [1] };
    const run = ran(program([act("loop", loop), act("n", set("n", literal(1)))], [0]));
    expect(run.cause).toEqual({
      code: "LIMIT_EXCEEDED",
      text: "loop: not at its end after 3 turns",
    });
    expect(run.steps[1]).toMatchObject({ times: 3 });
  });

  test(`more than ${threadsMax} branches at the same time fail the run`, () => {
    const branches = Array.from({ length: threadsMax }, () => [1]);
    const steps = [act("wide", { kind: "parallel", until: "all", branches }), move("m", "x", 1)];
    expect(ran(program(steps, [0])).cause.code).toBe("LIMIT_EXCEEDED");
  });

  test(`more than ${framesMax} containers inside each other fail the run`, () => {
    const steps = Array.from({ length: framesMax + 1 }, (_, i) =>
      act(`c${i}`, { kind: "call", saga: "s", inputs: {}, block: [i + 1] }),
    );
    expect(ran(program([...steps, act("in", set("n", literal(1)))], [0])).cause.text).toMatch(
      /more than 64 containers/,
    );
  });

  test(`more than ${stepsEnteredMax} steps fail the run, and no turn takes more than ${turnStepsMax}`, () => {
    const many = (block: number[]): SagaAction => ({
      kind: "repeat",
      times: 10_000,
      turnsMax: 10_000,
      block,
    });
    const steps = [
      act("outer", many([1])),
      act("inner", many([2])),
      act("count", set("n", literal(1))),
    ];
    const walk = new Walk(program(steps, [0]));
    const told = (effects: readonly RunEffect[]) =>
      effects.filter(
        (one) => one.kind === "event" && one.type === "step.started" && one.data.step === "count",
      ).length;
    let tolds = told(walk.effects);
    let run: Run = { ...walk.run, entered: stepsEnteredMax - 5000 };
    let turns = 0;
    while (run.phase.at === "running" && turns < 100) {
      const turn = next(run, { kind: "tick", ts: 0 }, 2000 + turns);
      if (turn === undefined) break;
      expect(turn.state.entered - run.entered).toBeLessThanOrEqual(turnStepsMax);
      tolds += told(turn.effects);
      run = turn.state;
      turns += 1;
    }
    expect(run.entered).toBe(stepsEnteredMax);
    expect(run.cause.code).toBe("LIMIT_EXCEEDED");
    expect(turns).toBeGreaterThan(5);
    // Beyond so many times, only its count goes on.
    expect(tolds).toBe(toldTimesMax);
  });

  test("a worked-out number of turns beyond turnsMax is refused before the first", () => {
    const loop: SagaAction = { kind: "repeat", times: literal(4), turnsMax: 3, block: [] };
    expect(ran(program([act("loop", loop)], [0])).cause.code).toBe("LIMIT_EXCEEDED");
  });
});

describe("hold", () => {
  test("the step under way ends; the next begins after unhold, with the leases kept", () => {
    const walk = new Walk(repeatable).running().feed({ kind: "hold", how: "hold", text: "ann" });
    walk.verdict("lift", done);
    expect(walk.sent).toEqual([]);
    expect(walk.run.phase).toMatchObject({ leases: { x: 1, z: 1 } });
    expect(tryFeed(walk.run, { kind: "unhold", how: "suspend" }, walk.nowMs)).toBeUndefined();
    walk.feed({ kind: "unhold", how: "hold" });
    expect(walk.sent).toEqual(["x moveTo"]);
  });

  test("held in the pause before a second attempt: nothing starts before unhold", () => {
    const walk = new Walk(repeatable).running().verdict("lift", refused);
    walk.feed({ kind: "hold", how: "hold", text: "ann" });
    expect(isAtRest(walk.run)).toBe(true);
    walk.feed({ kind: "tick" }, 60_000);
    expect(walk.sent).toEqual([]);
    expect(isAtRest(walk.run)).toBe(true);
    walk.feed({ kind: "unhold", how: "hold" });
    expect(walk.sent).toEqual(["z moveTo"]);
    expect(walk.run.steps[0]).toMatchObject({ attempts: 2, times: 1 });
  });

  test("a person's hold outlives a suspension; a lost lease fails a parked run at once", () => {
    const walk = new Walk(repeatable).running();
    walk.feed({ kind: "hold", how: "suspend", text: "starved" }).verdict("lift", done);
    walk.feed({ kind: "hold", how: "hold", text: "ann" });
    expect(tryFeed(walk.run, { kind: "unhold", how: "suspend" }, walk.nowMs)).toBeUndefined();
    walk.feed({ kind: "leaseLost", device: "z", text: "lapsed" });
    expect(walk.said[0]).toBe("stop");
    expect(walk.run.cause.code).toBe("LEASE_LOST");
  });
});

describe("events", () => {
  const weighed = (id: string) =>
    ({ kind: "happened", step: 0, event: { id, data: { grams: 5 } } }) as const;

  test("an event that was met is not met again by a later wait, however often it arrives", () => {
    const twice: SagaDefinition = {
      ...onEvent,
      steps: [
        ...onEvent.steps,
        act("loop", { kind: "repeat", times: 2, turnsMax: 2, block: [0, 3] }),
        act("note", set("grams", written({ kind: "event", name: "grams" }))),
      ],
      body: [2],
    };
    const walk = new Walk(twice).running().feed(weighed("E1"));
    expect(walk.run.values[""]).toEqual({ grams: 5 });
    expect(walk.run.steps[0]).toMatchObject({ status: "running", times: 2 });
    expect(tryFeed(walk.run, weighed("E1"), walk.nowMs)).toBeUndefined();
    walk.feed(weighed("E2"));
    expect(walk.run.cause.code).toBe("COMPLETED");
  });
});

test("a run that waits for its devices begins when they are its own", () => {
  const by = { user: "ann", role: "operator" };
  const input = { run: "r", key: "K", saga: repeatable, by, ts: 0, waits: true };
  const { state, effects } = begin(input, 0);
  expect(effects.map(({ kind }) => kind)).toEqual(["event"]);
  expect(next(state, { kind: "locked", ts: 1 }, 1)?.effects).toEqual([
    { kind: "lease", id: "K-1", device: "x" },
  ]);
});
