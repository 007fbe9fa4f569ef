/**
 * News that comes late, twice, from the dead, or in another order than it happened.
 *
 * The idea: two messages cross, a driver or the coordinator dies between them, a retained word
 * outlives who said it; whatever the order, nothing moves that must not and no latch is lost. It
 * refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
const side = saga("side", ["y"], [move("push", "y", 7)]);
const wait = saga("wait", ["x"], [step("dwell", { action: { kind: "dwell", forMs: 2000 } })]);
const rest = saga("rest", [], [step("dwell", {})]);

async function cell(policy: "cell" | "run" = "cell"): Promise<CoordinatorCell> {
  const config = cellConfig(["x", "y", "z"], [pick, side, rest, wait]);
  const made = new CoordinatorCell({ ...config, onRunFailure: policy });
  await made.start();
  return made;
}

function told(c: CoordinatorCell): string[] | undefined {
  return c.bus
    .of("stateStop")
    .at(-1)
    ?.stops.map(({ id }) => id);
}

const trip = {
  verdict: "faulted",
  code: "INTERLOCKED",
  text: "x is not clear",
  detail: { cause: "INTERLOCKED" },
} as const;
const overload = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;

test("an interlock stops z in makeSafe, its verdict comes before the end of its lease: x waits, too", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", { afterMs: 50, verdict: overload });
  c.driver("z").scripts.set("moveTo#2", { afterMs: 50, verdict: trip });
  const run = await c.startRun("pick");
  await c.run(3000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "z moveTo 0"]);
  expect(c.record(run).state).toBe("stopped");
  expect(c.record(run).cause.code).toBe("INTERLOCKED");
});

test.each(["stop", "quickStop", "abort"])(
  "a person's %s of x is heard of by the end of its lease first: z does not make itself safe",
  async (reason) => {
    const c = await cell();
    c.driver("z").scripts.set("moveTo#1", "hang");
    const run = await c.startRun("pick");
    await c.run(300);
    c.driver("x").endLease(reason);
    await c.run(5000);
    expect(c.record(run).state).toBe("stopped");
    expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
    // The order itself comes late: it is still one that makeSafe has to name.
    void c.client.publish("axisStop", { axis: "x", verb: "stop" }, { id: "LATE" });
    await c.run(300);
    await c.ask("runCommand", "makeSafe", { run });
    await c.run(3000);
    expect(c.record(run).state).toBe("madeSafe");
    expect(c.driver("x").latched).toEqual([]);
  },
);

test("a lease ends while the coordinator is not connected: the dwell does not go on", async () => {
  const c = await cell();
  const run = await c.startRun("wait");
  await c.run(300);
  const [main] = c.links;
  main?.fall();
  await c.run(20);
  // The broker has published the will of that connection.
  c.driver("x").lapse("holder-offline");
  c.driver("x").say();
  await c.run(300);
  main?.rise();
  await c.run(1100);
  expect(c.record(run).state).toBe("stopped");
  expect(c.record(run).cause.code).toBe("LEASE_LOST");
});

test("beats cannot leave and no stop is heard, commands could: no lease is asked for", async () => {
  const c = await cell();
  const [, stop] = c.links;
  stop?.fall();
  await c.startRun("pick");
  await c.run(500);
  expect(c.driver("x").holder).toBeUndefined();
  expect(c.moves).toEqual([]);
  stop?.rise();
  await c.run(1000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
});

test("a driver dies before its disk has the reset, and holds the stop again: it can be reset again", async () => {
  const c = await cell();
  c.stopAll("ONE");
  await c.run(500);
  expect((await c.ask("cellCommand", "reset", { stops: ["ONE"] }))?.status).toBe("succeeded");
  expect(told(c)).toEqual([]);
  c.driver("y").restart();
  c.driver("y").latched = ["ONE"];
  await c.run(500);
  expect(told(c)).toEqual(["ONE"]);
  expect(c.cellState).toBe("Stopped");
  expect((await c.ask("cellCommand", "reset", { stops: ["ONE"] }))?.status).toBe("succeeded");
  expect(c.driver("y").latched).toEqual([]);
  expect(told(c)).toEqual([]);
  expect(c.cellState).toBe("Idle");
});

test("an old word of a driver comes after its reset: nothing is latched again", async () => {
  const c = await cell();
  c.stopAll("ONE");
  await c.run(500);
  const old = { v: 1 as const, ts: Date.now(), bootId: c.driver("x").bootId, axis: "x", id: "ONE" };
  await c.ask("cellCommand", "reset", { stops: ["ONE"] });
  const ack = { ...old, status: "confirmed" as const, latched: true };
  void c.driver("x").link.publish("stopAck", { axis: "x" }, ack);
  await c.run(100);
  expect(told(c)).toEqual([]);
  expect(c.cellState).toBe("Idle");
});

test("back in 2 s, but the broker only in 60 s: nobody attended the cell, the run waits", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.kill();
  await c.run(2000);
  c.boot();
  for (const link of c.links) vi.spyOn(link, "rise").mockImplementationOnce(() => undefined);
  await c.run(60_000);
  for (const link of c.links) link.rise();
  await c.run(5000);
  expect(c.record(run).state).toBe("stopped");
  expect(c.record(run).cause.text).toMatch(/nobody attended it for 6\d s/);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
});

test("interleaving 4: a retained word of a driver that has died is no sign of life", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.kill();
  // Without a will: its broker died with it, and came back with what was retained.
  c.driver("z").die();
  await c.start();
  await c.run(15_000);
  expect(c.record(run).state).toBe("needsOperator");
  expect(c.record(run).cause.text).toMatch(/nothing is heard of z/);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
});

test("makeSafe by a person, the coordinator dies, the same request again: no second choice", async () => {
  const c = await cell();
  for (const nth of [1, 2]) c.driver("z").scripts.set(`moveTo#${nth}`, "hang");
  const run = await c.startRun("pick");
  await c.run(300);
  c.stopAll("ONE");
  await c.run(500);
  expect((await c.ask("runCommand", "makeSafe", { run }, "CHOICE"))?.status).toBe("succeeded");
  c.stopAll("TWO");
  await c.run(500);
  expect(c.record(run).state).toBe("stopped");
  const before = c.moves.length;
  c.kill();
  await c.start();
  await c.run(4000);
  expect((await c.ask("runCommand", "makeSafe", { run }, "CHOICE"))?.status).toBe("succeeded");
  await c.run(5000);
  expect(c.record(run).state).toBe("stopped");
  expect(c.moves).toHaveLength(before);
});

test("an id that came before the coordinator was ready is not spent", async () => {
  const c = new CoordinatorCell(cellConfig(["x", "y", "z"], [pick, side, rest]));
  c.boot();
  await c.run(50);
  const early = await c.ask("runCommand", "start", { saga: "side", run: "s" }, "KEY");
  expect(early?.error?.code).toBe("NOT_READY");
  await c.run(1000);
  const again = await c.ask("runCommand", "start", { saga: "side", run: "s" }, "KEY");
  expect(again?.status).toBe("succeeded");
  expect(c.moves).toEqual(["y moveTo 7"]);
});

test("two starts of one name cross (saga without devices): one run, the same answer", async () => {
  const c = await cell();
  const ids = ["A", "B"].map((id) => c.send("runCommand", "start", { saga: "rest", run: "r" }, id));
  await c.run(1000);
  for (const id of ids) {
    const response = c.responses.findLast((one) => one.id === id);
    expect(response).toMatchObject({ status: "succeeded", result: { run: "r" } });
  }
  const started = c.bus.of("event").filter(({ type }) => type === "run.started");
  expect(started).toHaveLength(1);
});

test("both of two runs fail (policy run): the cell does not stay in Execute", async () => {
  const c = await cell("run");
  c.driver("x").scripts.set("moveTo#1", { afterMs: 300, verdict: overload });
  c.driver("y").scripts.set("moveTo#1", { afterMs: 200, verdict: overload });
  await c.startRun("pick");
  await c.startRun("side");
  await c.run(3000);
  expect(c.cellState).toBe("Stopped");
  expect((await c.ask("cellCommand", "reset", { stops: [] }))?.status).toBe("succeeded");
  expect(c.cellState).toBe("Idle");
});

test("one run waits after a stop of its axis, the other completes (policy run): Stopped", async () => {
  const c = await cell("run");
  c.driver("x").scripts.set("moveTo#1", "hang");
  c.driver("y").scripts.set("moveTo#1", {
    afterMs: 1500,
    verdict: { verdict: "done", result: {} },
  });
  const first = await c.startRun("pick");
  const second = await c.startRun("side");
  await c.run(300);
  void c.client.publish("axisStop", { axis: "x", verb: "stop" }, { id: "ONE" });
  await c.run(3000);
  expect(c.record(first).state).toBe("stopped");
  expect(c.record(second).state).toBe("completed");
  expect(c.cellState).toBe("Stopped");
});
