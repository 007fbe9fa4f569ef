/**
 * The coordinator dies: what the next one finds, does first, and never does.
 *
 * The idea: it is killed at every transaction of a run, before and after the disk has it, and
 * started again on the same store; the commands that reached the drivers are counted over all its
 * lives. It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
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

const pick = saga(
  "pick",
  ["x", "z"],
  [
    move("over", "x", 100),
    move("down", "z", 50),
    step("advance", {
      action: {
        kind: "operation",
        operation: { device: "x", verb: "moveBy", args: { distance: 1 } },
      },
      makeSafe: { kind: "still" },
    }),
  ],
);

async function cell(): Promise<CoordinatorCell> {
  const made = new CoordinatorCell(cellConfig(["x", "z"], [pick]));
  await made.start();
  return made;
}

test("interleaving 2: dies in a move, back in time: stop first, then makes itself safe", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.kill();
  await c.run(400);
  const before = c.bus.published.length;
  const bootAt = performance.now();
  c.boot();
  await c.run(10);
  const said = c.bus.published.slice(before).filter((m) => m.from === "coordinator");
  expect(said.find((m) => m.key !== "beat")?.key).toBe("cellStop");
  await c.run(5000);
  expect(c.record(run).state).toBe("madeSafe");
  expect(c.record(run).steps[1]).toMatchObject({ status: "faulted", safe: "done" });
  expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50", "z moveTo 0", "x moveTo 0"]);
  const stop = c.driver("z").stops.find(({ at }) => at >= bootAt);
  expect((stop?.at ?? Number.POSITIVE_INFINITY) - bootAt).toBeLessThan(50);
  expect(c.bus.of("stateCell").map((s) => s.state)).toContain("Aborted");
  expect(c.cellState).toBe("Stopped");
});

test("dies when its stop is confirmed and not on the disk: the next stop is no repeat", async () => {
  const c = await cell();
  const verdict = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;
  c.driver("z").scripts.set("moveTo#1", { afterMs: 300, verdict });
  const run = await c.startRun("pick");
  for (let i = 0; i < 200 && c.driver("z").triggers.length === 0; i += 1) await c.run(10);
  await c.run(100);
  c.store.stallMs = 3_600_000;
  await c.run(1000);
  const first = c.driver("z").stops.map(({ id }) => id);
  expect(first).toHaveLength(1);
  expect(c.driver("z").confirmedMs).toBeGreaterThan(0);
  c.kill();
  c.store.stallMs = 0;
  const bootAt = performance.now();
  await c.start();
  await c.run(5000);
  expect(c.record(run).state).toBe("madeSafe");
  for (const device of ["x", "z"]) {
    const stops = c.driver(device).stops.filter(({ at }) => at >= bootAt);
    expect(stops.length).toBeGreaterThan(0);
    expect(first).not.toContain(stops[0]?.id);
  }
});

test("dies when the stop of a person's choice is not on the disk: the next stop is no repeat", async () => {
  const c = await cell();
  const verdict = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;
  c.driver("z").scripts.set("moveTo", { afterMs: 30, verdict });
  const run = await c.startRun("pick");
  await c.run(5000);
  expect(c.record(run).state).toBe("needsOperator");
  c.store.stallMs = 3_600_000;
  const askedAt = performance.now();
  c.send("runCommand", "retry", { run });
  await c.run(1000);
  const stopsSince = (at: number) =>
    c.driver("z").stops.flatMap((stop) => (stop.at >= at ? [stop.id] : []));
  const first = stopsSince(askedAt);
  expect(first).toHaveLength(1);
  c.kill();
  c.store.stallMs = 0;
  const bootAt = performance.now();
  await c.start();
  await c.run(500);
  c.send("runCommand", "retry", { run });
  await c.run(15);
  expect(stopsSince(bootAt)).toHaveLength(1);
  expect(stopsSince(bootAt)).not.toEqual(first);
});

test("SG-01: dies after the start edge of a relative move: never repeated", async () => {
  const c = await cell();
  c.driver("x").scripts.set("moveBy", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  expect(c.moves).toContain("x moveBy 1");
  c.kill();
  await c.run(300);
  await c.start();
  await c.run(5000);
  expect(c.moves.filter((m) => m === "x moveBy 1")).toHaveLength(1);
  expect(c.record(run).state).toBe("madeSafe");
});

describe.each([
  ["longer than 10 s", async (c: CoordinatorCell) => void (await c.run(12_000)), /nobody attended/],
  [
    "another start of the PC",
    async (c: CoordinatorCell) => {
      c.hostBootId = "host-2";
    },
    /PC/,
  ],
  [
    "a position reference lost",
    async (c: CoordinatorCell) => {
      c.driver("z").homed = false;
      c.driver("z").say();
    },
    /z has lost its position reference/,
  ],
  [
    "a driver that is not there",
    async (c: CoordinatorCell) => {
      c.driver("z").die();
      c.bus.cut("driver-z", c.driver("z").bootId);
    },
    /not been confirmed|nothing is heard of z/,
  ],
])("interleaving 23: back after %s", (_name, meanwhile, because) => {
  test("stops what may move, then waits for a person", async () => {
    const c = await cell();
    c.driver("z").scripts.set("moveTo#1", "hang");
    const run = await c.startRun("pick");
    await c.run(1500);
    c.kill();
    await meanwhile(c);
    await c.start();
    await c.run(15_000);
    const record = c.record(run);
    expect(["stopped", "needsOperator"]).toContain(record.state);
    expect(record.cause.text).toMatch(because);
    expect(c.moves).toEqual(["x moveTo 100", "z moveTo 50"]);
    expect(c.cellState).toBe("Aborted");
    expect((await c.ask("runCommand", "abandon", { run }))?.status).toBe("succeeded");
    expect(c.cellState).toBe("Stopped");
  });
});

test.each([
  ["the PC lost its power: nobody knows whether it was sent", "host-2", "unknown"],
  ["only the coordinator died: it was never sent", "host-1", "refused"],
] as const)("a driver has no record of the command under way, %s", async (_, host, status) => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.kill();
  await c.run(100);
  c.driver("z").forgetAnswers();
  c.hostBootId = host;
  await c.start();
  await c.run(5000);
  expect(c.record(run).steps[1]?.status).toBe(status);
});

test("back with a latched stop that came while nobody was there: waits, state/stop is rebuilt", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.kill();
  await c.run(100);
  c.stopAll("AWAY");
  await c.run(100);
  await c.start();
  await c.run(5000);
  expect(c.record(run).state).toBe("stopped");
  expect(
    c.bus
      .of("stateStop")
      .at(-1)
      ?.stops.map((s) => s.id),
  ).toEqual(["AWAY"]);
  expect(c.moves).toHaveLength(2);
  await c.ask("runCommand", "makeSafe", { run });
  await c.run(3000);
  expect(c.record(run).state).toBe("madeSafe");
});

test("back with latched stops, heard of before the journal is open (stall=400 ms): it lives", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.stopAll("KNOWN");
  await c.run(500);
  c.kill();
  await c.run(100);
  c.stopAll("AWAY");
  await c.run(100);
  c.store.stallMs = 400;
  c.boot();
  await c.run(1000);
  c.store.stallMs = 0;
  await c.run(5000);
  expect(c.record(run).state).toBe("stopped");
  const stops = c.bus.of("stateStop").at(-1)?.stops ?? [];
  expect(stops.map(({ id }) => id).sort()).toEqual(["AWAY", "KNOWN"]);
  // Also on the disk with who gave it, which its drivers do not know.
  const sql = "SELECT latch FROM latches WHERE id = 'KNOWN'";
  const [rows] = await c.store.inner.tx([{ sql }], { durable: false });
  expect(JSON.parse(String(rows?.[0]?.latch))).toMatchObject({ by: { user: "ann" } });
  const abandoned = await c.ask("runCommand", "abandon", { run });
  expect(abandoned?.status).toBe("succeeded");
});

test("back on a broker that is slow to grant (600 ms): the latched stops are heard first", async () => {
  const c = await cell();
  c.kill();
  await c.run(100);
  c.stopAll("AWAY");
  await c.run(100);
  const before = c.bus.of("stateStop").length;
  c.bus.grantMs = 600;
  await c.start();
  await c.run(1000);
  const said = c.bus.of("stateStop").slice(before);
  expect(said.map(({ stops }) => stops.map(({ id }) => id))).toEqual([["AWAY"]]);
});

test("back with a stop that came meanwhile, heard before the journal is read: a person goes on", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  c.stopAll("KNOWN");
  await c.run(2000);
  expect(c.record(run).state).toBe("stopped");
  c.kill();
  c.stopAll("AWAY");
  await c.run(100);
  c.store.stallMs = 400;
  c.boot();
  await c.run(2000);
  c.store.stallMs = 0;
  await c.run(1000);
  await c.ask("runCommand", "makeSafe", { run });
  await c.run(5000);
  expect(c.record(run).state).toBe("madeSafe");
});

test("state/stop is told soon after a start, also when it is empty", async () => {
  const c = await cell();
  expect(c.bus.of("stateStop")).toHaveLength(1);
  expect(c.bus.of("stateStop")[0]?.stops).toEqual([]);
});

test("interleaving 6: a second coordinator asks for the same leases: the first loses its run", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(500);
  const command = {
    v: 1 as const,
    id: "other",
    ts: Date.now(),
    ttlMs: 2000,
    by: { user: "coordinator", role: "service" },
    replyTo: "client",
    args: { holder: "coordinator", bootId: "another" },
  };
  void c.client.publish("axisCommand", { axis: "z", verb: "lease" }, command);
  await c.run(200);
  expect(c.responses.at(-1)?.result).toMatchObject({ epoch: 2 });
  expect(c.record(run).cause.text).toMatch(/superseded/);
  expect(c.record(run).state).not.toBe("running");
});

test("an orderly end stops the axes and leaves the run to the next start", async () => {
  const c = await cell();
  c.driver("z").scripts.set("moveTo#1", "hang");
  const run = await c.startRun("pick");
  await c.run(1500);
  const ended = c.app?.stop("SIGTERM");
  await c.run(1000);
  await ended;
  expect(c.driver("z").stops).toHaveLength(1);
  expect(c.bus.of("avail", "avail/coordinator").at(-1)?.status).toBe("offline");
  await c.start();
  await c.run(4000);
  expect(c.record(run).state).toBe("madeSafe");
});

/** Every command id goes with one body, and no step's trigger leaves twice. */
function judge(c: CoordinatorCell): void {
  const bodies = new Map<string, string>();
  for (const message of c.bus.published) {
    if (message.key !== "axisCommand" || message.from !== "coordinator") continue;
    const { id, args, lease } = message.payload as { id: string; args: unknown; lease?: unknown };
    const body = JSON.stringify([message.path, args, lease ?? null]);
    expect(bodies.get(id) ?? body).toBe(body);
    bodies.set(id, body);
  }
  const ids = c.triggers.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(c.moves.filter((m) => m === "x moveTo 100").length).toBeLessThanOrEqual(1);
  expect(c.moves.filter((m) => m === "z moveTo 50").length).toBeLessThanOrEqual(1);
  expect(c.moves.filter((m) => m === "x moveBy 1").length).toBeLessThanOrEqual(1);
  // Nothing moves without the intent that was on the disk before it left.
  const intents = c.intents;
  for (const { id } of c.triggers) expect(intents).toContain(id);
}

