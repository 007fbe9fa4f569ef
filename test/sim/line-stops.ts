/**
 * Stops at random moments on a loaded serial line with a dead unit, in virtual time.
 *
 * The idea: the bus service's own scheduler on a paced line; seven units are polled and commanded
 * without pause, the eighth is dead; orders come at any moment, to all drivers within two
 * milliseconds. Each stop is judged by the frames that were on the line. It refuses wall time.
 */
import { compileDevice } from "#drivers/compile.js";
import { readRequest, writeSingle } from "#drivers/pdu.js";
import { loadProfile } from "#drivers/profile-loader.js";
import type { BusConfig, CellConfig, SerialFormat } from "#kernel/config/cell.js";
import { planBus } from "#kernel/config/wire-plan.js";
import type { Log } from "#kernel/ports.js";
import { type LineFrame, VirtualLine } from "#simulators/world/line-bus.js";
import { inOwnTurn } from "#simulators/world/own-turn.js";
import { SeededRandom } from "#simulators/world/seeded-random.js";
import { VirtualClock } from "#simulators/world/virtual-clock.js";
import { lanesOptionsOf } from "../../services/bus/app.js";
import { Endpoint } from "../../services/bus/endpoint.js";
import { lineSpeed } from "../../services/kernel/config/bus-link.js";

export interface LineStopsOptions {
  readonly seed: number;
  readonly stops: number;
  readonly baud: number;
  /** @default "8E1" */
  readonly format?: SerialFormat;
}

export interface LineStopsOutcome {
  readonly stops: number;
  readonly boundMs: number;
  readonly longestMs: number;
  readonly inBound: number;
  /** Other frames that began between an order and its last stop frame. */
  readonly strangers: number;
  /** Commands that were sent to a unit after its stop had come. */
  readonly startsAfterStop: number;
  readonly collisions: number;
  readonly frames: number;
  /** Polls and commands among the frames. */
  readonly others: number;
  /** Orders that came while a poll or a command was on the line. */
  readonly metTraffic: number;
  readonly virtualMs: number;
}

const units = [1, 2, 3, 4, 5, 6, 7, 8] as const;
const dead = 8;
const firstByteMs = 50;
/** From the first driver that has the order to the last [PROTOCOL, figures over local sockets]. */
const spreadMs = 2;
/** The bus learns which unit is dead. */
const warmUpMs = 3000;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export function playLineStops(options: LineStopsOptions): Promise<LineStopsOutcome> {
  return inOwnTurn(() => {
    const stage = new LineStops(options);
    const restore = stage.clock.install();
    try {
      return stage.play();
    } finally {
      restore();
    }
  });
}

/** The line and its bound, as a cell file would give them. */
function busOf({ baud, format = "8E1" }: LineStopsOptions): {
  readonly bus: BusConfig;
  readonly boundMs: number;
  readonly blind: readonly Uint8Array[];
} {
  const profile = loadProfile("kinco/fd5p");
  if (!profile.ok) throw new Error("kinco/fd5p does not load");
  const timing = { silenceMs: 0, afterWriteMs: 0, firstByteMs, turnaroundMs: 5, broadcast: false };
  const bus: BusConfig = {
    id: "rail",
    link: { kind: "serial", path: "/dev/null", baud, format, echo: false },
    units: units.map((unit) => ({ unit, ...timing })),
    replyTimeoutMs: 200,
  };
  const axis = {
    kind: "linear",
    unit: "mm",
    countsPerRev: 65_536,
    gear: { motor: 1, output: 1 },
    perRev: 5,
    travel: { min: 0, max: 800 },
    velocityMax: 500,
    accelerationMax: 2500,
    tolerance: 0.1,
    whenOff: "stays",
  } as const;
  const devices = units.map((unit): CellConfig["devices"][number] => ({
    id: `a${unit}`,
    profile: profile.value,
    bus: "rail",
    setup: { device: `a${unit}`, unit, axis, constants: {}, wire: lineSpeed({ baud, format }) },
    leaseMs: 1000,
    pollFastMs: 500,
    pollIdleMs: 500,
    pollSlowMs: 1000,
    breakerFailures: 3,
    breakerResetMs: 2000,
    simulate: {},
  }));
  const [first] = devices;
  if (first === undefined) throw new Error("no device");
  const blind = compileDevice(profile.value, first.setup).stops.controlled?.blind ?? [];
  return { bus, boundMs: planBus(bus, devices).stop.boundMs, blind };
}

