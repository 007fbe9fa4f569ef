/**
 * Branches, retries, readings and a restart that goes on, against scripted drivers.
 *
 * The idea: what reaches the drivers is the evidence, in order; the whole coordinator is there,
 * journal and all. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/cell.js";
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

const both: SagaDefinition = {
  ...saga(
    "both",
    ["x", "z"],
    [
      step("both", { action: { kind: "parallel", until: "all", branches: [[1], [2]] } }),
      { ...move("over", "x", 100), parent: 0 },
      { ...move("down", "z", 50), parent: 0 },
      move("up", "z", 10),
    ],
  ),
  body: [0, 3],
};
const again = saga(
  "again",
  ["z"],
  [
    { ...move("down", "z", 50), timeoutMs: 300, retry: { attempts: 2, backoffMs: 50, factor: 1 } },
    move("up", "z", 10),
  ],
);
const position = { kind: "reading", device: "z", field: "position" } as const;
const measured = saga(
  "measured",
  ["x", "z"],
  [
    step("beside", {
      action: {
        kind: "operation",
        operation: {
          device: "x",
          verb: "moveTo",
          args: {},
          worked: { position: { value: { text: "z.position", expression: position }, max: 500 } },
        },
      },
      makeSafe: { kind: "still" },
    }),
  ],
);
const resting: SagaDefinition = {
  ...saga(
    "resting",
    ["x", "z"],
    [
      move("over", "x", 100),
      step("rest", { action: { kind: "dwell", forMs: 4000 } }),
      move("down", "z", 50),
    ],
  ),
  onRestart: "resume",
};

async function cell(): Promise<CoordinatorCell> {
  const made = new CoordinatorCell(cellConfig(["x", "z"], [both, again, measured, resting]));
  await made.start();
  return made;
}

test("two branches leave together, and the saga goes on when both have ended", async () => {
  const c = await cell();
  const run = await c.startRun("both");
  await c.run(2000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "z moveTo 10"]);
  const [first, second] = c.triggers;
  expect(first?.at).toBe(second?.at);
  expect(c.record(run).state).toBe("completed");
});

test("SG-11: too slow: stop and standstill stand between the two starts; one final outcome", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", {
    afterMs: 2000,
    verdict: { verdict: "done", result: {} },
  });
  const run = await c.startRun("again");
  await c.run(4000);
  expect(c.moves).toEqual(["z moveTo 50", "z moveTo 50", "z moveTo 10"]);
  const [first, second] = c.triggers;
  const [stop] = c.driver("z").stops;
  expect(stop?.latch).toBe(false);
  expect(stop?.at).toBeGreaterThan(first?.at ?? 0);
  expect(second?.at).toBeGreaterThan(stop?.at ?? 0);
  expect(second?.epoch).toBeGreaterThan(first?.epoch ?? 0);
  expect(c.record(run)).toMatchObject({ state: "completed", steps: [{ attempts: 2 }, {}] });
});

test("a target is worked out of what another device reads when its step begins", async () => {
  const c = await cell();
  c.driver("z").position = 120;
  c.driver("z").say();
  const run = await c.startRun("measured");
  await c.run(1000);
  expect(c.record(run).state).toBe("completed");
  expect(c.moves).toEqual(["x moveTo 120"]);
});

test("a reading of a driver that is not heard live is no value: nothing is sent", async () => {
  const c = await cell();
  const run = await c.startRun("measured");
  await c.run(1000);
  expect(c.moves).toEqual([]);
  expect(c.record(run)).toMatchObject({ state: "madeSafe", cause: { code: "VALIDATION_FAILED" } });
  expect(c.record(run).cause.text).toMatch(/z\.position is not known: link-down/);
});

test("TM-03: killed in a dwell of 4 s, back within 2 s: it ends when it was due, once", async () => {
  const c = await cell();
  const run = await c.startRun("resting");
  await c.run(1000);
  const begun = c.record(run).steps[1]?.startedAt ?? 0;
  c.kill();
  await c.run(1000);
  c.boot();
  await c.run(6000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
  const last = c.record(run).steps[2]?.startedAt ?? 0;
  expect(last - begun).toBeGreaterThanOrEqual(4000);
  expect(last - begun).toBeLessThan(4050);
  expect(c.record(run).state).toBe("completed");
});
