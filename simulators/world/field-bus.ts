/**
 * The field side of the world: lanes between drivers and the bus service, wires to devices.
 *
 * The idea: the same ports that sockets serve, in memory, with delays, lost requests, lost
 * replies and late ones, so the bus service's own scheduler and guardian run unchanged. A node
 * that is killed loses its connections, and what it had queued behaves as its port promises. It
 * refuses to know what a frame means.
 */
import type {
  Exchange,
  FieldLink,
  GuardMessage,
  Lane,
  LaneRequest,
  LaneServer,
  Wire,
  WireResult,
} from "#kernel/ports.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

export interface FieldFaults {
  /** Probability that a request never reaches the device. */
  loseRequest: number;
  /** Probability that a device obeys and its reply is lost. */
  loseReply: number;
  /** Longest time of one exchange, ms. */
  delayMaxMs: number;
}

/** A device as the wire sees it: a request in, a reply out, or silence. */
export interface WireDevice {
  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined;
  /** A write to all units of a line. */
  broadcast?(pdu: Uint8Array, nowMs: number): void;
}

/** One endpoint with several units behind it. */
export class MemoryWire implements Wire {
  connected = true;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  /** Every frame that left, for judges. */
  onFrame: (unit: number, pdu: Uint8Array, reached: boolean) => void = () => {};

  constructor(
    readonly clock: VirtualClock,
    readonly random: SeededRandom,
    readonly faults: FieldFaults,
    readonly devices: ReadonlyMap<number, WireDevice>,
    /** In whose name the connection changes: the bus service's. */
    readonly owner: string,
  ) {}

  exchange(
    unit: number,
    pdu: Uint8Array,
    how: { readonly timeoutMs: number },
  ): Promise<WireResult> {
    if (!this.connected) return Promise.resolve({ kind: "notSent", why: "link-down" });
    const out = this.random.between(0.05, this.faults.delayMaxMs / 2);
    const back = this.random.between(0.05, this.faults.delayMaxMs / 2);
    const reached = !this.random.chance(this.faults.loseRequest);
    const answered = !this.random.chance(this.faults.loseReply);
    return new Promise((resolve) => {
      const asker = this.clock.owner;
      // The device acts in the world's name: a killed bus does not call its frames back.
      const arrive = () => {
        const device = this.devices.get(unit);
        this.onFrame(unit, pdu, reached);
        const reply = reached ? device?.handle(pdu, this.clock.nowMs) : undefined;
        if (reply === undefined || !answered) return;
        const settle = () => {
          this.clock.cancel(giveUp);
          resolve({ kind: "reply", pdu: reply });
        };
        this.clock.plan(back, settle, asker);
      };
      this.clock.plan(out, arrive, "world");
      const late = () => resolve({ kind: "noReply", why: "timeout" });
      const giveUp = this.clock.plan(how.timeoutMs, late);
    });
  }

