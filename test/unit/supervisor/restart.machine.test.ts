/**
 * The full table of the restart machine: every state × every input.
 * The idea: each cell names the state after and the effects, or `-` for "means nothing"; the
 * test counts the cells. It refuses cells that are left out.
 */
import { expect, test } from "vitest";
import {
  backoffMs,
  next,
  type RestartInput,
  type RestartState,
} from "../../../services/supervisor/restart.machine.js";

const READY_WITHIN_MS = 10_000;

const states: { readonly [name: string]: RestartState } = {
  down: { at: "down" },
  starting: { at: "starting", failures: 2, untilMs: 50_000 },
  startingLate: { at: "starting", failures: 2, untilMs: 30_000 },
  up: { at: "up", failures: 2, sinceMs: 39_000 },
  upLong: { at: "up", failures: 2, sinceMs: 10_000 },
  waiting: { at: "waiting", failures: 2, untilMs: 50_000 },
  waitingDue: { at: "waiting", failures: 2, untilMs: 40_000 },
  ending: { at: "ending", untilMs: 50_000, killed: false },
  endingLate: { at: "ending", untilMs: 40_000, killed: false },
  killed: { at: "ending", untilMs: 30_000, killed: true },
  ended: { at: "ended" },
};

const inputs: { readonly [name: string]: RestartInput } = {
  start: { kind: "start", nowMs: 40_000 },
  ready: { kind: "ready", nowMs: 40_000 },
  exited: { kind: "exited", nowMs: 40_000 },
  tick: { kind: "tick", nowMs: 40_000 },
  end: { kind: "end", nowMs: 40_000, withinMs: 3_000 },
};

const start0 = "starting(0,50000) spawn wake@50000";
const start2 = "starting(2,50000) spawn wake@50000";
const wait3 = "waiting(3,40400) wake@40400";
const end = "ending(43000) terminate wake@43000";
/** Columns: start, ready, exited, tick, end. */
const table: { readonly [state: string]: readonly string[] } = {
  down: [start0, "-", "-", "-", "ended"],
  starting: ["-", "up(2,40000)", wait3, "-", end],
  startingLate: ["-", "up(2,40000)", wait3, "starting(2,30000) kill", end],
  up: ["-", "-", wait3, "-", end],
  upLong: ["-", "-", "waiting(1,40100) wake@40100", "-", end],
  waiting: ["-", "-", "-", "-", "ended"],
  waitingDue: ["-", "-", "-", start2, "ended"],
  ending: ["-", "-", "ended", "-", "ending(43000) wake@43000"],
  endingLate: ["-", "-", "ended", "ending(40000,killed) kill", "ending(40000) wake@40000"],
  killed: ["-", "-", "ended", "-", "-"],
  ended: ["-", "-", "-", "-", "-"],
};

function shown(state: RestartState): string {
  switch (state.at) {
    case "starting":
    case "waiting":
      return `${state.at}(${state.failures},${state.untilMs})`;
    case "up":
      return `up(${state.failures},${state.sinceMs})`;
    case "ending":
      return `ending(${state.untilMs}${state.killed ? ",killed" : ""})`;
    default:
      return state.at;
  }
}

function outcome(state: RestartState, input: RestartInput): string {
  const step = next(state, input, READY_WITHIN_MS);
  if (step === undefined) return "-";
  const effects = step.effects.map((e) => (e.kind === "wake" ? `wake@${e.atMs}` : e.kind));
  return [shown(step.state), ...effects].join(" ");
}

test("restart machine: every state × every input (states=11, inputs=5)", () => {
  let cells = 0;
  for (const [name, state] of Object.entries(states)) {
    for (const [column, [inputName, input]] of Object.entries(inputs).entries()) {
      expect(outcome(state, input), `${name} × ${inputName}`).toBe(table[name]?.[column]);
      cells += 1;
    }
  }
  expect(cells).toBe(55);
});

test("restart machine: the pause doubles from 100 ms and stays at 5 s (failures=1…16)", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 16].map(backoffMs)).toEqual([
    100, 200, 400, 800, 1600, 3200, 5000, 5000,
  ]);
});
