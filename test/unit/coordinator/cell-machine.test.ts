/**
 * The cell machine by its full table: every state and mode, every input, every set of facts.
 *
 * The idea: the table below is written by hand from PackML and the protocol; the cells are
 * counted. It refuses an input that is not in it.
 */
import { describe, expect, test } from "vitest";
import { cellModes } from "#kernel/config/saga.js";
import { type CellCommand, cellCommands, cellStates } from "#kernel/contract/payloads.js";
import {
  allowed,
  type CellEffect,
  type CellFacts,
  type CellInput,
  type CellPhase,
  type CellSituation,
  cellAtBoot,
  nextCell,
  packTag,
} from "../../../services/coordinator/cell.machine.js";

const phases = {
  Clearing: { at: "Clearing" },
  Stopped: { at: "Stopped" },
  Starting: { at: "Starting" },
  Idle: { at: "Idle" },
  "Suspended:person": { at: "Suspended", by: "person" },
  "Suspended:condition": { at: "Suspended", by: "condition" },
  Execute: { at: "Execute" },
  Stopping: { at: "Stopping" },
  Aborting: { at: "Aborting" },
  "Aborted:runsEnd": { at: "Aborted", until: "runsEnd" },
  "Aborted:clear": { at: "Aborted", until: "clear" },
  Holding: { at: "Holding" },
  Held: { at: "Held" },
  Unholding: { at: "Unholding" },
  "Suspending:person": { at: "Suspending", by: "person" },
  "Suspending:condition": { at: "Suspending", by: "condition" },
  Unsuspending: { at: "Unsuspending" },
  Resetting: { at: "Resetting" },
  Completing: { at: "Completing" },
  Complete: { at: "Complete" },
} as const satisfies { readonly [name: string]: CellPhase };
type Name = keyof typeof phases;
const states = Object.keys(phases) as Name[];

function nameOf(state: CellSituation): Name | undefined {
  const { mode: _mode, ...phase } = state;
  return states.find((name) => JSON.stringify(phases[name]) === JSON.stringify(phase));
}

const alone: CellFacts = {
  others: 0,
  waiting: 0,
  held: 0,
  suspended: 0,
  onRunFailure: "cell",
};
const inputs = {
  "booted(open=0,latched=0)": { kind: "booted", open: 0, latched: 0 },
  "booted(open=0,latched=1)": { kind: "booted", open: 0, latched: 1 },
  "booted(open=1,latched=0)": { kind: "booted", open: 1, latched: 0 },
  runStarted: { kind: "runStarted" },
  runMoving: { kind: "runMoving" },
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
  cleared: { kind: "cleared" },
  hold: { kind: "hold" },
  unhold: { kind: "unhold" },
  "suspend(person)": { kind: "suspend", by: "person" },
  "suspend(condition)": { kind: "suspend", by: "condition" },
  "unsuspend(person)": { kind: "unsuspend", by: "person" },
  "unsuspend(condition)": { kind: "unsuspend", by: "condition" },
  parked: { kind: "parked" },
  going: { kind: "going" },
  "mode(Production)": { kind: "mode", mode: "Production" },
  "mode(Maintenance)": { kind: "mode", mode: "Maintenance" },
  "mode(Manual)": { kind: "mode", mode: "Manual" },
} as const satisfies { readonly [name: string]: CellInput };
type InputName = keyof typeof inputs;
type Row = { readonly [S in Name]?: Name | undefined };

const _ = undefined;
const executing = [
  "Starting",
  "Execute",
  "Completing",
  "Holding",
  "Held",
  "Unholding",
  "Suspending:person",
  "Suspending:condition",
  "Suspended:person",
  "Suspended:condition",
  "Unsuspending",
] as const;
const producing = [...executing, "Idle", "Complete"] as const;
const notAborting = states.filter((name) => !name.startsWith("Abort"));
const to = (target: Name | undefined, from: readonly Name[]): Row =>
  Object.fromEntries(from.map((name) => [name, target]));
const keeping = { Stopped: "Stopped", Idle: "Idle", Complete: "Complete" } as const;

