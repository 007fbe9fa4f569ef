/**
 * Runs that go on after a restart of the coordinator, where their saga says so.
 *
 * The idea: everything is stopped and asked for first; each situation is walked through and read
 * off the effects. The monotonic clock of the new process begins elsewhere. It refuses clocks.
 */
import { describe, expect, test } from "vitest";
import type { Verdict } from "#drivers/reading.js";
import type { SagaDefinition } from "#kernel/config/saga.js";
import { dueMs } from "../../../services/coordinator/run-due.js";
import type { RunEvent } from "../../../services/coordinator/run-events.js";
import { next } from "../../../services/coordinator/saga.machine.js";
import { move, saga, step } from "../../fixtures/coordinator/coordinator-cell.js";
import { done, faulted, refused, unknown, Walk } from "../../fixtures/coordinator/saga-states.js";
import { both, onAnswer, repeatable } from "../../fixtures/coordinator/saga-thread-states.js";

const resume = (definition: SagaDefinition): SagaDefinition => ({
  ...definition,
  onRestart: "resume",
});
/** A relative advance, which must never be given twice, then a clamp. */
const advance = resume(
  saga("advance", ["x", "z"], [move("advance", "x", 1000), move("clamp", "z", 1)]),
);
const resting = resume(
  saga(
    "resting",
    ["x", "z"],
    [step("rest", { action: { kind: "dwell", forMs: 10_000 } }), move("after", "x", 5)],
  ),
);

/** The coordinator dies, comes back, and may go on; the devices stand still. */
function killed(walk: Walk): Walk {
  walk.feed({ kind: "restarted", text: "restarted" });
  walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" });
  return walk.still("x", "z");
}
function leasedAgain(walk: Walk): Walk {
  return walk.leased("x", 8).leased("z", 8);
}

describe("a command in doubt", () => {
  test("SG-01: it was done: the next step follows, and it is not given again", () => {
    const walk = killed(new Walk(advance).running());
    const id = walk.idOf("advance");
    walk.feed({ kind: "queried", id, verdict: done });
    leasedAgain(walk);
    expect(walk.sent).toEqual(["z moveTo"]);
    expect(walk.run.steps[0]).toMatchObject({ status: "done", times: 1 });
  });

  test("SG-01: nothing of it was sent: it is given again under a new id", () => {
    const walk = killed(new Walk(advance).running());
    const id = walk.idOf("advance");
    walk.feed({ kind: "queried", id, verdict: refused });
    leasedAgain(walk);
    expect(walk.sent).toEqual(["x moveTo"]);
    expect(walk.idOf("advance")).not.toBe(id);
  });

  test.each([
    ["faulted", faulted],
    ["unknown", unknown],
  ] as const)("SG-01: %s: never repeated; the run is made safe", (_, verdict: Verdict) => {
    const walk = killed(new Walk(advance).running());
    walk.feed({ kind: "queried", id: walk.idOf("advance"), verdict });
    expect(walk.run.phase.at).toBe("makingSafe");
    expect(walk.safely()).toEqual(["advance x moveTo"]);
  });

  test("faulted, of an operation that may be repeated: it is given again", () => {
    const walk = killed(new Walk(resume(repeatable)).running());
    walk.feed({ kind: "queried", id: walk.idOf("lift"), verdict: faulted });
    leasedAgain(walk);
    expect(walk.sent).toEqual(["z moveTo"]);
    expect(walk.run.steps[0]).toMatchObject({ attempts: 2 });
  });

  test("of two branches: one was done and one refused; each goes on from there", () => {
    const walk = killed(new Walk(resume(both)).running());
    walk.feed({ kind: "queried", id: walk.idOf("left"), verdict: done });
    walk.feed({ kind: "queried", id: walk.idOf("right"), verdict: refused });
    leasedAgain(walk);
    expect(walk.sent).toEqual(["x moveTo"]);
    walk.verdict("right", done);
    expect(walk.sent).toEqual(["x moveTo"]);
    expect(walk.statusOf("both")).toBe("done");
  });
});

describe("what must not go on", () => {
  test("a ruling that nothing may move: the run waits for a person", () => {
    const walk = new Walk(resting).running().feed({ kind: "restarted", text: "restarted" });
    walk.feed({ kind: "ruled", makeSafe: false, text: "too long" }).still("x", "z");
    expect(walk.run.phase.at).toBe("stopped");
    expect(walk.run.steps[0]).toMatchObject({ status: "faulted" });
  });

  test("an axis that is not seen still: the run is made safe", () => {
    const walk = new Walk(resting).running().feed({ kind: "restarted", text: "restarted" });
    walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" }).still("x").notStill("z");
    expect(walk.run.phase.at).not.toBe("pending");
    expect(walk.run.steps[0]).toMatchObject({ status: "faulted" });
  });

  test.each([
    ["cancelled", { kind: "cancelled", text: "by ann" }],
    ["a lease that is refused", undefined],
  ] as const)("%s while the leases come back: stop, then makeSafe", (_, news) => {
    const walk = killed(new Walk(advance).running());
    walk.feed({ kind: "queried", id: walk.idOf("advance"), verdict: done });
    const no = { device: "x", code: "LEASE_HELD", text: "held" };
    walk.feed(news ?? { kind: "leaseRefused", id: walk.asked, ...no });
    expect(walk.said[0]).toBe("stop");
    expect(walk.run.phase).toMatchObject({ at: "stopping", next: "makeSafe" });
  });

  test("a stop by a person while it is being resumed: nothing moves", () => {
    const walk = new Walk(resting).running().feed({ kind: "restarted", text: "restarted" });
    walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" });
    walk.feed({ kind: "operatorStop", stop: "S1", how: "stop", text: "by ann" }).still("x", "z");
    expect(walk.run.phase.at).toBe("stopped");
  });
});

