/**
 * The saga machine by its full table: every state, every event.
 *
 * The idea: the table says where each event leads and what is to be done, in order; what it does
 * not name means nothing there. Every cell is looked at and counted, and a stop is always the
 * first thing to be done. It refuses events and states that it does not know.
 */
import { describe, expect, test } from "vitest";
import { runStates } from "#kernel/contract/payloads.js";
import { awaitedIds, dueMs } from "../../../services/coordinator/run-due.js";
import { isActive, isEnded, isWaiting } from "../../../services/coordinator/run-state.js";
import { recordOf } from "../../../services/coordinator/run-view.js";
import { events, outcome, type StateName, states } from "../../fixtures/coordinator/saga-states.js";

/** `same`: the run stays as it was, the effects are carried out all the same. */
const table: { readonly [S in StateName]: { readonly [event: string]: string } } = {
  pending: {
    leased: "pending lease",
    "leased(other id)": "same release",
    leaseRefused: "pending",
    "leaseRefused(held)": "releasing(madeSafe) release",
    "leaseLost(z)": "releasing(madeSafe) release",
    "tripped(z)": "releasing(madeSafe) release",
    failed: "releasing(madeSafe) release",
    cancelled: "releasing(madeSafe) release",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided) stop stopping",
    hold: "pending held",
    suspend: "pending held",
    "tick(late)": "releasing(madeSafe) release",
  },
  "pending(again)": {
    leased: "pending lease",
    "leased(other id)": "same release",
    leaseRefused: "pending",
    "leaseRefused(held)": "releasing(madeSafe) release",
    "leaseLost(z)": "releasing(madeSafe) release",
    "tripped(z)": "releasing(madeSafe) release",
    failed: "releasing(madeSafe) release",
    cancelled: "releasing(madeSafe) release",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided) stop stopping",
    hold: "pending held",
    suspend: "pending held",
    "tick(held)": "pending lease",
    "tick(late)": "releasing(madeSafe) release",
  },
  "running(command)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping",
    "tripped(z)": "stopping(stopped) stop stopping",
    accepted: "running(verdict)",
    "verdict(done)": "running(condition) step.ended step.started",
    "verdict(refused)": "stopping(makeSafe) stop step.ended stopping",
    "verdict(faulted)": "stopping(makeSafe) stop step.ended stopping",
    "verdict(unknown)": "stopping(makeSafe) stop step.ended stopping",
    failed: "stopping(makeSafe) stop stopping",
    cancelled: "stopping(makeSafe) stop stopping",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided,doubt) stop stopping",
    reconnected: "same send",
    hold: "running(verdict) held",
    suspend: "running(verdict) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(accepted)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping",
    "tripped(z)": "stopping(stopped) stop stopping",
    "verdict(done)": "running(condition) step.ended step.started",
    "verdict(refused)": "stopping(makeSafe) stop step.ended stopping",
    "verdict(faulted)": "stopping(makeSafe) stop step.ended stopping",
    "verdict(unknown)": "stopping(makeSafe) stop step.ended stopping",
    failed: "stopping(makeSafe) stop stopping",
    cancelled: "stopping(makeSafe) stop stopping",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided,doubt) stop stopping",
    reconnected: "same send",
    hold: "running(verdict) held",
    suspend: "running(verdict) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(condition)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    conditionMet: "running(dwell) step.ended step.started",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    restarted: "stopping(undecided) stop stopping step.ended",
    hold: "running(condition) held",
    suspend: "running(condition) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(dwell)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    restarted: "stopping(undecided) stop stopping step.ended",
    hold: "running(dwell) held",
    suspend: "running(dwell) held",
    "tick(late)": "releasing(completed) step.ended release",
  },
  "stopping(makeSafe)": {
    leased: "same release",
    "leased(other id)": "same release",
    "tripped(z)": "stopping(stopped)",
    "verdict(done)": "stopping(makeSafe) step.ended",
    "verdict(refused)": "stopping(makeSafe) step.ended",
    "verdict(faulted)": "stopping(makeSafe) step.ended",
    "verdict(unknown)": "stopping(makeSafe) step.ended",
    "operatorStop(new)": "stopping(stopped)",
    "operatorStop(same)": "stopping(stopped)",
    "operatorStop(unlatched)": "stopping(stopped)",
    "still(z)": "makingSafe(lease) step.ended safe.started lease",
    "notStill(z)": "makingSafe(standstill) step.ended safe.started",
    restarted: "stopping(undecided,doubt) stop stopping",
    "tick(late)": "makingSafe(standstill) step.ended safe.started",
  },
  "stopping(stopped)": {
    leased: "same release",
    "leased(other id)": "same release",
    "verdict(done)": "stopping(stopped) step.ended",
    "verdict(refused)": "stopping(stopped) step.ended",
    "verdict(faulted)": "stopping(stopped) step.ended",
    "verdict(unknown)": "stopping(stopped) step.ended",
    "operatorStop(new)": "stopping(stopped)",
    "still(z)": "stopping(stopped)",
    "notStill(z)": "stopping(stopped)",
    restarted: "stopping(stopped,doubt) stop stopping",
    "tick(late)": "needsOperator step.ended",
  },
  "stopping(last word)": {
    leased: "same release",
    "leased(other id)": "same release",
    "verdict(done)": "stopped step.ended",
    "verdict(refused)": "stopped step.ended",
    "verdict(faulted)": "stopped step.ended",
    "verdict(unknown)": "stopped step.ended",
    "operatorStop(new)": "stopping(stopped)",
    restarted: "stopping(stopped,doubt) stop stopping",
    "tick(held)": "stopped step.ended",
    "tick(late)": "stopped step.ended",
  },
  "stopping(undecided)": {
    leased: "same release",
    "leased(other id)": "same release",
    "tripped(z)": "stopped",
    "operatorStop(new)": "stopped",
    "operatorStop(same)": "stopped",
    "operatorStop(unlatched)": "stopped",
    restarted: "stopping(undecided) stop stopping",
    "ruled(makeSafe)": "makingSafe(lease) safe.started safe.ended safe.started lease",
    "ruled(waits)": "stopped",
    "tick(late)": "stopping(undecided)",
  },
  "stopping(doubt)": {
    leased: "same release",
    "leased(other id)": "same release",
    "tripped(z)": "stopping(stopped,doubt)",
    "verdict(done)": "stopping(makeSafe,doubt) step.ended",
    "verdict(refused)": "stopping(makeSafe,doubt) step.ended",
    "verdict(faulted)": "stopping(makeSafe,doubt) step.ended",
    "verdict(unknown)": "stopping(makeSafe,doubt) step.ended",
    "operatorStop(new)": "stopping(stopped,doubt)",
    "operatorStop(same)": "stopping(stopped,doubt)",
    "operatorStop(unlatched)": "stopping(stopped,doubt)",
    queried: "makingSafe(lease) step.ended safe.started lease",
    restarted: "stopping(undecided,doubt) stop stopping",
    "tick(late)": "makingSafe(lease) step.ended safe.started lease",
  },
  unlatching: {
    leased: "same release",
    "leased(other id)": "same release",
    "tripped(z)": "stopped",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(stopped) stop stopping",
    "unlatched(ok)": "stopping(makeSafe) stop stopping",
    "unlatched(failed)": "stopped",
    "tick(late)": "stopped",
  },
  "makingSafe(standstill)": {
    leased: "same release",
    "leased(other id)": "same release",
    "tripped(z)": "stopping(stopped) stop stopping",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    "still(z)": "makingSafe(lease) lease",
    restarted: "stopping(undecided) stop stopping",
    "tick(late)": "makingSafe(lease) safe.ended safe.started lease",
  },
  "makingSafe(lease)": {
    leased: "makingSafe(operation) send",
    "leased(other id)": "same release",
    leaseRefused: "makingSafe(lease)",
    "leaseRefused(held)": "makingSafe(lease)",
    "tripped(z)": "stopping(stopped) stop stopping",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided) stop stopping",
    "tick(late)": "makingSafe(lease) safe.ended safe.started lease",
  },
  "makingSafe(command)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "makingSafe(lease) stop safe.ended safe.started lease",
    "tripped(z)": "stopping(stopped) stop stopping",
    accepted: "makingSafe(operation)",
    "verdict(done)": "makingSafe(lease) safe.ended safe.started lease",
    "verdict(refused)": "makingSafe(operation) send",
    "verdict(faulted)": "makingSafe(lease) stop safe.ended safe.started lease",
    "verdict(unknown)": "makingSafe(lease) stop safe.ended safe.started lease",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided) stop stopping",
    reconnected: "same send",
    "tick(late)": "makingSafe(lease) stop safe.ended safe.started lease",
  },
  "releasing(completed)": {
    leased: "same release",
    "leased(other id)": "same release",
    "operatorStop(new)": "releasing(completed)",
    "operatorStop(same)": "releasing(completed)",
    restarted: "completed ended",
    released: "completed ended",
    "tick(late)": "completed ended",
  },
  "releasing(madeSafe)": {
    leased: "same release",
    "leased(other id)": "same release",
    "operatorStop(new)": "releasing(madeSafe)",
    "operatorStop(same)": "releasing(madeSafe)",
    restarted: "madeSafe ended",
    released: "madeSafe ended",
    "tick(late)": "madeSafe ended",
  },
  "releasing(needsOperator)": {
    leased: "same release",
    "leased(other id)": "same release",
    "verdict(done)": "releasing(needsOperator) step.ended",
    "verdict(refused)": "releasing(needsOperator) step.ended",
    "verdict(faulted)": "releasing(needsOperator) step.ended",
    "verdict(unknown)": "releasing(needsOperator) step.ended",
    "operatorStop(new)": "releasing(needsOperator)",
    "operatorStop(same)": "releasing(needsOperator)",
    restarted: "needsOperator",
    released: "needsOperator",
    "tick(late)": "needsOperator",
  },
  completed: {
    leased: "same release",
    "leased(other id)": "same release",
  },
  madeSafe: {
    leased: "same release",
    "leased(other id)": "same release",
  },
  stopped: {
    leased: "same release",
    "leased(other id)": "same release",
    "operatorStop(new)": "stopped",
    makeSafe: "unlatching unlatch chosen",
    abandon: "abandoned ended",
  },
  needsOperator: {
    leased: "same release",
    "leased(other id)": "same release",
    "verdict(done)": "needsOperator step.ended",
    "verdict(refused)": "needsOperator step.ended",
    "verdict(faulted)": "needsOperator step.ended",
    "verdict(unknown)": "needsOperator step.ended",
    "operatorStop(new)": "needsOperator",
    "operatorStop(same)": "needsOperator",
    makeSafe: "stopping(makeSafe) stop stopping chosen",
    retry: "stopping(makeSafe) stop stopping chosen",
    abandon: "abandoned ended",
    skip: "stopping(makeSafe) stop stopping chosen",
    resolve: "madeSafe chosen ended",
  },
  abandoned: {
    leased: "same release",
    "leased(other id)": "same release",
  },
};

