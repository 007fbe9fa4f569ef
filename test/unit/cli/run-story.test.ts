/**
 * A run's journal as a timeline and as a trace.
 * The idea: a history as the gateway gives it, written by hand; the trace is checked against the
 * rules of its format. It refuses gateways.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunStep } from "#kernel/contract/payloads.js";
import type { RunHistory } from "#kernel/contract/run-history.js";
import { exported, runExportSchema } from "../../../services/cli/run-export.js";
import { timelineOf } from "../../../services/cli/run-timeline.js";
import { type Trace, traceOf } from "../../../services/cli/run-trace.js";

const startedAt = 1_700_000_000_000;

function step(name: string, facts: Partial<RunStep> = {}): RunStep {
  return { name, text: `do ${name}`, status: "done", safe: "none", ...facts };
}

/** Rows at so many ms from the start. */
function history(
  rows: readonly (readonly [ms: number, type: string, data?: object])[],
  steps: RunStep[],
  facts: Partial<RunHistory> = {},
): RunHistory {
  const by = { user: "ann", role: "operator" };
  const head = { run: "R1", saga: "take", version: "v1", by, startedAt };
  const record = {
    ...{ ...head, state: "madeSafe" as const, endedAt: startedAt + 900 },
    ...{ cause: { code: "DRIVE_FAULT", text: "down: overload" }, steps, unknowns: [] },
    choices: [],
  };
  return {
    ...head,
    state: "madeSafe",
    endedAt: startedAt + 900,
    inputs: { height: 12 },
    rows: rows.map(([ms, type, data = {}], i) => {
      return { seq: i + 1, type, at: startedAt + ms, data: { ...data } };
    }),
    record,
    ...facts,
  };
}

const done = { verdict: "done", result: {} };
const faulted = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" };
const intent = (id: string, name: string, device: string, part = "run") => {
  return { id, step: name, part, device, verb: "moveTo" };
};

const told = history(
  [
    [0, "leased", { id: "K-0", device: "x", epoch: 3, nowMs: 5 }],
    [1, "intent", intent("K-1", "over", "x")],
    [101, "verdict", { id: "K-1", verdict: done }],
    [300, "tick", { nowMs: 9 }],
    [301, "intent", intent("K-2", "down", "z")],
    [400, "verdict", { id: "K-2", verdict: { ...faulted, text: "stiff" } }],
    [450, "intent", intent("K-3", "down", "z")],
    [500, "verdict", { id: "K-3", verdict: faulted }],
    [520, "still", { order: "S1", device: "x" }],
    [560, "still", { order: "S1", device: "z" }],
    [570, "intent", intent("K-4", "down", "z", "makeSafe")],
    [800, "verdict", { id: "K-4", verdict: done }],
    [820, "abandon", { text: "abandon by bob" }],
    [830, "skip", { user: "bob", text: "looked at it" }],
    [840, "neverHeardOf", { what: 1, nowMs: 3 }],
  ],
  [
    step("over", { startedAt: startedAt + 1, durationMs: 100 }),
    step("rest", { startedAt: startedAt + 101, durationMs: 199 }),
    step("down", { safeText: "z up" }),
  ],
);

test("timeline: intents and verdicts with their times, retries, the stop, make safe, who decided", () => {
  expect(timelineOf(told, false)).toEqual([
    "run R1 of take (v1)",
    "  started 2023-11-14T22:13:20.000Z by ann (operator)",
    "  inputs height 12",
    "    +0.001 s  ▶ over  do over",
    "    +0.101 s  ✔ over  done after 0.10 s",
    "    +0.101 s  ▶ rest  do rest",
    "    +0.300 s  ✔ rest  done after 0.20 s",
    "    +0.301 s  ▶ down  do down",
    "    +0.400 s  ✘ down  faulted after 0.10 s: stiff (DRIVE_FAULT)",
    "    +0.450 s  ▶ down, time 2  do down",
    "    +0.500 s  ✘ down  faulted after 0.05 s: overload (DRIVE_FAULT)",
    "    +0.500 s  ■ stop of its axes (S1)",
    "    +0.520 s  · x stands still",
    "    +0.560 s  · z stands still",
    "    +0.570 s  ↩ down is made safe  z up",
    "    +0.800 s  ✔ down  made safe after 0.23 s",
    "    +0.820 s  ☞ abandon: abandon by bob",
    "    +0.830 s  ☞ skip: looked at it by bob",
    '    +0.840 s  · neverHeardOf {"what":1}',
    "■ take: madeSafe after 0.90 s: down: overload (DRIVE_FAULT)",
  ]);
});

test("timeline: --all has the leases and ticks too; without a record it says what is missing", () => {
  const { record: _gone, ...rest } = told;
  const lines = timelineOf(rest, true);
  expect(lines).toContain("    +0.000 s  \u0020 lease of x, epoch 3");
  expect(lines).toContain("    +0.300 s  \u0020 tick");
  expect(lines.at(-1)).toBe("  the steps without a command are not told: it is too long");
});

