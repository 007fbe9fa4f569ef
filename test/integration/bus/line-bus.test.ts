/**
 * A whole bus service on one RTU line, against scripted raw bytes on a pseudo-terminal.
 * The idea: lanes, scheduler and wire are real; the units are scripts that answer bytes by hand,
 * answer wrongly or keep silent. It refuses tight times: two busy cores share the clock.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openLaneServer } from "#kernel/edge/lane-server.js";
import { openLineWire } from "#kernel/edge/line-wire.js";
import type { Exchange, FieldLink, Lane, Log, MessageLink } from "#kernel/ports.js";
import { buildBus } from "../../../services/bus/app.js";
import { LinePeer, pause, rtu } from "../../fixtures/line-peer.js";
import { pduOf } from "./bus-cell.js";
import { until } from "./raw-peer.js";

const quiet: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const nobody: MessageLink = {
  connected: false,
  publish: async () => undefined,
  subscribe: () => undefined,
  onChange: () => undefined,
  close: async () => undefined,
};

/** What a unit does with a request: bytes without the checksum, or nothing. */
type Script = (pdu: string, unit: number) => string | undefined;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Seen {
  readonly atMs: number;
  readonly unit: number;
  readonly pdu: string;
  /** When its reply went out, or the end of time. */
  endMs: number;
}

class LineBus {
  readonly seen: Seen[] = [];
  readonly #runDir = mkdtempSync(join(tmpdir(), "line-bus-"));

