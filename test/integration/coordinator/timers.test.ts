/**
 * Dwells across restarts, kills at every write, and jumps of the wall clock.
 *
 * The idea: the next move tells when a dwell was over, in the time that only goes forward. It
 * refuses real time.
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

const dwellMs = 10_000;
/** What a start, the ruling and the leases take before a run goes on. */
const againMs = 700;

function dwelling(forMs: number, onRestart: SagaDefinition["onRestart"] = "resume") {
  const rest = step("rest", { timeoutMs: 60_000, action: { kind: "dwell", forMs } });
  return {
    ...saga("dwelling", ["x"], [move("go", "x", 10), rest, move("on", "x", 20)]),
    onRestart,
  };
}

beforeEach(() => useFakeClock());
afterEach(() => {
  vi.useRealTimers();
});

/** A cell whose run has begun to dwell; and when. */
async function resting(forMs = dwellMs) {
  const cell = new CoordinatorCell(cellConfig(["x"], [dwelling(forMs)]));
  await cell.start();
  const run = await cell.startRun("dwelling");
  expect(cell.moves).toEqual(["x moveTo 10"]);
  const fromMs = (cell.triggers[0]?.at ?? Number.NaN) + 30;
  return { cell, run, fromMs };
}

/** From the begin of the dwell to the next move, in time that only goes forward. */
function sinceMs(cell: CoordinatorCell, fromMs: number): number {
  return (cell.triggers[1]?.at ?? Number.NaN) - fromMs;
}

test.each([
  ["while it lasts: it ends when it would have ended", 6000, dwellMs],
  ["when it is over: it ends at once", 12_000, 12_000 + againMs],
])("TM-03: killed at 4 s of a dwell of 10 s, back %s (at=%d ms)", async (_name, backMs, dueMs) => {
  const { cell, run, fromMs } = await resting();
  await cell.run(fromMs + 4000 - performance.now());
  cell.kill();
  await cell.run(fromMs + backMs - performance.now());
  cell.boot();
  await cell.run(20_000);
  expect(cell.moves).toEqual(["x moveTo 10", "x moveTo 20"]);
  expect(Math.abs(sinceMs(cell, fromMs) - dueMs)).toBeLessThan(againMs);
  expect(sinceMs(cell, fromMs)).toBeGreaterThanOrEqual(dueMs - againMs);
  expect(cell.record(run).state).toBe("completed");
});

test("TM-03: killed in a dwell, back after 26 s: somebody may be there, nothing moves", async () => {
  const { cell, run, fromMs } = await resting();
  await cell.run(fromMs + 4000 - performance.now());
  cell.kill();
  await cell.run(fromMs + 30_000 - performance.now());
  cell.boot();
  await cell.run(20_000);
  expect(cell.moves).toEqual(["x moveTo 10"]);
  expect(cell.record(run).state).toBe("stopped");
  expect(cell.record(run).cause.text).toMatch(/nobody attended it for 2\d s/);
});

test("TM-03: on another start of the PC the clock may be another: nothing moves", async () => {
  const { cell, run } = await resting();
  cell.kill();
  cell.hostBootId = "host-2";
  cell.boot();
  await cell.run(20_000);
  expect(cell.moves).toEqual(["x moveTo 10"]);
  expect(cell.record(run).state).toBe("stopped");
});

test.each([["before"], ["after"]])(
  "TM-04: killed %s each write of a run with a dwell, down past its due time: it ends, once",
  async (when) => {
    const forMs = 400;
    let dwelt = 0;
    let writes = Number.POSITIVE_INFINITY;
    for (let at = 1; at <= writes; at += 1) {
      const cell = new CoordinatorCell(cellConfig(["x"], [dwelling(forMs)]));
      await cell.start();
      const base = cell.store.count;
      let died = false;
      const die = (n: number) => {
        if (died || n !== base + at) return;
        died = true;
        cell.kill();
      };
      if (when === "before") cell.store.onTx = die;
      else cell.store.afterTx = die;
      const run = await cell.startRun("dwelling");
      await cell.run(1500);
      if (!died) {
        writes = at;
        expect(at).toBeGreaterThan(8);
        break;
      }
      const sql = "SELECT count(*) AS n FROM run_events WHERE type = 'verdict'";
      const [rows] = await cell.store.inner.tx([{ sql }], { durable: false });
      const inDwell = Number(rows?.[0]?.n) === 1 && cell.triggers.length === 1;
      cell.boot();
      await cell.run(1000);
      await cell.startRun("dwelling", run);
      await cell.run(6000);
      const ids = cell.triggers.map(({ id }) => id);
      expect([at, new Set(ids).size]).toEqual([at, ids.length]);
      // A kill within a move leaves it in doubt: that run is made safe. One in the dwell goes on.
      if (inDwell) {
        dwelt += 1;
        expect([at, cell.record(run).state]).toEqual([at, "completed"]);
        expect([at, cell.moves.includes("x moveTo 20")]).toEqual([at, true]);
      }
      expect(["completed", "madeSafe"]).toContain(cell.record(run).state);
      expect(cell.moves.filter((text) => text === "x moveTo 10").length).toBeLessThan(2);
      expect(cell.moves.filter((text) => text === "x moveTo 20").length).toBeLessThan(2);
      cell.kill();
    }
    expect(dwelt).toBeGreaterThan(1);
  },
);

test.each([
  ["+6 h", 6 * 3_600_000],
  ["-1 h", -3_600_000],
])(
  "TM-02: the wall clock jumps by %s in a dwell: it ends in its own time",
  async (_name, jumpMs) => {
    const { cell, run, fromMs } = await resting();
    await cell.run(fromMs + 4000 - performance.now());
    vi.setSystemTime(Date.now() + jumpMs);
    await cell.run(20_000);
    expect(Math.abs(sinceMs(cell, fromMs) - dwellMs)).toBeLessThan(100);
    expect(cell.record(run).state).toBe("completed");
    const seqs = cell.bus.of("stateRun").map(({ seq }) => seq);
    expect(seqs.every((seq, i) => i === 0 || seq > (seqs[i - 1] ?? 0))).toBe(true);
  },
);

test.each([
  ["+6 h", 6 * 3_600_000],
  ["-1 h", -3_600_000],
])(
  "TM-02: the wall clock jumps by %s in a move: its time limit is its own",
  async (_name, jumpMs) => {
    const cell = new CoordinatorCell(cellConfig(["x"], [dwelling(100)]));
    cell.driver("x").scripts.set("moveTo#1", "hang");
    await cell.start();
    await cell.startRun("dwelling");
    const fromMs = cell.triggers[0]?.at ?? Number.NaN;
    await cell.run(500);
    vi.setSystemTime(Date.now() + jumpMs);
    await cell.run(10_000);
    const stopMs = cell.driver("x").stops[0]?.at ?? Number.NaN;
    // The step has 2 s.
    expect(Math.abs(stopMs - fromMs - 2000)).toBeLessThan(100);
  },
);
