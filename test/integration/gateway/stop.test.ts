/**
 * STOP over HTTP, over real sockets: whatever is wrong with the request, it is a stop.
 *
 * The idea: the local stop sockets and the drivers behind them are played; what reached them is
 * what counts. It refuses to look at how the gateway does it.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { axes, PlayedCell } from "../../fixtures/gateway/played-cell.js";
import { RawClient, until } from "../../fixtures/gateway/raw-client.js";

let cell: PlayedCell;
beforeEach(async () => {
  cell = new PlayedCell();
  await cell.start();
});
afterEach(() => cell.end());

interface Answer {
  readonly id: string;
  readonly kind: string;
  readonly delivered: boolean;
  readonly text: string;
  readonly axes: { axis: string; status: string; elapsedMs: number; text?: string }[];
}

async function stop(init: RequestInit = {}, path = "/api/v1/stop"): Promise<Answer> {
  const reply = await fetch(`${cell.url}${path}`, { method: "POST", ...init });
  expect(reply.status).toBe(200);
  return (await reply.json()) as Answer;
}

test("stop: without a body every axis is asked, and the answer names each delivery", async () => {
  const answer = await stop();
  expect(answer).toMatchObject({ kind: "stop", delivered: true });
  expect(answer.axes.map((a) => [a.axis, a.status])).toEqual(axes.map((a) => [a, "received"]));
  for (const axis of answer.axes) expect(axis.elapsedMs).toBeGreaterThan(0);
  expect(cell.fanOut.sent[0]).toMatchObject({
    kind: "stop",
    order: { id: answer.id, latch: true },
  });
  const overMqtt = cell.stop.published.filter((m) => m.key === "cellStop");
  expect(overMqtt[0]).toMatchObject({ levels: { verb: "stop" }, payload: { id: answer.id } });
});

test.each([
  ["broken JSON", { body: '{"kind":', headers: { "content-type": "application/json" } }],
  ["an empty JSON body", { headers: { "content-type": "application/json" } }],
  ["another type", { body: "<stop/>", headers: { "content-type": "application/xml" } }],
  ["a type that is none", { body: "x", headers: { "content-type": ";;;" } }],
  ["a kind that is none", { body: '{"kind":"slowly"}' }],
  ["a list", { body: "[1,2]" }],
  ["a body of 1 MB", { body: "x".repeat(1 << 20) }],
  ["a foreign origin", { headers: { origin: "http://evil.example" } }],
  ["an unusable key", { headers: { "idempotency-key": "not a key!" } }],
] as [string, RequestInit][])("stop: with %s it is a plain stop", async (_what, init) => {
  const answer = await stop(init);
  expect(answer).toMatchObject({ kind: "stop", delivered: true });
});

test("stop: a body that never ends does not hold it", async () => {
  const client = await RawClient.open(cell.port);
  client.send("POST /api/v1/stop HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{");
  await until("the drivers have the stop", () => cell.fanOut.sent.length > 0, 2000);
  await until("the answer is there", () => client.text.includes('"delivered":true'));
  client.socket.destroy();
});

test.each(["quickStop", "abort"])("stop: kind=%s goes out as such", async (kind) => {
  const body = JSON.stringify({ kind, reason: "belt torn" });
  await stop({ body, headers: { "content-type": "text/plain" } });
  expect(cell.fanOut.sent[0]).toMatchObject({ kind, order: { reason: "belt torn" } });
});

test("stop: with the broker down it travels over the local sockets alone", async () => {
  cell.main.lose();
  cell.stop.lose();
  const answer = await stop();
  expect(answer.delivered).toBe(true);
  expect(cell.stop.published).toEqual([]);
  expect(cell.fanOut.sent[0]?.order.id).toBe(answer.id);
});

test("stop: a driver that does not answer is named, the others are received", async () => {
  cell.fanOut.answering.delete("z");
  const answer = await stop();
  expect(answer.delivered).toBe(false);
  expect(answer.text).toBe("z: not delivered: use the hardware stop");
  expect(answer.axes.find((a) => a.axis === "z")).toMatchObject({
    status: "notDelivered",
    text: "not delivered: use the hardware stop",
  });
  const others = answer.axes.filter((a) => a.axis !== "z").map((a) => a.status);
  expect(others).toEqual(["confirmed", "confirmed", "confirmed", "confirmed"]);
  const marks = cell.log.filter((l) => "mark" in l.fields).map((l) => l.fields);
  expect(marks).toContainEqual(expect.objectContaining({ mark: "stop-not-delivered" }));
});

test("stop: one axis is stopped alone, and abort of one axis is its quick stop", async () => {
  const answer = await stop({ body: '{"kind":"abort"}' }, "/api/v1/axes/y/stop");
  expect(answer.axes.map((a) => a.axis)).toEqual(["y"]);
  expect(cell.fanOut.sent[0]).toMatchObject({ kind: "quickStop", order: { axes: ["y"] } });
});

test("stop: a repeat under the same key joins, another stop later has another id", async () => {
  const headers = { "idempotency-key": "tap-1" };
  const first = await stop({ headers });
  const repeat = await stop({ headers });
  expect(repeat.id).toBe(first.id);
  expect((await stop({ headers: { "idempotency-key": "tap-2" } })).id).not.toBe(first.id);
  expect((await stop()).id).not.toBe((await stop()).id);
  const harder = await stop({ headers, body: '{"kind":"quickStop"}' });
  expect(harder.id).not.toBe(first.id);
});

test("stop: an id that the caller sends over another road too is kept", async () => {
  const answer = await stop({ body: '{"id":"01CLI","kind":"stop"}' });
  expect(answer.id).toBe("01CLI");
  expect(cell.fanOut.sent[0]?.order.id).toBe("01CLI");
});

test.each([
  ["key", { headers: { "idempotency-key": "pendant" } }],
  ["id", { body: '{"id":"pendant"}' }],
] as [string, RequestInit][])(
  "stop: the same %s again after the reset is a new stop, not a copy of the old one",
  async (_what, init) => {
    const first = await stop(init);
    cell.stops(first.id);
    expect((await stop(init)).id).toBe(first.id);
    // A driver takes whatever comes under a reset id for a copy that was under way.
    cell.stops();
    const second = await stop(init);
    expect(second.id).not.toBe(first.id);
    expect(cell.fanOut.sent.at(-1)?.order.id).toBe(second.id);
  },
);

test("stop: a harder stop and one of more axes under the same id are not taken for copies", async () => {
  const one = await stop({ body: '{"id":"same"}' }, "/api/v1/axes/y/stop");
  const all = await stop({ body: '{"id":"same"}' });
  const harder = await stop({ body: '{"id":"same","kind":"quickStop"}' });
  expect(new Set([one.id, all.id, harder.id]).size).toBe(3);
});

test("stop: a hundred at once are all sent and all answered (no rate limit)", async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => stop()));
  expect(new Set(answers.map((a) => a.id)).size).toBe(100);
  expect(answers.every((a) => a.delivered)).toBe(true);
});

test("stop: confirmations come into the list of orders after the answer", async () => {
  const answer = await stop();
  const confirmed = async () => {
    const reply = await fetch(`${cell.url}/api/v1/stops`);
    const body = (await reply.json()) as { orders: Answer[] };
    return body.orders.find((order) => order.id === answer.id);
  };
  let order = await confirmed();
  for (let i = 0; i < 100 && order?.axes.some((a) => a.status !== "confirmed"); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    order = await confirmed();
  }
  expect(order?.axes.map((a) => a.status)).toEqual(axes.map(() => "confirmed"));
});
