/**
 * Devices of runs as locks, with the whole coordinator: who has them, who waits, who is next.
 *
 * The idea: what reaches the drivers is the evidence: between two commands of one run to a device
 * there is none of another. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/cell.js";
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

const rest = step("rest", { action: { kind: "dwell", forMs: 500 } });
const first = saga("first", ["x"], [move("go", "x", 10), rest, move("on", "x", 20)]);
const second = saga("second", ["x", "z"], [move("over", "x", 30), move("down", "z", 5)]);
const called: SagaDefinition = {
  ...saga(
    "calls",
    ["x"],
    [
      move("go", "x", 10),
      step("inner", { action: { kind: "call", saga: "first", inputs: {}, block: [2] } }),
      { ...move("inner/go", "x", 11), parent: 1 },
      move("back", "x", 12),
    ],
  ),
  body: [0, 1, 3],
};

async function locks(c: CoordinatorCell): Promise<readonly string[]> {
  const sql = "SELECT device, run FROM locks ORDER BY device";
  const [rows] = await c.store.inner.tx([{ sql }], { durable: false });
  return (rows ?? []).map(({ device, run }) => `${device} ${run}`);
}

function start(c: CoordinatorCell, saga: string, run: string) {
  return c.ask("runCommand", "start", { saga, run, wait: true });
}

test("SG-09: two runs want x: the second waits by name, begins after the first, nothing is mixed", async () => {
  const c = new CoordinatorCell(cellConfig(["x", "z"], [first, second]));
  await c.start();
  await start(c, "first", "r1");
  await start(c, "second", "r2");
  expect(c.record("r2")).toMatchObject({
    state: "pending",
    waits: "waits for x (the run r1 has it)",
  });
  expect(await locks(c)).toEqual(["x r1"]);
  await c.run(3000);
  expect(c.moves).toEqual(["x moveTo 10", "x moveTo 20", "x moveTo 30", "z moveTo 5"]);
  const ended = c.record("r1").endedAt ?? 0;
  const [, , third] = c.triggers;
  const begunTs = Date.now() - performance.now() + (third?.at ?? 0);
  expect(begunTs).toBeGreaterThanOrEqual(ended);
  expect(begunTs - ended).toBeLessThan(1000);
  expect(await locks(c)).toEqual([]);
});

test("SG-09: killed while a run has x and another waits: freed at the end, none locked for ever", async () => {
  const c = new CoordinatorCell(cellConfig(["x", "z"], [first, second]));
  await c.start();
  await start(c, "first", "r1");
  await start(c, "second", "r2");
  c.kill();
  expect(await locks(c)).toEqual(["x r1"]);
  c.boot();
  await c.run(6000);
  // The first one makes itself safe; the second had not begun, and nothing restarts by itself.
  expect(c.record("r1").state).toBe("madeSafe");
  expect(c.record("r2").state).toBe("madeSafe");
  expect(c.moves).toEqual(["x moveTo 10", "x moveTo 0"]);
  expect(await locks(c)).toEqual([]);
  await c.ask("cellCommand", "reset", { stops: [] });
  await start(c, "second", "r3");
  await c.run(2000);
  expect(c.record("r3").state).toBe("completed");
});

test("SG-09: a called saga wants the x that its caller has: it is the caller's own", async () => {
  const c = new CoordinatorCell(cellConfig(["x", "z"], [called]));
  await c.start();
  await start(c, "calls", "r1");
  await c.run(2000);
  expect(c.moves).toEqual(["x moveTo 10", "x moveTo 11", "x moveTo 12"]);
  expect(c.record("r1").state).toBe("completed");
  expect(await locks(c)).toEqual([]);
});

test("while the coordinator ends in order a device that becomes free is given to nobody", async () => {
  const onward = { ...second, onRestart: "resume" as const };
  const other = saga("other", ["y"], [move("far", "y", 1)]);
  const c = new CoordinatorCell(cellConfig(["x", "y", "z"], [first, onward, other]));
  await c.start();
  c.driver("y").scripts.set("moveTo", "hang");
  c.driver("y").stillAfterMs = 500;
  c.bus.loses = (to, path) => to === "driver-x" && path === "cmd/axis/x/release-lease";
  await start(c, "other", "r0");
  await start(c, "first", "r1");
  await start(c, "second", "r2");
  for (let i = 0; i < 200 && !c.moves.includes("x moveTo 20"); i += 1) await c.run(10);
  await c.run(100);
  const before = c.moves;
  expect(before).toEqual(["y moveTo 1", "x moveTo 10", "x moveTo 20"]);
  void c.app?.stop("SIGTERM");
  await c.run(400);
  expect(c.record("r1").state).toBe("completed");
  expect(c.moves).toEqual(before);
});

test("a start that waited is withdrawn by a full disk when x is just its own: x is free again", async () => {
  const long = step("long", { action: { kind: "dwell", forMs: 20_000 }, timeoutMs: 30_000 });
  const sagas = [first, second, saga("other", ["y"], [long])];
  const c = new CoordinatorCell(cellConfig(["x", "y", "z"], sagas));
  await c.start();
  await start(c, "other", "r0");
  await start(c, "first", "r1");
  // Its release is not answered: r1 ends while the start of r2 waits for the disk.
  c.bus.loses = (to, path) => to === "driver-x" && path === "cmd/axis/x/release-lease";
  for (let i = 0; i < 200 && !c.moves.includes("x moveTo 20"); i += 1) await c.run(10);
  await c.run(100);
  c.store.onTx = (_n, statements) => {
    if (statements.some(({ sql }) => /INTO runs/.test(sql))) c.store.stallMs = 6000;
  };
  c.send("runCommand", "start", { saga: "second", run: "r2", wait: true });
  await c.run(5500);
  c.store.full = true;
  await c.run(600);
  c.store.onTx = () => {};
  c.store.stallMs = 0;
  c.store.full = false;
  await c.run(3000);
  expect(
    c.bus
      .of("stateRun")
      .at(-1)
      ?.runs.map(({ run }) => run),
  ).not.toContain("r2");
  expect((await locks(c)).filter((lock) => lock.endsWith("r2"))).toEqual([]);
});

test("a run that waits for a person keeps its device, and so does its line", async () => {
  const config = { ...cellConfig(["x", "z"], [first, second]), onRunFailure: "run" as const };
  const c = new CoordinatorCell(config);
  await c.start();
  await start(c, "first", "r1");
  void c.client.publish("axisStop", { axis: "x", verb: "stop" }, { id: "s1", ts: Date.now() });
  await c.run(1000);
  expect(c.record("r1").state).toBe("stopped");
  expect(await locks(c)).toEqual(["x r1"]);
  const refused = await c.ask("runCommand", "start", { saga: "second", run: "r2" });
  expect(refused?.status).toBe("failed");
  await c.ask("runCommand", "abandon", { run: "r1" });
  await c.run(200);
  expect(await locks(c)).toEqual([]);
});

const urgent = { ...saga("urgent", ["z"], [move("fast", "z", 9)]), priority: 9 };
const plain = saga("plain", ["z"], [move("slow", "z", 1)]);

test.each(["plain", "urgent"])(
  "%s wants a free device for which a run waits: refused without wait, and in line with it",
  async (name) => {
    const c = new CoordinatorCell(cellConfig(["x", "z"], [first, second, plain, urgent]));
    await c.start();
    await start(c, "first", "r1");
    await start(c, "second", "r2");
    const refused = await c.ask("runCommand", "start", { saga: name, run: "r3" });
    expect(refused?.error).toMatchObject({
      code: "STATE_CONFLICT",
      message: "The run r2 (second) waits for z.",
      detail: { run: "r2", devices: ["z"] },
    });
    await start(c, name, "r4");
    await c.run(3000);
    const z = c.moves.filter((text) => text.startsWith("z"));
    expect(z).toEqual(
      name === "urgent" ? ["z moveTo 9", "z moveTo 5"] : ["z moveTo 5", "z moveTo 1"],
    );
    expect(await locks(c)).toEqual([]);
  },
);

test("a run that waits is cancelled: who stands behind it goes on at once", async () => {
  const c = new CoordinatorCell(cellConfig(["x", "z"], [first, second, plain]));
  await c.start();
  await start(c, "first", "r1");
  await start(c, "second", "r2");
  await start(c, "plain", "r3");
  expect(c.record("r3").waits).toBe("waits for z (the run r2 is before it)");
  expect(c.moves).toEqual(["x moveTo 10"]);
  await c.ask("runCommand", "cancel", { run: "r2" });
  await c.run(100);
  expect(c.moves).toEqual(["x moveTo 10", "z moveTo 1"]);
  expect(c.record("r1").state).toBe("running");
  await c.run(2000);
  expect(["r1", "r3"].map((run) => c.record(run).state)).toEqual(["completed", "completed"]);
});
