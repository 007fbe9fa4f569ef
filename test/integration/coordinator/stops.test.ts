/**
 * Stops by people, their latches and resets, as the coordinator keeps them.
 *
 * The idea: after a person's stop nothing reaches a driver but stops, until somebody chooses; and
 * a reset takes away exactly what it names. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const pick = saga("pick", ["x", "z"], [move("over", "x", 100), move("down", "z", 50)]);
const side = saga("side", ["y"], [move("push", "y", 7)]);

async function cell(policy: "cell" | "run" = "cell"): Promise<CoordinatorCell> {
  const config = cellConfig(["x", "y", "z"], [pick, side]);
  const made = new CoordinatorCell({ ...config, onRunFailure: policy });
  await made.start();
  return made;
}

async function stoppedInMove(): Promise<{ c: CoordinatorCell; run: string }> {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(300);
  c.stopAll("STOP1");
  await c.run(1000);
  return { c, run };
}

test("STOP in a move: the run waits, the cell is Stopped, nothing moves by itself", async () => {
  const { c, run } = await stoppedInMove();
  await c.run(20_000);
  expect(c.record(run).state).toBe("stopped");
  expect(c.record(run).choices).toEqual(["makeSafe", "abandon"]);
  expect(c.record(run).steps[1]?.error?.code).toBe("STOPPED_SHORT");
  expect(c.cellState).toBe("Stopped");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
  expect(
    c.bus
      .of("stateStop")
      .at(-1)
      ?.stops.map((s) => s.id),
  ).toEqual(["STOP1"]);
  const refused = await c.ask("runCommand", "start", { saga: "side" });
  expect(refused?.error?.code).toBe("LATCHED");
  const reset = await c.ask("cellCommand", "reset", { stops: ["STOP1"] });
  expect(reset?.error?.code).toBe("STATE_CONFLICT");
});

test("makeSafe after a stop names and resets that stop's latches, takes new leases, then moves", async () => {
  const { c, run } = await stoppedInMove();
  await c.ask("runCommand", "makeSafe", { run });
  await c.run(3000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.moves.slice(2)).toEqual(["z moveTo 0", "x moveTo 0"]);
  const resets = c.bus.of("event").filter((e) => e.type === "cell.stops.reset");
  expect(resets.map((e) => e.data)).toEqual([
    { stops: ["STOP1"], devices: ["x", "z"], user: "ann", ok: true },
  ]);
  // The rest of the cell stays latched until it is reset.
  expect(c.driver("y").latched).toEqual(["STOP1"]);
  expect(c.cellState).toBe("Stopped");
  expect((await c.ask("cellCommand", "reset", { stops: ["STOP1"] }))?.status).toBe("succeeded");
  expect(c.driver("y").latched).toEqual([]);
  expect(c.bus.of("stateStop").at(-1)?.stops).toEqual([]);
  expect(c.cellState).toBe("Idle");
});

test("abandon after a stop: the run has ended, the cell can be reset", async () => {
  const { c, run } = await stoppedInMove();
  await c.ask("runCommand", "abandon", { run });
  expect(c.record(run)).toMatchObject({ state: "stopped", choices: [] });
  expect(c.record(run).endedAt).toBeTypeOf("number");
  expect((await c.ask("cellCommand", "reset", { stops: [] }))?.error?.code).toBe("LATCHED");
  expect((await c.ask("cellCommand", "reset", { stops: ["STOP1"] }))?.status).toBe("succeeded");
  expect(c.cellState).toBe("Idle");
  expect(c.moves).toHaveLength(2);
});

test("70 stops are latched, more than are remembered as reset: one reset takes them all", async () => {
  const c = await cell();
  const ids = Array.from({ length: 70 }, (_, i) => `S${i}`);
  for (const id of ids) {
    c.stopAll(id);
    await c.run(20);
  }
  await c.run(1000);
  const reset = await c.ask("cellCommand", "reset", { stops: ids });
  await c.run(1000);
  expect(reset?.status).toBe("succeeded");
  expect(c.bus.of("stateStop").at(-1)?.stops).toEqual([]);
  expect(c.cellState).toBe("Idle");
});

test("interleaving 22: a person's stop during makeSafe is not overtaken by it", async () => {
  const c = await cell();
  const verdict = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;
  c.driver("z").scripts.set("moveTo#1", { afterMs: 30, verdict });
  c.driver("z").scripts.set("moveTo#2", "hang");
  const run = await c.startRun("pick");
  await c.run(500);
  expect(c.record(run).state).toBe("makingSafe");
  const cancelled = await c.ask("runCommand", "cancel", { run });
  expect(cancelled?.error?.code).toBe("STATE_CONFLICT");
  c.stopAll("STOP2", "quickStop");
  await c.run(5000);
  expect(c.record(run).state).toBe("stopped");
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "z moveTo 0"]);
  expect(c.cellState).toBe("Stopped");
});

test("interleaving 21: a reset for stop 1 crosses stop 2: stop 2 stands", async () => {
  const c = await cell();
  c.stopAll("STOP1");
  await c.run(500);
  expect(c.cellState).toBe("Stopped");
  c.send("cellCommand", "reset", { stops: ["STOP1"] });
  c.stopAll("STOP2");
  await c.run(3000);
  expect(
    c.bus
      .of("stateStop")
      .at(-1)
      ?.stops.map((s) => s.id),
  ).toEqual(["STOP2"]);
  for (const device of ["x", "y", "z"]) expect(c.driver(device).latched).toEqual(["STOP2"]);
  expect(c.cellState).toBe("Stopped");
  expect((await c.ask("cellCommand", "reset", { stops: ["STOP1"] }))?.error?.code).toBe("LATCHED");
  expect((await c.ask("cellCommand", "reset", { stops: ["STOP2"] }))?.status).toBe("succeeded");
  expect(c.cellState).toBe("Idle");
});

test("a stop over the local sockets only: heard of through the drivers' answers", async () => {
  const c = await cell();
  c.driver("x").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  c.sockets.fanOut().send("stop", { id: "LOCAL" });
  await c.run(2000);
  expect(c.record(run).state).toBe("stopped");
  expect(
    c.bus
      .of("stateStop")
      .at(-1)
      ?.stops.map((s) => s.id),
  ).toEqual(["LOCAL"]);
});

test("a stop of one axis (policy cell): its run waits, and so does the other", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  c.driver("y").scripts.set("moveTo#1", "hang");
  const first = await c.startRun("pick");
  const second = await c.startRun("side");
  await c.run(300);
  void c.client.publish("axisStop", { axis: "z", verb: "stop" }, { id: "ONE" });
  await c.run(2000);
  expect(c.record(first).state).toBe("stopped");
  expect(c.record(second).state).toBe("stopped");
  expect(c.cellState).toBe("Stopped");
});

test("one of two runs fails (policy cell): the other makes itself safe as well", async () => {
  const c = await cell();
  c.driver("y").scripts.set("moveTo#1", "hang");
  c.driver("x").scripts.set("moveTo#1", {
    afterMs: 300,
    verdict: { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" },
  });
  const first = await c.startRun("pick");
  const second = await c.startRun("side");
  await c.run(3000);
  expect(c.record(first).state).toBe("madeSafe");
  expect(c.record(second).state).toBe("madeSafe");
  expect(c.record(second).cause.text).toMatch(/run-pick/);
  expect(c.cellState).toBe("Stopped");
});

test("one of two runs fails (policy run): the other goes on, the cell stays in Execute", async () => {
  const c = await cell("run");
  c.driver("y").scripts.set("moveTo#1", {
    afterMs: 1500,
    verdict: { verdict: "done", result: {} },
  });
  c.driver("x").scripts.set("moveTo#1", {
    afterMs: 300,
    verdict: { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" },
  });
  const first = await c.startRun("pick");
  const second = await c.startRun("side");
  await c.run(800);
  expect(c.record(first).state).toBe("madeSafe");
  expect(c.cellState).toBe("Execute");
  await c.run(2000);
  expect(c.record(second).state).toBe("completed");
  expect(c.cellState).toBe("Complete");
});

test("an interlock that stops a move: nothing moves until a person says so", async () => {
  const c = await cell();
  c.driver("x").scripts.set("moveTo#1", {
    afterMs: 50,
    verdict: {
      verdict: "faulted",
      code: "STOPPED_SHORT",
      text: "z is not up",
      detail: { cause: "INTERLOCKED" },
    },
  });
  const run = await c.startRun("pick");
  await c.run(3000);
  expect(c.record(run).state).toBe("stopped");
  expect(c.moves).toEqual(["x moveTo 100"]);
});

test("an interlock that stops a move: the run names the interlock, the reading and its value", async () => {
  const c = await cell();
  c.driver("x").scriptNext("moveTo", "hang");
  const run = await c.startRun("pick");
  c.driver("x").lapse("interlock z-up: z.position is 40, not >= 50");
  await c.run(3000);
  expect(c.record(run)).toMatchObject({ state: "stopped", cause: { code: "INTERLOCKED" } });
  expect(c.record(run).cause.text).toContain("interlock z-up: z.position is 40, not >= 50");
});

test("an interlock that refuses a move: the run names the interlock, the reading and its value", async () => {
  const c = await cell();
  const text = "interlock z-up: z.position is 40, not >= 50";
  const verdict = { verdict: "refused", code: "INTERLOCKED", text } as const;
  c.driver("x").scriptNext("moveTo", { afterMs: 5, verdict });
  const run = await c.startRun("pick");
  await c.run(3000);
  expect(c.record(run)).toMatchObject({ state: "madeSafe", cause: { code: "INTERLOCKED" } });
  expect(c.record(run).cause.text).toContain(text);
});

test("abort without a run: Aborting, Aborted, clear, reset", async () => {
  const c = await cell();
  c.stopAll("A1", "abort");
  await c.run(500);
  expect(c.cellState).toBe("Aborted");
  expect(c.bus.of("stateCell").map((s) => s.state)).toContain("Aborting");
  expect((await c.ask("cellCommand", "reset", { stops: ["A1"] }))?.error?.code).toBe(
    "STATE_CONFLICT",
  );
  await c.ask("cellCommand", "clear", {});
  expect(c.cellState).toBe("Stopped");
  await c.ask("cellCommand", "reset", { stops: ["A1"] });
  expect(c.cellState).toBe("Idle");
});

test("a driver that is killed in a move: the guardian's stop, the run waits for a person", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(300);
  c.driver("z").restart();
  await c.run(3000);
  expect(c.record(run).state).toBe("stopped");
  expect(c.record(run).cause.text).toMatch(/guardian/);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
  // The new process got the run's stop as well.
  expect(c.driver("z").stops.length).toBeGreaterThan(0);
});

test("a driver that is killed while its axis stands still fails the run", async () => {
  const c = await cell();
  c.driver("x").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(300);
  c.driver("z").restart();
  await c.run(5000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.record(run).cause.code).toBe("LEASE_LOST");
});
