/**
 * Runs from start to end against scripted drivers: the ordinary ways and the failing ones.
 *
 * The idea: what reaches the drivers is the evidence, in order. It refuses real time.
 */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { writtenOf } from "../../fixtures/config/written-condition.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const pick = saga(
  "pick",
  ["x", "z"],
  [move("over", "x", 100), move("down", "z", 50), move("up", "z", 10)],
);

async function cell(): Promise<CoordinatorCell> {
  const made = new CoordinatorCell(cellConfig(["x", "y", "z"], [pick]));
  await made.start();
  return made;
}

test("a run of three moves: leases first, steps in order, leases back, the cell Complete", async () => {
  const c = await cell();
  expect(c.cellState).toBe("Idle");
  const run = await c.startRun("pick");
  await c.run(1000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "z moveTo 10"]);
  expect(c.record(run).state).toBe("completed");
  expect(c.record(run).steps.map((s) => s.status)).toEqual(["done", "done", "done"]);
  expect(c.cellState).toBe("Complete");
  expect(c.driver("x").holder).toBeUndefined();
  expect(c.driver("y").epoch).toBe(0);
});

test("a failing step: stop to every axis of the run, then makeSafe in reverse", async () => {
  const c = await cell();
  const verdict = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;
  c.driver("z").scripts.set("moveTo#2", { afterMs: 30, verdict });
  const run = await c.startRun("pick");
  await c.run(3000);
  expect(c.moves).toEqual([
    "x moveTo 100",
    "z moveTo 50",
    "z moveTo 10",
    "z moveTo 0",
    "z moveTo 0",
    "x moveTo 0",
  ]);
  const record = c.record(run);
  expect(record.state).toBe("madeSafe");
  expect(record.cause.code).toBe("DRIVE_FAULT");
  expect(record.steps.map((s) => s.safe)).toEqual(["done", "done", "done"]);
  expect(c.cellState).toBe("Stopped");
  const firstSafe = c.triggers[3];
  for (const device of ["x", "z"]) {
    const stop = c.driver(device).stops[0];
    expect(stop?.latch).toBe(false);
    expect(stop?.at).toBeLessThan(firstSafe?.at ?? 0);
  }
  expect(c.driver("y").stops).toEqual([]);
  // Older epochs can run nothing any more.
  expect(firstSafe?.epoch).toBeGreaterThan(c.triggers[2]?.epoch ?? 0);
});

test("makeSafe begins within 50 ms of the last standstill", async () => {
  const c = await cell();
  c.driver("x").stillAfterMs = 400;
  c.driver("z").scripts.set("moveTo#1", {
    afterMs: 30,
    verdict: { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" },
  });
  await c.startRun("pick");
  await c.run(3000);
  const stop = c.driver("x").stops[0]?.at ?? 0;
  const first = c.triggers.find(({ args }) => args.position === 0)?.at ?? 0;
  expect(first).toBeGreaterThanOrEqual(stop + 400);
  expect(first - (stop + 400)).toBeLessThanOrEqual(50);
});

test("SG-05: a makeSafe that fails leaves its device alone; the other device is made safe", async () => {
  const c = await cell();
  const verdict = { verdict: "faulted", code: "NOT_DONE_IN_TIME", text: "z is stuck" } as const;
  // The way up fails, and so does every further move of z.
  for (const n of [2, 3, 4]) c.driver("z").scripts.set(`moveTo#${n}`, { afterMs: 30, verdict });
  const run = await c.startRun("pick");
  await c.run(5000);
  const record = c.record(run);
  expect(record.state).toBe("needsOperator");
  expect(record.steps.map((s) => s.safe)).toEqual(["done", "failed", "failed"]);
  expect(record.choices).toEqual(["retry", "makeSafe", "skip", "resolve", "abandon"]);
  expect(record.unknowns.map((u) => u.device)).toEqual(["z"]);
  expect(record.unknowns[0]?.text).toMatch(/stuck.*seen active.*standing still/);
  expect(c.moves.slice(3)).toEqual(["z moveTo 0", "x moveTo 0"]);
  expect(c.cellState).toBe("Aborted");

  // Repaired, the retry takes up only what is left.
  c.driver("z").scripts.clear();
  await c.ask("runCommand", "retry", { run });
  await c.run(3000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.moves.slice(5)).toEqual(["z moveTo 0", "z moveTo 0"]);
  expect((await c.ask("cellCommand", "clear", {}))?.status).toBe("succeeded");
  expect((await c.ask("cellCommand", "reset", { stops: [] }))?.status).toBe("succeeded");
  expect(c.cellState).toBe("Idle");
});

test("SG-03: obeyed, but the answer is lost: the step is made safe all the same", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(8000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.record(run).cause.code).toBe("NOT_DONE_IN_TIME");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "z moveTo 0", "x moveTo 0"]);
});

test("SG-03: never accepted: the same id at most three times, then stop and makeSafe", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "never");
  c.driver("z").scripts.set("moveTo#2", "never");
  c.driver("z").scripts.set("moveTo#3", "never");
  const run = await c.startRun("pick");
  await c.run(5000);
  const sent = c.bus.of("axisCommand", "cmd/axis/z/moveTo").filter((m) => m.args.position === 50);
  expect(sent).toHaveLength(3);
  expect(new Set(sent.map((m) => m.id)).size).toBe(1);
  expect(c.record(run).state).toBe("madeSafe");
});

