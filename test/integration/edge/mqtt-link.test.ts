/**
 * The link to the broker, judged against mosquitto, the embedded broker and raw bytes.
 * The idea: what a service may rely on (now or OFFLINE, once per delivery, acknowledged after
 * the handler) holds on every broker. It refuses to measure times closely.
 */
import { afterEach, describe, expect, it } from "vitest";
import { type MqttLink, type MqttLinkOptions, openMqttLink } from "#kernel/edge/mqtt-link.js";
import type { Boot } from "#kernel/ports.js";
import {
  RawBroker,
  startEmbedded,
  startMosquitto,
  type TestBroker,
} from "../../fixtures/brokers.js";
import { keptLog, pause, until } from "../../fixtures/kept-log.js";

const prefix = "plant/press-3";
const by = { user: "ada", role: "operator" };
const opened: { close(): Promise<unknown> }[] = [];
const log = keptLog();

function link(url: string, clientId: string, more: Partial<MqttLinkOptions> = {}): MqttLink {
  const made = openMqttLink({ url, clientId, prefix, log, ...more });
  opened.push(made);
  return made;
}

function command(id: string) {
  return { v: 1, id, ts: 1, ttlMs: 1000, by, replyTo: "coordinator", args: {} } as const;
}

const online = (link: MqttLink) => until(() => link.connected);

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  log.lines.length = 0;
});

const brokers: [string, () => Promise<TestBroker>][] = [
  ["mosquitto", startMosquitto],
  ["embedded", startEmbedded],
];

