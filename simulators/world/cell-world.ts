/**
 * A whole cell in one process: the real apps over the world's clock, message bus and field bus.
 *
 * The idea: every service is a node that can be killed at any await and built again on the same
 * store. The world keeps a trace of what the judges need: stops delivered, frames handed over,
 * leases, and how each plant really moves. It refuses to judge; that is test/sim.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { App, Boot, Breaker, Log, Store } from "#kernel/ports.js";
import { buildBus } from "../../services/bus/app.js";
import { buildCoordinator } from "../../services/coordinator/app.js";
import { buildDriver } from "../../services/driver/app.js";
import {
  type FieldFaults,
  MemoryField,
  MemoryLanes,
  MemoryWire,
  type WireDevice,
} from "./field-bus.js";
import { MemoryBroker, type MemoryLink, type MessageFaults } from "./message-bus.js";
import { SeededRandom } from "./seeded-random.js";
import { MemoryStopSockets } from "./stop-sockets.js";
import { VirtualClock } from "./virtual-clock.js";

/** What the judges read. Times are virtual ms. */
export type TraceLine =
  | {
      readonly at: number;
      readonly kind: "stopDelivered";
      readonly device: string;
      readonly id: string;
      readonly road: "mqtt" | "socket";
      readonly boot: string;
    }
  | {
      readonly at: number;
      readonly kind: "handed";
      readonly device: string;
      readonly lane: "stop" | "command";
      readonly pdu: string;
      readonly boot: string;
    }
  | {
      readonly at: number;
      readonly kind: "lease";
      readonly device: string;
      readonly change: "granted" | "ended";
      readonly epoch: number;
    }
  | { readonly at: number; readonly kind: "killed" | "started"; readonly node: string }
  | {
      readonly at: number;
      readonly kind: "motion";
      readonly device: string;
      readonly moving: boolean;
      readonly position: number;
    }
  | { readonly at: number; readonly kind: "beat"; readonly device: string; readonly boot: string }
  | { readonly at: number; readonly kind: "fault"; readonly text: string }
  | { readonly at: number; readonly kind: "run"; readonly run: string; readonly state: string };

/** A simulated device that the world can look into. */
export interface WorldDevice extends WireDevice {
  advance(nowMs: number): void;
  readonly moving: boolean;
  readonly position: number;
}

/** What the world is given from outside, because it may not touch the edge. */
export interface WorldParts {
  readonly makeStore: (service: string) => Store;
  readonly makeBreaker: (config: { failures: number; resetMs: number; name: string }) => Breaker;
  readonly makeDevice: (device: string) => WorldDevice;
  readonly log: (node: string) => Log;
}

interface Node {
  readonly owner: string;
  readonly app: App;
}

