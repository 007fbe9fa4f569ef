/**
 * The saga machine by its full table, second half: threads, questions, retries, holds, restarts.
 *
 * The idea: as in saga-machine.test.ts: every state that these bring with them, every event, and
 * what the table does not name means nothing there. It refuses events and states that it does not
 * know.
 */
import { describe, expect, test } from "vitest";
import { runStates } from "#kernel/contract/payloads.js";
import { dueMs } from "../../../services/coordinator/run-due.js";
import { isActive } from "../../../services/coordinator/run-state.js";
import { recordOf } from "../../../services/coordinator/run-view.js";
import { events, outcome } from "../../fixtures/coordinator/saga-states.js";
import {
  type ThreadStateName,
  threadStates,
} from "../../fixtures/coordinator/saga-thread-states.js";

const table: { readonly [S in ThreadStateName]: { readonly [event: string]: string } } = {
  waiting: {
    leased: "same release",
    "leased(other id)": "same release",
    failed: "madeSafe ended",
    cancelled: "madeSafe ended",
    "operatorStop(new)": "madeSafe ended",
    "operatorStop(same)": "madeSafe ended",
    "operatorStop(unlatched)": "madeSafe ended",
    restarted: "madeSafe ended",
    "ruled(waits)": "madeSafe ended",
    locked: "pending lease",
    hold: "waiting held",
    suspend: "waiting held",
  },
  "running(event)": {
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
    happened: "running(verdict) step.ended step.started send",
    hold: "running(event) held",
    suspend: "running(event) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(signal)": {
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
    signalled: "running(verdict) signalled step.ended step.started send",
    hold: "running(signal) held",
    suspend: "running(signal) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(ask)": {
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
    answered: "running(verdict) answered step.ended step.started send",
    hold: "running(ask) held",
    suspend: "running(ask) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(readings)": {
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
    evaluated: "running(verdict) send",
    "evaluated(unknown)": "stopping(makeSafe) stop step.ended stopping",
    hold: "running(readings) held",
    suspend: "running(readings) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(backoff)": {
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
    hold: "running(backoff) held",
    suspend: "running(backoff) held",
    "tick(held)": "running(verdict) send",
    "tick(late)": "running(verdict) send",
  },
  "running(stilling)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    "still(z)": "running(lease) lease",
    "notStill(z)": "stopping(makeSafe) stop step.ended stopping",
    restarted: "stopping(undecided) stop stopping step.ended",
    hold: "running(stilling) held",
    suspend: "running(stilling) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(stilling, leaving)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    "still(z)": "running(lease) lease",
    "notStill(z)": "stopping(makeSafe) stop step.ended stopping",
    restarted: "stopping(undecided) stop stopping step.ended",
    hold: "running(stilling) held",
    suspend: "running(stilling) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(lease)": {
    leased: "running(backoff)",
    "leased(other id)": "same release",
    leaseRefused: "running(lease)",
    "leaseRefused(held)": "stopping(makeSafe) stop step.ended stopping",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    restarted: "stopping(undecided) stop stopping step.ended",
    hold: "running(lease) held",
    suspend: "running(lease) held",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(lease again)": {
    leased: "running(backoff)",
    "leased(other id)": "same release",
    leaseRefused: "running(lease)",
    "leaseRefused(held)": "stopping(makeSafe) stop step.ended stopping",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    restarted: "stopping(undecided) stop stopping step.ended",
    hold: "running(lease) held",
    suspend: "running(lease) held",
    "tick(held)": "running(lease) lease",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping",
  },
  "running(join)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping step.ended",
    "tripped(z)": "stopping(stopped) stop stopping step.ended",
    accepted: "running(join,verdict,verdict)",
    "verdict(done)": "running(join,verdict) step.ended",
    "verdict(refused)": "stopping(makeSafe) stop step.ended stopping step.ended",
    "verdict(faulted)": "stopping(makeSafe) stop step.ended stopping step.ended",
    "verdict(unknown)": "stopping(makeSafe) stop step.ended stopping step.ended",
    failed: "stopping(makeSafe) stop stopping step.ended",
    cancelled: "stopping(makeSafe) stop stopping step.ended",
    "operatorStop(new)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(same)": "stopping(stopped) stop stopping step.ended",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping step.ended",
    restarted: "stopping(undecided,doubt) stop stopping step.ended",
    reconnected: "same send send",
    hold: "running(join,verdict,verdict) held",
    suspend: "running(join,verdict,verdict) held",
    "tick(held)": "running(join,verdict,verdict) send",
    "tick(late)": "stopping(makeSafe) stop step.ended stopping step.ended",
  },
  "running(parked)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe) stop stopping",
    "tripped(z)": "stopping(stopped) stop stopping",
    failed: "stopping(makeSafe) stop stopping",
    cancelled: "stopping(makeSafe) stop stopping",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided) stop stopping",
    unhold: "running(verdict) unheld step.started send",
  },
  "running(pause)": {
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
    hold: "running(pause) held",
    suspend: "running(pause) held",
    "tick(held)": "running(pause)",
    "tick(early)": "running(pause)",
    "tick(late)": "running(pause)",
  },
  "stopping(undecided, threads)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(undecided,doubt)",
    "tripped(z)": "stopping(stopped,threads,doubt)",
    "verdict(done)": "stopping(undecided,threads,doubt) step.ended",
    "verdict(refused)": "stopping(undecided,threads,doubt) step.ended",
    "verdict(faulted)": "stopping(undecided,threads,doubt) step.ended",
    "verdict(unknown)": "stopping(undecided,threads,doubt) step.ended",
    failed: "stopping(undecided,doubt)",
    cancelled: "stopping(undecided,doubt)",
    "operatorStop(new)": "stopping(stopped,threads,doubt)",
    "operatorStop(same)": "stopping(stopped,threads,doubt)",
    "operatorStop(unlatched)": "stopping(stopped,threads,doubt)",
    "still(z)": "stopping(undecided,threads,doubt) query",
    "notStill(z)": "stopping(undecided,threads,doubt) query",
    queried: "stopping(undecided,threads) step.ended",
    restarted: "stopping(undecided,threads,doubt) stop stopping",
    "ruled(makeSafe)": "stopping(resume,threads,doubt)",
    "ruled(waits)": "stopping(stopped,threads,doubt)",
    "tick(late)": "stopping(undecided,threads)",
  },
  "stopping(resume)": {
    leased: "same release",
    "leased(other id)": "same release",
    "leaseLost(z)": "stopping(makeSafe,doubt)",
    "tripped(z)": "stopping(stopped,threads,doubt)",
    "verdict(done)": "stopping(resume,threads,doubt) step.ended",
    "verdict(refused)": "stopping(resume,threads,doubt) step.ended",
    "verdict(faulted)": "stopping(resume,threads,doubt) step.ended",
    "verdict(unknown)": "stopping(resume,threads,doubt) step.ended",
    failed: "stopping(makeSafe,doubt)",
    cancelled: "stopping(makeSafe,doubt)",
    "operatorStop(new)": "stopping(stopped,threads,doubt)",
    "operatorStop(same)": "stopping(stopped,threads,doubt)",
    "operatorStop(unlatched)": "stopping(stopped,threads,doubt)",
    "still(z)": "stopping(resume,threads,doubt) query",
    "notStill(z)": "stopping(resume,threads,doubt) query",
    queried: "stopping(resume,threads) step.ended",
    restarted: "stopping(undecided,threads,doubt) stop stopping",
    "tick(late)": "makingSafe(standstill) step.ended safe.started",
  },
  "pending(resumed)": {
    leased: "pending lease",
    "leased(other id)": "same release",
    leaseRefused: "pending",
    "leaseRefused(held)": "stopping(makeSafe) stop stopping",
    "leaseLost(z)": "stopping(makeSafe) stop stopping",
    "tripped(z)": "stopping(stopped) stop stopping",
    failed: "stopping(makeSafe) stop stopping",
    cancelled: "stopping(makeSafe) stop stopping",
    "operatorStop(new)": "stopping(stopped) stop stopping",
    "operatorStop(same)": "stopping(stopped) stop stopping",
    "operatorStop(unlatched)": "stopping(stopped) stop stopping",
    restarted: "stopping(undecided,threads) stop stopping",
    hold: "pending held",
    suspend: "pending held",
    "tick(late)": "stopping(makeSafe) stop stopping",
  },
};

