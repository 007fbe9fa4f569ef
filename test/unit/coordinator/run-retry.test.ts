/**
 * Steps that are tried again, and backup plans.
 *
 * The idea: each situation is walked through and read off the effects. It refuses clocks.
 */

import { describe, expect, test } from "vitest";
import type { Verdict } from "#drivers/reading.js";
import type { SagaDefinition, SagaStepDefinition } from "#kernel/config/saga.js";
import { mayGoWithout } from "../../../services/coordinator/run-leasing.js";
import type { Phase, Run } from "../../../services/coordinator/run-state.js";
import { epochOf } from "../../../services/coordinator/run-state.js";
import { move, saga, step } from "../../fixtures/coordinator/coordinator-cell.js";
import {
  done,
  faulted,
  refused,
  short,
  tryFeed,
  unknown,
  Walk,
} from "../../fixtures/coordinator/saga-states.js";
import { repeatable } from "../../fixtures/coordinator/saga-thread-states.js";

const begun = (definition: SagaDefinition) => new Walk(definition).running();

describe("a step that may be tried again", () => {
  test("SG-11: a timed-out attempt is stopped and seen still before the next, and its late verdict is refused", () => {
    const walk = begun(repeatable);
    const old = walk.idOf("lift");
    walk.feed({ kind: "accepted", id: old });
    walk.feed({ kind: "tick" }, 2000);
    expect(walk.said[0]).toBe("stop");
    expect(walk.sent).toEqual([]);
    // The stop has ended the lease: nobody takes its end for a person's stop.
    expect(epochOf(walk.run, "z")).toBeUndefined();
    expect(epochOf(walk.run, "x")).toBe(1);
    expect(
      tryFeed(walk.run, { kind: "verdict", id: old, verdict: done }, walk.nowMs),
    ).toBeUndefined();
    walk.still("z");
    walk.leased("z", 2);
    expect(walk.sent).toEqual([]);
    walk.feed({ kind: "tick" }, 100);
    expect(walk.sent).toEqual(["z moveTo"]);
    expect(walk.idOf("lift")).not.toBe(old);
    expect(
      tryFeed(walk.run, { kind: "verdict", id: old, verdict: faulted }, walk.nowMs),
    ).toBeUndefined();
    walk.verdict("lift", done);
    expect(walk.statusOf("lift")).toBe("done");
    expect(walk.run.steps[0]).toMatchObject({ attempts: 2, times: 1, safe: "pending" });
  });

  test("refused: no stop, only the pause, which grows with the attempts", () => {
    const walk = begun(repeatable).verdict("lift", refused);
    expect(walk.said).toEqual(["step.retried"]);
    walk.feed({ kind: "tick" }, 100);
    expect(walk.sent).toEqual(["z moveTo"]);
    walk.verdict("lift", refused);
    expect(tryFeed(walk.run, { kind: "tick" }, walk.nowMs + 199)).toBeUndefined();
    walk.feed({ kind: "tick" }, 200);
    walk.verdict("lift", refused);
    expect(walk.run.phase).toMatchObject({ at: "stopping", next: "makeSafe" });
    expect(walk.run.steps[0]).toMatchObject({ status: "refused", attempts: 3 });
  });

  test.each(["unknown", "given up"])("never after an outcome that nobody knows (%s)", (how) => {
    const walk = begun(repeatable);
    if (how === "unknown") walk.verdict("lift", unknown);
    else walk.feed({ kind: "tick" }, 500).feed({ kind: "tick" }, 500).feed({ kind: "tick" }, 500);
    expect(walk.run.phase.at).toBe("stopping");
    expect(walk.statusOf("lift")).toBe("unknown");
  });

  test("an axis that is not seen still is not commanded again: the run fails", () => {
    const walk = begun(repeatable).verdict("lift", short);
    walk.feed({ kind: "notStill", order: walk.order, device: "z", text: "moves" });
    expect(walk.said[0]).toBe("stop");
    expect(walk.run.cause.code).toBe("NOT_DELIVERED");
  });

  test("stopped by its interlock: no second attempt, nothing moves", () => {
    const trip = { ...short, detail: { cause: "INTERLOCKED" } } as const;
    const walk = begun(repeatable).verdict("lift", trip);
    expect(walk.run.phase).toMatchObject({ at: "stopping", next: "stopped" });
  });

  test("a cancel during the pause ends the step with it", () => {
    const walk = begun(repeatable).verdict("lift", refused);
    walk.feed({ kind: "cancelled", text: "by ann" });
    expect(walk.run.steps[0]).toMatchObject({ status: "faulted", error: { code: "CANCELLED" } });
  });
});

/** Two grippers: the second where the first cannot be had. */
function grippers(more: Partial<SagaStepDefinition> = {}): SagaDefinition {
  const definition = saga(
    "grippers",
    ["a", "b", "x"],
    [
      { ...move("grip-a", "a", 1), orElse: [1], ...more },
      { ...move("grip-b", "b", 1), parent: 0 },
      move("carry", "x", 5),
    ],
  );
  return { ...definition, body: [0, 2], spare: ["a", "b"] };
}
function withLeases(definition: SagaDefinition, missing?: string): Walk {
  const walk = new Walk(definition);
  for (const device of ["x", "a", "b"]) {
    if (device === missing) {
      const no = { device, code: "BREAKER_OPEN", text: "its breaker is open" };
      walk.feed({ kind: "leaseRefused", id: walk.asked, ...no });
    } else walk.leased(device, 1);
  }
  return walk;
}