test("SG-11: the late verdict of a step that timed out changes nothing", async () => {
  const c = await cell();
  const done = { verdict: "done", result: {} } as const;
  c.driver("x").scripts.set("moveTo#1", { afterMs: 2500, verdict: done });
  c.driver("x").stillAfterMs = 1000;
  const run = await c.startRun("pick");
  await c.run(8000);
  expect(c.record(run).steps[0]?.status).toBe("unknown");
  expect(c.record(run).state).toBe("madeSafe");
});

test("a cancel in a dwell: at once, and makeSafe follows", async () => {
  const dwell = saga("wait", ["x"], [move("go", "x", 5), step("rest", {})]);
  const long = {
    ...dwell,
    steps: dwell.steps.map((s) =>
      s.name === "rest" ? { ...s, action: { kind: "dwell", forMs: 60_000 } as const } : s,
    ),
  };
  const c = new CoordinatorCell(cellConfig(["x"], [long]));
  await c.start();
  const run = await c.startRun("wait");
  await c.run(500);
  expect((await c.ask("runCommand", "cancel", { run }))?.status).toBe("succeeded");
  await c.run(500);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.record(run).cause.code).toBe("CANCELLED");
  expect(c.moves).toEqual(["x moveTo 5", "x moveTo 0"]);
});

test("a lease that ends in a dwell fails the run at once", async () => {
  const long = saga(
    "wait",
    ["x"],
    [move("go", "x", 5), step("rest", { action: { kind: "dwell", forMs: 60_000 } })],
  );
  const c = new CoordinatorCell(cellConfig(["x"], [long]));
  await c.start();
  const run = await c.startRun("wait");
  await c.run(500);
  c.driver("x").lapse("drive rebooted");
  await c.run(500);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.record(run).cause.text).toMatch(/x: its lease ended: drive rebooted/);
});

test("a waitFor ends with the state that meets it, or with its deadline", async () => {
  const wait = saga(
    "wait",
    ["x"],
    [
      step("until", {
        action: {
          kind: "waitFor",
          condition: writtenOf({
            text: "x.position >= 5",
            terms: [{ device: "x", field: "position", op: ">=", value: 5 }],
          }),
        },
      }),
    ],
  );
  const c = new CoordinatorCell(cellConfig(["x"], [wait]));
  await c.start();
  const met = await c.startRun("wait", "met");
  await c.run(500);
  expect(c.record(met).state).toBe("running");
  c.driver("x").position = 7;
  c.driver("x").say();
  await c.run(200);
  expect(c.record(met).state).toBe("completed");
  c.driver("x").position = 1;
  c.driver("x").say();
  await c.run(50);
  const late = await c.startRun("wait", "late");
  await c.run(3000);
  expect(c.record(late).state).toBe("madeSafe");
  expect(c.record(late).cause.code).toBe("NOT_DONE_IN_TIME");
});

test("one of two devices is held by somebody else: nothing moves, the granted lease goes back", async () => {
  const c = await cell();
  c.driver("z").holder = { name: "jog", bootId: "j", epoch: 9 };
  const run = await c.startRun("pick");
  await c.run(500);
  expect(c.record(run).cause.code).toBe("LEASE_HELD");
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.moves).toEqual([]);
  expect(c.driver("x").holder).toBeUndefined();
  expect(c.driver("z").holder?.name).toBe("jog");
  expect(c.driver("z").stops).toEqual([]);
});

test("an axis that does not confirm standstill: the others are made safe, a person has to look", async () => {
  const c = await cell();
  c.driver("x").stillAfterMs = "never";
  c.driver("z").scripts.set("moveTo#1", {
    afterMs: 30,
    verdict: { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" },
  });
  const run = await c.startRun("pick");
  await c.run(20_000);
  expect(c.record(run).state).toBe("needsOperator");
  expect(c.record(run).unknowns.map((u) => u.device)).toEqual(["x"]);
  expect(c.moves.slice(2)).toEqual(["z moveTo 0"]);
});

test("an owed stop that is confirmed within the step's time: its device is made safe, too", async () => {
  const c = await cell();
  c.driver("x").stillAfterMs = "never";
  c.driver("z").scripts.set("moveTo#1", {
    afterMs: 30,
    verdict: { verdict: "unknown", code: "OUTCOME_UNKNOWN", text: "z is silent" },
  });
  const run = await c.startRun("pick");
  await c.run(900);
  c.driver("x").confirmLate(c.driver("x").stops[0]?.id ?? "");
  await c.run(3000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.moves.slice(2)).toEqual(["z moveTo 0", "x moveTo 0"]);
});

test("a makeSafe that is refused for good: the lease of its device goes back", async () => {
  const c = await cell();
  const no = { verdict: "refused", code: "DEVICE_LOCAL", text: "under local control" } as const;
  c.driver("z").scripts.set("moveTo#1", { afterMs: 30, verdict: no });
  for (const n of [2, 3]) c.driver("z").scripts.set(`moveTo#${n}`, { afterMs: 30, verdict: no });
  const run = await c.startRun("pick");
  await c.run(4000);
  expect(c.record(run).state).toBe("needsOperator");
  expect(c.driver("z").holder).toBeUndefined();
  expect(c.driver("x").holder).toBeUndefined();
});