  /** A living unit has time to be late on a busy core; a dead one is given up after 50 ms. */
  async open(
    units: readonly number[],
    script: Script,
    dead: readonly number[] = [],
  ): Promise<void> {
    const peer = new LinePeer(async (bytes) => {
      const [unit, pdu] = [bytes.readUInt8(0), bytes.subarray(1, -2).toString("hex")];
      const seen: Seen = { atMs: performance.now(), unit, pdu, endMs: Number.POSITIVE_INFINITY };
      this.seen.push(seen);
      const reply = script(pdu, unit);
      if (reply === undefined) return;
      await pause(2);
      seen.endMs = performance.now();
      peer.write(rtu(unit.toString(16).padStart(2, "0") + reply));
    });
    const link = {
      kind: "serial",
      path: peer.path,
      baud: 115_200,
      format: "8N1",
      echo: false,
    } as const;
    const timing = { silenceMs: 0, afterWriteMs: 0, turnaroundMs: 2, broadcast: false };
    const bus: BusConfig = {
      id: "rail",
      link,
      units: units.map((unit) => {
        return { unit, ...timing, firstByteMs: dead.includes(unit) ? 50 : 500 };
      }),
      replyTimeoutMs: 600,
    };
    const lanes = await openLaneServer({ runDir: this.#runDir, buses: [bus], log: quiet });
    const wire = openLineWire({ link, units: bus.units, log: quiet });
    const boot = { bootId: "b", service: "bus-rail", version: "0" };
    const config = { buses: [bus], devices: [] } as unknown as CellConfig;
    const wires = new Map([["rail", wire]]);
    const app = buildBus(
      { wires, lanes, main: nobody, log: quiet, boot, newId: () => "id" },
      config,
    );
    closers.push(
      () => peer.close(),
      () => app.stop("the test is over"),
    );
    closers.push(async () => rmSync(this.#runDir, { recursive: true, force: true }));
    await app.start();
    await until(() => wire.connected, "the line", 20_000);
  }

  async driver(unit: number): Promise<FieldLink> {
    const device = `d${unit}`;
    const link = openFieldLink({ runDir: this.#runDir, bus: "rail", unit, device, log: quiet });
    closers.push(() => link.close());
    await until(() => link.connected, "the lanes");
    return link;
  }
}

const read = "0300100002";
const stop = "0606020005";
const good: Script = (pdu) => (pdu.startsWith("03") ? "030400010002" : pdu);

function told(exchange: Exchange): string {
  return exchange.kind === "reply"
    ? Buffer.from(exchange.pdu).toString("hex")
    : `${exchange.kind} ${exchange.why}`;
}

const ask = async (link: FieldLink, lane: Lane, pdu: string) =>
  told(await link.exchange(lane, pduOf(pdu)));

/** Polls as a driver does, until the end of the test. */
function polling(link: FieldLink): { count: number; stop(): void } {
  const state = {
    count: 0,
    on: true,
    stop: () => {
      state.on = false;
    },
  };
  const loop = async () => {
    while (state.on) {
      const answer = await ask(link, "poll", read);
      if (answer.startsWith("0304")) state.count += 1;
      else await pause(5);
    }
  };
  void loop();
  closers.push(async () => state.stop());
  return state;
}

/** Threads and pseudo-terminals start slowly on a busy core. */
vi.setConfig({ testTimeout: 40_000 });

describe("one line, several drivers", () => {
  it("ST-03: never a request before the last one is answered or given up (units=3)", async () => {
    const bus = new LineBus();
    await bus.open([1, 2, 3], (pdu, unit) => (unit === 3 ? undefined : good(pdu, unit)), [3]);
    const drivers = await Promise.all([1, 2, 3].map((unit) => bus.driver(unit)));
    const polls = drivers.map(polling);
    await until(() => (polls[0]?.count ?? 0) > 30 && (polls[1]?.count ?? 0) > 30, "the polls");
    const frames = [...bus.seen];
    // A busy core reads a frame late and never early, so each is held against what it follows.
    let free = 0;
    for (const frame of frames) {
      expect(frame.atMs).toBeGreaterThanOrEqual(free);
      free = frame.unit === 3 ? free + 49 : Math.min(frame.endMs, free + 499);
    }
    expect(frames.every((frame) => frame.pdu === read)).toBe(true);
  });

  it("ST-01, ST-04: a unit that is not there costs its neighbours a few frames, then probes", async () => {
    const bus = new LineBus();
    let there = false;
    await bus.open(
      [1, 2],
      (pdu, unit) => (unit === 2 && !there ? undefined : good(pdu, unit)),
      [2],
    );
    const [one, two] = await Promise.all([bus.driver(1), bus.driver(2)]);
    const poll = polling(one);
    const began = performance.now();
    const dead = polling(two);
    await until(() => poll.count > 200, "the healthy unit");
    const probes = Math.ceil((performance.now() - began) / 2000);
    expect(bus.seen.filter((frame) => frame.unit === 2).length).toBeLessThanOrEqual(3 + probes);
    there = true;
    await until(() => dead.count > 3, "the unit that is back", 10_000);
  });

  it("EX-06: a refusal is told when it comes and not at the end of a timeout", async () => {
    const bus = new LineBus();
    await bus.open([1], () => "8302");
    const driver = await bus.driver(1);
    const began = performance.now();
    for (let i = 0; i < 10; i += 1) expect(await ask(driver, "poll", read)).toBe("8302");
    // Ten timeouts would be five seconds at the least.
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it.each([0, 1, 2, 3, 4, 5, 7, 8, 0x7f])("EX-05: exception %i is told as it is", async (code) => {
    const bus = new LineBus();
    const byte = code.toString(16).padStart(2, "0");
    await bus.open([1], () => `83${byte}`);
    expect(await ask(await bus.driver(1), "poll", read)).toBe(`83${byte}`);
    expect(bus.seen.length).toBe(1);
  });

  it("EX-03: a busy unit is read four times with pauses, its neighbour goes on", async () => {
    const bus = new LineBus();
    await bus.open([1, 2], (pdu, unit) => (unit === 1 ? "8306" : good(pdu, unit)));
    const [one, two] = await Promise.all([bus.driver(1), bus.driver(2)]);
    const poll = polling(two);
    expect(await ask(one, "poll", read)).toBe("8306");
    const tries = bus.seen.filter((frame) => frame.unit === 1);
    expect(tries.length).toBe(4);
    expect((tries[3]?.atMs ?? 0) - (tries[0]?.endMs ?? 0)).toBeGreaterThanOrEqual(290);
    expect(poll.count).toBeGreaterThan(3);
  });

  it("TX-09: the only reply is a late one to another register: the read goes again", async () => {
    const bus = new LineBus();
    const own = (pdu: string) => `0304${pdu.slice(2, 6).repeat(2)}`;
    const [first, second] = ["0300100002", "0300200002"];
    let n = 0;
    await bus.open([1], (pdu) => {
      n += 1;
      if (n === 1) return undefined;
      return own(n === 2 ? first : pdu);
    });
    const driver = await bus.driver(1);
    expect(await ask(driver, "poll", first)).toBe("unknown timeout");
    expect(await ask(driver, "poll", second)).toBe(own(second));
    expect(await ask(driver, "poll", first)).toBe(own(first));
    expect(bus.seen.map(({ pdu }) => pdu)).toEqual([first, second, second, first]);
  });

  it("BC-03: unit 0 is nobody's to read or to write on a line whose units do not list it", async () => {
    const bus = new LineBus();
    await bus.open([1], good);
    const everybody = await bus.driver(0);
    expect(await ask(everybody, "poll", read)).toBe("notSent not-sent");
    expect(await ask(everybody, "stop", stop)).toBe("notSent not-sent");
    expect(bus.seen).toEqual([]);
  });
});

describe("stops on the line", () => {
  it("go out together, in front of all polls, while the line is full (axes=4)", async () => {
    const bus = new LineBus();
    await bus.open([1, 2, 3, 4], good);
    const drivers = await Promise.all([1, 2, 3, 4].map((unit) => bus.driver(unit)));
    for (const driver of drivers) {
      await driver.guard([pduOf(stop)]);
      const pulse = () => driver.pulse({ still: false, connectedDevice: true });
      const beat = setInterval(pulse, 50);
      closers.push(async () => clearInterval(beat));
      pulse();
    }
    const polls = drivers.map(polling);
    await until(() => polls.every((poll) => poll.count > 10), "the polls");
    const answers = await Promise.all(drivers.map((driver) => ask(driver, "stop", stop)));
    expect(answers).toEqual([stop, stop, stop, stop]);
    const at = bus.seen.flatMap((frame, i) => (frame.pdu === stop ? [i] : []));
    expect(at.length).toBe(4);
    expect((at[3] ?? 0) - (at[0] ?? 0)).toBe(3);
    const after = polls[0]?.count ?? 0;
    await until(() => (polls[0]?.count ?? 0) > after + 3, "the polls afterwards");
  });

  it("interleaving 10: STOP while the line waits and drains for a dead unit is the next frame", async () => {
    const bus = new LineBus();
    await bus.open([1, 2], (pdu, unit) => (unit === 2 ? undefined : good(pdu, unit)), [2]);
    const [one, two] = await Promise.all([bus.driver(1), bus.driver(2)]);
    const lost = ask(two, "poll", read);
    const waits = ask(one, "poll", read);
    await until(() => bus.seen.some((frame) => frame.unit === 2), "the request to the dead unit");
    // It waits 50 ms for the first byte, and drains; the drain itself is the wire's own test.
    const stopped = ask(one, "stop", stop);
    expect(await stopped).toBe(stop);
    expect(await lost).toBe("unknown timeout");
    expect(await waits).toBe("030400010002");
    const order = bus.seen.map((frame) => `${frame.unit} ${frame.pdu === stop ? "stop" : "read"}`);
    // Which of the two polls came first is the sockets' affair.
    expect(order.slice(order.indexOf("2 read"))[1]).toBe("1 stop");
  });

  it("a dead axis' stop is tried once it is known silent, and the living have theirs first", async () => {
    const bus = new LineBus();
    await bus.open([1, 2, 3], (pdu, unit) => (unit === 1 ? undefined : good(pdu, unit)), [1]);
    const drivers = await Promise.all([1, 2, 3].map((unit) => bus.driver(unit)));
    const [dead] = drivers;
    if (dead === undefined) throw new Error("no driver");
    for (let i = 0; i < 3; i += 1) await ask(dead, "poll", read);
    bus.seen.length = 0;
    const answers = await Promise.all(drivers.map((driver) => ask(driver, "stop", stop)));
    expect(answers).toEqual(["unknown timeout", stop, stop]);
    expect(bus.seen.filter((frame) => frame.unit === 1).length).toBe(1);
  });
});