/** Alone: no other run, none waiting. What is not named changes nothing. */
const table: { readonly [I in InputName]: Row } = {
  "booted(open=0,latched=0)": { "Aborted:runsEnd": "Idle" },
  "booted(open=0,latched=1)": { "Aborted:runsEnd": "Stopped" },
  "booted(open=1,latched=0)": { "Aborted:runsEnd": "Aborted:runsEnd" },
  runStarted: {
    Idle: "Starting",
    Complete: "Starting",
    Starting: "Starting",
    Execute: "Execute",
  },
  runMoving: { Starting: "Execute" },
  runCompleting: { ...to("Completing", executing), Completing: _ },
  runCompleted: to("Complete", executing),
  runStopping: to("Stopping", producing),
  runNeedsOperator: to("Aborting", notAborting),
  "operatorStop(stop)": { ...to("Stopping", notAborting), Stopping: _ },
  "operatorStop(abort)": to("Aborting", notAborting),
  settled: { Stopping: "Stopped", Aborting: "Aborted:clear" },
  runsEnded: { "Aborted:runsEnd": "Stopped" },
  reset: { Stopped: "Resetting", Complete: "Resetting" },
  "resetDone(ok)": { Resetting: "Idle" },
  "resetDone(failed)": { Resetting: "Stopped" },
  clear: { "Aborted:clear": "Clearing" },
  cleared: { Clearing: "Stopped" },
  hold: to("Holding", [
    "Starting",
    "Execute",
    "Unholding",
    "Suspending:person",
    "Suspending:condition",
    "Suspended:person",
    "Suspended:condition",
    "Unsuspending",
  ]),
  unhold: { Held: "Unholding" },
  "suspend(person)": { Execute: "Suspending:person" },
  "suspend(condition)": { Execute: "Suspending:condition" },
  "unsuspend(person)": {
    "Suspended:person": "Unsuspending",
    "Suspended:condition": "Unsuspending",
  },
  // Only out of Suspended, and only what a condition has suspended.
  "unsuspend(condition)": { "Suspended:condition": "Unsuspending" },
  parked: {
    Holding: "Held",
    "Suspending:person": "Suspended:person",
    "Suspending:condition": "Suspended:condition",
  },
  going: { Unholding: "Execute", Unsuspending: "Execute" },
  "mode(Production)": keeping,
  "mode(Maintenance)": keeping,
  "mode(Manual)": keeping,
};

/** Where the facts make a difference, and only there; the first that fits counts. */
const exceptions: readonly {
  readonly facts: Partial<CellFacts>;
  readonly inputs: readonly InputName[];
  readonly states: Row;
}[] = [
  { facts: { others: 1 }, inputs: ["runCompleting", "runCompleted"], states: to(_, executing) },
  { facts: { waiting: 1 }, inputs: ["runCompleted"], states: to("Stopping", executing) },
  { facts: { others: 1 }, inputs: ["reset"], states: to(_, ["Stopped", "Complete"]) },
  { facts: { waiting: 1 }, inputs: ["reset"], states: to(_, ["Stopped", "Complete"]) },
  { facts: { waiting: 1 }, inputs: ["clear"], states: to(_, ["Aborted:clear"]) },
  {
    facts: { others: 1, onRunFailure: "run" },
    inputs: ["runStopping"],
    states: to(_, producing),
  },
  // Parked before the restart: goes on by a person's word; the cell stays as it is.
  {
    facts: { held: 1 },
    inputs: ["unhold"],
    states: { "Aborted:runsEnd": "Aborted:runsEnd" },
  },
  {
    facts: { suspended: 1 },
    inputs: ["unsuspend(person)"],
    states: { "Aborted:runsEnd": "Aborted:runsEnd" },
  },
  ...[{ others: 1 }, { waiting: 1 }].map((facts) => ({
    facts,
    inputs: ["mode(Production)", "mode(Maintenance)", "mode(Manual)"] as const,
    states: to(_, ["Stopped", "Idle", "Complete"]),
  })),
];

const bits = [0, 1] as const;
const allFacts: CellFacts[] = bits.flatMap((others) =>
  bits.flatMap((waiting) =>
    bits.flatMap((held) =>
      bits.flatMap((suspended) =>
        (["cell", "run"] as const).map((onRunFailure) => {
          return { others, waiting, held, suspended, onRunFailure };
        }),
      ),
    ),
  ),
);

function expected(input: InputName, state: Name, facts: CellFacts): Name | undefined {
  for (const rule of exceptions) {
    const named = Object.entries(rule.facts).every(
      ([name, value]) => facts[name as keyof CellFacts] === value,
    );
    if (rule.inputs.includes(input) && named && state in rule.states) return rule.states[state];
  }
  return table[input][state];
}

/** What has to be done beside the change. */
function effectsOf(input: CellInput, before: CellSituation, after: Name): CellEffect[] {
  const effects: CellEffect[] = [];
  if (phases[after].at !== before.at) effects.push({ kind: "changed", from: before.at });
  if (input.kind === "hold") effects.push({ kind: "park", how: "hold" });
  if (input.kind === "suspend") effects.push({ kind: "park", how: "suspend" });
  if (input.kind === "unhold") effects.push({ kind: "release", how: "hold" });
  if (input.kind === "unsuspend") effects.push({ kind: "release", how: "suspend" });
  if (input.kind === "mode") effects.push({ kind: "modeChanged", from: before.mode });
  return effects;
}

