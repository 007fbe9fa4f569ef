/**
 * What a person reads of a run, and the spelling of faults.
 * The idea: records in, lines out. It refuses gateways.
 */
import { expect, test } from "vitest";
import type { RunRecord, RunStep } from "#kernel/contract/payloads.js";
import { parseFault } from "../../../services/cli/fault-option.js";
import { exitCodeOf, RunReport } from "../../../services/cli/run-report.js";

function step(name: string, facts: Partial<RunStep> = {}): RunStep {
  return { name, text: `z.${name}`, status: "pending", safe: "none", ...facts };
}
function run(facts: Partial<RunRecord>): RunRecord {
  return {
    run: "R1",
    saga: "take",
    version: "v",
    state: "running",
    cause: { code: "NONE", text: "" },
    by: { user: "a", role: "operator" },
    startedAt: 1_000,
    steps: [],
    unknowns: [],
    choices: [],
    ...facts,
  };
}

test("run report: each step once, as it ends, with its duration (records=4)", () => {
  const report = new RunReport();
  const up = step("up", { status: "done", durationMs: 840 });
  expect(report.take(run({ steps: [step("up", { status: "running" }), step("lower")] }))).toEqual(
    [],
  );
  expect(report.take(run({ steps: [up, step("lower")] }))).toEqual(["✔ up     z.up  0.84 s"]);
  expect(report.take(run({ steps: [up, step("lower")] }))).toEqual([]);
  const lower = step("lower", { status: "done", durationMs: 10 });
  const last = run({ state: "completed", endedAt: 3_500, steps: [up, lower] });
  expect(report.take(last)).toEqual(["✔ lower  z.lower  0.01 s", "✔ take: completed after 2.50 s"]);
});

test("run report: made safe in reverse, then the end with its cause, what is unknown, the choices", () => {
  const steps = [
    step("up", { status: "done", durationMs: 1, safe: "done", safeText: "z.moveTo" }),
    step("grip", {
      status: "faulted",
      durationMs: 20,
      error: { code: "NO_PART", text: "closed on nothing" },
      safe: "failed",
      safeText: "gripper.release",
      safeError: { code: "DEVICE_UNREACHABLE", text: "no reply" },
    }),
  ];
  const lines = new RunReport().take(
    run({
      state: "needsOperator",
      cause: { code: "NO_PART", text: "grip: closed on nothing" },
      steps,
      unknowns: [{ device: "gripper", text: "may hold a part" }],
      choices: ["retry", "abandon"],
    }),
  );
  expect(lines.join("\n").split("\n")).toEqual([
    "✔ up    z.up  0.00 s",
    "✘ grip  z.grip  0.02 s  faulted: closed on nothing (NO_PART)",
    "✘ grip  not made safe: gripper.release: no reply (DEVICE_UNREACHABLE)",
    "↩ up    made safe: z.moveTo",
    "■ take: needsOperator: grip: closed on nothing (NO_PART)",
    "  not known: gripper: may hold a part",
    "  to choose: retry, abandon (run R1)",
  ]);
});

test.each([
  ["completed", 0],
  ["madeSafe", 2],
  ["needsOperator", 3],
  ["stopped", 4],
  ["running", 1],
] as const)("run report: exit code (state=%s)", (state, code) => {
  expect(exitCodeOf(run({ state }))).toBe(code);
});

test.each([
  ["gripper=noPart@grip", { device: "gripper", fault: "noPart", step: "grip" }],
  ["z=stuck", { device: "z", fault: "stuck" }],
  ["x=delay:50@lift", { device: "x", fault: "delay", value: 50, step: "lift" }],
  ["x=drop:replies", { device: "x", fault: "drop", value: "replies" }],
])("fault: understood (text=%s)", (text, fault) => {
  expect(parseFault(text)).toEqual(fault);
});

test.each(["", "z", "z=", "=stuck", "z=stuck@", "Z stuck"])("fault: refused (text=%s)", (text) => {
  expect(() => parseFault(text)).toThrowError(
    expect.objectContaining({ code: "VALIDATION_FAILED" }),
  );
});

test("run report: a step of a loop each time, questions and waits once until they come back", () => {
  const report = new RunReport();
  const turn = (times: number) => step("up", { status: "done", durationMs: 5, times });
  expect(report.take(run({ steps: [turn(2)] }))).toHaveLength(1);
  expect(report.take(run({ steps: [turn(2)] }))).toHaveLength(0);
  expect(report.take(run({ steps: [turn(3)] }))).toHaveLength(1);
  const asks = [{ step: "ok", text: "Good?", choices: ["yes", "no"] }];
  const asked = run({ steps: [step("ok", { status: "running" })], asks, waits: "an answer" });
  expect(report.take(asked)).toEqual(["? ok: Good?  (servocell runs answer R1 ok yes|no)"]);
  expect(report.take(asked)).toEqual([]);
  expect(report.take(run({ steps: [], waits: "held" }))).toEqual(["… held"]);
  expect(report.take(run({ steps: [] }))).toEqual([]);
  expect(report.take(run({ steps: [], waits: "held" }))).toEqual(["… held"]);
});
