/**
 * Events that start runs, and zones that stop together.
 *
 * The idea: the whole coordinator with scripted drivers; what reaches the drivers is the evidence.
 * It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SagaDefinition } from "#kernel/config/cell.js";
import type { Expression, Written } from "#kernel/config/expression.js";
import type { RuleConfig } from "#kernel/config/saga.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import {
  CoordinatorCell,
  cellConfig,
  move,
  saga,
  step,
  useFakeClock,
} from "../../fixtures/coordinator/coordinator-cell.js";
import { done, type Script } from "../../fixtures/coordinator/scripted-driver.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

const take = saga("take", ["x"], [move("go", "x", 10)]);
const advance = saga("advance", ["z"], [move("on", "z", 5)]);
const slow = saga(
  "slow",
  ["z"],
  [
    move("on", "z", 5),
    step("rest", {
      action: { kind: "dwell", forMs: 5000 },
    }),
  ],
);

function when(field: string, value: string): Written {
  const left = { kind: "event", name: field } as const;
  const expression: Expression = {
    kind: "binary",
    op: "==",
    left,
    right: { kind: "literal", value },
  };
  return { text: `${field} == ${value}`, expression };
}
const onGrab: RuleConfig = {
  name: "belt",
  on: { kind: "axis", id: "x", type: "command.ended", where: when("verdict", "done") },
  saga: "advance",
  inputs: {},
  wait: false,
};

function event(id: string, ageMs = 0, verdict = "done"): CloudEvent {
  return {
    specversion: "1.0",
    id,
    source: "driver-x",
    type: "axis.command.ended",
    subject: "axis/x",
    time: new Date(Date.now() - ageMs).toISOString(),
    datacontenttype: "application/json",
    data: { verb: "moveTo", verdict, command: "c" },
  };
}

function say(c: CoordinatorCell, told: CloudEvent): Promise<void> {
  return c.client.publish("event", { kind: "axis", id: "x", type: "command.ended" }, told);
}

test("a rule: the event starts its saga once, with the rule as its author", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [onGrab] });
  await c.start();
  await say(c, event("e1"));
  await c.run(1500);
  expect(c.moves).toEqual(["z moveTo 5"]);
  const [record] = c.bus.of("stateRun").at(-1)?.runs ?? [];
  expect(record).toMatchObject({ saga: "advance", state: "completed", by: { user: "rule belt" } });
});

test("MQ-01: the same event five times, and again after a restart, starts one run", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [onGrab] });
  await c.start();
  const told = event("e1");
  for (let i = 0; i < 5; i += 1) await say(c, told);
  await c.run(1500);
  c.kill();
  await c.start();
  await say(c, told);
  await c.run(1500);
  expect(c.moves).toEqual(["z moveTo 5"]);
});

test("a saga waits for an event, its source says an old one again: the saga waits on", async () => {
  const { on } = onGrab;
  const meet = step("meet", { action: { kind: "waitForEvent", event: on }, timeoutMs: 5000 });
  const pass = saga("pass", ["z"], [meet, move("on", "z", 5)]);
  const c = new CoordinatorCell(cellConfig(["x", "z"], [pass]));
  await c.start();
  await c.startRun("pass");
  await say(c, event("old", 5000));
  await say(c, { ...event("timeless"), time: "some day" });
  await c.run(500);
  expect(c.moves).toEqual([]);
  await say(c, event("new"));
  await c.run(500);
  expect(c.moves).toEqual(["z moveTo 5"]);
});

test("while the coordinator ends in order an event starts nothing", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [onGrab] });
  await c.start();
  c.driver("x").scripts.set("moveTo", "hang");
  c.driver("x").stillAfterMs = 500;
  await c.startRun("take");
  await c.run(200);
  expect(c.moves).toEqual(["x moveTo 10"]);
  void c.app?.stop("SIGTERM");
  await c.run(20);
  await say(c, event("e1"));
  await c.run(300);
  expect(c.moves).toEqual(["x moveTo 10"]);
});

test("an event that does not say when it happened starts nothing", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [onGrab] });
  await c.start();
  await say(c, { ...event("timeless"), time: "some day" });
  await c.run(1500);
  expect(c.moves).toEqual([]);
});

test("an event of a time before the coordinator was there, or of another verdict, starts nothing", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [onGrab] });
  await c.start();
  await say(c, event("old", 60_000));
  await say(c, event("bad", 0, "faulted"));
  await c.run(1500);
  expect(c.moves).toEqual([]);
  const refused = c.bus.of("event").filter(({ type }) => type === "cell.rule.refused");
  expect(refused.map(({ data }) => [data.event, data.code])).toEqual([["old", "EXPIRED"]]);
});

test("more events than the rate allows: the first start, each of the others is told as refused", async () => {
  const rules = [{ ...onGrab, wait: true, rate: { starts: 2, withinMs: 60_000 } }];
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules });
  await c.start();
  for (const id of ["e1", "e2", "e3"]) await say(c, event(id));
  await c.run(3000);
  expect(c.moves).toEqual(["z moveTo 5", "z moveTo 5"]);
  const refused = c.bus.of("event").filter(({ type }) => type === "cell.rule.refused");
  expect(refused.map(({ data }) => [data.event, data.code])).toEqual([["e3", "STATE_CONFLICT"]]);
});

test("events within the debounce count as one", async () => {
  const rules = [{ ...onGrab, wait: true, debounceMs: 1000 }];
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules });
  await c.start();
  for (const id of ["e1", "e2", "e3"]) {
    await say(c, event(id));
    await c.run(600);
  }
  await c.run(2000);
  await say(c, event("e4"));
  await c.run(2000);
  expect(c.moves).toEqual(["z moveTo 5", "z moveTo 5"]);
});

test("a run's own end starts the next saga; heard only after a restart it does not", async () => {
  const ended: RuleConfig = {
    ...onGrab,
    on: { kind: "run", type: "ended", where: when("saga", "take") },
  };
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [ended] });
  await c.start();
  await c.startRun("take");
  await c.run(2000);
  expect(c.moves).toEqual(["x moveTo 10", "z moveTo 5"]);
  c.bus.loses = (to, path) => to === "coordinator" && path.startsWith("event/run/again/");
  await c.startRun("take", "again");
  await c.run(2000);
  c.kill();
  await c.start();
  const last = c.bus.of("event", "event/run/again/ended").at(-1);
  if (last === undefined) throw new Error("the run has not ended");
  c.bus.loses = () => false;
  await c.client.publish("event", { kind: "run", id: "again", type: "ended" }, last);
  await c.run(2000);
  expect(c.moves).toEqual(["x moveTo 10", "z moveTo 5", "x moveTo 10"]);
  const refused = c.bus.of("event").filter(({ type }) => type === "cell.rule.refused");
  expect(refused.at(-1)?.data).toMatchObject({ event: last.id, code: "EXPIRED" });
});

test("a rule starts nothing in a stopped cell, and says why as an event", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, advance]), rules: [onGrab] });
  await c.start();
  c.stopAll("s1");
  await c.run(500);
  await say(c, event("e1"));
  await c.run(1000);
  expect(c.moves).toEqual([]);
  const refused = c.bus.of("event").filter(({ type }) => type === "cell.rule.refused");
  expect(refused.at(-1)?.data).toMatchObject({ rule: "belt", saga: "advance", code: "LATCHED" });
});

test("a rule that waits stands in line for the device; one that does not is refused", async () => {
  const rules = [
    { ...onGrab, name: "waits", wait: true },
    { ...onGrab, name: "asks" },
  ];
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [slow, advance]), rules });
  await c.start();
  await c.startRun("slow");
  await c.run(200);
  await say(c, event("e1"));
  await c.run(8000);
  expect(c.moves).toEqual(["z moveTo 5", "z moveTo 5"]);
  const refused = c.bus.of("event").filter(({ type }) => type === "cell.rule.refused");
  expect(refused.map(({ data }) => data.rule)).toEqual(["asks"]);
});

test("a zone: x fails, so the run that has z fails and z is stopped, at once", async () => {
  const config = cellConfig(["x", "y", "z"], [take, slow]);
  const zones = [{ name: "gantry", devices: ["x", "y", "z"] }];
  const c = new CoordinatorCell({ ...config, onRunFailure: "run", zones });
  await c.start();
  const run = await c.startRun("slow");
  await c.run(300);
  c.driver("x").scriptNext("moveTo", "never");
  await c.startRun("take");
  await c.run(200);
  c.driver("x").lapse("the drive reports fault 7");
  await c.run(20);
  for (const device of ["y", "z"]) {
    expect(c.driver(device).stops.filter(({ latch }) => !latch).length, device).toBeGreaterThan(0);
  }
  await c.run(3000);
  expect(c.record(run)).toMatchObject({ state: "madeSafe", cause: { code: "LEASE_LOST" } });
  expect(c.record(run).cause.text).toContain("x of the zone gantry has failed");
});

const zones = [{ name: "gantry", devices: ["x", "y", "z"] }];
const far: Script = { afterMs: 5000, verdict: done };

async function gantry(...sagas: SagaDefinition[]): Promise<CoordinatorCell> {
  const config = { ...cellConfig(["x", "y", "z"], sagas), onRunFailure: "run" as const, zones };
  const c = new CoordinatorCell(config);
  await c.start();
  return c;
}
const stopsOf = (c: CoordinatorCell, device: string) =>
  c.driver(device).stops.filter(({ latch }) => !latch).length;

test("a zone: an axis of no run reports a fault, so the run that moves z is stopped at once", async () => {
  const c = await gantry(slow);
  c.driver("z").scriptNext("moveTo", far);
  const run = await c.startRun("slow");
  expect(stopsOf(c, "z")).toBe(0);
  c.driver("x").fault = true;
  c.driver("x").say();
  await c.run(10);
  expect(stopsOf(c, "z")).toBeGreaterThan(0);
  expect(stopsOf(c, "y")).toBeGreaterThan(0);
  await c.run(3000);
  expect(c.record(run)).toMatchObject({ state: "madeSafe", cause: { code: "LEASE_LOST" } });
  expect(c.record(run).cause.text).toContain("it reports a fault");
  const told = c.bus.of("event").filter(({ type }) => type === "cell.zone.stopped");
  expect(told.map(({ data }) => data.device)).toEqual(["x"]);
  // It is a change that counts: a fault that stays stops nothing more.
  await c.ask("cellCommand", "reset", { stops: [] });
  const again = await c.startRun("slow", "again");
  c.driver("x").say();
  await c.run(8000);
  expect(c.record(again).state).toBe("completed");
});

test("a zone: an axis of the run faults at rest while another one of it moves: that is stopped", async () => {
  const both = saga("both", ["x", "z"], [move("go", "z", 5)]);
  const c = await gantry(both);
  c.driver("z").scriptNext("moveTo", far);
  const run = await c.startRun("both");
  c.driver("x").fault = true;
  c.driver("x").say();
  await c.run(10);
  expect(stopsOf(c, "z")).toBeGreaterThan(0);
  await c.run(3000);
  expect(c.record(run).cause).toMatchObject({ code: "LEASE_LOST", text: "x: it reports a fault" });
});

test("a zone: the driver of a moving axis is gone: the others are stopped, its run waits", async () => {
  const c = await gantry(take, slow);
  c.driver("x").scriptNext("moveTo", far);
  const mine = await c.startRun("take");
  const other = await c.startRun("slow");
  await c.run(100);
  c.driver("x").die();
  c.bus.cut("driver-x", c.driver("x").bootId);
  await c.run(10);
  expect(stopsOf(c, "z")).toBeGreaterThan(0);
  await c.run(12_000);
  expect(c.record(other).state).toBe("madeSafe");
  expect(["stopped", "needsOperator"]).toContain(c.record(mine).state);
});

test("a zone: a run on its way to the safe state is stopped there, and waits for a person", async () => {
  const c = await gantry(slow);
  const run = await c.startRun("slow");
  await c.run(200);
  c.driver("z").scripts.set("moveTo", far);
  await c.ask("runCommand", "cancel", { run });
  await c.run(200);
  expect(c.record(run).state).toBe("makingSafe");
  c.driver("y").fault = true;
  c.driver("y").say();
  await c.run(2000);
  expect(c.record(run)).toMatchObject({ state: "stopped", cause: { code: "LEASE_LOST" } });
});

test("a zone: a lease given back, and one that a person's stop ends, are no failures", async () => {
  const c = await gantry(take, slow);
  const run = await c.startRun("slow");
  await c.startRun("take");
  await c.run(1000);
  void c.client.publish("axisStop", { axis: "y", verb: "stop" }, { id: "s1", ts: Date.now() });
  await c.run(8000);
  expect(c.record(run).state).toBe("completed");
  expect(c.bus.of("event").filter(({ type }) => type === "cell.zone.stopped")).toEqual([]);
});

test("no zone: x fails, the run that has z goes on", async () => {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [take, slow]), onRunFailure: "run" });
  await c.start();
  const run = await c.startRun("slow");
  c.driver("x").scriptNext("moveTo", "never");
  await c.startRun("take");
  await c.run(200);
  c.driver("x").lapse("the drive reports fault 7");
  await c.run(8000);
  expect(c.record(run).state).toBe("completed");
});
