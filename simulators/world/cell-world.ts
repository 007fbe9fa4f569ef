/**
 * A whole cell in one process: the real apps over the world's clock, message bus and field bus.
 *
 * The idea: every service is a node that can be killed at any await, stalled, cut off from its
 * broker and built again on the same disk. The world keeps a trace of what happens, for judges. It
 * refuses to judge, and it reaches nothing outside: what comes from the edge is handed in.
 */
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import type { BusRecord } from "#kernel/contract/frame-record.js";
import type {
  App,
  Boot,
  Breaker,
  Log,
  MessageLink,
  NewId,
  Statement,
  Store,
  Wire,
} from "#kernel/ports.js";
import { buildBus } from "../../services/bus/app.js";
import type { RecordSink } from "../../services/bus/recorder.js";
import { buildCoordinator } from "../../services/coordinator/app.js";
import { buildDriver } from "../../services/driver/app.js";
import type { SimDevice } from "../device.js";
import type { FaultLine, TraceLine } from "../judges/trace.js";
import { type ByteFaults, noByteFaults } from "./byte-faults.js";
import { type BytePipe, BytePipes } from "./byte-pipe.js";
import {
  type FieldFaults,
  MemoryField,
  MemoryLanes,
  MemoryWire,
  type WireDevice,
} from "./field-bus.js";
import { MemoryBroker, type MessageFaults } from "./message-bus.js";
import { gatewayName, PressDesk } from "./press-desk.js";
import { SeededRandom } from "./seeded-random.js";
import { SeededStore } from "./seeded-store.js";
import { MemoryStopSockets } from "./stop-sockets.js";
import { VirtualClock } from "./virtual-clock.js";
import type { WorldBroker } from "./world-broker.js";
import { installWorld } from "./world-globals.js";
import { WorldPlants } from "./world-plants.js";
import { WorldWatch } from "./world-watch.js";

/** What the world is given from outside, because it may not touch the edge. */
export interface WorldParts {
  /** An empty database with the schema of this service. */
  readonly makeStore: (service: string) => Store;
  readonly makeBreaker: (config: { failures: number; resetMs: number; name: string }) => Breaker;
  readonly makeDevice: (device: string) => SimDevice;
  readonly log: (node: string) => Log;
  /** What the flight recorder of a bus would write. @default nothing is recorded */
  readonly onRecord?: (bus: string, record: BusRecord) => void;
  /** Every commit of every service, for judges. */
  readonly onCommit?: (service: string, statements: readonly Statement[]) => void;
  /** A wire of the product on the bytes of a bus. @default PDUs in memory */
  readonly makeWire?: (bus: BusConfig, pipe: BytePipe, log: Log) => Wire;
  /** @default a broker in memory */
  readonly makeBroker?: (kit: BrokerKit) => WorldBroker;
  /** A service was killed: its store is what that left on the disk. @default as it was */
  readonly reopenStore?: (service: string) => void;
}

/** What a broker is made from. */
export interface BrokerKit {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly faults: MessageFaults;
  readonly config: CellConfig;
  readonly newId: NewId;
  readonly log: (node: string) => Log;
}

/** The way to the devices of a bus, for faults. */
export interface FieldWay {
  cut(forMs: number): void;
  mend(): void;
}

/** What a supervisor takes to start a service again, ms. */
const respawnMs = 300;

interface Node {
  readonly owner: string;
  readonly app: App;
}

interface Common {
  readonly main: MessageLink;
  readonly log: Log;
  readonly boot: Boot;
  readonly newId: () => string;
}