/** Reads bring zeros, writes their echo. */
function answer(pdu: Uint8Array): Uint8Array {
  const fc = pdu[0] ?? 0;
  if (fc > 4) return pdu.slice(0, 5);
  const bytes = 2 * (((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0));
  return Uint8Array.of(fc, bytes, ...new Uint8Array(bytes));
}

interface Order {
  readonly atMs: number;
  readonly arrivedMs: Map<number, number>;
  /** Units whose stop frames have all been sent. */
  readonly done: Map<number, number>;
}

class LineStops {
  readonly clock = new VirtualClock();
  readonly #options: LineStopsOptions;
  readonly #random: SeededRandom;
  readonly #line: VirtualLine;
  readonly #endpoint: Endpoint;
  readonly #blind: readonly Uint8Array[];
  readonly #boundMs: number;
  #order: Order | undefined;
  /** Frames since the order that are no stop frames, with their times. */
  #strange: LineFrame[] = [];
  #settled = { stops: 0, inBound: 0, longestMs: 0, strangers: 0 };
  #starts = 0;
  #frames = 0;
  #others = 0;
  #metTraffic = 0;
  /** Stop requests that are not answered yet, repeats of the dead unit included. */
  #openStops = 0;

  constructor(options: LineStopsOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    const { bus, boundMs, blind } = busOf(options);
    this.#boundMs = boundMs;
    this.#blind = blind;
    const healthy = units.filter((unit) => unit !== dead);
    this.#line = new VirtualLine({
      clock: this.clock,
      random: this.#random,
      speed: lineSpeed({ baud: options.baud, format: options.format ?? "8E1" }),
      devices: new Map(healthy.map((unit) => [unit, { handle: answer }])),
      // Mostly quick; now and then as late as a unit may be.
      turnaroundMs: () => {
        return this.#random.chance(0.05)
          ? this.#random.between(5, firstByteMs)
          : this.#random.between(2, 8);
      },
      firstByteMs,
    });
    this.#line.onFrame = (frame) => this.#saw(frame);
    this.#endpoint = this.clock.as("bus", () => {
      const log = silent;
      const wire = this.#line;
      return new Endpoint({
        id: "rail",
        wire,
        options: lanesOptionsOf(bus, undefined),
        log,
        onUnit: () => {},
      });
    });
  }

  play(): LineStopsOutcome {
    for (const unit of units) {
      this.#endpoint.axis(unit, "moving");
      this.#poll(unit);
      this.#command(unit);
    }
    this.clock.run(warmUpMs);
    while (this.#settled.stops < this.#options.stops) {
      // Only when the last order is over is the line loaded again.
      this.clock.run(this.clock.nowMs + 3000, () => this.#openStops === 0);
      if (this.#openStops > 0) throw new Error("a stop was never answered");
      this.clock.run(this.clock.nowMs + this.#random.between(20, 150));
      this.#giveOrder();
      const before = this.#settled.stops;
      const limitMs = this.clock.nowMs + 3 * this.#boundMs + 1000;
      this.clock.run(limitMs, () => this.#settled.stops > before);
      if (this.#settled.stops === before) throw new Error("a stop never ended");
    }
    const { stops, inBound, longestMs, strangers } = this.#settled;
    return {
      stops,
      boundMs: this.#boundMs,
      longestMs,
      inBound,
      strangers,
      startsAfterStop: this.#starts,
      collisions: this.#line.collisions,
      frames: this.#frames,
      others: this.#others,
      metTraffic: this.#metTraffic,
      virtualMs: this.clock.nowMs,
    };
  }

  /** A driver's polls: the next one when the last is answered. */
  #poll(unit: number): void {
    const pdu = readRequest(3, 0x3200, this.#random.pick([2, 2, 4, 12]) ?? 2);
    const again = () => this.clock.schedule(this.#random.between(0.2, 4), () => this.#poll(unit));
    this.#endpoint.request({ lane: "poll", unit, pdu, client: unit, answer: again });
  }

  /** Now and then a driver writes; its value is the number of its stops so far. */
  #command(unit: number): void {
    const pdu = writeSingle(0x3100, this.#settled.stops & 0xffff);
    const again = () => {
      this.clock.schedule(this.#random.between(20, 200), () => this.#command(unit));
    };
    this.#endpoint.request({ lane: "command", unit, pdu, client: unit, answer: again });
  }

  #giveOrder(): void {
    this.#strange = [];
    this.#order = { atMs: this.clock.nowMs, arrivedMs: new Map(), done: new Map() };
    const order = this.#order;
    // No stop is open here, so what is on the line is a poll or a command.
    if (this.#line.busy) this.#metTraffic += 1;
    const first = this.#random.pick(units) ?? 1;
    for (const unit of units) {
      const delayMs = unit === first ? 0 : this.#random.between(0, spreadMs);
      this.clock.schedule(delayMs, () => {
        order.arrivedMs.set(unit, this.clock.nowMs);
        this.#stop(order, unit, 0);
      });
    }
  }

  /** The driver writes its stop frames one after the other; a dead unit takes none of them. */
  #stop(order: Order, unit: number, index: number): void {
    const pdu = this.#blind[index];
    if (pdu === undefined) {
      this.#endpoint.axis(unit, "still");
      this.clock.schedule(this.#random.between(1, 5), () => this.#endpoint.axis(unit, "moving"));
      return;
    }
    this.#openStops += 1;
    const next = () => {
      this.#openStops -= 1;
      this.#stop(order, unit, index + 1);
    };
    this.#endpoint.request({ lane: "stop", unit, pdu: marked(pdu), client: unit, answer: next });
  }

  #saw(frame: LineFrame): void {
    this.#frames += 1;
    if (!isMarked(frame.pdu)) this.#others += 1;
    const order = this.#order;
    if (order === undefined) return;
    if (!isMarked(frame.pdu)) {
      // What a driver handed over before its stop came must not follow it.
      const stopped = order.arrivedMs.has(frame.unit);
      if (frame.pdu[0] === 6 && stopped && !order.done.has(frame.unit)) this.#starts += 1;
      if (frame.startMs > order.atMs) this.#strange.push(frame);
      return;
    }
    if (order.done.has(frame.unit) || !order.arrivedMs.has(frame.unit)) return;
    order.done.set(frame.unit, frame.endMs);
    if (order.done.size < units.length) return;
    const lastMs = frame.endMs - order.atMs;
    this.#settled.stops += 1;
    if (lastMs <= this.#boundMs) this.#settled.inBound += 1;
    this.#settled.longestMs = Math.max(this.#settled.longestMs, lastMs);
    this.#settled.strangers += this.#strange.length;
    this.#order = undefined;
  }
}

/** Stop frames and other writes go to one register here; function 16 tells them apart. */
function marked(pdu: Uint8Array): Uint8Array {
  const [, high = 0, low = 0, a = 0, b = 0] = pdu;
  return Uint8Array.of(16, high, low, 0, 1, 2, a, b);
}

function isMarked(pdu: Uint8Array): boolean {
  return pdu[0] === 16;
}
