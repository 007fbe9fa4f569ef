/**
 * The cell machine by its full table: every state, every input, every set of facts.
 *
 * The idea: the table below is written by hand from the protocol; the cells are counted. It
 * refuses an input that is not in it.
 */
import { describe, expect, test } from "vitest";
import {
  allowed,
  type CellFacts,
  type CellInput,
  type CellPhase,
  cellAtBoot,
  nextCell,
} from "../../../services/coordinator/cell.machine.js";

const states = [
  "Idle",
  "Execute",
  "Completing",
  "Complete",
  "Stopping",
  "Stopped",
  "Aborting",
  "Aborted:runsEnd",
  "Aborted:clear",
  "Resetting",
] as const;
type Name = (typeof states)[number];

function phase(name: Name): CellPhase {
  if (name === "Aborted:runsEnd") return { at: "Aborted", until: "runsEnd" };
  if (name === "Aborted:clear") return { at: "Aborted", until: "clear" };
  return { at: name };
}
function nameOf(state: CellPhase): Name | undefined {
  const at = state.at === "Aborted" ? `Aborted:${state.until}` : state.at;
  return states.find((name) => name === at);
}

const alone: CellFacts = { others: 0, waiting: 0, onRunFailure: "cell" };
const inputs = {
  "booted(open=0,latched=0)": { kind: "booted", open: 0, latched: 0 },
  "booted(open=0,latched=1)": { kind: "booted", open: 0, latched: 1 },
  "booted(open=1,latched=0)": { kind: "booted", open: 1, latched: 0 },
  runStarted: { kind: "runStarted" },
  runCompleting: { kind: "runCompleting" },
  runCompleted: { kind: "runCompleted" },
  runStopping: { kind: "runStopping" },
  runNeedsOperator: { kind: "runNeedsOperator" },
  "operatorStop(stop)": { kind: "operatorStop", abort: false },
  "operatorStop(abort)": { kind: "operatorStop", abort: true },
  settled: { kind: "settled" },
  runsEnded: { kind: "runsEnded" },
  reset: { kind: "reset" },
  "resetDone(ok)": { kind: "resetDone", ok: true },
  "resetDone(failed)": { kind: "resetDone", ok: false },
  clear: { kind: "clear" },
} as const satisfies { readonly [name: string]: CellInput };
type InputName = keyof typeof inputs;

const _ = undefined;
const running = { Idle: "Execute", Execute: "Execute", Complete: "Execute" } as const;
const toStopping = {
  Idle: "Stopping",
  Execute: "Stopping",
  Completing: "Stopping",
  Complete: "Stopping",
} as const;
const everywhereButAborting = (to: Name) => ({
  Idle: to,
  Execute: to,
  Completing: to,
  Complete: to,
  Stopping: to,
  Stopped: to,
  Resetting: to,
});

/** Alone: no other run, none waiting. What is not named changes nothing. */
const table: { readonly [I in InputName]: { readonly [S in Name]?: Name | undefined } } = {
  "booted(open=0,latched=0)": { "Aborted:runsEnd": "Idle" },
  "booted(open=0,latched=1)": { "Aborted:runsEnd": "Stopped" },
  "booted(open=1,latched=0)": { "Aborted:runsEnd": "Aborted:runsEnd" },
  runStarted: running,
  runCompleting: { Execute: "Completing" },
  runCompleted: { Execute: "Complete", Completing: "Complete" },
  runStopping: toStopping,
  runNeedsOperator: everywhereButAborting("Aborting"),
  "operatorStop(stop)": { ...everywhereButAborting("Stopping"), Stopping: _ },
  "operatorStop(abort)": everywhereButAborting("Aborting"),
  settled: { Stopping: "Stopped", Aborting: "Aborted:clear" },
  runsEnded: { "Aborted:runsEnd": "Stopped" },
  reset: { Stopped: "Resetting", Complete: "Resetting" },
  "resetDone(ok)": { Resetting: "Idle" },
  "resetDone(failed)": { Resetting: "Stopped" },
  clear: { "Aborted:clear": "Stopped" },
};

