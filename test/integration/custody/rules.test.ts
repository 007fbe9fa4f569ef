/**
 * The rules of the coordinator as a durable consumer: in turn, once, acknowledged from the disk.
 *
 * The idea: the whole coordinator with a source that the test plays; it dies between what it has
 * decided and what it says of that. It refuses real time.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RuleConfig } from "#kernel/config/saga.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
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

const advance = saga("advance", ["z"], [move("on", "z", 5)]);
const onGrab: RuleConfig = {
  name: "belt",
  on: { kind: "axis", id: "x", type: "command.ended" },
  saga: "advance",
  inputs: {},
  wait: true,
};

async function cell(rules: readonly RuleConfig[] = [onGrab]): Promise<CoordinatorCell> {
  const c = new CoordinatorCell({ ...cellConfig(["x", "z"], [advance]), rules });
  await c.start();
  return c;
}

/** The n-th event of a source that is no driver of the cell. */
async function say(c: CoordinatorCell, n: number, given: Partial<CloudEvent> = {}): Promise<void> {
  const event: CloudEvent = {
    specversion: "1.0",
    id: `e${n}`,
    source: "arm",
    type: "axis.command.ended",
    subject: "axis/x",
    time: new Date(Date.now()).toISOString(),
    datacontenttype: "application/json",
    sequence: n,
    follows: n - 1,
    data: {},
    ...given,
  };
  await c.client.publish("event", { kind: "axis", id: "x", type: "command.ended" }, event);
}

const words = (c: CoordinatorCell) => c.bus.of("ackSource", "ack/arm").map(({ seq }) => seq);
const refusals = (c: CoordinatorCell) =>
  c.bus.of("event").filter(({ type }) => type === "cell.rule.refused");

test("a big cell: each source has its word (sources=501)", async () => {
  const c = await cell();
  const names = Array.from({ length: 501 }, (_, n) => `driver-${n}`);
  for (const source of names) await say(c, 1, { source, type: "axis.fault" });
  await c.run(1000);
  const unheard = names.filter((name) => c.bus.of("ackSource", `ack/${name}`).length === 0);
  expect(unheard).toEqual([]);
});

test("events in turn: each starts its run, and one word says so for all of them", async () => {
  const c = await cell();
  for (const n of [1, 2, 3]) await say(c, n);
  await c.run(2000);
  expect(c.moves).toEqual(["z moveTo 5", "z moveTo 5", "z moveTo 5"]);
  expect(words(c)).toEqual([3]);
});

test("one that comes before its turn is passed over, and taken when it comes again", async () => {
  const c = await cell();
  await say(c, 1);
  await say(c, 3);
  await c.run(1000);
  expect(c.moves).toHaveLength(1);
  expect(words(c)).toEqual([1]);
  await say(c, 2);
  await say(c, 3);
  await c.run(2000);
  expect(c.moves).toHaveLength(3);
  expect(words(c).at(-1)).toBe(3);
});

test("repeats start nothing, and bring the word again", async () => {
  const c = await cell();
  await say(c, 1);
  await c.run(1000);
  for (let i = 0; i < 5; i += 1) await say(c, 1);
  await c.run(1000);
  expect(c.moves).toHaveLength(1);
  expect(words(c)).toEqual([1, 1]);
});

test("a source whose events 2 to 799 are gone goes on at the oldest that it has", async () => {
  const c = await cell();
  await say(c, 1);
  await say(c, 800, { follows: 0 });
  await c.run(2000);
  expect(c.moves).toHaveLength(2);
  expect(words(c).at(-1)).toBe(800);
});

test("killed when the run is on the disk and nobody has heard of it: no second run, no refusal", async () => {
  const c = await cell();
  let killed = false;
  c.store.afterTx = () => {
    void c.store.inner.tx([{ sql: "SELECT run FROM runs" }], { durable: false }).then(([rows]) => {
      if (killed || (rows ?? []).length === 0) return;
      killed = true;
      c.kill();
    });
  };
  await say(c, 1);
  await c.run(500);
  expect(killed).toBe(true);
  expect(words(c)).toEqual([]);
  const before = refusals(c).length;
  await c.start();
  await say(c, 1);
  await c.run(3000);
  expect(words(c).at(-1)).toBe(1);
  expect(refusals(c).length).toBe(before);
  const [rows] = await c.store.inner.tx([{ sql: "SELECT run FROM runs" }], { durable: false });
  expect(rows).toHaveLength(1);
});

test("two rules mean it, killed in between: told again, each has one run or one refusal", async () => {
  const other = { ...onGrab, name: "belt-too" };
  const c = await cell([onGrab, other]);
  c.store.stallMs = 50;
  await say(c, 1);
  await c.run(60);
  c.kill();
  c.store.stallMs = 0;
  await c.start();
  await say(c, 1);
  await c.run(3000);
  const [rows] = await c.store.inner.tx([{ sql: "SELECT run FROM runs" }], { durable: false });
  const told = new Set(refusals(c).map(({ data }) => String(data.rule)));
  expect((rows ?? []).length + told.size).toBe(2);
  expect(words(c).at(-1)).toBe(1);
});

test("the disk stalls: no word before it has what was decided", async () => {
  const c = await cell();
  await c.run(1000);
  c.store.stallMs = 2000;
  await say(c, 1);
  await c.run(1900);
  expect(words(c)).toEqual([]);
  await c.run(8000);
  expect(words(c)).toEqual([1]);
});

test("what was said to nobody while it was away is told as refused, and not silently lost", async () => {
  const c = await cell();
  await say(c, 1);
  await c.run(2000);
  const missed = new Date(Date.now()).toISOString();
  c.kill();
  await c.run(3000);
  await c.start();
  await say(c, 2, { time: missed });
  await c.run(1000);
  expect(refusals(c).map(({ data }) => [data.event, data.code])).toEqual([["e2", "EXPIRED"]]);
  expect(words(c).at(-1)).toBe(2);
});

test("a connection that comes back: the word is said again to every source", async () => {
  const c = await cell();
  await say(c, 1);
  await c.run(1000);
  const [main] = c.links;
  main?.fall();
  await c.run(500);
  main?.rise();
  await c.run(500);
  expect(words(c)).toEqual([1, 1]);
});

test("no rules: nothing is acknowledged", async () => {
  const c = await cell([]);
  await say(c, 1);
  await c.run(1000);
  expect(c.bus.of("ackSource")).toEqual([]);
});