describe("a backup plan", () => {
  test("takes over when the step is refused before anything moved", () => {
    const walk = withLeases(grippers()).verdict("grip-a", refused);
    expect(walk.sent).toEqual(["b moveTo"]);
    expect(walk.statusOf("grip-a")).toBe("refused");
    walk.verdict("grip-b", done);
    expect(walk.sent).toEqual(["x moveTo"]);
    walk.verdict("carry", done).feed({ kind: "released" });
    expect(walk.run.phase.at).toBe("completed");
  });

  test.each(["EXPIRED", "SUPERSEDED", "LATCHED", "LEASE_LOST", "LEASE_REQUIRED"])(
    "a stop of its axis came first (%s), its own word later: no plan moves, the run ends",
    (code) => {
      const stopped: Verdict = { verdict: "refused", code, text: "ended by stop" };
      const walk = withLeases(grippers({ retry: { attempts: 3, backoffMs: 0, factor: 1 } }));
      walk.verdict("grip-a", stopped);
      expect(walk.sent).toEqual([]);
      expect(walk.run.phase).toMatchObject({ at: "stopping" });
      walk.feed({ kind: "operatorStop", stop: "S1", how: "stop", text: "stop by ann" });
      expect(walk.run.phase).toMatchObject({ at: "stopping", next: "stopped" });
    },
  );

  test("takes over for a device that is missing, which is not commanded nor made safe", () => {
    const walk = withLeases(grippers(), "a");
    expect(walk.sent).toEqual(["b moveTo"]);
    walk.verdict("grip-b", done).feed({ kind: "cancelled", text: "by ann" });
    const stop = walk.effects[0];
    expect(stop).toMatchObject({ kind: "stop", axes: ["b", "x"] });
    walk.still("b", "x");
    expect(walk.safely()).toEqual(["carry x moveTo", "grip-b b moveTo"]);
    expect(walk.run.steps[0]).toMatchObject({ status: "refused", safe: "none" });
  });

  test("a device that the saga cannot do without is not left out", () => {
    const walk = new Walk(grippers());
    walk.feed({
      kind: "leaseRefused",
      id: walk.asked,
      device: "x",
      code: "BREAKER_OPEN",
      text: "no",
    });
    expect(walk.run.phase).toMatchObject({ at: "releasing", result: "madeSafe" });
  });

  test("a spare device that has something to be made safe is not left out after a restart", () => {
    const { run } = withLeases(grippers()).verdict("grip-a", done);
    const { threads } = run.phase as Extract<Phase, { at: "running" }>;
    const pending = {
      at: "pending",
      want: ["a", "b"],
      leases: {},
      request: "q",
      endByMs: 9,
    } as const;
    const resumed: Run = { ...run, phase: { ...pending, threads } };
    expect(mayGoWithout(resumed, "a")).toBe(false);
    expect(mayGoWithout(resumed, "b")).toBe(true);
    expect(mayGoWithout(resumed, "x")).toBe(false);
    expect(mayGoWithout(run, "b")).toBe(false);
  });

  test("a spare device that is only settling is asked once more", () => {
    const walk = new Walk(grippers()).leased("x", 1);
    const no = { device: "a", code: "NOT_READY", text: "reading" };
    walk.feed({ kind: "leaseRefused", id: walk.asked, ...no });
    walk.feed({ kind: "tick" }, 250);
    expect(walk.said).toEqual(["lease"]);
    walk.feed({ kind: "leaseRefused", id: walk.asked, ...no });
    expect(walk.said).toEqual(["missing", "lease"]);
    walk.leased("b", 1);
    expect(walk.sent).toEqual(["b moveTo"]);
  });

  test.each([
    ["faulted", faulted],
    ["unknown", unknown],
  ] as const)("is not taken after %s", (_, verdict) => {
    const walk = withLeases(grippers()).verdict("grip-a", verdict);
    expect(walk.run.phase.at).toBe("stopping");
  });

  test("is not taken when an earlier attempt of the step has moved", () => {
    const retry = { attempts: 2, backoffMs: 10, factor: 1 };
    const walk = withLeases(grippers({ retry })).verdict("grip-a", short);
    walk.still("a").leased("a", 2).feed({ kind: "tick" }, 10);
    walk.verdict("grip-a", refused);
    expect(walk.run.phase.at).toBe("stopping");
  });

  test("of a called saga is taken while nothing in the call was sent, and not after", () => {
    const press: SagaDefinition = {
      ...saga(
        "presses",
        ["a", "b", "x"],
        [
          step("press-a", {
            action: { kind: "call", saga: "press", inputs: {}, block: [1, 2] },
            orElse: [3],
          }),
          { ...move("press-a/down", "a", 1), parent: 0 },
          { ...move("press-a/up", "a", 0), parent: 0 },
          { ...move("press-b", "b", 1), parent: 0 },
        ],
      ),
      body: [0],
      spare: ["a", "b"],
    };
    const before = withLeases(press).verdict("press-a/down", refused);
    expect(before.sent).toEqual(["b moveTo"]);
    expect(before.run.steps.map(({ status }) => status)).toEqual([
      "refused",
      "refused",
      "pending",
      "running",
    ]);
    const after = withLeases(press).verdict("press-a/down", done);
    after.verdict("press-a/up", refused);
    expect(after.run.phase.at).toBe("stopping");
  });
});
