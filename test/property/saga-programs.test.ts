/**
 * Random saga programs: the machine does what a reference interpreter says it ought to.
 *
 * The idea: the same program in the same world, with its refusals, failures, cancels, stops and
 * holds, on both; what leaves, in which order and when, and what is left at the end, are compared.
 * Beside that: what must never happen, read off the machine's effects alone. Refuses a program that
 * is not given back by its seed.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { begin } from "../../services/coordinator/run-leasing.js";
import { next } from "../../services/coordinator/saga.machine.js";
import { programOf } from "../fixtures/coordinator/saga-program.js";
import { MachineRunner, runReference } from "../fixtures/coordinator/saga-runner.js";
import { complaintsOf } from "../fixtures/coordinator/saga-watch.js";
import { World } from "../fixtures/coordinator/saga-world.js";

/** Evenly spread: a seed near an end is no more telling than another. */
const even = (min: number, max: number) => fc.noBias(fc.integer({ min, max }));
const programs = fc.record({ seed: even(0, 2 ** 31 - 1), size: even(1, 24) });

describe("random saga programs", () => {
  test("10000 programs: same effects at the same moments, same end, as the reference", () => {
    const ends = new Map<string, number>();
    fc.assert(
      fc.property(programs, ({ seed, size }) => {
        const program = programOf(seed, size);
        const runner = new MachineRunner(program, new World(seed));
        const machine = runner.finish();
        expect(machine).toEqual(runReference(program, new World(seed)));
        if (!program.shares) expect(complaintsOf(runner.turns)).toEqual([]);
        ends.set(machine.result, (ends.get(machine.result) ?? 0) + 1);
      }),
      { numRuns: 10_000, seed: 5 },
    );
    // Every end is met often, so that none is compared by luck.
    for (const end of ["completed", "madeSafe", "needsOperator", "stopped"]) {
      expect(ends.get(end) ?? 0, end).toBeGreaterThan(100);
    }
  }, 60_000);

  test("5000 programs killed twice: every run ends or waits, and nothing is done again", () => {
    const ends = new Map<string, number>();
    const moments = fc.tuple(even(20, 600), even(0, 400));
    fc.assert(
      fc.property(programs, moments, ({ seed, size }, [a, b]) => {
        const program = programOf(seed, size, seed % 2 === 0 ? "resume" : "makeSafe");
        const runner = new MachineRunner(program, new World(seed));
        const kills = [a, a + b];
        const { result } = runner.finish(kills);
        expect(["completed", "madeSafe", "needsOperator", "stopped"]).toContain(result);
        if (!program.shares) expect(complaintsOf(runner.turns)).toEqual([]);
        const resumed = runner.turns.some(({ effects }) =>
          effects.some((effect) => effect.kind === "event" && effect.type === "resumed"),
        );
        const key = `${result}${resumed ? ", resumed" : ""}`;
        ends.set(key, (ends.get(key) ?? 0) + 1);
      }),
      { numRuns: 5000, seed: 7 },
    );
    for (const end of ["completed, resumed", "madeSafe, resumed", "madeSafe", "stopped"]) {
      expect(ends.get(end) ?? 0, end).toBeGreaterThan(50);
    }
  }, 60_000);

  test("1000 programs: the journal's events give the same run, effects and all", () => {
    fc.assert(
      fc.property(programs, ({ seed, size }) => {
        const program = programOf(seed, size);
        const runner = new MachineRunner(program, new World(seed));
        runner.finish();
        const by = { user: "ann", role: "operator" };
        const { saga, inputs } = program;
        let { state } = begin({ run: "r", key: "K", saga, by, ts: 0, inputs }, 0);
        for (const { event, nowMs } of runner.events) {
          const turn = next(state, event, nowMs);
          if (turn === undefined) throw new RangeError(`${event.kind} means nothing on replay`);
          state = turn.state;
        }
        expect(state).toEqual(runner.run);
        expect(JSON.parse(JSON.stringify(state))).toEqual(state);
      }),
      { numRuns: 1000, seed: 6 },
    );
  }, 60_000);
});