const stateNames = Object.keys(states) as StateName[];
const eventNames = Object.keys(events);

describe("the saga machine by its full table", () => {
  let cells = 0;
  for (const state of stateNames) {
    for (const event of eventNames) {
      cells += 1;
      const wanted = table[state][event] ?? "-";
      test(`${state} + ${event} → ${wanted}`, () => {
        const got = outcome(states[state](), event);
        expect(got).toBe(wanted);
        const kinds = got.split(" ").slice(1);
        if (kinds.includes("stop")) expect(kinds[0]).toBe("stop");
      });
    }
  }

  test("every cell was looked at, and the table names no other", () => {
    expect(cells).toBe(23 * 54);
    for (const state of stateNames) {
      for (const event of Object.keys(table[state])) expect(eventNames).toContain(event);
    }
  });
});

describe.each(stateNames)("%s", (state) => {
  test("is active, waits for a person, or has ended: exactly one of them", () => {
    const { run } = states[state]();
    expect([isActive(run), isWaiting(run), isEnded(run)].filter(Boolean)).toHaveLength(1);
  });

  test("has a limit exactly while it is active", () => {
    const { run } = states[state]();
    expect(dueMs(run) !== undefined).toBe(isActive(run));
    if (!isActive(run)) expect(awaitedIds(run)).toEqual([]);
  });

  test("is shown in a state of the contract, with choices only where a person has to choose", () => {
    const { run } = states[state]();
    const record = recordOf(run, () => "seen");
    expect(runStates).toContain(record.state);
    expect(record.choices.length > 0).toBe(isWaiting(run));
    expect(record.unknowns.length > 0).toBe(run.phase.at === "needsOperator");
    expect(record.endedAt !== undefined).toBe(isEnded(run));
  });
});