describe.each(brokers)("on %s", (_name, start) => {
  async function broker(): Promise<TestBroker> {
    const made = await start();
    opened.push({ close: () => made.stop() });
    return made;
  }

  it("MQ-01: overlapping filters call each handler once (reconnects=0, 1, 2, 3)", async () => {
    const peer = await broker();
    const seen = { any: 0, x: 0, moveTo: 0 };
    const driver = link(peer.url, "driver-x");
    driver.subscribe("axisCommand", {}, () => void seen.any++);
    driver.subscribe("axisCommand", { axis: "x" }, () => void seen.x++);
    driver.subscribe("axisCommand", { verb: "moveTo" }, () => void seen.moveTo++);
    let ups = 0;
    driver.onChange((connected) => void (connected && ups++));
    const sender = link(peer.url, "coordinator");
    for (let round = 1; round <= 4; round++) {
      await until(() => ups === round);
      await online(sender);
      await sender.publish("axisCommand", { axis: "x", verb: "moveTo" }, command(`c${round}`));
      await until(() => seen.any >= round && seen.x >= round && seen.moveTo >= round);
      await pause(50);
      expect(seen).toEqual({ any: round, x: round, moveTo: round });
      if (round < 4) await peer.restart(20);
    }
  });

  it("MQ-07: an orderly close leaves offline retained with the same bootId", async () => {
    const peer = await broker();
    const boot: Boot = { service: "driver-x", bootId: "b1", version: "1" };
    const driver = link(peer.url, "driver-x", { will: boot });
    await online(driver);
    await driver.publish(
      "avail",
      { service: "driver-x" },
      { v: 1, status: "online", ts: 1, bootId: "b1", version: "1" },
    );
    await driver.close();
    const seen: unknown[] = [];
    const reader = link(peer.url, "reader");
    reader.subscribe(
      "avail",
      {},
      (m) => void seen.push([m.retained, m.payload.status, m.payload.bootId]),
    );
    await until(() => seen.length > 0);
    expect(seen).toEqual([[true, "offline", "b1"]]);
  });

  it("MQ-07: a link that dies without a word is announced by its will", async () => {
    const peer = await broker();
    const seen: unknown[] = [];
    const reader = link(peer.url, "reader");
    reader.subscribe("avail", {}, (m) => void seen.push([m.payload.status, m.payload.bootId]));
    await online(reader);
    const will: Boot = { service: "driver-x", bootId: "b2", version: "1" };
    const first = link(peer.url, "driver-x", { will });
    await online(first);
    // Taking the client id over ends the first connection without DISCONNECT.
    const second = link(peer.url, "driver-x");
    await until(() => seen.length > 0);
    await Promise.all([first.close(), second.close()]);
    expect(seen[0]).toEqual(["offline", "b2"]);
  });

  it("publishing while the broker is away is refused, and nothing stale comes after", async () => {
    const peer = await broker();
    const seen: string[] = [];
    const driver = link(peer.url, "driver-x");
    driver.subscribe("axisCommand", { axis: "x" }, (m) => void seen.push(m.payload.id));
    const sender = link(peer.url, "coordinator");
    const early = sender.publish("axisCommand", { axis: "x", verb: "home" }, command("early"));
    await expect(early).rejects.toMatchObject({ code: "OFFLINE" });
    await online(driver);
    await online(sender);
    const restarted = peer.restart(200);
    await until(() => !sender.connected);
    for (const qos of ["axisCommand", "cellStop"] as const) {
      const stale =
        qos === "axisCommand"
          ? sender.publish(qos, { axis: "x", verb: "home" }, command("stale"))
          : sender.publish(qos, { verb: "stop" }, { id: "stale" });
      await expect(stale).rejects.toMatchObject({ code: "OFFLINE" });
    }
    await restarted;
    await online(sender);
    await online(driver);
    await until(async () => {
      await sender.publish("axisCommand", { axis: "x", verb: "home" }, command("fresh"));
      await pause(10);
      return seen.length > 0;
    });
    expect(new Set(seen)).toEqual(new Set(["fresh"]));
  });

  it("a stop on the second connection passes a held handler on the first", async () => {
    const peer = await broker();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const order: string[] = [];
    const main = link(peer.url, "driver-x");
    main.subscribe("axisCommand", { axis: "x" }, async () => {
      order.push("command");
      await held;
      order.push("stored");
    });
    const stop = link(peer.url, "driver-x-stop");
    stop.subscribe("cellStop", {}, (m) => void order.push(m.levels.verb));
    const sender = link(peer.url, "gateway");
    await Promise.all([main, stop, sender].map(online));
    await until(async () => {
      if (!order.includes("command")) {
        void sender.publish("axisCommand", { axis: "x", verb: "home" }, command("c"));
      }
      await pause(20);
      return order.includes("command");
    });
    await sender.publish("cellStop", { verb: "quickStop" }, { id: "s1" });
    await until(() => order.includes("quickStop"));
    expect(order).not.toContain("stored");
    release();
    await until(() => order.includes("stored"));
  });

  it("whatever arrives on a stop topic is a stop (not JSON, no id, wrong types)", async () => {
    const peer = await broker();
    const seen: { id: string; verb: string; keys: string[] }[] = [];
    const stop = link(peer.url, "driver-x-stop", { newId: () => "made-up" });
    stop.subscribe("cellStop", {}, ({ payload, levels }) => {
      seen.push({ id: payload.id, verb: levels.verb, keys: Object.keys(payload) });
    });
    await online(stop);
    const mqtt = (await import("mqtt")).default;
    const raw = await mqtt.connectAsync(peer.url, { protocolVersion: 4 });
    opened.push({ close: () => raw.endAsync() });
    await pause(100);
    await raw.publishAsync(`${prefix}/cmd/cell/stop`, "not json");
    await raw.publishAsync(`${prefix}/cmd/cell/abort`, `{"id":7,"axes":"x","latch":"no"}`);
    await raw.publishAsync(`${prefix}/cmd/cell/reset`, `{"id":"no stop"}`, { qos: 1 });
    await raw.publishAsync(`${prefix}/cmd/cell/quickStop`, `{"id":"s","latch":false}`, { qos: 1 });
    await until(() => seen.length >= 3);
    expect(seen).toEqual([
      { id: "made-up", verb: "stop", keys: ["id"] },
      { id: "7", verb: "abort", keys: ["id"] },
      { id: "s", verb: "quickStop", keys: ["id", "latch"] },
    ]);
  });
});

