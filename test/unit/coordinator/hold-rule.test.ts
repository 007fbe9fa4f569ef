/**
 * Who may hold a button when: every mode and state, and each reason against it.
 *
 * The idea: a table of all states in all modes, counted; then one fact changed at a time in a cell
 * where the press is allowed. It refuses to look at drivers.
 */
import { describe, expect, it } from "vitest";
import { cellModes } from "#kernel/config/saga.js";
import { cellStates } from "#kernel/contract/payloads.js";
import {
  type HoldAsk,
  type HoldFacts,
  holdRefusal,
} from "../../../services/coordinator/hold-rule.js";

const ask: HoldAsk = { device: "x", bypass: [], text: undefined };
const good: HoldFacts = {
  mode: "Manual",
  state: "Idle",
  latched: [],
  trouble: undefined,
  excluded: false,
  runs: [],
  held: [],
  interlocks: [
    { name: "z-up", moves: ["x", "y"], evaluator: "z" },
    { name: "belt", moves: ["c"], evaluator: "gripper" },
  ],
};

const never = ["Clearing", "Stopping", "Aborting", "Aborted", "Resetting"];

describe("modes and states", () => {
  const all = cellModes.flatMap((mode) => cellStates.map((state) => [mode, state] as const));
  it.each(all)("%s, %s", (mode, state) => {
    const may = mode !== "Production" && !never.includes(state);
    const code = may ? undefined : "STATE_CONFLICT";
    expect(holdRefusal(ask, { ...good, mode, state })?.code).toBe(code);
  });
});

const run = (...uses: string[]) => [{ run: "R1", uses }];
const bypass: HoldAsk = { ...ask, bypass: ["z-up"], text: "z is stuck" };
const maintenance = { mode: "Maintenance" } as const;

describe("one reason at a time", () => {
  it.each<[string, HoldAsk, Partial<HoldFacts>, string | undefined]>([
    ["nothing against it", ask, {}, undefined],
    ["a stop is latched", ask, { latched: ["S1"] }, "LATCHED"],
    ["the disk is full", ask, { trouble: "STORE_FULL" }, "STORE_FULL"],
    ["the disk fails", ask, { trouble: "STORE_LOCKED" }, "STORE_FAILED"],
    ["out of use", ask, { excluded: true }, "EXCLUDED"],
    ["an open run uses it", ask, { runs: run("x") }, "STATE_CONFLICT"],
    ["an open run uses what its interlock reads", ask, { runs: run("z") }, "INTERLOCKED"],
    ["an open run uses what shares its interlock", ask, { runs: run("y") }, "INTERLOCKED"],
    ["an open run uses something else", ask, { runs: run("c", "gripper") }, undefined],
    ["somebody holds it", ask, { held: ["x"] }, "LEASE_HELD"],
    ["somebody holds what its interlock reads", ask, { held: ["z"] }, "INTERLOCKED"],
    ["somebody holds something else", ask, { held: ["c"] }, undefined],
    [
      "what the interlock reads, while x is held",
      { ...ask, device: "z" },
      { held: ["x"] },
      "INTERLOCKED",
    ],
    ["a bypass in Manual", bypass, {}, "INTERLOCKED"],
    ["a bypass in Maintenance", bypass, maintenance, undefined],
    ["a bypass without a reason", { ...bypass, text: undefined }, maintenance, "VALIDATION_FAILED"],
    ["a bypass of another's interlock", { ...bypass, bypass: ["belt"] }, maintenance, "NOT_FOUND"],
    ["a bypass of none that there is", { ...bypass, bypass: ["y-up"] }, maintenance, "NOT_FOUND"],
  ])("%s", (_name, asked, change, code) => {
    expect(holdRefusal(asked, { ...good, ...change })?.code).toBe(code);
  });
});