export class CellWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly trace: TraceLine[] = [];
  readonly messageFaults: MessageFaults = { drop: 0, repeat: 0, delayMaxMs: 2 };
  readonly fieldFaults: FieldFaults = { loseRequest: 0, loseReply: 0, delayMaxMs: 3 };
  /** Only where the wires are of bytes. */
  readonly byteFaults: ByteFaults = { ...noByteFaults };
  readonly pipes: BytePipes;
  readonly broker: WorldBroker;
  readonly stopSockets: MemoryStopSockets;
  readonly lanes: MemoryLanes;
  readonly plants: WorldPlants;
  readonly nodes = new Map<string, Node>();
  /** Called with every line of the trace as it is written. */
  onLine: (line: TraceLine) => void = () => {};
  readonly #watch: WorldWatch;
  readonly #stores = new Map<string, SeededStore>();
  readonly #fields = new Map<string, MemoryField>();
  readonly #wires = new Map<string, Wire>();
  readonly #ways = new Map<string, FieldWay>();
  readonly #starting = new Set<string>();
  readonly #dead = new Set<string>();
  #boots = 0;
  #ids = 0;
  #hostBoots = 1;

  constructor(
    seed: number,
    readonly config: CellConfig,
    readonly parts: WorldParts,
  ) {
    this.random = new SeededRandom(seed);
    const { clock, random, fieldFaults } = this;
    this.broker = this.#makeBroker();
    this.pipes = new BytePipes({ clock, random, fieldFaults, faults: this.byteFaults });
    this.stopSockets = new MemoryStopSockets(this.clock, this.random);
    this.lanes = new MemoryLanes(this.clock, this.random);
    const { makeDevice } = parts;
    this.plants = new WorldPlants(this.clock, config, { makeDevice, emit: this.emit });
    this.#watch = new WorldWatch({
      clock: this.clock,
      broker: this.broker,
      stopSockets: this.stopSockets,
      plants: this.plants,
      devices: new Set(this.plants.ids),
      rules: (config.rules ?? []).length > 0,
      emit: this.emit,
      bootOf: (device) => this.nodes.get(`driver-${device}`)?.owner.replace("#", "-") ?? "",
    });
  }

  /** The globals are the world's until what is returned is called. */
  install(): () => void {
    const { makeBroker, makeWire } = this.parts;
    // Only libraries of the edge ask Node for chance.
    const deep = makeBroker !== undefined || makeWire !== undefined;
    return installWorld(this.clock, new SeededRandom(deep ? this.random.whole(0, 0xffffff) : 0));
  }

  #makeBroker(): WorldBroker {
    const { clock, random, messageFaults: faults, config, newId } = this;
    const { makeBroker, log } = this.parts;
    return makeBroker === undefined
      ? new MemoryBroker(clock, random, faults)
      : makeBroker({ clock, random, faults, config, newId, log });
  }

  get names(): readonly string[] {
    const drivers = this.config.devices.map((d) => `driver-${d.id}`);
    return ["bus", ...drivers, "coordinator", gatewayName];
  }

  keepsFiles(name: string): boolean {
    return name !== gatewayName;
  }

  /** Where buttons are held now. */
  pressDesk(): { readonly owner: string; readonly desk: PressDesk } | undefined {
    const node = this.nodes.get(gatewayName);
    return node?.app instanceof PressDesk ? { owner: node.owner, desk: node.app } : undefined;
  }

  readonly emit = (line: TraceLine): void => {
    this.trace.push(line);
    this.onLine(line);
  };

  readonly newId = (): string => {
    this.#ids += 1;
    return `W${String(this.#ids).padStart(10, "0")}`;
  };

  /** Starts a node (again) on the disk it had. */
  start(name: string): void {
    if (this.nodes.has(name) || this.#starting.has(name)) return;
    this.#starting.add(name);
    this.#boots += 1;
    const owner = `${name}#${this.#boots}`;
    this.emit({ at: this.clock.nowMs, kind: "started", node: owner });
    const boot: Boot = { bootId: owner.replace("#", "-"), service: name, version: "0" };
    const build = () => {
      this.#starting.delete(name);
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
    this.#dead.add(node.owner);
    this.emit({ at: this.clock.nowMs, kind: "killed", node: node.owner });
    this.clock.kill(node.owner);
    this.stopSockets.cut(node.owner);
    if (name === "bus") {
      this.lanes.cut();
      this.pipes.cut(node.owner);
    }
    this.parts.reopenStore?.(name);
    const field = this.#fields.get(name);
    if (field !== undefined) {
      this.#fields.delete(name);
      this.clock.as("world", () => this.lanes.detach(field));
    }
    this.clock.as("world", () => this.broker.cut(node.owner));
  }

  /** A rejection that nobody handles ends a process; its supervisor starts it again. */
  crashed(owner: string, thrown: unknown): void {
    const name = owner.replace(/#.*$/, "");
    const code = (thrown as { code?: string }).code ?? "";
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    this.emit({ at: this.clock.nowMs, kind: "crashed", node: owner, code, text });
    if (this.nodes.get(name)?.owner !== owner) return;
    this.kill(name);
    this.clock.schedule(respawnMs, () => this.start(name), "world");
  }

  /** SIGSTOP: nothing of it runs, and its sockets stay open. */
  stall(name: string): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    this.emit({ at: this.clock.nowMs, kind: "stalled", node: node.owner });
    this.clock.stall(node.owner);
  }

  resume(name: string): void {
    const node = this.nodes.get(name);
    if (node === undefined || !this.clock.isStalled(node.owner)) return;
    this.emit({ at: this.clock.nowMs, kind: "resumed", node: node.owner });
    this.clock.resume(node.owner);
  }

  /** Kills a node in place of its nth event from now on. */
  killAtEvent(name: string, events: number): void {
    const owner = this.nodes.get(name)?.owner;
    if (owner === undefined) return;
    this.clock.interrupt(owner, events, () => {
      if (this.nodes.get(name)?.owner === owner) this.kill(name);
    });
  }

  /** No node is killed that has not been. */
  spareAll(): void {
    this.clock.uninterrupted();
  }

  /** The PC is off: all services die at once, and disks keep what was synced. */
  powerLoss(): void {
    for (const name of [...this.nodes.keys()]) this.kill(name);
    this.broker.crash();
    for (const store of this.#stores.values()) store.powerLoss();
    this.#hostBoots += 1;
  }

  disk(name: string): SeededStore {
    return this.#store(name);
  }

  wire(bus: string): FieldWay | undefined {
    return this.#ways.get(bus);
  }

  note(
    text: string,
    more: Pick<FaultLine, "what" | "reach" | "device" | "rebooted" | "freed"> = {},
  ): void {
    this.emit({ at: this.clock.nowMs, kind: "fault", text, ...more });
  }

  #build(name: string, owner: string, boot: Boot): App {
    const will = { service: name, bootId: boot.bootId };
    const main = this.broker.open(owner, will);
    const stop = this.broker.open(owner);
    const common = { main, log: this.parts.log(owner), boot, newId: this.newId };
    if (name === "bus") return this.#buildBus(owner, common);
    if (name === gatewayName) return new PressDesk({ ...common, stop });
    if (name === "coordinator") {
      const fanOut = this.stopSockets.fanOut(owner);
      const store = this.#held(name, owner);
      const hostBootId = `host-${this.#hostBoots}`;
      return buildCoordinator({ ...common, stop, store, fanOut, hostBootId }, this.config);
    }
    return this.#buildDriver(name, owner, boot, { ...common, stop });
  }

  #buildBus(owner: string, common: Common) {
    for (const bus of this.config.buses) {
      const units = this.config.devices.filter((d) => d.bus === bus.id);
      const behind = new Map<number, WireDevice>(
        units.map(({ id, setup }) => [setup.unit, this.plants.wired(id)]),
      );
      this.#openWire(bus, behind, owner, common.log);
    }
    const { onRecord } = this.parts;
    const records = new Map<string, RecordSink>(
      this.config.buses.map(({ id }) => {
        return [id, { take: (record) => onRecord?.(id, record), close: async () => {} }];
      }),
    );
    const recorded = onRecord === undefined ? {} : { records };
    const ports = { ...common, ...recorded, wires: this.#wires, lanes: this.lanes };
    const app = buildBus(ports, this.config);
    this.lanes.listen(owner);
    return app;
  }

  #openWire(
    bus: BusConfig,
    behind: ReadonlyMap<number, WireDevice>,
    owner: string,
    log: Log,
  ): void {
    const { makeWire } = this.parts;
    if (makeWire !== undefined) {
      const pipe = this.pipes.of(bus, behind);
      this.#ways.set(bus.id, pipe);
      this.#wires.set(bus.id, makeWire(bus, pipe, log));
      return;
    }
    const wire = new MemoryWire(this.clock, this.random, this.fieldFaults, behind, owner);
    this.#ways.set(bus.id, wire);
    this.#wires.set(bus.id, wire);
  }

  #buildDriver(name: string, owner: string, boot: Boot, common: Common & { stop: MessageLink }) {
    const device = this.config.devices.find((d) => `driver-${d.id}` === name);
    if (device === undefined) throw new RangeError(`no device for ${name}`);
    const field = new MemoryField(this.lanes, owner, device.bus, device.setup.unit, device.id);
    field.onHanded = (lane, bytes) => {
      if (lane === "poll" || (bytes[0] ?? 0) <= 4) return;
      const pdu = Buffer.from(bytes).toString("hex");
      const at = this.clock.nowMs;
      this.emit({ at, kind: "handed", device: device.id, lane, pdu, boot: boot.bootId });
    };
    this.#fields.set(name, field);
    const breaker = this.parts.makeBreaker({
      failures: device.breakerFailures,
      resetMs: device.breakerResetMs,
      name: device.id,
    });
    const door = this.stopSockets.door(owner, device.id);
    const store = this.#held(name, owner);
    return buildDriver({ ...common, field, store, breaker, door }, { cell: this.config, device });
  }

  /** Whoever was killed writes nothing any more, whatever still calls it. */
  #held(name: string, owner: string): Store {
    const store = this.#store(name);
    const never = new Promise<never>(() => {});
    return {
      file: store.file,
      tx: (statements, how) => (this.#dead.has(owner) ? never : store.tx(statements, how)),
      close: () => store.close(),
    };
  }

  /** Disks outlive their service. */
  #store(name: string): SeededStore {
    const known = this.#stores.get(name);
    if (known !== undefined) return known;
    const store = new SeededStore({
      clock: this.clock,
      random: this.random,
      open: () => this.parts.makeStore(name),
      onCommit: (statements) => {
        this.#watch.committed(name, statements);
        this.parts.onCommit?.(name, statements);
      },
    });
    this.#stores.set(name, store);
    return store;
  }
}
