/**
 * A node that loses its broker: in memory as over sockets, with clean sessions.
 *
 * The idea: the same cases run on the broker in memory and on aedes with mqtt.js, so that a fault
 * of a schedule means the same in both. It refuses times finer than the keepalive.
 */
import { expect, test } from "vitest";
import type { CellConfig } from "#kernel/config/cell.js";
import type { MessageLink } from "#kernel/ports.js";
import { RealBroker } from "#simulators/campaign/edge-mqtt.js";
import { MemoryNetwork } from "#simulators/world/memory-socket.js";
import { MemoryBroker } from "#simulators/world/message-bus.js";
import type { SeededRandom } from "#simulators/world/seeded-random.js";
import type { VirtualClock } from "#simulators/world/virtual-clock.js";
import type { WorldBroker } from "#simulators/world/world-broker.js";
import { inTime } from "./in-time.js";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const config = {
  cell: "c",
  prefix: "p",
  broker: { kind: "embedded", host: "127.0.0.1", port: 1 },
} as unknown as CellConfig;

const brokers: readonly [string, (clock: VirtualClock, random: SeededRandom) => WorldBroker][] = [
  [
    "memory",
    (clock, random) => new MemoryBroker(clock, random, { drop: 0, repeat: 0, delayMaxMs: 1 }),
  ],
  [
    "aedes",
    (clock, random) => {
      const network = new MemoryNetwork(clock, random, { delayMaxMs: 1, cut: 0.2 });
      return new RealBroker({ config, network, newId: () => "id", log: () => quiet });
    },
  ],
];

/** Whether it arrives is what the cases look at. */
function sent(publishing: Promise<void>): void {
  publishing.catch(() => undefined);
}

interface Stage {
  readonly clock: VirtualClock;
  readonly broker: WorldBroker;
  readonly node: MessageLink;
  readonly other: MessageLink;
  /** What the node got, by the run's id. */
  readonly got: string[];
  /** What the other one saw of the node's availability. */
  readonly seen: string[];
  readonly ask: (run: string) => void;
}

function stage(clock: VirtualClock, broker: WorldBroker): Stage {
  const node = broker.open("driver-x#1", { service: "driver-x", bootId: "driver-x-1" });
  const other = broker.open("gateway#1", { service: "gateway", bootId: "gateway-1" });
  const got: string[] = [];
  const seen: string[] = [];
  clock.as("driver-x#1", () => {
    node.subscribe("axisCommand", { axis: "x" }, ({ payload }) => {
      got.push(payload.id);
    });
  });
  clock.as("gateway#1", () => {
    other.subscribe("avail", {}, ({ payload }) => {
      seen.push(payload.status);
    });
  });
  clock.run(500);
  const online = { v: 1, status: "online", ts: 1, bootId: "driver-x-1", version: "0" } as const;
  clock.as("driver-x#1", () => sent(node.publish("avail", { service: "driver-x" }, online)));
  clock.run(600);
  const ask = (id: string) => {
    const by = { user: "u", role: "operator" } as const;
    const command = { v: 1, id, ts: 1, ttlMs: 5000, by, replyTo: "gateway", args: {} } as const;
    const levels = { axis: "x", verb: "home" };
    clock.as("gateway#1", () => sent(other.publish("axisCommand", levels, command)));
  };
  return { clock, broker, node, other, got, seen, ask };
}

test.each(brokers)("a reset tells at once, and loses what is sent meanwhile (%s)", (_name, make) =>
  inTime((clock, random) => {
    const { broker, node, got, seen, ask } = stage(clock, make(clock, random));
    expect([node.connected, seen]).toEqual([true, ["online"]]);
    broker.cutLink("driver-x#1", 1000, "reset");
    clock.run(clock.nowMs + 50);
    expect([node.connected, seen]).toEqual([false, ["online", "offline"]]);
    ask("while-away");
    clock.run(clock.nowMs + 3000);
    expect(node.connected).toBe(true);
    ask("when-back");
    clock.run(clock.nowMs + 100);
    expect(got).toEqual(["when-back"]);
  }),
);