async function killedAt(n: number, when: "before" | "after"): Promise<boolean> {
  const c = await cell();
  const verdict = { verdict: "faulted", code: "DRIVE_FAULT", text: "overload" } as const;
  c.driver("x").scripts.set("moveBy", { afterMs: 30, verdict });
  const first = c.store.count;
  let killed = false;
  const kill = (at: number) => {
    if (at - first !== n || killed) return;
    killed = true;
    c.kill();
  };
  if (when === "before") c.store.onTx = kill;
  else c.store.afterTx = kill;
  const asked = c.send("runCommand", "start", { saga: "pick", run: "run" });
  await c.run(2000);
  if (!killed) return false;
  await c.start();
  await c.run(500);
  // The client repeats what was never answered, under its id.
  if (!c.responses.some(({ id }) => id === asked)) {
    await c.ask("runCommand", "start", { saga: "pick", run: "run" }, asked);
  }
  await c.run(20_000);
  await c.readIntents();
  judge(c);
  const runs = c.bus.of("stateRun").at(-1)?.runs ?? [];
  for (const { state } of runs) expect(state).toBe("madeSafe");
  for (const driver of c.drivers.values()) expect(driver.moving).toBe(false);
  return true;
}

describe.each(["before", "after"] as const)(
  "interleaving 1: killed at every transaction, %s the disk has it",
  (when) => {
    test("no id with two meanings, no trigger twice, every run ends", async () => {
      let points = 0;
      for (let n = 1; n < 200; n += 1) {
        vi.useRealTimers();
        useFakeClock();
        if (!(await killedAt(n, when))) break;
        points += 1;
      }
      expect(points).toBeGreaterThan(20);
      expect(points).toBeLessThan(199);
    }, 120_000);
  },
);