const stateNames = Object.keys(threadStates) as ThreadStateName[];
const eventNames = Object.keys(events);

describe("the saga machine by its full table, threads and what they wait for", () => {
  let cells = 0;
  for (const state of stateNames) {
    for (const event of eventNames) {
      cells += 1;
      const wanted = table[state][event] ?? "-";
      test(`${state} + ${event} → ${wanted}`, () => {
        const got = outcome(threadStates[state](), event);
        expect(got).toBe(wanted);
        const kinds = got.split(" ").slice(1);
        if (kinds.includes("stop")) expect(kinds[0]).toBe("stop");
      });
    }
  }

  test("every cell was looked at, and the table names no other", () => {
    expect(cells).toBe(16 * 54);
    for (const state of stateNames) {
      for (const event of Object.keys(table[state])) expect(eventNames).toContain(event);
    }
  });
});

describe.each(stateNames)("%s", (state) => {
  test("is active, and has a limit unless it waits for a person or for other runs", () => {
    const { run } = threadStates[state]();
    expect(isActive(run)).toBe(true);
    const open = state === "waiting" || state === "running(parked)";
    expect(dueMs(run) === undefined).toBe(open);
  });

  test("is shown in a state of the contract, without a choice", () => {
    const record = recordOf(threadStates[state]().run, () => "seen");
    expect(runStates).toContain(record.state);
    expect(record.choices).toEqual([]);
  });
});
