/**
 * Rules of the saga machine that go over several events.
 *
 * The idea: each rule is walked through and read off the effects. It refuses clocks and messages.
 */
import { describe, expect, test } from "vitest";
import type { RunEffect } from "../../../services/coordinator/run-events.js";
import { done, faulted, refused, tryFeed, Walk } from "../../fixtures/coordinator/saga-states.js";

function sends(effects: readonly RunEffect[]): string[] {
  return effects.flatMap((e) => (e.kind === "send" ? [`${e.flight.device} ${e.flight.verb}`] : []));
}

describe("leases", () => {
  test("a driver that is not ready yet is asked again every 250 ms, for 5 s", () => {
    const walk = new Walk();
    const no = { kind: "leaseRefused", device: "x", code: "NOT_READY", text: "reading" } as const;
    for (let i = 0; i < 19; i += 1) {
      walk.feed({ ...no, id: walk.asked }).feed({ kind: "tick" }, 250);
      expect(walk.effects.map((e) => e.kind)).toEqual(["lease"]);
    }
    walk.feed({ ...no, id: walk.asked }).feed({ kind: "tick" }, 250);
    expect(walk.run.phase).toMatchObject({ at: "releasing", result: "madeSafe" });
    expect(walk.run.cause.code).toBe("NOT_READY");
  });
});

describe("a step", () => {
  test("SG-03: its makeSafe is registered with the intent, before anything leaves", () => {
    const walk = new Walk().running();
    expect(walk.run.steps[0]).toMatchObject({ status: "running", safe: "pending" });
    expect(sends(walk.effects)).toEqual(["x moveTo"]);
  });

  test("verdict n and intent n+1 are one change of the run", () => {
    const walk = new Walk().lifting();
    expect(walk.run.steps.map((s) => s.status)).toEqual(["done", "running", "pending", "pending"]);
    expect(sends(walk.effects)).toEqual(["z moveTo"]);
  });

  test("the same id goes out at most three times, 500 ms apart, and is then in doubt", () => {
    const walk = new Walk().running();
    const { asked } = walk;
    walk.feed({ kind: "tick" }, 500);
    expect(walk.asked).toBe(asked);
    walk.feed({ kind: "tick" }, 500);
    expect(walk.asked).toBe(asked);
    walk.feed({ kind: "tick" }, 500);
    expect(walk.effects[0]?.kind).toBe("stop");
    expect(walk.run.steps[0]?.error?.code).toBe("OUTCOME_UNKNOWN");
  });

  test("once accepted, it is not sent again", () => {
    const walk = new Walk().running();
    walk.feed({ kind: "accepted", id: walk.asked });
    expect(tryFeed(walk.run, { kind: "tick" }, walk.nowMs + 600)).toBeUndefined();
  });

  test("an interlock that stops a move ends in stopped, one that refuses it in makeSafe", () => {
    const trip = { ...faulted, code: "STOPPED_SHORT", detail: { cause: "INTERLOCKED" } };
    const tripped = new Walk().running();
    tripped.feed({ kind: "verdict", id: tripped.asked, verdict: trip });
    expect(tripped.run.phase).toMatchObject({ at: "stopping", next: "stopped" });
    const asked = new Walk().running();
    const no = { ...refused, code: "INTERLOCKED" };
    asked.feed({ kind: "verdict", id: asked.asked, verdict: no });
    expect(asked.run.phase).toMatchObject({ at: "stopping", next: "makeSafe" });
  });
});