describe("the cell machine by its full table", () => {
  let cells = 0;
  for (const state of states) {
    for (const name of Object.keys(inputs) as InputName[]) {
      test(`${state} + ${name} → ${table[name][state] ?? "nothing"}, in every mode`, () => {
        const input: CellInput = inputs[name];
        for (const facts of allFacts) {
          for (const mode of cellModes) {
            cells += 1;
            const before: CellSituation = { ...phases[state], mode };
            const same = input.kind === "mode" && input.mode === mode;
            const after = same ? undefined : expected(name, state, facts);
            const turn = nextCell(before, input, facts);
            const where = JSON.stringify({ facts, mode });
            expect(turn === undefined ? undefined : nameOf(turn.state), where).toBe(after);
            if (turn === undefined || after === undefined) continue;
            expect(turn.effects, where).toEqual(effectsOf(input, before, after));
            expect(turn.state.mode).toBe(input.kind === "mode" ? input.mode : mode);
          }
        }
      });
    }
  }

  test("every cell of the table was looked at", () => {
    expect(new Set(states.map((name) => phases[name].at)).size).toBe(cellStates.length);
    expect(cells).toBe(states.length * Object.keys(inputs).length * allFacts.length * 3);
    expect(cells).toBe(20 * 29 * 32 * 3);
  });
});

describe("what is allowed", () => {
  const stops = ["stop", "quickStop", "abort"] as const;
  const offered: { readonly [S in Name]: readonly CellCommand[] } = {
    Clearing: stops,
    Stopped: [...stops, "reset", "mode"],
    Starting: ["start", ...stops, "hold"],
    Idle: ["start", ...stops, "mode"],
    "Suspended:person": [...stops, "hold", "unsuspend"],
    "Suspended:condition": [...stops, "hold", "unsuspend"],
    Execute: ["start", ...stops, "hold", "suspend"],
    Stopping: stops,
    Aborting: stops,
    "Aborted:runsEnd": stops,
    "Aborted:clear": [...stops, "clear"],
    Holding: stops,
    Held: [...stops, "unhold"],
    Unholding: [...stops, "hold"],
    "Suspending:person": [...stops, "hold"],
    "Suspending:condition": [...stops, "hold"],
    Unsuspending: [...stops, "hold"],
    Resetting: stops,
    Completing: stops,
    Complete: ["start", ...stops, "reset", "mode"],
  };
  test.each(states)("%s: exactly what the table says", (state) => {
    expect(allowed({ ...phases[state], mode: "Production" }, alone)).toEqual(offered[state]);
  });

  test.each(states)("%s: a command is offered exactly when it is taken", (state) => {
    for (const facts of allFacts) {
      for (const mode of cellModes) {
        const situation: CellSituation = { ...phases[state], mode };
        const offers = allowed(situation, facts);
        const taken = (input: CellInput) => nextCell(situation, input, facts) !== undefined;
        for (const command of ["reset", "clear", "hold", "unhold"] as const) {
          expect(offers.includes(command)).toBe(taken({ kind: command }));
        }
        for (const command of ["suspend", "unsuspend"] as const) {
          expect(offers.includes(command)).toBe(taken({ kind: command, by: "person" }));
        }
        expect(offers.includes("start")).toBe(taken({ kind: "runStarted" }));
        const modes = cellModes.filter((other) => taken({ kind: "mode", mode: other }));
        expect(modes.length).toBe(offers.includes("mode") ? cellModes.length - 1 : 0);
        expect(stops.every((stop) => offers.includes(stop))).toBe(true);
      }
    }
  });

  test("after a restart, what was parked before is offered to go on, and nothing else", () => {
    const boot = cellAtBoot();
    expect(allowed(boot, { ...alone, others: 1, held: 1 })).toEqual([...stops, "unhold"]);
    expect(allowed(boot, { ...alone, others: 1, suspended: 1 })).toEqual([...stops, "unsuspend"]);
  });

  test("before the coordinator knows its runs, nothing may start, in whatever mode it was", () => {
    for (const mode of cellModes) {
      expect(allowed(cellAtBoot(mode), alone)).toEqual([...stops]);
      expect(cellAtBoot(mode).mode).toBe(mode);
    }
    expect(cellCommands).toContain("start");
  });
});

test("the numbers of the states are those of the PackTags, each once", () => {
  const numbers = cellStates.map(packTag);
  expect([...numbers].sort((a, b) => a - b)).toEqual(cellStates.map((_state, i) => i + 1));
  expect(
    ["Stopped", "Idle", "Execute", "Aborted", "Held", "Complete"].map((s) => packTag(s as "Idle")),
  ).toEqual([2, 4, 6, 9, 11, 17]);
});
