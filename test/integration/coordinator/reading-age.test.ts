/**
 * Readings that are too old to be acted on.
 *
 * The idea: a driver that hangs says nothing any more while its last state stays; a step that reads
 * it is refused, and a wait is not met, until the driver speaks again. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Expression } from "#kernel/config/expression.js";
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

const expression: Expression = {
  kind: "binary",
  op: "<",
  left: { kind: "reading", device: "z", field: "position" },
  right: { kind: "literal", value: 100 },
};
const when = { text: "z.position < 100 mm", expression };

test.each([
  [0, "madeSafe"],
  [60_000, "completed"],
])(
  "a choice over readings of a driver that hangs (greatest age %i ms, else 1 s): %s",
  async (age, end) => {
    const chooses = saga(
      "chooses",
      ["x"],
      [
        step("choose", {
          action: { kind: "choose", cases: [{ when, block: [1] }], otherwise: [] },
          ...(age === 0 ? {} : { readingsAgeMsMax: age }),
        }),
        { ...move("go", "x", 10), parent: 0 },
      ],
    );
    const c = new CoordinatorCell(cellConfig(["x", "z"], [{ ...chooses, body: [0] }]));
    await c.start();
    await c.run(2500);
    c.driver("z").hang();
    await c.run(1500);
    const run = await c.startRun("chooses");
    await c.run(3000);
    expect(c.record(run)).toMatchObject({ state: end });
    expect(c.moves).toEqual(end === "completed" ? ["x moveTo 10"] : []);
  },
);

test("a wait for a reading of a driver that hangs is met once the driver speaks again", async () => {
  const waits = saga(
    "waits",
    ["x"],
    [
      step("until", { timeoutMs: 20_000, action: { kind: "waitFor", condition: when } }),
      move("go", "x", 10),
    ],
  );
  const c = new CoordinatorCell(cellConfig(["x", "z"], [waits]));
  await c.start();
  await c.run(2500);
  c.driver("z").hang();
  await c.run(1500);
  const run = await c.startRun("waits");
  await c.run(1000);
  expect(c.moves).toEqual([]);
  c.driver("z").wake();
  await c.run(1500);
  expect(c.moves).toEqual(["x moveTo 10"]);
  await c.run(2000);
  expect(c.record(run).state).toBe("completed");
});