describe("makeSafe", () => {
  test("in reverse order of intents; `still` and `none` command nothing", () => {
    const walk = new Walk().resting().feed({ kind: "cancelled", text: "by ann" });
    walk.still("x", "z");
    const order: string[] = [];
    for (const device of ["z", "x"]) {
      walk.leased(device, 2);
      order.push(...sends(walk.effects));
      walk.feed({ kind: "verdict", id: walk.asked, verdict: done });
    }
    expect(order).toEqual(["z moveTo", "x moveTo"]);
    expect(walk.run.steps.map((s) => s.safe)).toEqual(["done", "done", "done", "none"]);
    expect(walk.run.phase).toMatchObject({ at: "releasing", result: "madeSafe" });
  });

  test("refused before anything was sent: once more under a new id, then given up", () => {
    const walk = new Walk().safeMove();
    const { asked } = walk;
    walk.feed({ kind: "verdict", id: asked, verdict: refused });
    expect(walk.asked).not.toBe(asked);
    walk.feed({ kind: "verdict", id: walk.asked, verdict: refused });
    expect(walk.run.steps[1]).toMatchObject({ safe: "failed" });
    // Nothing was sent: nothing has to be stopped.
    expect(walk.effects.map((e) => e.kind)).not.toContain("stop");
  });

  test("a device that is being probed is asked again until the deadline (BREAKER_OPEN)", () => {
    const walk = new Walk().safeMove();
    const open = { ...refused, code: "BREAKER_OPEN" };
    walk.feed({ kind: "verdict", id: walk.asked, verdict: open });
    walk.feed({ kind: "tick" }, 250);
    expect(walk.effects.map((e) => e.kind)).toEqual(["lease"]);
    walk.leased("z", 3);
    expect(sends(walk.effects)).toEqual(["z moveTo"]);
    walk.feed({ kind: "verdict", id: walk.asked, verdict: done });
    expect(walk.run.steps[1]?.safe).toBe("done");
  });

  test.each(["EXPIRED", "SUPERSEDED", "LATCHED", "LEASE_LOST", "LEASE_REQUIRED"])(
    "a stop of its axis came before it (%s): nothing else moves before the word of the stop",
    (code) => {
      const walk = new Walk().safeMove();
      const stopped = { verdict: "refused", code, text: "ended by stop" } as const;
      walk.feed({ kind: "verdict", id: walk.asked, verdict: stopped });
      expect(walk.effects).toEqual([]);
      walk.feed({ kind: "tick" }, 250);
      expect(walk.effects.map((e) => e.kind)).toEqual(["lease"]);
      walk.feed({ kind: "operatorStop", stop: "S1", how: "stop", text: "stop by ann" });
      expect(walk.run.phase).toMatchObject({ at: "stopping", next: "stopped" });
    },
  );

  test("a lease that is refused is asked for again soon, then every 250 ms", () => {
    const walk = new Walk().safeLease();
    const no = { kind: "leaseRefused", device: "z", code: "NOT_READY", text: "stopping" } as const;
    walk.feed({ ...no, id: walk.asked });
    expect(tryFeed(walk.run, { kind: "tick" }, walk.nowMs + 10)).toBeUndefined();
    walk.feed({ kind: "tick" }, 20);
    walk.feed({ ...no, id: walk.asked });
    expect(tryFeed(walk.run, { kind: "tick" }, walk.nowMs + 200)).toBeUndefined();
    walk.feed({ kind: "tick" }, 250);
    expect(walk.effects.map((e) => e.kind)).toEqual(["lease"]);
  });

  test("SG-05: earlier makeSafes of the failed device are not tried, others are", () => {
    const walk = new Walk().resting().feed({ kind: "cancelled", text: "by ann" });
    walk.notStill("z").still("x");
    // The wait asks the whole run to stand still: it cannot be confirmed.
    expect(walk.run.steps[2]?.safe).toBe("failed");
    walk.feed({ kind: "tick" }, 2000);
    expect(walk.run.steps[1]?.safe).toBe("failed");
    walk.leased("x", 2);
    walk.feed({ kind: "verdict", id: walk.asked, verdict: done });
    expect(walk.run.steps[0]?.safe).toBe("done");
    expect(walk.run.phase).toMatchObject({ result: "needsOperator" });
  });

  test("what a person's stop interrupted is made safe whole when the person says so", () => {
    const walk = new Walk().safeMove();
    walk.feed({ kind: "operatorStop", stop: "S9", how: "quickStop", text: "quickStop by ann" });
    walk.still("x", "z");
    expect(walk.run.phase.at).toBe("stopped");
    walk.feed({ kind: "makeSafe", user: "ann" });
    expect(walk.effects).toEqual([
      { kind: "unlatch", user: "ann", stops: ["S9"], devices: ["x", "z"] },
      { kind: "event", type: "chosen", data: { choice: "makeSafe", user: "ann", text: "" } },
    ]);
    walk.feed({ kind: "unlatched", ok: true, text: "" }).still("x", "z");
    expect(walk.run.stops).toEqual([]);
    walk.leased("z", 3);
    expect(sends(walk.effects)).toEqual(["z moveTo"]);
  });

  test("retry takes up only what is not done", () => {
    const walk = new Walk().needsOperator();
    expect(walk.run.steps.map((s) => s.safe)).toEqual(["done", "failed", "none", "none"]);
    walk.feed({ kind: "retry", user: "ann" }).still("x", "z");
    walk.leased("z", 3);
    walk.feed({ kind: "verdict", id: walk.asked, verdict: done });
    expect(walk.run.phase).toMatchObject({ at: "releasing", result: "madeSafe" });
  });
});

describe("after a restart", () => {
  test("the command in doubt is asked for once its device stands still, and never sent again", () => {
    const walk = new Walk().lifting();
    const id = walk.asked;
    walk.feed({ kind: "restarted", text: "restarted" });
    expect(walk.effects.map((e) => e.kind)).toEqual(["stop", "event"]);
    walk.feed({ kind: "still", order: walk.order, device: "x" });
    expect(walk.effects).toEqual([]);
    walk.feed({ kind: "still", order: walk.order, device: "z" });
    expect(walk.effects).toEqual([{ kind: "query", id, device: "z" }]);
    walk.feed({ kind: "queried", id, verdict: done });
    expect(walk.run.steps[1]?.status).toBe("done");
    walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" });
    expect(walk.run.phase.at).toBe("makingSafe");
  });

  test("ids go on where the journal left them", () => {
    const walk = new Walk().lifting();
    const before = walk.run.serial;
    walk.feed({ kind: "restarted", text: "restarted" });
    expect(walk.order).toBe(`K-${before}`);
  });

  test("what was made safe before it died is not done again", () => {
    const walk = new Walk().safeMove();
    walk.feed({ kind: "verdict", id: walk.asked, verdict: done });
    walk.feed({ kind: "restarted", text: "restarted" });
    walk.feed({ kind: "ruled", makeSafe: true, text: "briefly" }).still("x", "z");
    walk.leased("x", 3);
    walk.feed({ kind: "verdict", id: walk.asked, verdict: done });
    expect(walk.run.steps.map((s) => s.safe)).toEqual(["done", "done", "none", "none"]);
    expect(walk.run.phase).toMatchObject({ at: "releasing", result: "madeSafe" });
  });
});
