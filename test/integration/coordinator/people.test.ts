/**
 * What people and other services ask of the coordinator: inputs, waiting, answers, signals,
 * choices with a reason, devices out of use.
 *
 * The idea: every command goes through the door as it comes from the broker, and its answer, what
 * moved and what survives a restart are looked at. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { InputSpec, SagaDefinition } from "#kernel/config/saga.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const inputs: { readonly [name: string]: InputSpec } = {
  depth: { kind: "number", unit: "mm", min: 0, max: 50, default: 10 },
  count: { kind: "number", min: 1, max: 9 },
  slow: { kind: "boolean", default: false },
  tray: { kind: "text", choices: ["left", "right"], default: "left" },
};
const drill: SagaDefinition = { ...saga("drill", ["x"], [move("down", "x", 5)]), inputs };
const pick = saga("pick", ["x", "z"], [move("over", "x", 100), move("down", "z", 50)]);
const side = saga("side", ["y"], [move("push", "y", 7)]);
const late: SagaDefinition = { ...saga("late", ["z"], [move("last", "z", 9)]), priority: 2 };
const asks = saga(
  "asks",
  ["y"],
  [
    step("which", {
      action: { kind: "ask", text: "Which tray?", choices: ["left", "right"] },
      timeoutMs: 600_000,
    }),
    step("door", { action: { kind: "signal", signal: "door-closed" }, timeoutMs: 600_000 }),
    move("go", "y", 5),
  ],
);
/** The gripper y can be done without: z takes over. */
const twins: SagaDefinition = {
  ...saga(
    "twins",
    ["y", "z"],
    [
      { ...move("by-y", "y", 7), orElse: [1] },
      { ...move("by-z", "z", 8), parent: 0 },
    ],
  ),
  body: [0],
  spare: ["y"],
};

async function cell(): Promise<CoordinatorCell> {
  const sagas = [drill, pick, side, late, asks, twins];
  const made = new CoordinatorCell(cellConfig(["x", "y", "z"], sagas));
  await made.start();
  return made;
}

const start = (c: CoordinatorCell, args: { [name: string]: unknown }) =>
  c.ask("runCommand", "start", args as never);
const published = (c: CoordinatorCell) => c.bus.of("stateCell").at(-1);

test("inputs: everything that is wrong is said at once, and nothing is started", async () => {
  const c = await cell();
  const wrong = { depth: "60 mm", slow: 1, tray: "middle", dept: 3 };
  const answer = await start(c, { saga: "drill", run: "r", inputs: wrong });
  expect(answer?.error?.code).toBe("VALIDATION_FAILED");
  for (const word of ["depth", "count", "slow", "tray", "dept"]) {
    expect(answer?.error?.message).toContain(word);
  }
  expect(answer?.error?.detail?.problems).toHaveLength(5);
  expect(c.cellState).toBe("Idle");
  expect(() => c.record("r")).toThrow();
});

test("inputs: defaults are filled in, units are worked out, and the run shows what it has", async () => {
  const c = await cell();
  const given = { count: 3, depth: "1.2 cm" };
  const answer = await start(c, { saga: "drill", run: "r", inputs: given });
  expect(answer?.status).toBe("succeeded");
  expect(c.record("r").inputs).toEqual({ depth: 12, count: 3, slow: false, tray: "left" });
});

test.each([
  ["while it runs", 0, false],
  ["after its end", 3000, false],
  ["after a restart of the coordinator", 3000, true],
] as const)(
  "start by run id and body: the same is the same, another is none (%s)",
  async (_when, ms, again) => {
    const c = await cell();
    await start(c, { saga: "drill", run: "r", inputs: { count: 3, tray: "right" } });
    await c.run(ms);
    if (again) {
      c.kill();
      await c.start();
    }
    const moves = c.moves.length;
    for (const same of [
      { tray: "right", count: 3 },
      { tray: "right", count: 3, depth: 10 },
    ]) {
      const repeated = await start(c, { saga: "drill", run: "r", inputs: same });
      expect(repeated?.result).toMatchObject({ run: "r" });
    }
    for (const other of [{ count: 4, tray: "right" }, { count: 3 }]) {
      const refused = await start(c, { saga: "drill", run: "r", inputs: other });
      expect(refused?.error?.code).toBe("DUPLICATE_ID");
    }
    const another = await start(c, { saga: "side", run: "r" });
    expect(another?.error?.code).toBe("DUPLICATE_ID");
    await c.run(3000);
    expect(c.moves.length).toBe(Math.max(moves, 1));
  },
);

