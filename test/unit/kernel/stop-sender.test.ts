/**
 * A stop on both roads, until it is answered or 500 ms are over.
 * The idea: time is faked, so the number of repeats is exact. It refuses real sockets.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { StopAck, StopOrder } from "#kernel/contract/payloads.js";
import type { MessageLink, StopFanOut } from "#kernel/ports.js";
import { type StopReport, StopSender, sendStop } from "#kernel/stop-sender.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function roads(options: { connected: boolean }) {
  const sent: string[] = [];
  const hear: ((ack: StopAck) => void)[] = [];
  let subscriptions = 0;
  const link: MessageLink = {
    connected: options.connected,
    publish: (key, levels, payload) => {
      const { id } = payload as StopOrder;
      sent.push(`mqtt ${key} ${(levels as { verb: string }).verb} ${id}`);
      return Promise.reject(new Error("lost"));
    },
    subscribe: (_key, _levels, handler) => {
      subscriptions += 1;
      hear.push((payload) => void handler({ levels: {}, payload, retained: false } as never));
    },
    onChange: () => undefined,
    close: async () => undefined,
  };
  const fanOut: StopFanOut = {
    send: (kind, order) => void sent.push(`local ${kind} ${order.id}`),
    onAck: (listener) => void hear.push(listener),
    close: async () => undefined,
  };
  const ack = (road: 0 | 1, axis: string, status: StopAck["status"], id = "s") => {
    const latched = true;
    hear[road]?.({ v: 1, ts: 1, bootId: "b", axis, id, status, latched });
  };
  return { link, fanOut, sent, ack, subscriptions: () => subscriptions };
}

it("the local road goes first, both at once, and repeats end when all have received", async () => {
  const { link, fanOut, sent, ack } = roads({ connected: true });
  const sender = new StopSender({ link, fanOut });
  const delivery = sender.send({ kind: "stop", order: { id: "s" }, axes: ["x", "y"] });
  expect(sent).toEqual(["local stop s", "mqtt cellStop stop s"]);
  ack(0, "x", "received");
  await vi.advanceTimersByTimeAsync(50);
  expect(sent.length).toBe(4);
  ack(1, "y", "received");
  const reports = await delivery.done;
  expect(reports.map((r) => [r.axis, r.status])).toEqual([
    ["x", "received"],
    ["y", "received"],
  ]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(sent.length).toBe(4);
});

it("an axis silent for 500 ms is not delivered, after 10 sends or more", async () => {
  const { link, fanOut, sent, ack } = roads({ connected: true });
  const delivery = sendStop({
    kind: "abort",
    order: { id: "s" },
    axes: ["x", "y"],
    link,
    fanOut,
  });
  ack(0, "x", "received");
  await vi.advanceTimersByTimeAsync(500);
  const reports = await delivery.done;
  expect(reports.map((r) => [r.axis, r.status])).toEqual([
    ["x", "received"],
    ["y", "notDelivered"],
  ]);
  expect(sent.filter((line) => line === "mqtt cellStop abort s").length).toBeGreaterThanOrEqual(10);
});

it("without a broker the local road alone carries it", async () => {
  const { link, fanOut, sent, ack } = roads({ connected: false });
  const delivery = sendStop({ kind: "stop", order: { id: "s" }, axes: ["x"], link, fanOut });
  expect(sent).toEqual(["local stop s"]);
  ack(0, "x", "received");
  expect((await delivery.done)[0]?.status).toBe("received");
});

it("news after the delivery is still told: confirmed, unconfirmed, a late driver", async () => {
  const { link, fanOut, ack } = roads({ connected: true });
  const news: string[] = [];
  const delivery = sendStop({ kind: "stop", order: { id: "s" }, axes: ["x", "y"], link, fanOut });
  delivery.onUpdate((report: StopReport) => void news.push(`${report.axis} ${report.status}`));
  ack(0, "x", "received");
  ack(1, "x", "confirmed");
  ack(0, "x", "received");
  ack(0, "x", "received", "another stop");
  ack(0, "another axis", "received");
  await vi.advanceTimersByTimeAsync(500);
  ack(1, "y", "received");
  ack(1, "y", "unconfirmed");
  expect(news).toEqual([
    "x received",
    "x confirmed",
    "y notDelivered",
    "y received",
    "y unconfirmed",
  ]);
});

it("a stop for nobody is done at once, and still goes out", async () => {
  const { link, fanOut, sent } = roads({ connected: true });
  const delivery = sendStop({ kind: "stop", order: { id: "s" }, axes: [], link, fanOut });
  expect(await delivery.done).toEqual([]);
  expect(sent.length).toBe(2);
});

it("many stops over one link subscribe to the answers once", () => {
  const { link, fanOut, subscriptions } = roads({ connected: true });
  for (let i = 0; i < 100; i++) {
    sendStop({ kind: "stop", order: { id: `s${i}` }, axes: ["x"], link, fanOut });
  }
  expect(subscriptions()).toBe(1);
});
