/**
 * Filters that never overlap, and the way of a message to its handlers.
 * The idea: stop and command topics share a pattern, so who gets what is a table. It refuses a
 * broker: see the integration tests.
 */
import { expect, it } from "vitest";
import type { TopicKey } from "#kernel/contract/topics.js";
import { ServocellError } from "#kernel/errors.js";
import { disjoint, TopicRouter } from "#kernel/topic-router.js";
import { keptLog, pause } from "../../fixtures/kept-log.js";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const by = { user: "ada", role: "operator" };
const command = { v: 1, id: "c", ts: 1, ttlMs: 1, by, replyTo: "cli", args: {} };

function router(newId: () => string = () => "made-up") {
  const log = keptLog();
  return { log, router: new TopicRouter({ newId, log }) };
}

function filtersFor(...keys: [TopicKey, object][]): string[] {
  const { router: table } = router();
  for (const [key, levels] of keys) table.add(key, levels as never, () => undefined);
  return table.filters().map(({ filter, qos }) => `${filter} ${qos}`);
}

it("filters are widened until no two match the same topic (MQ-01)", () => {
  const of = (...filters: string[]) =>
    disjoint(filters.map((filter) => ({ filter, qos: 0 as const }))).map((one) => one.filter);
  expect(of("a/b", "a/c", "a/b")).toEqual(["a/c", "a/b"]);
  expect(of("a/+", "a/b")).toEqual(["a/+"]);
  expect(of("a/+/c", "a/b/+")).toEqual(["a/+/+"]);
  // A join may meet one that neither of the two met.
  expect(of("a/x/1", "a/+/2", "a/y/+")).toEqual(["a/+/+"]);
  expect(of("a/b", "a/b/c")).toEqual(["a/b", "a/b/c"]);
});

it("a stop connection subscribes to the stop verbs by name, at QoS 0", () => {
  expect(filtersFor(["cellStop", {}], ["axisStop", { axis: "x" }])).toEqual([
    "cmd/cell/stop 0",
    "cmd/cell/quickStop 0",
    "cmd/cell/abort 0",
    "cmd/axis/x/stop 0",
    "cmd/axis/x/quickStop 0",
  ]);
  expect(filtersFor(["cellStop", {}], ["cellCommand", {}])).toEqual(["cmd/cell/+ 1"]);
});

const wants: [string, TopicKey[]][] = [
  ["cmd/cell/stop", ["cellStop"]],
  ["cmd/cell/quickStop", ["cellStop"]],
  ["cmd/cell/abort", ["cellStop"]],
  ["cmd/cell/reset", ["cellCommand"]],
  ["cmd/axis/x/stop", ["axisStop"]],
  ["cmd/axis/x/quickStop", ["axisStop"]],
  ["cmd/axis/x/moveTo", ["axisCommand"]],
  ["cmd/axis/x/abort", ["axisCommand"]],
  ["cmd/run/start", ["runCommand"]],
  ["cmd/other", []],
];
it.each(wants)("a message on %s goes to %j", (topic, keys) => {
  const { router: table } = router();
  const got: TopicKey[] = [];
  const all: TopicKey[] = ["cellStop", "axisStop", "cellCommand", "axisCommand", "runCommand"];
  for (const key of all) table.add(key, {}, () => void got.push(key));
  table.deliver({ topic, payload: encode(command), retained: false });
  expect(got).toEqual(keys);
});

it("a handler gets only the levels that it asked for", () => {
  const { router: table } = router();
  const got: string[] = [];
  table.add("axisCommand", { axis: "y" }, ({ levels }) => void got.push(levels.verb));
  for (const axis of ["x", "y", "z"]) {
    table.deliver({
      topic: `cmd/axis/${axis}/home`,
      payload: encode(command),
      retained: false,
    });
  }
  expect(got).toEqual(["home"]);
});

it("a handler's expected failure is counted, and the others are called", async () => {
  const { router: table, log } = router();
  const got: string[] = [];
  table.add("axisCommand", {}, () => {
    throw new ServocellError("STORE_FULL", "The disk is full.");
  });
  table.add("axisCommand", {}, () =>
    Promise.reject(new ServocellError("STORE_FULL", "The disk is full.")),
  );
  table.add("axisCommand", {}, () => void got.push("third"));
  const work = table.deliver({
    topic: "cmd/axis/x/home",
    payload: encode(command),
    retained: false,
  });
  await work;
  expect(got).toEqual(["third"]);
  expect(table.counters.handlersFailed).toBe(2);
  expect(log.lines.filter((line) => line.level === "error").length).toBe(2);
});

it("nothing is waited for when no handler has work to do", () => {
  const { router: table } = router();
  table.add("axisCommand", {}, () => undefined);
  const arrival = { topic: "cmd/axis/x/home", payload: encode(command), retained: false };
  expect(table.deliver(arrival)).toBeUndefined();
});

it("malformed stop orders that follow each other share one made-up id", async () => {
  let n = 0;
  const { router: table } = router(() => `made-${++n}`);
  const ids: string[] = [];
  table.add("cellStop", {}, ({ payload }) => void ids.push(payload.id));
  const malformed = {
    topic: "cmd/cell/stop",
    payload: new TextEncoder().encode("?"),
    retained: false,
  };
  table.deliver(malformed);
  await pause(20);
  table.deliver(malformed);
  table.deliver({ ...malformed, payload: encode({ id: "" }) });
  expect(ids).toEqual(["made-1", "made-1", "made-1"]);
});

it("malformed stop orders of another kind have another made-up id", () => {
  let n = 0;
  const { router: table } = router(() => `made-${++n}`);
  const ids: string[] = [];
  table.add("cellStop", {}, ({ payload }) => void ids.push(payload.id));
  for (const verb of ["quickStop", "abort", "quickStop", "abort"]) {
    table.deliver({ topic: `cmd/cell/${verb}`, payload: encode({}), retained: false });
  }
  expect(ids).toEqual(["made-1", "made-2", "made-1", "made-2"]);
});

it("a flood of faulty messages is counted in full and logged a few times", () => {
  const { router: table, log } = router();
  table.add("axisCommand", {}, () => undefined);
  const arrival = { topic: "cmd/axis/x/home", payload: encode({ id: 1 }), retained: false };
  for (let i = 0; i < 1000; i++) table.deliver(arrival);
  expect(table.counters.invalid).toBe(1000);
  expect(log.lines.length).toBe(10);
});
