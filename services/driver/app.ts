/**
 * The driver of one device: reads it, lends it, commands it, and stops it.
 *
 * The idea: parts with one duty each, wired here; both roads of a stop lead to one runner before
 * anything else is opened, and one tick compares every deadline with the clock. It refuses to
 * decide: the machines do (lease, stop, pipeline).
 */
import { compileDevice } from "#drivers/compile.js";
import type { DeviceModel } from "#drivers/device-model.js";
import type { Command, StopAck } from "#kernel/contract/payloads.js";
import type { App } from "#kernel/ports.js";
import { Presence } from "#kernel/presence.js";
import { namingStore } from "#kernel/stored-json.js";
import type { DriverConfig, DriverPorts } from "./driver-ports.js";
import { DriverParts } from "./parts.js";

/** How often every deadline is looked at while something runs, and while nothing does. */
export const tickMs = 25;
export const idleTickMs = 50;
/** Longest wait for the standstill at an orderly end. */
export const drainMsMax = 5000;

/** `model`: another one than the profile's, for tests. */
export function buildDriver(
  ports: DriverPorts,
  config: DriverConfig,
  model: DeviceModel = compileDevice(config.device.profile, config.device.setup),
): App {
  return namingStore(new DriverApp(ports, config, model), ports.store);
}

class DriverApp implements App {
  readonly #ports: DriverPorts;
  readonly #parts: DriverParts;
  readonly #device: string;
  readonly #presence: Presence;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #loaded: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #closed = false;

  constructor(ports: DriverPorts, config: DriverConfig, model: DeviceModel) {
    this.#ports = ports;
    this.#device = config.device.id;
    const publishAck = (ack: StopAck) => {
      // Lost or offline: the sender repeats its order until one comes through [PROTOCOL 5].
      if (!ports.stop.connected) return;
      ports.stop.publish("stopAck", { axis: this.#device }, ack).catch(() => undefined);
    };
    this.#parts = new DriverParts(ports, config, model, publishAck);
    this.#presence = new Presence(ports.main, ports.boot);
    this.#parts.outbox.onTrouble = (text) => this.#presence.degraded(text, "outbox");
    this.#listen();
  }

  async start(): Promise<void> {
    this.#tick();
    this.#loaded = this.#parts.restore();
    await this.#loaded;
    if (this.#closed || this.#ending !== undefined) return;
    this.#parts.poll.start();
    this.#presence.start();
  }

  stop(reason: string): Promise<void> {
    this.#ending ??= this.#drain(reason);
    return this.#ending;
  }

  /** A moving axis is never handed over, nor one that somebody has [PROTOCOL 12]. */
  isIdle(): boolean {
    return !this.#parts.busy && !this.#parts.mayMove;
  }

  /** Both roads of a stop first, then everything else. */
  #listen(): void {
    const { door, stop, main } = this.#ports;
    const { stops, leases, holds } = this.#parts;
    const axis = this.#device;
    const meant = (axes: readonly string[] | undefined) => axes?.includes(axis) ?? true;
    door.onOrder((kind, order, answer) => {
      if (meant(order.axes)) stops.order(kind, order, { answer });
    });
    stop.subscribe("cellStop", {}, ({ levels: { verb }, payload, retained }) => {
      if (verb !== "stop" && verb !== "quickStop" && verb !== "abort") return;
      if (meant(payload.axes)) stops.order(verb, payload, { retained });
    });
    stop.subscribe("axisStop", { axis }, ({ levels: { verb }, payload, retained }) => {
      if (verb === "stop" || verb === "quickStop") stops.order(verb, payload, { retained });
    });
    stop.subscribe("stateStop", {}, ({ payload }) => {
      this.#parts.adopt(payload.stops.map(({ id }) => id));
    });
    stop.subscribe("beat", {}, ({ levels: { holder }, payload: { bootId } }) => {
      leases.apply({ kind: "beat", holder, bootId });
    });
    stop.subscribe("holdBeat", { axis }, ({ payload }) => holds.heard(payload));
    stop.subscribe("avail", {}, ({ levels: { service }, payload }) => {
      const { status, bootId } = payload;
      if (status === "offline") leases.apply({ kind: "offline", holder: service, bootId });
      holds.presence(service, payload);
    });
    main.subscribe("axisCommand", { axis }, ({ levels: { verb }, payload }) => {
      return this.#onCommand(verb, payload);
    });
  }

  async #onCommand(verb: string, command: Command): Promise<void> {
    // Until the store was read nobody knows which ids are repeats.
    await this.#loaded;
    if (this.#closed || this.#parts.requests.handle(verb, command)) return;
    await this.#parts.commands.submit(verb, command);
  }

  #tick(): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    this.#parts.tick(nowMs);
    const waitMs = this.#parts.busy ? tickMs : idleTickMs;
    this.#timer = setTimeout(() => this.#tick(), waitMs);
  }

  async #drain(reason: string): Promise<void> {
    const { log, breaker, door, stop, main, field, store } = this.#ports;
    log.info({ reason }, "the driver is stopping");
    await this.#parts.standStill(performance.now() + drainMsMax);
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#parts.poll.stop();
    breaker.close();
    await this.#presence.stop();
    this.#parts.outbox.close();
    await door.close();
    await Promise.all([stop.close(), main.close()]);
    await field.close();
    await store.close();
  }
}

export type { DriverConfig, DriverPorts };
