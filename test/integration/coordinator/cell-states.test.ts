/**
 * The cell through the states of PackML, with real runs: hold, suspend, modes, and the ways out.
 *
 * The idea: the whole coordinator over scripted drivers; what it publishes as the state of the
 * cell is followed as a list, and what reaches the drivers says whether something really stood
 * still. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import type { SagaDefinition } from "#kernel/config/saga.js";
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

const pick = saga("pick", ["x", "z"], [move("over", "x", 100), move("down", "z", 50)]);
const side = saga("side", ["y"], [move("push", "y", 7), move("pull", "y", 1)]);
const asks = saga(
  "asks",
  ["x"],
  [
    step("which", {
      action: { kind: "ask", text: "Which tray?", choices: ["left", "right"] },
      timeoutMs: 600_000,
    }),
    move("go", "x", 5),
  ],
);
const tune: SagaDefinition = { ...saga("tune", ["y"], [move("touch", "y", 2)]), mode: "Manual" };
const lasting: SagaDefinition = { ...pick, name: "lasting", onRestart: "resume" };

async function cell(over: Partial<CellConfig> = {}): Promise<CoordinatorCell> {
  const config = cellConfig(["x", "y", "z"], [pick, side, asks, tune, lasting]);
  const made = new CoordinatorCell({ ...config, ...over });
  await made.start();
  return made;
}

/** The states of the cell since `from`, as its events tell them: none is left out. */
function states(c: CoordinatorCell): string[] {
  const events = c.bus.of("event").filter(({ type }) => type.endsWith("state.changed"));
  return events.map(({ data }) => String(data.to));
}

const published = (c: CoordinatorCell) => c.bus.of("stateCell").at(-1);
const tell = (c: CoordinatorCell, verb: string, args = {}) => c.ask("cellCommand", verb, args);

/** A run whose first move is under way until the test lets it end. */
async function moving(c: CoordinatorCell, name = "pick", device = "x"): Promise<string> {
  c.driver(device).scriptNext("moveTo", {
    afterMs: 1000,
    verdict: { verdict: "done", result: {} },
  });
  return c.startRun(name);
}