describe("durable waits", () => {
  /** Begins a dwell of 10 s at wall clock 6000, dies, and is back at `ts`, with another clock. */
  function backAt(ts: number): Walk {
    const walk = new Walk(resting).running();
    const feed = (event: Omit<RunEvent, "ts">) => {
      const turn = next(walk.run, { ...event, ts } as RunEvent, 77);
      if (turn === undefined) throw new RangeError(event.kind);
      walk.run = turn.state;
      walk.effects = turn.effects;
    };
    feed({ kind: "restarted", text: "restarted" } as RunEvent);
    feed({ kind: "ruled", makeSafe: true, text: "briefly" } as RunEvent);
    for (const device of ["x", "z"]) {
      feed({ kind: "still", order: walk.order, device } as RunEvent);
    }
    for (const device of ["x", "z"]) {
      feed({ kind: "leased", id: walk.asked, device, epoch: 8 } as RunEvent);
    }
    return walk;
  }

  test.each([
    ["TM-03: back at 6 s of 10: the rest of the dwell", 12_000, 4000],
    ["TM-03: back at 30 s of 10: at once", 36_000, 0],
    ["TM-02: the clock is behind the journal: in full", 1000, 10_000],
  ])("%s", (_, ts, leftMs) => {
    const walk = backAt(ts);
    expect(dueMs(walk.run)).toBe(77 + leftMs);
    walk.nowMs = 77;
    walk.feed({ kind: "tick" }, leftMs);
    expect(walk.sent).toEqual(["x moveTo"]);
    expect(walk.run.steps[0]).toMatchObject({ status: "done", times: 1 });
  });

  test("TM-03: killed once more while it is being resumed: still once", () => {
    const walk = killed(new Walk(resting).running());
    killed(walk.leased("x", 8));
    leasedAgain(walk);
    walk.feed({ kind: "tick" }, 10_000);
    expect(walk.sent).toEqual(["x moveTo"]);
    expect(walk.run.steps[0]).toMatchObject({ times: 1 });
  });

  test("a question is asked on, with its whole time", () => {
    const walk = leasedAgain(killed(new Walk(resume(onAnswer)).running()));
    expect(dueMs(walk.run)).toBe(walk.nowMs + 2000);
    walk.feed({ kind: "answered", step: 0, choice: "left", user: "ann" });
    expect(walk.sent).toEqual(["x moveTo"]);
  });

  test("held before it died: it stays parked until unhold", () => {
    const walk = new Walk(resume(repeatable)).running();
    walk.feed({ kind: "hold", how: "hold", text: "by ann" }).verdict("lift", done);
    leasedAgain(killed(walk));
    expect(walk.sent).toEqual([]);
    walk.feed({ kind: "unhold", how: "hold" });
    expect(walk.sent).toEqual(["x moveTo"]);
  });

  test.each([
    ["refused", advance, "advance", "x moveTo", refused],
    ["stopped short", resume(repeatable), "lift", "z moveTo", faulted],
  ] as const)("held in a move that was %s: not given again before unhold", (...situation) => {
    const [, definition, step, sent, verdict] = situation;
    const walk = new Walk(definition).running();
    const id = walk.idOf(step);
    killed(walk.feed({ kind: "hold", how: "hold", text: "by ann" }));
    leasedAgain(walk.feed({ kind: "queried", id, verdict }));
    expect(walk.sent).toEqual([]);
    // Killed once more: it is still the same attempt that waits.
    leasedAgain(killed(walk));
    expect(dueMs(walk.run)).toBeUndefined();
    expect(walk.sent).toEqual([]);
    walk.feed({ kind: "unhold", how: "hold" });
    expect(walk.sent).toEqual([sent]);
    expect(walk.idOf(step)).not.toBe(id);
    expect(walk.run.steps[0]).toMatchObject({ times: 1, attempts: verdict === refused ? 1 : 2 });
  });
});

test("without a device there is nothing to wait for: the next tick goes on", () => {
  const alone = resume(
    saga("alone", [], [step("rest", { action: { kind: "dwell", forMs: 700 } })]),
  );
  const walk = new Walk(alone).feed({ kind: "restarted", text: "restarted" });
  walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" });
  walk.feed({ kind: "tick" }, 0);
  expect(walk.run.phase.at).toBe("running");
});
