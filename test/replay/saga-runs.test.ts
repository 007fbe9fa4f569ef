/**
 * Runs as they were once recorded: the saga machine still decides as it did then.
 *
 * The idea: a run that is open when Servocell is upgraded is read back by the new machine, so what
 * was recorded has to give the same commands, ids included, and the same end. Each line is a saga,
 * the events it met and what came of them. It refuses to be recorded anew: a machine that has to
 * decide otherwise gets a new version, and these lines stay.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { SagaDefinition } from "#kernel/config/saga.js";
import type { RunEvent } from "../../services/coordinator/run-events.js";
import { begin } from "../../services/coordinator/run-leasing.js";
import { next } from "../../services/coordinator/saga.machine.js";

interface Recorded {
  readonly name: string;
  readonly saga: SagaDefinition;
  readonly inputs: { readonly [name: string]: number };
  readonly events: readonly (RunEvent & { readonly nowMs: number })[];
  readonly intents: readonly string[];
  readonly end: { readonly at: string; readonly code: string; readonly steps: readonly string[] };
}

const file = new URL("saga-runs.jsonl", import.meta.url);
const recorded = readFileSync(file, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Recorded);

test("enough is recorded: runs that completed, failed, were stopped and went on", () => {
  expect(recorded.length).toBeGreaterThanOrEqual(15);
  const ends = new Set(recorded.map(({ end }) => end.at));
  expect([...ends].sort()).toEqual(["completed", "madeSafe", "needsOperator", "stopped"]);
});

test.each(recorded.map((one) => [one.name, one] as const))("%s", (_, one) => {
  const by = { user: "ann", role: "operator" };
  const { saga, inputs, events } = one;
  let turn = begin({ run: "r", key: "K", saga, by, ts: 0, inputs }, 0);
  const intents: string[] = [];
  const read = () => {
    for (const effect of turn.effects) {
      if (effect.kind !== "send" || effect.intent === undefined) continue;
      const { id, device, verb } = effect.flight;
      intents.push(`${id} ${effect.intent.step} ${effect.intent.part} ${device} ${verb}`);
    }
  };
  read();
  for (const { nowMs, ...event } of events) {
    const after = next(turn.state, event as RunEvent, nowMs);
    if (after === undefined) throw new RangeError(`${event.kind} means nothing any more`);
    turn = after;
    read();
  }
  expect(intents).toEqual(one.intents);
  const { phase, cause, steps } = turn.state;
  expect({ at: phase.at, code: cause.code }).toEqual({ at: one.end.at, code: one.end.code });
  const said = steps.map(({ status, safe }, index) => `${index} ${status} ${safe}`);
  expect(said).toEqual(one.end.steps);
});
