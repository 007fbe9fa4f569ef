/**
 * Events across brokers, sources and consumers that die: none is lost, none is dealt with twice.
 *
 * The idea: the real post and intake over a real broker, which is killed between its receipt and
 * the delivery, and between the delivery and the consumer's word; both brokers keep their sessions
 * in memory. It refuses to wait for a time: it waits until the outbox is empty.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import { startEmbedded, startMosquitto, type TestBroker } from "../../fixtures/brokers.js";
import { until } from "../../fixtures/cell-process.js";
import { openLink, Rules, Source } from "../../fixtures/custody.js";

// Each death may cost a repeat, and repeats are further apart each time.
vi.setConfig({ testTimeout: 90_000 });
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Cell {
  readonly broker: TestBroker;
  readonly source: Source;
  readonly rules: Rules;
}

async function open(start: () => Promise<TestBroker>, consumers = ["rules"]): Promise<Cell> {
  const broker = await start();
  closing.push(() => broker.stop());
  const source = new Source(broker.url, consumers);
  const rules = new Rules(broker.url);
  await rules.start();
  closing.push(() => rules.kill());
  await source.start();
  closing.push(() => source.kill());
  await until("both are there", () => source.link?.connected && rules.link?.connected);
  return { broker, source, rules };
}

const empty = (source: Source) =>
  until("the outbox is empty", async () => (await source.kept()) === 0, 60_000);

describe.each([
  ["embedded", startEmbedded],
  ["mosquitto", startMosquitto],
] as const)("custody over %s", (_name, start) => {
  it("nothing goes wrong: each event is dealt with once, and the outbox is empty", async () => {
    const { source, rules } = await open(start);
    const ids = source.say(250);
    await empty(source);
    expect(rules.decided).toEqual(ids);
  });

  it("the broker dies with the consumer away, after its receipts and before the delivery", async () => {
    const { broker, source, rules } = await open(start);
    await rules.kill();
    const ids = source.say(150);
    // The receipts are there: without custody nothing of it would be left now.
    await until("all are on the disk", async () => (await source.kept()) === 150);
    await broker.restart(50);
    await rules.start();
    await empty(source);
    expect(rules.decided).toEqual(ids);
  });

  it("the broker dies between the delivery and the word of the consumer", async () => {
    const { broker, source, rules } = await open(start);
    let died: Promise<void> | undefined;
    rules.onHeard = ({ id }) => {
      if (id === "E3") died ??= broker.restart(50);
    };
    const ids = source.say(20);
    await until("the broker was killed", () => died !== undefined);
    await died;
    await empty(source);
    expect(rules.decided).toEqual(ids);
  });

  it("the broker dies three times while events keep coming", async () => {
    const { broker, source, rules } = await open(start);
    const ids: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      ids.push(...source.say(40));
      const back = broker.restart(50);
      ids.push(...source.say(40));
      await back;
    }
    await empty(source);
    expect(rules.decided).toEqual(ids);
  });

  it("the source dies with unacknowledged events: its next start says them again, and once", async () => {
    const { source, rules } = await open(start);
    await rules.kill();
    const ids = [...source.say(120)];
    await until("all are on the disk", async () => (await source.kept()) === 120);
    await source.kill();
    await source.start();
    ids.push(...source.say(3));
    await rules.start();
    await empty(source);
    expect(rules.decided).toEqual(ids);
  });

  it("the consumer dies before it has stored how far it came: it is told again", async () => {
    const { source, rules } = await open(start);
    const ids = source.say(10);
    await until("all were heard", () => rules.decided.length === 10);
    await rules.kill();
    await rules.start();
    await empty(source);
    expect([...new Set(rules.decided)]).toEqual(ids);
  });
});

it("two consumers: events stay for the one that is away, and the other waits for nothing", async () => {
  const { broker, source, rules } = await open(startEmbedded, ["rules", "historian"]);
  const ids = source.say(5);
  await until("the rules have them", () => rules.decided.length === 5);
  expect(await source.kept()).toBe(5);
  const historian = openLink(broker.url, "historian");
  closing.push(() => historian.close());
  const heard = new Set<string>();
  historian.subscribe("event", {}, ({ payload }) => {
    heard.add(payload.id);
    const word = { v: 1 as const, consumer: "historian", seq: payload.sequence ?? 0 };
    historian.publish("ackSource", { source: payload.source }, word).catch(() => undefined);
  });
  await empty(source);
  expect([...heard]).toEqual(ids);
  expect(rules.decided).toEqual(ids);
});