describe("on a raw peer", () => {
  async function peer(): Promise<{ raw: RawBroker; url: string }> {
    const raw = new RawBroker();
    const url = await raw.start();
    opened.push({ close: () => raw.stop() });
    return { raw, url };
  }
  const topic = `${prefix}/cmd/axis/x/moveTo`;

  it("PUBACK is withheld until the handler has settled", async () => {
    const { raw, url } = await peer();
    let release: () => void = () => undefined;
    const driver = link(url, "driver-x");
    driver.subscribe(
      "axisCommand",
      { axis: "x" },
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    await until(() => raw.of(8).length === 1);
    raw.publish({ topic, payload: JSON.stringify(command("c")), id: 7 });
    await until(() => driver.counters.received === 1);
    await pause(100);
    expect(raw.of(4)).toEqual([]);
    release();
    await until(() => raw.of(4).length === 1);
    expect(raw.of(4)[0]?.body.readUInt16BE(0)).toBe(7);
  });

  it("MQ-01: each replay is one call (DUP=1, DUP=0 with a new id, after a reconnect)", async () => {
    const { raw, url } = await peer();
    const seen: string[] = [];
    const driver = link(url, "driver-x");
    driver.subscribe("axisCommand", { axis: "x" }, (m) => void seen.push(m.payload.id));
    await until(() => raw.of(8).length === 1);
    const payload = JSON.stringify(command("A"));
    raw.publish({ topic, payload, id: 1 });
    await until(() => seen.length === 1);
    raw.publish({ topic, payload, id: 1, dup: true });
    raw.publish({ topic, payload, id: 2 });
    await until(() => seen.length === 3 && raw.of(4).length === 3);
    raw.socket.destroy();
    await until(() => raw.of(8).length === 2);
    raw.publish({ topic, payload, id: 1, dup: true });
    await until(() => raw.of(4).length === 4);
    expect(seen).toEqual(["A", "A", "A", "A"]);
    expect(driver.counters.received).toBe(4);
  });

  it("a retained command is dropped with a warning; a retained stop stops", async () => {
    const { raw, url } = await peer();
    const seen: string[] = [];
    const driver = link(url, "driver-x");
    driver.subscribe("axisCommand", { axis: "x" }, () => void seen.push("command"));
    driver.subscribe("cellStop", {}, () => void seen.push("stop"));
    await until(() => raw.of(8).length === 1);
    raw.publish({ topic, payload: JSON.stringify(command("A")), id: 1, retain: true });
    raw.publish({ topic: `${prefix}/cmd/cell/stop`, payload: `{"id":"s"}`, retain: true });
    await until(() => seen.length > 0);
    expect(seen).toEqual(["stop"]);
    expect(driver.counters.retainedCommands).toBe(1);
    expect(
      log.lines.some((one) => one.level === "warn" && one.text.includes("cmd/axis/x/moveTo")),
    ).toBe(true);
    await until(() => raw.of(4).length === 1);
  });

  it("a publish that loses its connection is OFFLINE and is not sent again", async () => {
    const { raw, url } = await peer();
    raw.acknowledges = false;
    const sender = link(url, "coordinator");
    await online(sender);
    const sent = sender.publish("axisCommand", { axis: "x", verb: "home" }, command("A"));
    const ended = expect(sent).rejects.toMatchObject({ code: "OFFLINE" });
    await until(() => raw.of(3).length === 1);
    raw.socket.destroy();
    await ended;
    await until(() => raw.sockets.length === 2 && sender.connected);
    await pause(100);
    expect(raw.of(3).length).toBe(1);
  });

  it("payloads that do not fit are dropped, counted and acknowledged", async () => {
    const { raw, url } = await peer();
    const seen: string[] = [];
    const driver = link(url, "driver-x");
    driver.subscribe("axisCommand", { axis: "x" }, (m) => void seen.push(m.payload.id));
    await until(() => raw.of(8).length === 1);
    raw.publish({ topic, payload: "{", id: 1 });
    raw.publish({ topic, payload: `{"id":"A"}`, id: 2 });
    raw.publish({ topic, payload: JSON.stringify(command("good")), id: 3 });
    await until(() => raw.of(4).length === 3);
    expect(seen).toEqual(["good"]);
    expect(driver.counters.invalid).toBe(2);
  });

  it("a payload of ours that does not fit its schema is a broken assumption", async () => {
    const { url } = await peer();
    const sender = link(url, "coordinator");
    await online(sender);
    const faulty = { ...command("not an id!") };
    await expect(
      sender.publish("axisCommand", { axis: "x", verb: "home" }, faulty),
    ).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(
      sender.publish("axisCommand", { axis: "a/b", verb: "home" }, command("c")),
    ).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("after 150 good ones, a command that does not fit its schema is still refused", async () => {
    const { url } = await peer();
    const sender = link(url, "coordinator");
    await online(sender);
    const levels = { axis: "x", verb: "home" };
    for (let i = 0; i < 150; i += 1) {
      // Nobody acknowledges: what counts is that they were taken.
      sender.publish("axisCommand", levels, command(`c${i}`)).catch(() => undefined);
    }
    await expect(
      sender.publish("axisCommand", levels, command("not an id!")),
    ).rejects.toMatchObject({ code: "INTERNAL" });
  });
});
