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
import type { RunEffect } from "../../services/coordinator/run-events.js";
import { begin } from "../../services/coordinator/run-leasing.js";
import { next } from "../../services/coordinator/saga.machine.js";
import { programOf } from "../fixtures/coordinator/saga-program.js";
import { MachineRunner, runReference } from "../fixtures/coordinator/saga-runner.js";
import { World } from "../fixtures/coordinator/saga-world.js";

const programs = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  size: fc.integer({ min: 1, max: 24 }),
});

/** No id goes out with another body, and nothing moves between a stop and the standstill. */
function neverBroken(effects: readonly RunEffect[]): void {
  const bodies = new Map<string, string>();
  let stopped = false;
  let safing = false;
  for (const effect of effects) {
    if (effect.kind === "event" && effect.type === "stopping") stopped = true;
    if (effect.kind === "event" && effect.type === "safe.started") safing = true;
    if (effect.kind !== "send") continue;
    const { id, device, verb, args, epoch } = effect.flight;
    const body = JSON.stringify([device, verb, args, epoch]);
    expect(bodies.get(id) ?? body).toBe(body);
    bodies.set(id, body);
    if (!stopped) continue;
    expect(effect.intent?.part ?? "makeSafe").toBe("makeSafe");
    expect(safing).toBe(true);
  }
}

describe("random saga programs", () => {
  test("10000 programs: same effects at the same moments, same end, as the reference", () => {
    const ends = new Map<string, number>();
    fc.assert(
      fc.property(programs, ({ seed, size }) => {
        const program = programOf(seed, size);
        const runner = new MachineRunner(program, new World(seed));
        const machine = runner.finish();
        expect(machine).toEqual(runReference(program, new World(seed)));
        neverBroken(runner.effects);
        ends.set(machine.result, (ends.get(machine.result) ?? 0) + 1);
      }),
      { numRuns: 10_000, seed: 5 },
    );
    // Every end is met often, so that none is compared by luck.
    for (const end of ["completed", "madeSafe", "needsOperator", "stopped"]) {
      expect(ends.get(end) ?? 0, end).toBeGreaterThan(100);
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