/** The rules of the Trace Event Format that a viewer counts on. */
function expectWellFormed({ traceEvents, displayTimeUnit }: Trace): void {
  expect(displayTimeUnit).toBe("ms");
  const named = new Set<number>();
  const open = new Map<number, number[]>();
  let before = Number.NEGATIVE_INFINITY;
  for (const event of traceEvents) {
    expect(event.pid).toBe(1);
    expect(Number.isInteger(event.tid)).toBe(true);
    expect(typeof event.name).toBe("string");
    if (event.ph === "M") {
      expect(["process_name", "thread_name", "thread_sort_index"]).toContain(event.name);
      if (event.name === "thread_name") named.add(event.tid);
      continue;
    }
    expect(Number.isInteger(event.ts) && event.ts >= 0 && event.ts >= before).toBe(true);
    before = event.ts;
    expect(named).toContain(event.tid);
    expect(event.cat).not.toBe("");
    if (event.ph === "i") {
      expect(["p", "t"]).toContain(event.s);
      continue;
    }
    expect(Number.isInteger(event.dur) && event.dur >= 0).toBe(true);
    // Complete events of one track nest.
    const ends = open.get(event.tid) ?? [];
    while ((ends.at(-1) ?? Number.POSITIVE_INFINITY) <= event.ts) ends.pop();
    expect(event.ts + event.dur).toBeLessThanOrEqual(ends.at(-1) ?? Number.POSITIVE_INFINITY);
    open.set(event.tid, [...ends, event.ts + event.dur]);
  }
  expect(() => JSON.parse(JSON.stringify(traceEvents))).not.toThrow();
}

test("trace: a track for each device, steps as spans, make safe in its own category, stops as instants", () => {
  const trace = traceOf(told);
  expectWellFormed(trace);
  const tracks = trace.traceEvents.flatMap((event) =>
    event.ph === "M" && event.name === "thread_name" ? [[event.tid, event.args.name]] : [],
  );
  expect(tracks).toEqual([
    [1, "run"],
    [2, "x"],
    [3, "z"],
    [4, "steps"],
  ]);
  const spans = trace.traceEvents.flatMap((event) =>
    event.ph === "X" ? [[event.tid, event.cat, event.name, event.ts, event.dur]] : [],
  );
  expect(spans).toEqual([
    [1, "run", "take: madeSafe", 0, 900_000],
    [2, "step", "over", 1000, 100_000],
    [4, "step", "rest", 101_000, 199_000],
    [3, "step", "down", 301_000, 99_000],
    [3, "step", "down", 450_000, 50_000],
    [3, "makeSafe", "down", 570_000, 230_000],
  ]);
  const stops = trace.traceEvents.filter((event) => event.ph === "i" && event.cat === "stop");
  expect(stops).toMatchObject([{ ts: 500_000, s: "p", tid: 1, name: "stop" }]);
  const still = trace.traceEvents.filter((event) => event.ph === "i" && event.cat === "still");
  expect(still).toMatchObject([
    { tid: 2, s: "t" },
    { tid: 3, s: "t" },
  ]);
});

test("trace: steps that overlap without a command get tracks of their own; a command without an end reaches to the last", () => {
  const side = (name: string, from: number, durationMs: number) =>
    step(name, { startedAt: startedAt + from, durationMs });
  const rows = [[10, "intent", intent("K-1", "move", "x")]] as const;
  const trace = traceOf(
    history(rows, [side("both", 0, 500), side("a", 0, 300), side("b", 100, 400), step("move")]),
  );
  expectWellFormed(trace);
  const tids = trace.traceEvents.flatMap((event) =>
    event.ph === "X" ? [[event.name, event.tid]] : [],
  );
  expect(Object.fromEntries(tids)).toEqual({
    "take: madeSafe": 1,
    both: 3,
    a: 3,
    b: 4,
    move: 2,
  });
  const move = trace.traceEvents.find((event) => event.name === "move");
  expect(move).toMatchObject({ ts: 10_000, dur: 890_000, args: { verdict: "not known" } });
});

test("export: the whole history under its number, as its schema says", () => {
  const document = exported({ ...told, next: 15 });
  expect(runExportSchema.parse(JSON.parse(JSON.stringify(document)))).toEqual(document);
  expect(document).toMatchObject({ servocellRun: 1, run: "R1", rows: told.rows });
  expect(document).not.toHaveProperty("next");
});

test("trace: 500 runs with steps at any time, beside and inside each other: every track nests", () => {
  const spans = fc.array(fc.record({ from: fc.nat(500), ms: fc.nat(400) }), { maxLength: 12 });
  fc.assert(
    fc.property(spans, (all) => {
      const steps = all.map(({ from, ms }, i) =>
        step(`s${i}`, { startedAt: startedAt + from, durationMs: ms }),
      );
      const trace = traceOf(history([], steps));
      expectWellFormed(trace);
      const shown = trace.traceEvents.filter((event) => event.ph === "X" && event.cat === "step");
      expect(shown).toHaveLength(all.length);
    }),
    { numRuns: 500, seed: 3 },
  );
});