/** Where the facts make a difference, and only there. */
const exceptions: readonly {
  readonly facts: Partial<CellFacts>;
  readonly input: InputName;
  readonly states: { readonly [S in Name]?: Name | undefined };
}[] = [
  { facts: { others: 1 }, input: "runCompleting", states: { Execute: _ } },
  { facts: { others: 1 }, input: "runCompleted", states: { Execute: _, Completing: _ } },
  {
    facts: { waiting: 1 },
    input: "runCompleted",
    states: { Execute: "Stopping", Completing: "Stopping" },
  },
  { facts: { others: 1 }, input: "reset", states: { Stopped: _, Complete: _ } },
  { facts: { waiting: 1 }, input: "reset", states: { Stopped: _, Complete: _ } },
  { facts: { waiting: 1 }, input: "clear", states: { "Aborted:clear": _ } },
  {
    facts: { others: 1, onRunFailure: "run" },
    input: "runStopping",
    states: { Idle: _, Execute: _, Completing: _, Complete: _ },
  },
];

const allFacts: CellFacts[] = [0, 1].flatMap((others) =>
  [0, 1].flatMap((waiting) =>
    (["cell", "run"] as const).map((onRunFailure) => ({ others, waiting, onRunFailure })),
  ),
);

function expected(input: InputName, state: Name, facts: CellFacts): Name | undefined {
  for (const rule of exceptions) {
    const named = Object.entries(rule.facts).every(
      ([name, value]) => facts[name as keyof CellFacts] === value,
    );
    if (rule.input === input && named && state in rule.states) return rule.states[state];
  }
  return table[input][state];
}

describe("the cell machine by its full table", () => {
  let cells = 0;
  for (const state of states) {
    for (const input of Object.keys(inputs) as InputName[]) {
      for (const facts of allFacts) {
        cells += 1;
        const { others, waiting, onRunFailure } = facts;
        const when = `others=${others}, waiting=${waiting}, onRunFailure=${onRunFailure}`;
        const to = expected(input, state, facts);
        test(`${state} + ${input} (${when}) → ${to ?? "nothing"}`, () => {
          const before = phase(state);
          const turn = nextCell(before, inputs[input], facts);
          expect(turn === undefined ? undefined : nameOf(turn.state)).toBe(to);
          const changed = turn !== undefined && turn.state.at !== before.at;
          expect(turn?.effects ?? []).toEqual(
            changed ? [{ kind: "changed", from: before.at }] : [],
          );
        });
      }
    }
  }

  test("every cell of the table was looked at", () => {
    expect(cells).toBe(states.length * Object.keys(inputs).length * allFacts.length);
    expect(cells).toBe(10 * 16 * 8);
  });
});

describe("what is allowed", () => {
  test.each([
    ["Idle", ["start", "stop", "quickStop", "abort"]],
    ["Execute", ["start", "stop", "quickStop", "abort"]],
    ["Completing", ["stop", "quickStop", "abort"]],
    ["Complete", ["start", "stop", "quickStop", "abort", "reset"]],
    ["Stopping", ["stop", "quickStop", "abort"]],
    ["Stopped", ["stop", "quickStop", "abort", "reset"]],
    ["Aborting", ["stop", "quickStop", "abort"]],
    ["Aborted:runsEnd", ["stop", "quickStop", "abort"]],
    ["Aborted:clear", ["stop", "quickStop", "abort", "clear"]],
    ["Resetting", ["stop", "quickStop", "abort"]],
  ] as const)("%s: %s", (state, commands) => {
    expect(allowed(phase(state), alone)).toEqual(commands);
  });

  test.each(states)("%s: a command is offered exactly when it is taken", (state) => {
    for (const facts of allFacts) {
      const offered = allowed(phase(state), facts);
      const taken = (input: CellInput) => nextCell(phase(state), input, facts) !== undefined;
      expect(offered.includes("reset")).toBe(taken({ kind: "reset" }));
      expect(offered.includes("clear")).toBe(taken({ kind: "clear" }));
      expect(offered.includes("start")).toBe(taken({ kind: "runStarted" }));
    }
  });

  test("before the coordinator knows its runs, nothing may start", () => {
    expect(allowed(cellAtBoot, alone)).not.toContain("start");
  });
});