export class CellWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly trace: TraceLine[] = [];
  readonly messageFaults: MessageFaults = { drop: 0, repeat: 0, delayMaxMs: 2 };
  readonly fieldFaults: FieldFaults = { loseRequest: 0, loseReply: 0, delayMaxMs: 3 };
  readonly broker: MemoryBroker;
  readonly stopSockets: MemoryStopSockets;
  readonly lanes: MemoryLanes;
  readonly devices = new Map<string, WorldDevice>();
  readonly nodes = new Map<string, Node>();
  readonly #stores = new Map<string, Store>();
  readonly #fields = new Map<string, MemoryField>();
  readonly #moving = new Map<string, boolean>();
  #boots = 0;
  #ids = 0;

  constructor(
    seed: number,
    readonly config: CellConfig,
    readonly parts: WorldParts,
  ) {
    this.random = new SeededRandom(seed);
    this.broker = new MemoryBroker(this.clock, this.random, this.messageFaults);
    this.stopSockets = new MemoryStopSockets(this.clock, this.random);
    this.lanes = new MemoryLanes(this.clock, this.random);
    for (const device of config.devices) {
      this.devices.set(device.id, parts.makeDevice(device.id));
      this.#moving.set(device.id, false);
    }
    this.#watchStops();
    this.#watchPlants();
  }

  get names(): readonly string[] {
    return ["bus", ...this.config.devices.map((d) => `driver-${d.id}`), "coordinator"];
  }

  newId = (): string => {
    this.#ids += 1;
    return `W${String(this.#ids).padStart(10, "0")}`;
  };

  /** Starts a node (again) on the store it had. */
  start(name: string): void {
    this.#boots += 1;
    const owner = `${name}#${this.#boots}`;
    this.trace.push({ at: this.clock.nowMs, kind: "started", node: owner });
    const boot: Boot = { bootId: owner.replace("#", "-"), service: name, version: "0" };
    const build = () => {
      const app = this.#build(name, owner, boot);
      this.nodes.set(name, { owner, app });
      void app.start();
    };
    this.clock.schedule(0, build, owner);
  }

  /** kill -9: its events end, its connections break, its will is published. */
  kill(name: string): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    this.nodes.delete(name);
    this.trace.push({ at: this.clock.nowMs, kind: "killed", node: node.owner });
    this.clock.kill(node.owner);
    this.stopSockets.cut(node.owner);
    if (name === "bus") this.lanes.cut();
    const field = this.#fields.get(name);
    if (field !== undefined) {
      this.#fields.delete(name);
      this.clock.as("world", () => this.lanes.detach(field));
    }
    this.clock.as("world", () => this.broker.cut(node.owner));
  }

  #build(name: string, owner: string, boot: Boot): App {
    const will = { service: name, bootId: boot.bootId };
    const main = this.broker.open(owner, will);
    const stop = this.broker.open(owner);
    const common = { main, log: this.parts.log(owner), boot, newId: this.newId };
    if (name === "bus") return this.#buildBus(owner, common);
    if (name === "coordinator") {
      const fanOut = this.stopSockets.fanOut(owner);
      const store = this.#store(name);
      const hostBootId = "one-boot";
      return buildCoordinator({ ...common, stop, store, fanOut, hostBootId }, this.config);
    }
    return this.#buildDriver(name, owner, boot, { ...common, stop });
  }

  #buildBus(
    owner: string,
    common: { main: MemoryLink; log: Log; boot: Boot; newId: () => string },
  ) {
    const wires = new Map<string, MemoryWire>();
    for (const bus of this.config.buses) {
      const units = this.config.devices.filter((d) => d.bus === bus.id);
      const behind = new Map<number, WireDevice>();
      for (const unit of units) {
        const device = this.devices.get(unit.id);
        if (device !== undefined) behind.set(unit.setup.unit, device);
      }
      wires.set(bus.id, new MemoryWire(this.clock, this.random, this.fieldFaults, behind));
    }
    const app = buildBus({ ...common, wires, lanes: this.lanes }, this.config);
    this.lanes.listen(owner);
    return app;
  }

  #buildDriver(
    name: string,
    owner: string,
    boot: Boot,
    common: { main: MemoryLink; stop: MemoryLink; log: Log; boot: Boot; newId: () => string },
  ) {
    const device = this.config.devices.find((d) => `driver-${d.id}` === name);
    if (device === undefined) throw new RangeError(`no device for ${name}`);
    const field = new MemoryField(this.lanes, owner, device.bus, device.setup.unit, device.id);
    field.onHanded = (lane, pdu) => {
      if (lane === "poll") return;
      const hex = Buffer.from(pdu).toString("hex");
      const at = this.clock.nowMs;
      this.trace.push({ at, kind: "handed", device: device.id, lane, pdu: hex, boot: boot.bootId });
    };
    this.#fields.set(name, field);
    const breaker = this.parts.makeBreaker({
      failures: device.breakerFailures,
      resetMs: device.breakerResetMs,
      name: device.id,
    });
    const door = this.stopSockets.door(owner, device.id);
    const store = this.#store(name);
    return buildDriver({ ...common, field, store, breaker, door }, { cell: this.config, device });
  }

  /** Stores outlive their service, as files do. */
  #store(name: string): Store {
    const known = this.#stores.get(name);
    if (known !== undefined) return known;
    const inner = this.parts.makeStore(name);
    // A commit takes time, so that a kill can fall between the request and its answer.
    const store: Store = {
      tx: async (statements, how) => {
        await this.clock.wait(this.random.between(0.05, 0.4));
        const rows = await inner.tx(statements, how);
        await this.clock.wait(this.random.between(0.05, how.durable ? 2 : 0.2));
        return rows;
      },
      close: async () => {},
    };
    this.#stores.set(name, store);
    return store;
  }

  #watchStops(): void {
    this.stopSockets.onDelivered = (device, _kind, order) => {
      const boot = this.nodes.get(`driver-${device}`)?.owner.replace("#", "-") ?? "";
      const at = this.clock.nowMs;
      this.trace.push({ at, kind: "stopDelivered", device, id: order.id, road: "socket", boot });
    };
    this.broker.onPublished = (_from, path, payload) => this.#onPublished(path, payload);
    this.broker.onDelivered = (to, path, payload) => this.#onDelivered(to, path, payload);
  }

  #onDelivered(to: string, path: string, payload: unknown): void {
    const [, device] = /^driver-([^#]+)#/.exec(to) ?? [];
    const at = this.clock.nowMs;
    const boot = to.replace("#", "-");
    if (device !== undefined && /^cmd\/(cell|axis\/[^/]+)\/(stop|quickStop|abort)$/.test(path)) {
      const order = payload as { id: string; axes?: readonly string[] };
      if (order.axes !== undefined && !order.axes.includes(device)) return;
      this.trace.push({ at, kind: "stopDelivered", device, id: order.id, road: "mqtt", boot });
    }
    if (device !== undefined && path.endsWith("/beat")) {
      this.trace.push({ at, kind: "beat", device, boot });
    }
  }

  #onPublished(path: string, payload: unknown): void {
    const at = this.clock.nowMs;
    const lease = /^event\/axis\/([^/]+)\/lease\.(granted|ended)$/.exec(path);
    if (lease !== null) {
      const data = (payload as { data: { epoch?: number } }).data;
      const change = lease[2] === "granted" ? "granted" : "ended";
      this.trace.push({
        at,
        kind: "lease",
        device: lease[1] ?? "",
        change,
        epoch: data.epoch ?? 0,
      });
    }
    if (path === "state/run") {
      for (const run of (payload as { runs: { run: string; state: string }[] }).runs) {
        this.trace.push({ at, kind: "run", run: run.run, state: run.state });
      }
    }
  }

  /** Looks at every plant each 10 ms and notes when one starts or ends to move. */
  #watchPlants(): void {
    const look = () => {
      for (const [device, plant] of this.devices) {
        plant.advance(this.clock.nowMs);
        if (plant.moving !== this.#moving.get(device)) {
          this.#moving.set(device, plant.moving);
          const { moving, position } = plant;
          this.trace.push({ at: this.clock.nowMs, kind: "motion", device, moving, position });
        }
      }
      this.clock.schedule(10, look, "world");
    };
    this.clock.schedule(0, look, "world");
  }

  note(text: string): void {
    this.trace.push({ at: this.clock.nowMs, kind: "fault", text });
  }
}
