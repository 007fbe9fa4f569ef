/**
 * The outbox of a driver on its tables: bounds, alarms, numbers, spoiled rows.
 *
 * The idea: the real outbox with a broker in memory whose other end is the test, on a fake clock.
 * It refuses real time.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import { numberMax, waitMsMin } from "#kernel/custody.machine.js";
import { openMemoryStore } from "#kernel/edge/memory-store.js";
import { tailMax } from "#kernel/event-post.js";
import type { OutboxBounds } from "#kernel/outbox-book.js";
import { numberedOf, readNumbered } from "#kernel/outbox-table.js";
import type { Log, Row } from "#kernel/ports.js";
import { Outbox } from "../../../services/driver/outbox.js";
import { driverSchema } from "../../../services/driver/schema.js";
import { useFakeClock } from "../../fixtures/coordinator/coordinator-cell.js";
import { FakeLink, StoreHold } from "../../fixtures/driver/fake-ports.js";

beforeEach(useFakeClock);
afterEach(() => {
  vi.useRealTimers();
});

class Bench {
  readonly disk = openMemoryStore(driverSchema);
  link = new FakeLink();
  hold = new StoreHold(this.disk);
  readonly marks: string[] = [];
  readonly troubles: (string | undefined)[] = [];
  outbox: Outbox | undefined;
  #ids = 0;

  constructor(
    readonly consumers: readonly string[],
    readonly bounds?: OutboxBounds,
  ) {}

  async start(): Promise<void> {
    this.link = new FakeLink();
    this.hold = new StoreHold(this.disk);
    const { link, hold: store, consumers, bounds } = this;
    const note = (fields: object) => {
      const { mark } = fields as { mark?: string };
      if (mark !== undefined) this.marks.push(mark);
    };
    const log: Log = { debug: () => {}, info: note, warn: note, error: note };
    const newId = () => {
      this.#ids += 1;
      return `E${this.#ids}`;
    };
    const facts = { source: "driver-x", device: "x", consumers, log, newId };
    const bound = bounds === undefined ? {} : { bounds };
    this.outbox = new Outbox({ ...facts, link, store, ...bound });
    this.outbox.onTrouble = (text) => this.troubles.push(text);
    const [rows] = await this.disk.tx([readNumbered], { durable: false });
    this.outbox.restore(numberedOf(rows));
    await this.run(10);
  }

  kill(): void {
    this.link.dead = true;
    this.hold.dead = true;
  }

  async run(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  async say(count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) this.outbox?.emit("axis", "fault", {});
    await this.run(20);
  }

  async ack(seq: number, consumer = "rules"): Promise<void> {
    await this.link.deliver("ackSource", { source: "driver-x" }, { v: 1, consumer, seq });
    await this.run(1);
  }

  get said(): readonly CloudEvent[] {
    return this.link.of("event");
  }

  get ids(): readonly string[] {
    return this.said.map(({ id }) => id);
  }

  async rows(): Promise<Row[]> {
    const sql = "SELECT seq, event FROM outgoing ORDER BY seq";
    const [rows] = await this.disk.tx([{ sql }], { durable: false });
    return rows ?? [];
  }
}

const seqOf = (event: CloudEvent | undefined) => event?.sequence ?? 0;

describe("outbox", () => {
  it("no consumer: events leave numbered, in order, and the table at the receipt", async () => {
    const bench = new Bench([]);
    await bench.start();
    await bench.say(3);
    expect(bench.ids).toEqual(["E1", "E2", "E3"]);
    const first = seqOf(bench.said[0]);
    expect(bench.said.map(seqOf)).toEqual([first, first + 1, first + 2]);
    await bench.run(200);
    expect(await bench.rows()).toEqual([]);
  });

  it("a consumer: events stay until its word has passed them, whatever the broker has", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(3);
    await bench.run(200);
    expect(await bench.rows()).toHaveLength(3);
    await bench.ack(seqOf(bench.said[1]));
    await bench.run(200);
    expect(await bench.rows()).toHaveLength(1);
    await bench.ack(seqOf(bench.said[2]));
    await bench.run(200);
    expect(await bench.rows()).toEqual([]);
  });

  it("numbers go on after a kill, and none is given again", async () => {
    const bench = new Bench(["rules"]);
    const numbers = new Map<string, number>();
    for (let start = 0; start < 5; start += 1) {
      await bench.start();
      await bench.say(2);
      for (const event of bench.said) {
        expect(numbers.get(event.id) ?? seqOf(event)).toBe(seqOf(event));
        numbers.set(event.id, seqOf(event));
      }
      await bench.ack(seqOf(bench.said.at(-1)));
      bench.kill();
    }
    const given = [...numbers.values()];
    expect(given).toEqual([...given].sort((a, b) => a - b));
    expect(new Set(given).size).toBe(10);
  });

  it("the disk is full at the start: events wait for the claim of their numbers", async () => {
    const bench = new Bench([]);
    const outbox = bench.start();
    bench.hold.full = true;
    await outbox;
    await bench.say(2);
    expect(bench.ids).toEqual([]);
    bench.hold.full = false;
    await bench.run(1100);
    expect(bench.ids).toEqual(["E1", "E2"]);
  });

  it("the disk is full later: an event leaves all the same", async () => {
    const bench = new Bench([]);
    await bench.start();
    bench.hold.full = true;
    await bench.say(1);
    expect(bench.ids).toEqual(["E1"]);
  });

  it("a consumer that stays away is told pages from the disk, with growing pauses", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(tailMax + 300);
    const first = bench.said.length;
    expect(first).toBe(tailMax + 300);
    await bench.run(60_000);
    const again = bench.said.slice(first);
    // At 2, 6, 14 and 30 s: a hundred each time, the oldest.
    expect(again).toHaveLength(400);
    expect(new Set(again.map(({ id }) => id)).size).toBe(100);
    expect(again[0]?.follows).toBe(0);
    await bench.ack(seqOf(again[99]));
    expect(bench.said.slice(first + 400).map(({ id }) => id)[0]).toBe("E101");
  });

  it("the timer of a repeat fires 0.4 ms early: the event is said again all the same", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(1);
    const fakeNow = performance.now.bind(performance);
    const clock = vi.spyOn(performance, "now").mockImplementation(() => fakeNow() - 0.4);
    await bench.run(waitMsMin + 10);
    clock.mockRestore();
    expect(bench.ids).toEqual(["E1", "E1"]);
  });

  it("a row that is no event is told and passed over, and the others are not held up", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(3);
    const [, second] = await bench.rows();
    bench.kill();
    const sql = "UPDATE outgoing SET event = 'spoiled' WHERE seq = ?";
    await bench.disk.tx([{ sql, params: [Number(second?.seq)] }], { durable: false });
    await bench.start();
    expect(bench.ids).toEqual(["E1", "E3"]);
    expect(bench.said[1]?.follows).toBe(seqOf(bench.said[0]));
    expect(bench.marks).toContain("outbox.spoiled");
  });

  it("a consumer knows higher numbers than were ever given: all that is kept goes above", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(2);
    const known = seqOf(bench.said[1]) + 5_000_000;
    await bench.ack(known);
    await bench.run(20);
    expect(bench.ids.slice(2)).toEqual(["E1", "E2"]);
    expect(seqOf(bench.said[2])).toBeGreaterThan(known);
    expect(bench.said[2]?.follows).toBe(0);
    await bench.say(1);
    expect(seqOf(bench.said.at(-1))).toBeGreaterThan(seqOf(bench.said[3]));
    expect(bench.marks).toEqual(["outbox.renumbered"]);
  });

  it("the disk is full while all is numbered anew: nothing is lost, and once is enough", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(2);
    const known = seqOf(bench.said[1]) + 5_000_000;
    bench.hold.full = true;
    await bench.ack(known);
    await bench.ack(known);
    bench.hold.full = false;
    await bench.run(1100);
    await bench.say(1);
    await bench.ack(known);
    await bench.run(200);
    expect(await bench.rows()).toHaveLength(3);
    const above = bench.said.filter((event) => seqOf(event) > known);
    expect(above.slice(0, 3).map(({ id }) => id)).toEqual(["E1", "E2", "E3"]);
    expect(bench.marks).toEqual(["outbox.renumbered"]);
    await bench.ack(seqOf(above[2]));
    await bench.run(200);
    expect(await bench.rows()).toEqual([]);
  });

  it("killed while the disk is full: the next start has all, and not one number that was claimed alone", async () => {
    const bench = new Bench(["rules"]);
    await bench.start();
    await bench.say(2);
    const known = seqOf(bench.said[1]) + 5_000_000;
    bench.hold.full = true;
    await bench.ack(known);
    bench.kill();
    await bench.start();
    await bench.ack(known);
    await bench.run(200);
    expect(bench.ids.slice(-2)).toEqual(["E1", "E2"]);
    expect(seqOf(bench.said.at(-2))).toBeGreaterThan(known);
    expect(await bench.rows()).toHaveLength(2);
  });

  it("its database is replaced again and again: numbers stay such as are acknowledged", async () => {
    const bench = new Bench(["rules"]);
    let known = 4_000_000_000_000_000;
    for (let database = 0; database < 3; database += 1) {
      await bench.start();
      await bench.disk.tx([{ sql: "DELETE FROM numbered" }], { durable: false });
      bench.kill();
      await bench.start();
      await bench.say(2);
      await bench.ack(known);
      await bench.run(200);
      known = seqOf(bench.said.at(-1));
      expect(known).toBeLessThan(numberMax);
      await bench.ack(known);
      await bench.run(200);
      expect(await bench.rows()).toEqual([]);
      bench.kill();
    }
    expect(bench.marks).toEqual(Array(3).fill("outbox.renumbered"));
  });
});

describe("outbox, at its bounds", () => {
  const small = { bytesMax: 200_000, ageMsMax: 2 * 3_600_000 };

  it("too many bytes: the oldest leave, one alarm for the spell, and it clears", async () => {
    const bench = new Bench(["rules"], small);
    await bench.start();
    await bench.say(1500);
    const kept = await bench.rows();
    await bench.run(200);
    expect((await bench.rows()).length).toBeLessThan(kept.length);
    const types = () =>
      bench.said.map(({ type }) => type).filter((type) => type.includes("outbox"));
    expect([...new Set(types())]).toEqual(["device.outbox.overflowed"]);
    expect(bench.troubles).toHaveLength(1);
    expect(bench.troubles[0]).toContain("rules");
    expect(bench.marks).toEqual(["outbox.overflow"]);
    await bench.say(400);
    expect(bench.troubles).toHaveLength(1);
    await bench.ack(seqOf(bench.said.at(-1)));
    await bench.run(200);
    expect(bench.troubles.at(-1)).toBeUndefined();
    expect(bench.marks.at(-1)).toBe("outbox.roomy");
    expect(types().at(-1)).toBe("device.outbox.recovered");
  });

  it("of an earlier start what is too old goes, and what came hours later stays", async () => {
    const bench = new Bench(["rules"], { bytesMax: 200_000, ageMsMax: 10 * 3_600_000 });
    await bench.start();
    await bench.say(1);
    await bench.run(5 * 3_600_000);
    await bench.say(1);
    bench.kill();
    await bench.start();
    await bench.run(6 * 3_600_000);
    const kept = (await bench.rows()).map(({ event }) => JSON.parse(String(event)).id);
    expect(kept[0]).toBe("E2");
    expect(bench.troubles[0]).toContain("rules");
  });

  it("too old: dropped, and what is left is told as the oldest", async () => {
    const bench = new Bench(["rules"], small);
    await bench.start();
    await bench.say(64);
    await bench.run(small.ageMsMax / 2);
    await bench.say(1);
    await bench.run(small.ageMsMax * 0.7);
    expect(bench.troubles[0]).toContain("rules");
    const newest = bench.said.at(-1);
    const told = bench.said.findLast(({ id }) => id === "E65");
    expect(newest?.sequence).toBeGreaterThanOrEqual(seqOf(told));
    expect(told?.follows).toBe(0);
  });
});