test("hold: the step under way ends, none is begun, then Held; unhold goes on with the next", async () => {
  const c = await cell();
  const run = await moving(c);
  expect(published(c)).toMatchObject({ state: "Execute", packml: 6 });
  expect((await tell(c, "hold"))?.status).toBe("succeeded");
  expect(published(c)).toMatchObject({ state: "Holding", packml: 10 });
  expect(published(c)?.reason.text).toBe("hold by ann");
  await c.run(2000);
  expect(published(c)).toMatchObject({ state: "Held", packml: 11 });
  expect(c.moves).toEqual(["x moveTo 100"]);
  expect(c.record(run)).toMatchObject({ state: "running", waits: "held" });
  await c.run(60_000);
  expect(c.cellState).toBe("Held");
  expect(c.moves).toEqual(["x moveTo 100"]);
  // Nobody else moves its axes meanwhile.
  expect(c.driver("z").holder?.name).toBe("coordinator");
  expect((await c.ask("runCommand", "start", { saga: "side" }))?.error?.code).toBe(
    "STATE_CONFLICT",
  );
  expect((await tell(c, "unhold"))?.status).toBe("succeeded");
  await c.run(1000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
  expect(c.record(run).state).toBe("completed");
  expect(states(c)).toEqual([
    "Idle",
    "Starting",
    "Execute",
    "Holding",
    "Held",
    "Unholding",
    "Execute",
    "Completing",
    "Complete",
  ]);
});

test("hold with two runs: Held only when both are parked (x moves 1 s, y 1.8 s)", async () => {
  const c = await cell();
  await moving(c);
  c.driver("y").scriptNext("moveTo", { afterMs: 1800, verdict: { verdict: "done", result: {} } });
  await c.startRun("side");
  await tell(c, "hold");
  await c.run(1100);
  expect(c.cellState).toBe("Holding");
  await c.run(1000);
  expect(c.cellState).toBe("Held");
  expect(c.moves).toEqual(["x moveTo 100", "y moveTo 7"]);
  await tell(c, "unhold");
  await c.run(2000);
  expect(c.cellState).toBe("Complete");
  expect(c.moves).toHaveLength(4);
});

test("hold while a question is open: Held at once; the answer is taken, and nothing begins", async () => {
  const c = await cell();
  const run = await c.startRun("asks");
  await tell(c, "hold");
  expect(c.cellState).toBe("Held");
  expect(c.record(run).asks).toEqual([
    { step: "which", text: "Which tray?", choices: ["left", "right"] },
  ]);
  const answer = await c.ask("runCommand", "answer", { run, step: "which", choice: "left" });
  expect(answer?.status).toBe("succeeded");
  await c.run(5000);
  expect(c.cellState).toBe("Held");
  expect(c.moves).toEqual([]);
  await tell(c, "unhold");
  await c.run(1000);
  expect(c.record(run).state).toBe("completed");
});

test("suspend by a person waits for a person; hold out of Suspended, unhold goes to Execute", async () => {
  const c = await cell();
  await moving(c);
  await tell(c, "suspend");
  expect(c.cellState).toBe("Suspending");
  await c.run(2000);
  expect(published(c)).toMatchObject({ state: "Suspended", packml: 5 });
  expect(c.record("run-pick").waits).toBe("suspended");
  await c.run(60_000);
  expect(c.cellState).toBe("Suspended");
  await tell(c, "hold");
  expect(c.cellState).toBe("Held");
  expect((await tell(c, "unsuspend"))?.error?.code).toBe("STATE_CONFLICT");
  await tell(c, "unhold");
  await c.run(1000);
  expect(c.cellState).toBe("Complete");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
});

test("unsuspend: Unsuspending, then Execute, and the run goes on", async () => {
  const c = await cell();
  await moving(c);
  await tell(c, "suspend");
  await c.run(2000);
  await tell(c, "unsuspend");
  await c.run(1000);
  expect(states(c).slice(3)).toEqual([
    "Suspending",
    "Suspended",
    "Unsuspending",
    "Execute",
    "Completing",
    "Complete",
  ]);
});

describe("out of every parked or parking state", () => {
  const parked = [
    ["Holding", "hold", 0],
    ["Held", "hold", 2000],
    ["Suspending", "suspend", 0],
    ["Suspended", "suspend", 2000],
  ] as const;

  async function parkedCell(verb: string, ms: number) {
    const c = await cell();
    const run: string = await moving(c);
    await tell(c, verb);
    await c.run(ms);
    return { c, run };
  }

  test.each(parked)(
    "%s: an operator's stop ends in Stopped, and nothing moves",
    async (state, verb, ms) => {
      const { c, run } = await parkedCell(verb, ms);
      expect(c.cellState).toBe(state);
      c.stopAll("s1");
      await c.run(3000);
      expect(c.cellState).toBe("Stopped");
      expect(c.record(run)).toMatchObject({ state: "stopped", choices: ["makeSafe", "abandon"] });
      expect(c.moves).toEqual(["x moveTo 100"]);
      // Neither unhold nor time moves it: a person chooses.
      expect((await tell(c, "unhold"))?.error?.code).toBe("STATE_CONFLICT");
      await c.run(30_000);
      expect(c.moves).toEqual(["x moveTo 100"]);
    },
  );

  test.each(parked)("%s: abort ends in Aborted", async (_state, verb, ms) => {
    const { c } = await parkedCell(verb, ms);
    c.stopAll("a1", "abort");
    await c.run(3000);
    expect(c.cellState).toBe("Aborted");
    expect(states(c).slice(-2)).toEqual(["Aborting", "Aborted"]);
  });

  test.each(parked)("%s: cancel makes safe and ends in Stopped", async (_state, verb, ms) => {
    const { c, run } = await parkedCell(verb, ms);
    await c.ask("runCommand", "cancel", { run });
    await c.run(3000);
    expect(c.record(run).state).toBe("madeSafe");
    expect(c.cellState).toBe("Stopped");
    expect(c.moves.at(-1)).toBe("x moveTo 0");
  });

  test.each(parked)(
    "%s: a lost lease fails the run, and the cell is Stopped",
    async (_state, verb, ms) => {
      const { c, run } = await parkedCell(verb, ms);
      c.driver("z").lapse("continuity");
      await c.run(3000);
      expect(c.record(run).state).toBe("madeSafe");
      expect(c.cellState).toBe("Stopped");
    },
  );

  test("Held, onRunFailure run: the other run stays parked, and unhold lets it go on", async () => {
    const c = await cell({ onRunFailure: "run" });
    await moving(c);
    await moving(c, "side", "y");
    await tell(c, "hold");
    await c.run(2000);
    expect(c.cellState).toBe("Held");
    await c.ask("runCommand", "cancel", { run: "run-pick" });
    await c.run(3000);
    expect(c.record("run-pick").state).toBe("madeSafe");
    expect(c.cellState).toBe("Held");
    expect(c.record("run-side").waits).toBe("held");
    await tell(c, "unhold");
    await c.run(2000);
    expect(c.record("run-side").state).toBe("completed");
    expect(c.cellState).toBe("Complete");
  });
});

test.each([
  ["Idle", async () => undefined],
  ["Complete", async (c: CoordinatorCell): Promise<unknown> => c.startRun("side")],
  [
    "Stopped",
    async (c: CoordinatorCell) => {
      c.stopAll("s1");
      await c.run(1000);
    },
  ],
] as const)(
  "%s: hold, unhold, suspend and unsuspend are refused with what is allowed",
  async (state, reach) => {
    const c = await cell();
    await reach(c);
    await c.run(2000);
    for (const verb of ["hold", "unhold", "suspend", "unsuspend"]) {
      const answer = await tell(c, verb);
      expect(answer?.error?.code).toBe("STATE_CONFLICT");
      expect(answer?.error?.message).toBe(`The cell is ${state}; ${verb} is not allowed.`);
      expect(answer?.error?.detail).toMatchObject({ state, allowed: published(c)?.allowed });
    }
    expect(c.cellState).toBe(state);
  },
);

test("clear: Aborted, Clearing, Stopped; reset follows, and nothing starts", async () => {
  const c = await cell();
  c.stopAll("a1", "abort");
  await c.run(1000);
  expect(c.cellState).toBe("Aborted");
  expect((await tell(c, "clear"))?.status).toBe("succeeded");
  expect((await tell(c, "reset", { stops: ["a1"] }))?.status).toBe("succeeded");
  await c.run(10_000);
  expect(states(c)).toEqual([
    "Idle",
    "Aborting",
    "Aborted",
    "Clearing",
    "Stopped",
    "Resetting",
    "Idle",
  ]);
  expect(c.moves).toEqual([]);
});

test("clear with a full disk still leads to Stopped", async () => {
  const c = await cell();
  c.stopAll("a1", "abort");
  await c.run(1000);
  c.store.full = true;
  const id = c.send("cellCommand", "clear", {});
  await c.run(2000);
  expect(c.responses.find((answer) => answer.id === id)?.status).toBe("succeeded");
  expect(c.cellState).toBe("Stopped");
});

test("mode: says which sagas may start, outlives a restart, and starts nothing", async () => {
  const c = await cell();
  const refused = await c.ask("runCommand", "start", { saga: "tune" });
  expect(refused?.error?.message).toBe(
    "tune is a saga for the mode Manual; the cell is in Production.",
  );
  expect((await tell(c, "mode", { mode: "Manual" }))?.status).toBe("succeeded");
  expect(published(c)).toMatchObject({ state: "Idle", mode: "Manual" });
  c.kill();
  await c.start();
  await c.run(20_000);
  expect(published(c)).toMatchObject({ state: "Idle", mode: "Manual" });
  expect(c.moves).toEqual([]);
  const production = await c.ask("runCommand", "start", { saga: "side" });
  expect(production?.error?.message).toContain("a saga for the mode Production");
  await c.startRun("tune");
  await c.run(1000);
  expect(c.record("run-tune").state).toBe("completed");
});

test("mode: refused while a run is open, for a name that is none, and out of Aborted", async () => {
  const c = await cell();
  const run = await moving(c);
  const open = await tell(c, "mode", { mode: "Manual" });
  expect(open?.error?.message).toContain(`The run ${run} is open`);
  const odd = await tell(c, "mode", { mode: "Automatic" });
  expect(odd?.error).toMatchObject({ code: "VALIDATION_FAILED" });
  await c.run(3000);
  c.stopAll("a1", "abort");
  await c.run(1000);
  expect((await tell(c, "mode", { mode: "Manual" }))?.error?.message).toBe(
    "The cell is Aborted; mode is not allowed.",
  );
  await tell(c, "clear");
  expect((await tell(c, "mode", { mode: "Manual" }))?.status).toBe("succeeded");
  // The mode that it has already: nothing to be done.
  expect((await tell(c, "mode", { mode: "Manual" }))?.status).toBe("succeeded");
  expect(published(c)).toMatchObject({ state: "Stopped", mode: "Manual" });
});

test("a held run that is resumed after a restart stays parked until a person says unhold", async () => {
  const c = await cell();
  const run = await moving(c, "lasting");
  await tell(c, "hold");
  await c.run(2000);
  expect(c.cellState).toBe("Held");
  c.kill();
  await c.start();
  await c.run(10_000);
  expect(c.record(run)).toMatchObject({ state: "running", waits: "held" });
  expect(c.moves).toEqual(["x moveTo 100"]);
  expect(published(c)?.state).toBe("Aborted");
  expect(published(c)?.allowed).toContain("unhold");
  expect((await tell(c, "unhold"))?.status).toBe("succeeded");
  await c.run(2000);
  expect(c.record(run).state).toBe("completed");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
  expect(published(c)).toMatchObject({ state: "Stopped" });
  expect(published(c)?.allowed).not.toContain("unhold");
});

test("two runs that may be resumed both go on after a restart (onRunFailure: cell)", async () => {
  // A move that was stopped short is given again only where the step says so.
  const again = ({ steps, ...rest }: SagaDefinition): SagaDefinition => {
    const retry = { attempts: 2, backoffMs: 0, factor: 1 };
    return { ...rest, steps: steps.map((one) => ({ ...one, retry })), onRestart: "resume" };
  };
  const alike = again({ ...side, name: "alike" });
  const c = new CoordinatorCell(cellConfig(["x", "y", "z"], [again(lasting), alike]));
  await c.start();
  await moving(c, "lasting");
  await moving(c, "alike", "y");
  c.kill();
  const before = c.bus.of("stateCell").length;
  await c.start();
  await c.run(100);
  const [first] = c.bus.of("stateCell").slice(before);
  expect(first?.state).toBe("Aborted");
  await c.run(8000);
  expect(c.record("run-lasting")).toMatchObject({ state: "completed" });
  expect(c.record("run-alike").state).toBe("completed");
  // Aborted until both had ended, and nothing starts by itself then.
  expect(states(c).slice(-2)).toEqual(["Execute", "Stopped"]);
  expect(c.cellState).toBe("Stopped");
});
