/**
 * MQTT from anybody on the broker: whatever comes under a topic, the service goes on, and stops.
 *
 * The idea: right messages of every topic with some nodes spoiled, any JSON and any bytes, through
 * the same router that every service has behind its connection. It refuses to say which payloads
 * are wrong: the schema of the topic does, and the oracle of a stop order is written here.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type TopicKey, topicPath, topics } from "#kernel/contract/topics.js";
import type { Message } from "#kernel/ports.js";
import {
  axisStopVerbs,
  cellStopVerbs,
  readJson,
  readStopOrder,
  stopIdLengthMax,
} from "#kernel/stop-order.js";
import { TopicRouter } from "#kernel/topic-router.js";
import { keptLog } from "../../fixtures/kept-log.js";
import { payloadOf } from "../../fixtures/odd-values.js";
import { outside } from "../../fixtures/outside.js";
import { rightMessages } from "../../fixtures/right-messages.js";

const keys = Object.keys(topics) as TopicKey[];
const stopKeys: readonly TopicKey[] = ["cellStop", "axisStop"];
const levels = { service: "s", device: "x", axis: "x", kind: "axis", id: "x", type: "t" };
const more = { bus: "b", name: "n", holder: "h", client: "c", source: "s", verb: "moveTo" };

interface Heard {
  readonly key: TopicKey;
  readonly payload: unknown;
}

function router() {
  const heard: Heard[] = [];
  const routes = new TopicRouter({ newId: () => "made-up", log: keptLog() });
  for (const key of keys) {
    routes.add(key, {}, ({ payload }: Message<TopicKey>) => {
      heard.push({ key, payload });
    });
  }
  return { routes, heard };
}

const arrival = fc.constantFrom(...keys).chain((key) => {
  const verbs = key === "cellStop" ? cellStopVerbs : axisStopVerbs;
  const verb = stopKeys.includes(key) ? fc.constantFrom(...verbs) : fc.constant("moveTo");
  return fc.record({
    key: fc.constant(key),
    topic: verb.map((word) => topicPath(key, { ...levels, ...more, verb: word })),
    payload: payloadOf([rightMessages[key]]),
    retained: fc.boolean(),
  });
});

/** The id that a person would read out of the bytes; undefined: there is none to be read. */
function readableId(payload: Uint8Array): string | undefined {
  const order = readJson(new TextDecoder().decode(payload));
  if (typeof order !== "object" || order === null || !Object.hasOwn(order, "id")) return undefined;
  const { id } = order as { readonly id: unknown };
  if (typeof id === "number") return String(id);
  return typeof id === "string" && id !== "" ? id.slice(0, stopIdLengthMax) : undefined;
}

function mustStop(payload: Uint8Array, topic: string, retained = false): void {
  const { routes, heard } = router();
  routes.deliver({ topic, payload, retained });
  expect(heard).toHaveLength(1);
  expect(heard[0]?.payload).toMatchObject({ id: readableId(payload) ?? "made-up" });
}

outside(
  "mqtt",
  "a message reaches its handlers as its schema has it or not at all, a stop order always",
  fc.property(arrival, ({ key, topic, payload, retained }) => {
    if (stopKeys.includes(key)) {
      mustStop(payload, topic, retained);
      return;
    }
    const { routes, heard } = router();
    routes.deliver({ topic, payload, retained });
    for (const one of heard) {
      expect(topics[one.key].schema.safeParse(one.payload).success).toBe(true);
      expect(retained && topic.startsWith("cmd/")).toBe(false);
    }
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
    expect(routes.counters.handlersFailed).toBe(0);
  }),
  { runs: 1500 },
);

outside(
  "mqtt",
  "a stop order is read out of anything, with the id where there is one",
  fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (value) => {
    const { id, axes, by } = readStopOrder(value, () => "made-up");
    expect(id.length).toBeGreaterThan(0);
    expect(id.length).toBeLessThanOrEqual(stopIdLengthMax);
    expect(axes === undefined || axes.every((axis) => typeof axis === "string")).toBe(true);
    expect(by === undefined || typeof by.user === "string").toBe(true);
  }),
  { runs: 1000 },
);

test.each(keys)("the message of %s that the others are made from fits its schema", (key) => {
  expect(topics[key].schema.safeParse(rightMessages[key]).success).toBe(true);
});

const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

test.each([
  [63, 1],
  [64, 0],
  [2000, 0],
  [100_000, 0],
])(
  "arguments of a command nested %i deep reach its handler %i times, and nothing breaks",
  (depth, times) => {
    const { routes, heard } = router();
    const text = JSON.stringify({ ...rightMessages.axisCommand, args: { a: "@" } });
    const payload = Buffer.from(text.replace('"@"', nested(depth - 1)));
    routes.deliver({ topic: "cmd/axis/x/moveTo", payload, retained: false });
    expect(heard).toHaveLength(times);
  },
);

test("a stop order beside arguments nested 100,000 deep stops under its id", () => {
  mustStop(Buffer.from(`{"id":"s7","args":${nested(100_000)}}`), "cmd/axis/x/stop");
});

test("brackets in a text are no nesting", () => {
  const { routes, heard } = router();
  const text = JSON.stringify({ ...rightMessages.permit, text: `\\"${"[{".repeat(100)}` });
  routes.deliver({ topic: "permit/n", payload: Buffer.from(text), retained: false });
  expect(heard).toHaveLength(1);
});