test("wait: refused without it by name, accepted with it, and started when the devices are free", async () => {
  const c = await cell();
  c.driver("x").scriptNext("moveTo", { afterMs: 1000, verdict: { verdict: "done", result: {} } });
  await start(c, { saga: "pick", run: "p" });
  const refused = await start(c, { saga: "drill", inputs: { count: 1 } });
  expect(refused?.error?.message).toBe("The run p (pick) has x.");
  const waits = await start(c, { saga: "drill", run: "d", wait: true, inputs: { count: 1 } });
  expect(waits?.status).toBe("succeeded");
  expect(c.record("d")).toMatchObject({
    state: "pending",
    waits: expect.stringMatching(/^waits for x \(the run \w+ has it\)$/),
  });
  expect(c.moves).toEqual(["x moveTo 100"]);
  await c.run(4000);
  expect(c.record("d").state).toBe("completed");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "x moveTo 5"]);
  expect(c.cellState).toBe("Complete");
});

test("wait: who does not wait does not overtake who does", async () => {
  const c = await cell();
  c.driver("x").scriptNext("moveTo", { afterMs: 1000, verdict: { verdict: "done", result: {} } });
  await start(c, { saga: "drill", run: "d", inputs: { count: 1 } });
  await start(c, { saga: "pick", run: "p", wait: true });
  // z is free, but it is what the waiting run needs beside x.
  const refused = await start(c, { saga: "late", run: "l" });
  expect(refused?.error?.message).toBe("The run p (pick) waits for z.");
  await start(c, { saga: "late", run: "l", wait: true });
  await c.run(6000);
  expect(c.moves).toEqual(["x moveTo 5", "x moveTo 100", "z moveTo 50", "z moveTo 9"]);
});

test("a run that waits is cancelled without moving anything, and the others go on", async () => {
  const c = await cell();
  c.driver("x").scriptNext("moveTo", { afterMs: 1000, verdict: { verdict: "done", result: {} } });
  await start(c, { saga: "pick", run: "p" });
  await start(c, { saga: "drill", run: "d", wait: true, inputs: { count: 1 } });
  await c.ask("runCommand", "cancel", { run: "d" });
  expect(c.record("d").state).toBe("madeSafe");
  await c.run(4000);
  expect(c.record("p").state).toBe("completed");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
});

test.each([
  ["0.5 s", 500, "completed"],
  ["20 s", 20_000, "madeSafe"],
] as const)(
  "a run that waits when the coordinator dies begins by itself only if it may (gap=%s)",
  async (_gap, gapMs, end) => {
    const patient: SagaDefinition = { ...side, name: "patient", onRestart: "resume" };
    const c = new CoordinatorCell(cellConfig(["x", "y"], [side, patient]));
    await c.start();
    c.driver("y").scripts.set("moveTo#1", "hang");
    await start(c, { saga: "side", run: "s" });
    await start(c, { saga: "patient", run: "p", wait: true });
    await c.run(1200);
    c.kill();
    await c.run(gapMs);
    await c.start();
    await c.run(8000);
    if (c.record("s").state === "stopped") {
      // It is a person's turn, and nothing has moved since.
      expect(c.moves).toEqual(["y moveTo 7"]);
      await c.ask("runCommand", "makeSafe", { run: "s" });
      await c.run(3000);
    }
    expect(c.record("s").state).toBe("madeSafe");
    expect(c.record("p").state).toBe(end);
  },
);

test("answer and signal: only what is asked for now, only what is offered", async () => {
  const c = await cell();
  const run = await c.startRun("asks");
  const say = (verb: string, args: object) => c.ask("runCommand", verb, { run, ...args });
  expect((await say("signal", { name: "door-closed" }))?.error?.code).toBe("STATE_CONFLICT");
  const odd = await say("answer", { step: "which", choice: "middle" });
  expect(odd?.error?.message).toBe(
    '"middle" is no answer to which; it asks for one of left, right.',
  );
  expect((await say("answer", { step: "go", choice: "left" }))?.error?.code).toBe("STATE_CONFLICT");
  expect((await say("answer", { step: "which", choice: "left" }))?.status).toBe("succeeded");
  expect((await say("answer", { step: "which", choice: "left" }))?.error?.code).toBe(
    "STATE_CONFLICT",
  );
  expect((await say("signal", { name: "door-open" }))?.error?.code).toBe("STATE_CONFLICT");
  expect((await say("signal", { name: "door-closed" }))?.status).toBe("succeeded");
  await c.run(1000);
  expect(c.record(run).state).toBe("completed");
  const answered = c.bus.of("event").find(({ type }) => type.endsWith("answered"));
  expect(answered?.data).toMatchObject({ step: "which", choice: "left", user: "ann" });
});

test("the same answer under the same id is one answer, also after a restart", async () => {
  const c = await cell();
  const resumed: SagaDefinition = { ...asks, onRestart: "resume" };
  const other = new CoordinatorCell(cellConfig(["y"], [resumed]));
  await other.start();
  const run = await other.startRun("asks");
  const args = { run, step: "which", choice: "left" };
  const first = await other.ask("runCommand", "answer", args, "A1");
  const again = await other.ask("runCommand", "answer", args, "A1");
  expect(again?.result).toEqual(first?.result);
  other.kill();
  await other.start();
  await other.run(3000);
  const third = await other.ask("runCommand", "answer", args, "A1");
  expect(third?.result).toEqual(first?.result);
  const changed = await other.ask("runCommand", "answer", { ...args, choice: "right" }, "A1");
  expect(changed?.error?.code).toBe("DUPLICATE_ID");
  expect(c.moves).toEqual([]);
});