test.each(brokers)("half open, both find out by their keepalive (%s)", (_name, make) =>
  inTime((clock, random) => {
    const { broker, node, got, seen, ask } = stage(clock, make(clock, random));
    broker.cutLink("driver-x#1", 1000, "halfOpen");
    clock.run(clock.nowMs + 5000);
    ask("unheard");
    expect([node.connected, seen]).toEqual([true, ["online"]]);
    clock.run(clock.nowMs + 22_000);
    expect([node.connected, seen]).toEqual([true, ["online", "offline"]]);
    ask("when-back");
    clock.run(clock.nowMs + 100);
    expect(got).toEqual(["when-back"]);
  }),
);

test.each(brokers)(
  "half open, and the network is mended: both find out at once (%s)",
  (_name, make) =>
    inTime((clock, random) => {
      const { broker, node, got, seen, ask } = stage(clock, make(clock, random));
      broker.cutLink("driver-x#1", 60_000, "halfOpen");
      clock.run(clock.nowMs + 1000);
      expect([node.connected, seen]).toEqual([true, ["online"]]);
      broker.mend();
      clock.run(clock.nowMs + 3000);
      expect([node.connected, seen]).toEqual([true, ["online", "offline"]]);
      ask("when-back");
      clock.run(clock.nowMs + 100);
      expect(got).toEqual(["when-back"]);
      // The keepalive of before finds nothing to tell any more.
      clock.run(clock.nowMs + 30_000);
      expect([node.connected, seen]).toEqual([true, ["online", "offline"]]);
    }),
);

test.each(brokers)(
  "a broker that crashes forgets what it retained, and no will is sent (%s)",
  (_name, make) =>
    inTime((clock, random) => {
      const { broker, node, other, seen } = stage(clock, make(clock, random));
      broker.crash();
      clock.run(clock.nowMs + 300);
      expect([node.connected, other.connected, seen]).toEqual([false, false, ["online"]]);
      broker.restart();
      clock.run(clock.nowMs + 3000);
      expect([node.connected, other.connected, seen]).toEqual([true, true, ["online"]]);
    }),
);

test.each(brokers)("a killed node's will is published, once (%s)", (_name, make) =>
  inTime((clock, random) => {
    const { broker, seen } = stage(clock, make(clock, random));
    clock.kill("driver-x#1");
    clock.as("world", () => broker.cut("driver-x#1"));
    clock.run(clock.nowMs + 30_000);
    expect(seen).toEqual(["online", "offline"]);
  }),
);

test("a publisher whose acknowledgement cannot come any more is told", () =>
  inTime((clock, random) => {
    const [, make] = brokers[0] ?? [];
    if (make === undefined) throw new Error("no broker");
    const { broker, other } = stage(clock, make(clock, random));
    const told: string[] = [];
    const say = () => {
      const avail = { v: 1, status: "online", ts: 2, bootId: "gateway-1", version: "0" } as const;
      clock.as("gateway#1", () => {
        other.publish("avail", { service: "gateway" }, avail).then(
          () => told.push("acknowledged"),
          (error: { code?: string }) => told.push(String(error.code)),
        );
      });
    };
    say();
    broker.crash();
    clock.run(clock.nowMs + 10);
    broker.restart();
    clock.run(clock.nowMs + 500);
    say();
    clock.run(clock.nowMs + 10);
    expect(told).toEqual(["OFFLINE", "acknowledged"]);
  }));

test("a broker with persistence keeps what it retained", () =>
  inTime((clock, random) => {
    const broker = new MemoryBroker(clock, random, { drop: 0, repeat: 0, delayMaxMs: 1 });
    broker.keepsRetained = true;
    const { seen } = stage(clock, broker);
    broker.crash();
    broker.restart();
    clock.run(clock.nowMs + 500);
    expect(seen).toEqual(["online", "online"]);
  }));