  /** The connection breaks and cannot be made again for a while. */
  cut(forMs: number): void {
    this.#cutUntilMs = Math.max(this.#cutUntilMs, this.clock.nowMs + forMs);
    this.clock.schedule(0, () => this.#set(false), this.owner);
    this.clock.schedule(forMs, () => this.#rise(), this.owner);
  }
  #cutUntilMs = 0;

  /** Whatever cut it is gone. */
  mend(): void {
    this.#cutUntilMs = 0;
    this.clock.schedule(0, () => this.#rise(), this.owner);
  }

  #rise(): void {
    if (!this.connected && this.clock.nowMs >= this.#cutUntilMs) this.#set(true);
  }

  reconnect(): void {
    this.#set(false);
    this.clock.schedule(this.random.between(1, 20), () => this.#rise());
  }

  #set(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.connected = false;
  }
}

/** One connection of a driver to the bus: what is sent first arrives first. */
export interface LaneRoad {
  lastDueMs: number;
}

/** The lanes of the bus service, server side; drivers attach `MemoryField`s to it. */
export class MemoryLanes implements LaneServer {
  #owner: string | undefined;
  #request: (request: LaneRequest) => void = () => {};
  #closed: (bus: string, lane: Lane, client: number) => void = () => {};
  #guard: (bus: string, client: number, message: GuardMessage, reply: () => void) => void =
    () => {};
  #guardClosed: (bus: string, client: number) => void = () => {};
  readonly #fields = new Set<MemoryField>();
  clients = 0;

  constructor(
    readonly clock: VirtualClock,
    readonly random: SeededRandom,
  ) {}

  /** The bus service listens from now on, in the name of `owner`. */
  listen(owner: string): void {
    this.#owner = owner;
    for (const field of this.#fields) field.rise();
  }

  /** The bus service is gone. */
  cut(): void {
    this.#owner = undefined;
    for (const field of this.#fields) field.fall();
  }

  get listening(): boolean {
    return this.#owner !== undefined;
  }

  onRequest(handler: (request: LaneRequest) => void): void {
    this.#request = handler;
  }

  onClientClosed(handler: (bus: string, lane: Lane, client: number) => void): void {
    this.#closed = handler;
  }

  onGuard(
    handler: (bus: string, client: number, message: GuardMessage, reply: () => void) => void,
  ): void {
    this.#guard = handler;
  }

  onGuardClosed(handler: (bus: string, client: number) => void): void {
    this.#guardClosed = handler;
  }

  async close(): Promise<void> {
    this.cut();
  }

  attach(field: MemoryField): void {
    this.#fields.add(field);
    if (this.listening) this.clock.schedule(0.5, () => field.rise(), field.owner);
  }

  /** A driver is gone: its lanes and its guard connection close. */
  detach(field: MemoryField): void {
    this.#fields.delete(field);
    const { bus, client, roads } = field;
    for (const lane of ["stop", "command", "poll"] as const) {
      this.toBus(() => this.#closed(bus, lane, client), roads[lane]);
    }
    this.toBus(() => this.#guardClosed(bus, client), roads.guard);
  }

  /** Does something in the bus' name, a socket's delay later and after what was sent before it. */
  toBus(work: () => void, road: LaneRoad): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    const { clock, random } = this;
    const still = () => this.#owner === owner && work();
    road.lastDueMs = Math.max(road.lastDueMs, clock.nowMs + random.between(0.02, 0.3));
    clock.plan(road.lastDueMs - clock.nowMs, still, owner);
  }

  ask(request: LaneRequest, road: LaneRoad): void {
    this.toBus(() => this.#request(request), road);
  }

  tell(field: MemoryField, message: GuardMessage, reply: () => void): void {
    this.toBus(() => this.#guard(field.bus, field.client, message, reply), field.roads.guard);
  }
}

/** A driver's end of the lanes. */
export class MemoryField implements FieldLink {
  connected = false;
  client: number;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  readonly #open = new Set<(lost: Exchange) => void>();
  readonly roads: { readonly [R in Lane | "guard"]: LaneRoad } = {
    stop: { lastDueMs: 0 },
    command: { lastDueMs: 0 },
    poll: { lastDueMs: 0 },
    guard: { lastDueMs: 0 },
  };
  #frames: readonly Uint8Array[] | undefined;
  /** What the driver handed over, for judges. */
  onHanded: (lane: Lane, pdu: Uint8Array) => void = () => {};

  constructor(
    readonly lanes: MemoryLanes,
    readonly owner: string,
    readonly bus: string,
    readonly unit: number,
    readonly device: string,
  ) {
    lanes.clients += 1;
    this.client = lanes.clients;
    lanes.attach(this);
  }

  rise(): void {
    if (this.connected) return;
    this.connected = true;
    this.lanes.tell(this, { kind: "hello", unit: this.unit, device: this.device }, () => {});
    if (this.#frames !== undefined) void this.guard(this.#frames);
    for (const listener of this.#listeners) listener(true);
  }

  fall(): void {
    if (!this.connected) return;
    this.connected = false;
    for (const settle of this.#open) settle({ kind: "unknown", why: "link-down" });
    this.#open.clear();
    const tell = () => {
      for (const listener of this.#listeners) listener(false);
    };
    this.lanes.clock.schedule(0, tell, this.owner);
  }

  exchange(lane: Lane, pdu: Uint8Array): Promise<Exchange> {
    if (!this.connected) return Promise.resolve({ kind: "notSent", why: "link-down" });
    this.onHanded(lane, pdu);
    const sentAtMs = this.lanes.clock.nowMs;
    return new Promise((resolve) => {
      const settle = (exchange: Exchange) => {
        if (!this.#open.delete(settle)) return;
        this.lanes.clock.cancel(giveUp);
        resolve(exchange);
      };
      this.#open.add(settle);
      const answer = (reply: Uint8Array) => {
        const delay = this.lanes.random.between(0.02, 0.3);
        const hand = () => settle(meaning(reply, sentAtMs));
        this.lanes.clock.plan(delay, hand, this.owner);
      };
      const { bus, unit, client } = this;
      this.lanes.ask({ bus, lane, client, unit, pdu, answer }, this.roads[lane]);
      const late = () => settle({ kind: "unknown", why: "timeout" });
      const giveUp = this.lanes.clock.plan(2000, late, this.owner);
    });
  }

  guard(frames: readonly Uint8Array[]): Promise<void> {
    this.#frames = frames;
    return new Promise((resolve) => {
      const done = () => this.lanes.clock.schedule(0.1, resolve, this.owner);
      this.lanes.tell(this, { kind: "guard", frames }, done);
    });
  }

  pulse(state: { readonly still: boolean; readonly connectedDevice: boolean }): void {
    const message = { kind: "pulse", still: state.still, up: state.connectedDevice } as const;
    if (this.connected) this.lanes.tell(this, message, () => {});
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.connected = false;
    this.lanes.detach(this);
  }
}

/** Exceptions 0x0A and 0x0B are the bus' own words [PROTOCOL 4]. */
function meaning(reply: Uint8Array, sentAtMs: number): Exchange {
  const exception = reply.length === 2 && ((reply[0] ?? 0) & 0x80) !== 0 ? reply[1] : undefined;
  if (exception === 0x0a) return { kind: "notSent", why: "not-sent" };
  if (exception === 0x0b) return { kind: "unknown", why: "timeout" };
  return { kind: "reply", pdu: reply, sentAtMs };
}
