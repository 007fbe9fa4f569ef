/**
 * The coordinator's disk and its door: stalls, a full disk, repeated and refused commands.
 *
 * The idea: the disk never stands before beats and stops, and a command id is decided once. It
 * refuses real time.
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

async function cell(): Promise<CoordinatorCell> {
  const made = new CoordinatorCell(cellConfig(["x", "y", "z"], [pick, side]));
  await made.start();
  return made;
}

test("interleaving 14: the disk stalls 400 ms: beats go on, a stop leaves at once", async () => {
  const c = await cell();
  c.driver("x").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(200);
  c.store.stallMs = 400;
  const from = performance.now();
  c.send("runCommand", "cancel", { run });
  await c.run(1000);
  const beats = c.bus.published.filter((m) => m.key === "beat" && m.at >= from);
  expect(beats.length).toBeGreaterThanOrEqual(9);
  const stop = c.driver("x").stops[0];
  expect((stop?.at ?? Number.POSITIVE_INFINITY) - from).toBeLessThan(20);
  await c.run(5000);
  expect(c.record(run).state).toBe("madeSafe");
});

test("no command leaves before its intent is on the disk (stall=400 ms)", async () => {
  const c = await cell();
  c.store.stallMs = 400;
  let onDisk = 0;
  c.store.afterTx = () => {
    onDisk = performance.now();
  };
  c.send("runCommand", "start", { saga: "side", run: "s" });
  await c.run(380);
  expect(c.bus.of("axisCommand")).toEqual([]);
  await c.run(3000);
  expect(c.record("s").state).toBe("completed");
  const sent = c.bus.published.find((m) => m.path === "cmd/axis/y/moveTo");
  expect(sent?.at).toBeGreaterThanOrEqual(800);
  expect(onDisk).toBeGreaterThan(0);
});

test("back on the bus while an intent waits for the disk: its command does not leave before", async () => {
  const c = await cell();
  const verdict = { verdict: "done", result: {} } as const;
  c.driver("x").scripts.set("moveTo#1", { afterMs: 200, verdict });
  c.send("runCommand", "start", { saga: "pick", run: "p" });
  await c.run(150);
  c.store.stallMs = 400;
  await c.run(150);
  expect(c.moves).toEqual(["x moveTo 100"]);
  for (const link of c.links) link.fall();
  await c.run(20);
  for (const link of c.links) link.rise();
  await c.run(50);
  await c.readIntents();
  expect(c.intents).toHaveLength(1);
  expect(c.moves).toEqual(["x moveTo 100"]);
  await c.run(2000);
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
});

test("the disk is full: running motion is stopped, nothing is started, space brings makeSafe", async () => {
  const c = await cell();
  c.driver("x").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(200);
  c.store.full = true;
  // The next write meets the full disk: the sign of life, at the latest.
  await c.run(1500);
  expect(c.driver("x").stops).toHaveLength(1);
  expect(c.driver("z").stops).toHaveLength(1);
  const refused = await c.ask("runCommand", "start", { saga: "side" });
  expect(refused?.error?.code).toBe("STORE_FULL");
  expect(c.moves).toEqual(["x moveTo 100"]);
  expect(c.bus.of("avail", "avail/coordinator").at(-1)?.status).toBe("degraded");
  c.store.full = false;
  await c.run(3000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.record(run).cause.code).toBe("STORE_FULL");
  expect(c.moves).toEqual(["x moveTo 100", "x moveTo 0"]);
});

test("the disk is full at the start of a run: refused, and there is no such run", async () => {
  const c = await cell();
  c.store.full = true;
  const refused = await c.ask("runCommand", "start", { saga: "side", run: "s" });
  expect(refused?.error?.code).toBe("STORE_FULL");
  await c.run(500);
  expect(c.bus.of("stateRun").flatMap(({ runs }) => runs)).toEqual([]);
  expect([...new Set(c.bus.of("stateCell").map(({ state }) => state))]).toEqual(["Idle"]);
  c.store.full = false;
  await c.run(1000);
  expect(c.bus.of("axisCommand")).toEqual([]);
  const again = await c.ask("runCommand", "start", { saga: "side", run: "s" });
  expect(again?.status).toBe("succeeded");
  await c.run(1000);
  expect(c.record("s").state).toBe("completed");
  // What was to be told of the start that never was holds up nothing.
  const told = c.bus.of("event").filter(({ subject }) => subject === "run/s");
  expect(told.map(({ type }) => type)).toContain("run.ended");
});

test("a stop comes while the start of a run waits for the disk: started, then stopped", async () => {
  const c = await cell();
  await c.run(500);
  c.store.onTx = (_n, statements) => {
    if (!statements.some(({ sql }) => /INTO runs/.test(sql))) return;
    c.store.stallMs = 200;
    c.stopAll("S");
  };
  c.send("runCommand", "start", { saga: "side", run: "s" });
  await c.run(100);
  expect(c.bus.of("stateRun").flatMap(({ runs }) => runs)).toEqual([]);
  c.store.onTx = () => {};
  c.store.stallMs = 0;
  await c.run(2000);
  expect(c.moves).toEqual([]);
  expect(c.record("s").state).toBe("stopped");
  const states = c.bus.of("stateCell").map(({ state }) => state);
  expect(states.slice(states.lastIndexOf("Idle"))).toEqual(["Idle", "Stopping", "Stopped"]);
});

test("a repeated start: the same answer, one run; another body under the id is refused", async () => {
  const c = await cell();
  const first = await c.ask("runCommand", "start", { saga: "side", run: "s" }, "KEY");
  const again = await c.ask("runCommand", "start", { run: "s", saga: "side" }, "KEY");
  expect(again?.result).toEqual(first?.result);
  const other = await c.ask("runCommand", "start", { saga: "pick", run: "s" }, "KEY");
  expect(other?.error?.code).toBe("DUPLICATE_ID");
  const sameRun = await c.ask("runCommand", "start", { saga: "side", run: "s" }, "KEY2");
  expect(sameRun?.result).toMatchObject({ run: "s" });
  const otherSaga = await c.ask("runCommand", "start", { saga: "pick", run: "s" }, "KEY3");
  expect(otherSaga?.error?.code).toBe("DUPLICATE_ID");
  await c.run(500);
  expect(c.moves).toEqual(["y moveTo 7"]);
  // Also after a restart, from the journal.
  c.kill();
  await c.start();
  const late = await c.ask("runCommand", "start", { saga: "side", run: "s" }, "KEY");
  expect(late?.result).toEqual(first?.result);
  expect(c.moves).toEqual(["y moveTo 7"]);
});

test("starts in a tight loop from before the coordinator listens: one run (SG-06)", async () => {
  const c = new CoordinatorCell(cellConfig(["y"], [side]));
  c.boot();
  await c.run(5);
  for (let i = 0; i < 100; i += 1) {
    c.send("runCommand", "start", { saga: "side", run: "s" }, `TRY${i}`);
    await c.run(10);
  }
  await c.run(2000);
  expect(c.moves).toEqual(["y moveTo 7"]);
  expect(c.responses.some((r) => r.error?.code === "NOT_READY")).toBe(true);
});

test("refusals name their reason and the device", async () => {
  const c = await cell();
  const code = async (args: { [name: string]: string }) =>
    (await c.ask("runCommand", "start", args))?.error;
  expect((await code({ saga: "nothing" }))?.code).toBe("NOT_FOUND");
  expect((await code({ saga: "side", run: "not an id" }))?.code).toBe("VALIDATION_FAILED");
  c.driver("y").breaker = "open";
  c.driver("y").say();
  await c.run(10);
  expect(await code({ saga: "side" })).toMatchObject({
    code: "BREAKER_OPEN",
    detail: { device: "y" },
  });
  c.driver("y").breaker = "closed";
  c.driver("y").die();
  c.bus.cut("driver-y", c.driver("y").bootId);
  await c.run(10);
  expect(await code({ saga: "side" })).toMatchObject({
    code: "NOT_READY",
    detail: { device: "y" },
  });
  c.driver("x").scripts.set("moveTo#1", "hang");
  await c.startRun("pick");
  await c.run(100);
  const conflict = await code({ saga: "pick" });
  expect(conflict?.code).toBe("STATE_CONFLICT");
  expect(conflict?.message).toMatch(/run-pick/);
  expect((await c.ask("runCommand", "abandon", { run: "run-pick" }))?.error?.code).toBe(
    "STATE_CONFLICT",
  );
  expect((await c.ask("runCommand", "cancel", { run: "none" }))?.error?.code).toBe("NOT_FOUND");
});

test("a command older than its ttl is not executed", async () => {
  const c = await cell();
  const command = {
    v: 1 as const,
    id: "OLD",
    ts: Date.now() - 5000,
    ttlMs: 2000,
    by: { user: "ann", role: "operator" },
    replyTo: "client",
    args: { saga: "side" },
  };
  void c.client.publish("runCommand", { verb: "start" }, command);
  await c.run(1000);
  expect(c.responses.find((r) => r.id === "OLD")?.status).toBe("expired");
  expect(c.moves).toEqual([]);
});

test("interleaving 3: the broker connection breaks for 0.3 s in a move: the run goes on", async () => {
  const c = await cell();
  c.driver("y").scripts.set("moveTo#1", { afterMs: 600, verdict: { verdict: "done", result: {} } });
  await c.startRun("side", "s");
  await c.run(200);
  for (const link of c.links) link.fall();
  await c.run(300);
  for (const link of c.links) link.rise();
  await c.run(1500);
  expect(c.record("s").state).toBe("completed");
  expect(c.moves).toEqual(["y moveTo 7"]);
});

test("an answer lost while the connection was broken is asked for again under the same id", async () => {
  const c = await cell();
  c.driver("y").scripts.set("moveTo#1", { afterMs: 300, verdict: { verdict: "done", result: {} } });
  await c.startRun("side", "s");
  await c.run(200);
  for (const link of c.links) link.fall();
  await c.run(400);
  for (const link of c.links) link.rise();
  await c.run(500);
  expect(c.record("s").state).toBe("completed");
  expect(c.driver("y").triggers).toHaveLength(1);
});

test("interleaving 3: the broker is gone for 3 s: the leases count as lost, the run fails", async () => {
  const patient = { ...move("push", "y", 7), timeoutMs: 10_000 };
  const c = new CoordinatorCell(cellConfig(["y"], [saga("side", ["y"], [patient])]));
  await c.start();
  c.driver("y").scripts.set("moveTo#1", "hang");
  await c.startRun("side", "s");
  await c.run(200);
  for (const link of c.links) link.fall();
  await c.run(1000);
  c.driver("y").lapse();
  await c.run(2000);
  for (const link of c.links) link.rise();
  await c.run(3000);
  expect(c.record("s").state).toBe("madeSafe");
  expect(c.record("s").cause.code).toBe("LEASE_LOST");
});

test("events of a run: stored with their decision, told in order, gone from the outbox", async () => {
  const c = await cell();
  await c.startRun("side", "s");
  await c.run(1000);
  const types = c.bus
    .of("event")
    .filter((e) => e.subject === "run/s")
    .map((e) => e.type);
  expect(types).toEqual(["run.started", "run.step.started", "run.step.ended", "run.ended"]);
  const [rows] = await c.store.inner.tx([{ sql: "SELECT seq FROM outgoing" }], { durable: false });
  expect(rows).toEqual([]);
});

test("moves that share an interlock are started one at a time", async () => {
  const config = cellConfig(
    ["x", "y"],
    [saga("one", ["x"], [move("a", "x", 1)]), saga("two", ["y"], [move("b", "y", 2)])],
  );
  const shared = {
    name: "one-at-a-time",
    moves: ["x", "y"],
    evaluator: "x",
    require: { text: "", terms: [] },
    margin: 1,
  };
  const c = new CoordinatorCell({ ...config, interlocks: [shared] });
  await c.start();
  // x accepts and never says that it runs.
  c.bus.loses = (to, path) => to === "driver-x" && path === "cmd/axis/x/moveTo";
  await c.startRun("one");
  await c.startRun("two");
  expect(c.bus.of("axisCommand", "cmd/axis/y/moveTo")).toEqual([]);
  c.bus.loses = () => false;
  await c.run(600);
  expect(c.moves).toEqual(["x moveTo 1", "y moveTo 2"]);
});

test("a move that waits for another of its interlock is neither repeated past it nor given up", async () => {
  const config = cellConfig(
    ["x", "y"],
    [saga("one", ["x"], [move("a", "x", 1)]), saga("two", ["y"], [move("b", "y", 2)])],
  );
  const shared = {
    name: "one-at-a-time",
    moves: ["x", "y"],
    evaluator: "x",
    require: { text: "", terms: [] },
    margin: 1,
  };
  const c = new CoordinatorCell({ ...config, interlocks: [shared] });
  await c.start();
  // x hears of its command only at the third time.
  c.bus.loses = (to, path) => to === "driver-x" && path === "cmd/axis/x/moveTo";
  await c.startRun("one");
  await c.startRun("two");
  await c.run(750);
  expect(c.bus.of("axisCommand", "cmd/axis/y/moveTo")).toEqual([]);
  c.bus.loses = () => false;
  await c.run(1000);
  expect(c.moves).toEqual(["x moveTo 1", "y moveTo 2"]);
  expect(c.record("run-two").state).toBe("completed");
});