test("skip and resolve need a reason, which is told with the name", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", {
    afterMs: 10,
    verdict: { verdict: "faulted", code: "DRIVE_FAULT", text: "fault 1" },
  });
  c.driver("z").scripts.set("moveTo#2", {
    afterMs: 10,
    verdict: { verdict: "faulted", code: "DRIVE_FAULT", text: "fault 2" },
  });
  const run = await c.startRun("pick");
  await c.run(4000);
  expect(c.record(run).state).toBe("needsOperator");
  expect(c.record(run).choices).toEqual(["retry", "makeSafe", "skip", "resolve", "abandon"]);
  for (const args of [{ run }, { run, text: " " }, { run, text: 5 }]) {
    expect((await c.ask("runCommand", "resolve", args))?.error?.code).toBe("VALIDATION_FAILED");
  }
  const text = "z is clear of the part, looked at it";
  expect((await c.ask("runCommand", "resolve", { run, text }))?.status).toBe("succeeded");
  expect(c.record(run)).toMatchObject({ state: "madeSafe" });
  expect(c.record(run).cause.text).toContain(`resolved by ann: ${text}`);
  const chosen = c.bus.of("event").find(({ type }) => type.endsWith("chosen"));
  expect(chosen?.data).toMatchObject({ choice: "resolve", user: "ann", text });
});

test("exclude: sagas that need the device are refused by name, also after a restart", async () => {
  const c = await cell();
  const text = "its finger is bent";
  const taken = await c.ask("cellCommand", "exclude", { device: "y", text });
  expect(taken?.result).toEqual({ device: "y", excluded: ["y"] });
  expect(published(c)?.excluded).toEqual(["y"]);
  const words = "y is out of use (by ann: its finger is bent); the saga needs it.";
  const refused = await start(c, { saga: "side" });
  expect(refused?.error).toMatchObject({ code: "EXCLUDED", message: words });
  c.kill();
  await c.start();
  expect(published(c)?.excluded).toEqual(["y"]);
  expect((await start(c, { saga: "side" }))?.error?.message).toBe(words);
  expect((await c.ask("cellCommand", "include", { device: "y" }))?.status).toBe("succeeded");
  expect(published(c)?.excluded).toBeUndefined();
  expect((await start(c, { saga: "side" }))?.status).toBe("succeeded");
  const told = c.bus.of("event").filter(({ type }) => /device\.(ex|in)cluded$/.test(type));
  expect(told.map(({ data }) => data.user)).toEqual(["ann", "ann"]);
});

test("exclude: a saga with a backup plan for the device goes without it", async () => {
  const c = await cell();
  await c.ask("cellCommand", "exclude", { device: "y" });
  const answer = await start(c, { saga: "twins", run: "t" });
  expect(answer?.status).toBe("succeeded");
  await c.run(3000);
  expect(c.record("t").state).toBe("completed");
  expect(c.moves).toEqual(["z moveTo 8"]);
  expect(c.driver("y").epoch).toBe(0);
});

test.each(["open", "half-open"] as const)(
  "a spare device with its breaker %s: the run begins without it, and it is not asked",
  async (breaker) => {
    const c = await cell();
    c.driver("y").breaker = breaker;
    c.driver("y").say();
    await c.run(10);
    await start(c, { saga: "twins", run: "t" });
    // Nothing of it is waited for.
    expect(c.moves).toEqual(["z moveTo 8"]);
    expect(c.driver("y").epoch).toBe(0);
    await c.run(1000);
    expect(c.record("t").state).toBe("completed");
    const told = c.bus.of("event").find(({ type }) => type === "run.missing");
    expect(told?.data).toMatchObject({ device: "y", code: "BREAKER_OPEN" });
  },
);

test("a spare device whose driver is not there: the run begins without it at once", async () => {
  const c = await cell();
  c.driver("y").die();
  c.bus.cut("driver-y", c.driver("y").bootId);
  await c.run(10);
  await start(c, { saga: "twins", run: "t" });
  expect(c.moves).toEqual(["z moveTo 8"]);
  await c.run(1000);
  expect(c.record("t").state).toBe("completed");
});

test("exclude: refused for a device that there is not, and for one that a run has", async () => {
  const c = await cell();
  const unknown = await c.ask("cellCommand", "exclude", { device: "q" });
  expect(unknown?.error?.code).toBe("NOT_FOUND");
  c.driver("x").scriptNext("moveTo", { afterMs: 1000, verdict: { verdict: "done", result: {} } });
  await c.startRun("pick");
  const busy = await c.ask("cellCommand", "exclude", { device: "z" });
  expect(busy?.error?.message).toBe("The run run-pick (pick) has z; end it first.");
  const never = await c.ask("cellCommand", "include", { device: "z" });
  expect(never?.error?.code).toBe("STATE_CONFLICT");
});
