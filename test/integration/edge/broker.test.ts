/**
 * The embedded broker against clients that misbehave.
 * The idea: one client can neither hold up the others nor fill the memory. It refuses to test
 * aedes' protocol work.
 */
import { connect } from "node:net";
import mqtt from "mqtt";
import { afterEach, expect, it } from "vitest";
import { startEmbedded } from "../../fixtures/brokers.js";
import { until } from "../../fixtures/kept-log.js";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open() {
  const broker = await startEmbedded();
  closing.push(() => broker.stop());
  const client = async (clientId: string) => {
    const made = await mqtt.connectAsync(broker.url, {
      protocolVersion: 4,
      clientId,
      reconnectPeriod: 0,
    });
    closing.push(() => made.endAsync(true));
    made.on("error", () => undefined);
    return made;
  };
  return { broker, client, port: Number(new URL(broker.url).port) };
}

it("a subscriber that does not read is dropped, and the others get everything", async () => {
  const { client, port } = await open();
  const stalled = connect(port, "127.0.0.1");
  stalled.on("error", () => undefined);
  const connectPacket = Buffer.from("\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04slow", "latin1");
  const subscribePacket = Buffer.from("\x82\x06\0\x01\0\x01#\0", "latin1");
  stalled.write(Buffer.concat([connectPacket, subscribePacket]));
  // CONNACK and SUBACK, then it never reads again.
  let answered = 0;
  stalled.on("data", (chunk) => {
    answered += chunk.length;
  });
  await until(() => answered >= 9);
  stalled.pause();
  const reader = await client("reader");
  let got = 0;
  reader.on("message", () => {
    got += 1;
  });
  await reader.subscribeAsync("#", { qos: 0 });
  const sender = await client("sender");
  const load = Buffer.alloc(200_000);
  for (let i = 0; i < 100; i++) await sender.publishAsync("load", load, { qos: 1 });
  await until(() => got === 100);
  let closed = false;
  stalled.once("close", () => {
    closed = true;
  });
  // The broker gives a client time to read before it drops it; this one has had more than that.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  stalled.resume();
  await until(() => closed);
});

it.each([
  ["a payload over 1 MB", "load", 1_048_577],
  ["a topic of the broker's own", "$SYS/x", 1],
])("%s is refused with its sender; the others stay", async (_what, topic, bytes) => {
  const { client } = await open();
  const good = await client("good");
  const bad = await client("bad");
  let closed = false;
  bad.once("close", () => {
    closed = true;
  });
  bad.publish(topic, Buffer.alloc(bytes), { qos: 1 });
  await until(() => closed);
  await good.publishAsync("still", "here", { qos: 1 });
  expect(good.connected).toBe(true);
});

it("an MQTT 5 client is refused with a return code, not left hanging", async () => {
  const { broker } = await open();
  await expect(
    mqtt.connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 }),
  ).rejects.toThrow(/protocol version/i);
});
