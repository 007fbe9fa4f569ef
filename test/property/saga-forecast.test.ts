/**
 * Random saga programs: what a forecast says beforehand holds for the runs that nothing disturbs.
 *
 * The idea: the forecast knows no reading and no duration of an operation, the machine runs the
 * same program in a world that answers at random; whatever the machine has begun was foreseen, and
 * its time lies within the span. It refuses runs that fail: a forecast is the walk as if nothing
 * failed.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { forecastSaga } from "#kernel/config/saga-forecast.js";
import { programOf } from "../fixtures/coordinator/saga-program.js";
import { MachineRunner } from "../fixtures/coordinator/saga-runner.js";
import { World } from "../fixtures/coordinator/saga-world.js";

const even = (min: number, max: number) => fc.noBias(fc.integer({ min, max }));
/** What a reading takes at most, and an instant that is rounded up. */
const readingMs = 3;
/** What an axis that is left behind takes to be seen still and leased again, in this world. */
const stillMs = 100;

test("3000 programs: every step that a smooth run begins was foreseen, its time is within the span", () => {
  let smooth = 0;
  let narrow = 0;
  const programs = fc.record({ seed: even(0, 2 ** 31 - 1), size: even(1, 24) });
  fc.assert(
    fc.property(programs, ({ seed, size }) => {
      const program = programOf(seed, size);
      const world = new World(seed);
      const runner = new MachineRunner(program, world);
      const { result } = runner.finish();
      const { steps, missing = [] } = runner.run;
      const readings = runner.events.filter(({ event }) => event.kind === "evaluated").length;
      const troubled = steps.some(
        ({ status, attempts = 1 }) => status === "refused" || attempts > 1,
      );
      const held = world.disturbances().some(({ kind }) => kind === "hold");
      if (result !== "completed" || troubled || held || missing.length > 0) return;
      smooth += 1;
      const cell = { devices: [], interlocks: [] };
      const forecast = forecastSaga(program.saga, cell, { inputs: program.inputs });
      for (const [i, { times = 0 }] of steps.entries()) {
        if (times > 0) expect(forecast.steps[i]?.turns ?? 0, `step ${i}`).toBeGreaterThan(0);
      }
      const stills = runner.events.filter(({ event }) => event.kind === "still").length;
      const ends = steps.map(({ startedMs = 0, durationMs = 0 }) => startedMs + durationMs);
      // The leases come before.
      const first = runner.turns.findIndex(({ run }) => run.phase.at !== "pending");
      const fromStartMs = runner.events[first - 1]?.nowMs ?? 0;
      const tookMs = Math.max(0, Math.max(...ends) - fromStartMs);
      const { fromMs, toMs } = forecast.total;
      expect(fromMs).toBeLessThanOrEqual(tookMs + 1e-6);
      expect(tookMs).toBeLessThanOrEqual(toMs + readingMs * (readings + 1) + stillMs * stills);
      if (fromMs > 0) narrow += 1;
    }),
    { numRuns: 3000, seed: 11 },
  );
  // Neither is met by luck.
  expect(smooth).toBeGreaterThan(500);
  expect(narrow).toBeGreaterThan(100);
}, 60_000);
