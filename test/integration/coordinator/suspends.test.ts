/**
 * Production that is suspended by conditions over readings, with the whole coordinator.
 *
 * The idea: the readings change, and the state of the cell and what reaches the drivers are the
 * evidence. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Written } from "#kernel/config/expression.js";
import type { SuspendConfig } from "#kernel/config/saga.js";
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

function above(limit: number): Written {
  const left = { kind: "reading", device: "x", field: "position" } as const;
  const right = { kind: "literal", value: limit } as const;
  const expression = { kind: "binary", op: ">", left, right } as const;
  return { text: `x.position > ${limit} mm`, expression };
}
const back = saga(
  "back",
  ["z"],
  [
    move("on", "z", 5),
    step("rest", { action: { kind: "dwell", forMs: 1000 } }),
    move("again", "z", 6),
    step("more", { action: { kind: "dwell", forMs: 4000 } }),
  ],
);

async function suspended(over: Partial<SuspendConfig> = {}): Promise<CoordinatorCell> {
  const suspend = [{ name: "full", reason: "blocked" as const, when: above(50), ...over }];
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [back]), suspend });
  await c.start();
  await c.startRun("back");
  await c.run(300);
  at(c, 60);
  await c.run(1500);
  expect(c.cellState).toBe("Suspended");
  return c;
}
function at(c: CoordinatorCell, position: number): void {
  c.driver("x").position = position;
  c.driver("x").say();
}

test("blocked, and a person lets it go on: it is not suspended again before it has been free", async () => {
  const c = await suspended();
  await c.ask("cellCommand", "unsuspend", {});
  await c.run(1000);
  expect(c.cellState).toBe("Execute");
  at(c, 10);
  await c.run(500);
  at(c, 60);
  await c.run(500);
  expect(c.cellState).toBe("Suspended");
});

test("blocked, with its own way back: it goes on only when that holds", async () => {
  const until: Written = {
    text: "not x.position > 20 mm",
    expression: { kind: "not", of: above(20).expression },
  };
  const c = await suspended({ until });
  at(c, 30);
  await c.run(1000);
  expect(c.cellState).toBe("Suspended");
  at(c, 10);
  await c.run(1000);
  expect(c.cellState).toBe("Execute");
});

test("blocked, and a person holds it meanwhile: nothing goes on by itself out of Held", async () => {
  const c = await suspended();
  await c.ask("cellCommand", "hold", {});
  at(c, 10);
  await c.run(2000);
  expect(c.cellState).toBe("Held");
});

test("suspended by a person: a condition that comes and goes does not let it go on", async () => {
  const suspend = [{ name: "full", reason: "blocked" as const, when: above(50) }];
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [back]), suspend });
  await c.start();
  await c.startRun("back");
  await c.ask("cellCommand", "suspend", {});
  at(c, 60);
  await c.run(1500);
  at(c, 10);
  await c.run(1500);
  expect(c.cellState).toBe("Suspended");
});

test("blocked, and the driver that reads it is gone: nobody knows, so nothing goes on", async () => {
  const c = await suspended();
  c.driver("x").die();
  c.bus.cut("driver-x", c.driver("x").bootId);
  await c.run(2000);
  expect(c.cellState).toBe("Suspended");
});

test("starved: the cell is suspended while the condition holds, and goes on by itself", async () => {
  const reading = { kind: "reading", device: "x", field: "position" } as const;
  const literal = { kind: "literal", value: 50 } as const;
  const expression = { kind: "binary", op: ">", left: reading, right: literal } as const;
  const suspend = [
    { name: "no-part", reason: "starved", when: { text: "x.position > 50 mm", expression } },
  ] as const;
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [back]), suspend });
  await c.start();
  const run = await c.startRun("back");
  await c.run(300);
  c.driver("x").position = 60;
  c.driver("x").say();
  await c.run(2500);
  expect(c.cellState).toBe("Suspended");
  expect(c.moves).toEqual(["z moveTo 5"]);
  c.driver("x").position = 10;
  c.driver("x").say();
  await c.run(6500);
  expect(c.record(run).state).toBe("completed");
  expect(c.moves).toEqual(["z moveTo 5", "z moveTo 6"]);
  expect(c.cellState).toBe("Complete");
});
