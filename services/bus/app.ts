/**
 * The bus service: one owner per wire, three lanes to it, one guardian per unit.
 *
 * The idea: drivers reach their devices only through here, so scheduling, purge and the guardian
 * exist once [PROTOCOL 9]. When told to stop it goes on serving until the drivers have left,
 * because they stop their axes through it; for those that do not leave, the guardian stops the
 * axes. It refuses to know profiles, registers and leases.
 */
import { exceptionNeverSent, exceptionReply, isReadFunction } from "#drivers/pdu.js";
import type { Detail, Ms } from "#drivers/reading.js";
import { charMs, type LineSpeed } from "#drivers/wire-time.js";
import { eventLevels, makeEvent } from "#kernel/cloud-event.js";
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import { type BusPlan, planBus } from "#kernel/config/wire-plan.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import type { App, Boot, LaneServer, Log, MessageLink, NewId, Wire } from "#kernel/ports.js";
import { Presence } from "#kernel/presence.js";
import { Endpoint } from "./endpoint.js";
import { Guardians } from "./guardians.js";
import type { LanesOptions } from "./lane-state.js";
import { EndpointRecorder, type LateStop, type RecordSink } from "./recorder.js";

/** How long a stopping bus service waits for the drivers to leave. */
export const drainMsMax: Ms = 6000;
/** How long it then gives the guardians of those that stayed. */
export const guardianDrainMsMax: Ms = 1000;
/** Requests of different units on the wire of a TCP endpoint together (docs/adr/0003). */
export const tcpInFlightMax = 8;
/** How often the use of each bus is published. */
export const useEveryMs: Ms = 5000;
/** Events kept while there is no broker; the oldest go first. */
export const eventsMax = 64;
/** The service's own requests; no connection has this number. */
const ownClient = 0;

export interface BusPorts {
  /** One wire per bus of the cell, by bus id. */
  readonly wires: ReadonlyMap<string, Wire>;
  readonly lanes: LaneServer;
  readonly main: MessageLink;
  readonly log: Log;
  readonly boot: Boot;
  readonly newId: NewId;
  /** Where the records of a bus go, by bus id; absent: nowhere. */
  readonly records?: ReadonlyMap<string, RecordSink>;
}

/** @throws INTERNAL when a bus of the cell has no wire. */
export function buildBus(ports: BusPorts, config: CellConfig): App {
  return new BusApp(ports, config);
}

/** What the scheduler of a bus is told of it, and of the line that the plan reckons with. */
export function lanesOptionsOf(
  { link, units, replyTimeoutMs }: BusConfig,
  line: LineSpeed | undefined,
): LanesOptions {
  const unitCount = units.length;
  if (link.kind === "tcp") {
    return { replyTimeoutMs, inFlightMax: tcpInFlightMax, stopBeside: true, unitCount };
  }
  const everybody = unitCount > 0 && units.every(({ broadcast }) => broadcast);
  return {
    replyTimeoutMs,
    inFlightMax: 1,
    stopBeside: false,
    unitCount,
    firstByteMs: new Map(units.map(({ unit, firstByteMs }) => [unit, firstByteMs])),
    ...(line !== undefined && { charMs: charMs(line) }),
    unit0: everybody ? "broadcast" : "refused",
    reconnects: link.kind !== "serial",
  };
}

class BusApp implements App {
  readonly #ports: BusPorts;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #guardians: Guardians;
  readonly #presence: Presence;
  readonly #events: CloudEvent[] = [];
  readonly #recorders = new Map<string, EndpointRecorder>();
  #useTimer: ReturnType<typeof setInterval> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(ports: BusPorts, config: CellConfig) {
    this.#ports = ports;
    this.#presence = new Presence(ports.main, ports.boot);
    for (const bus of config.buses) {
      const wire = ports.wires.get(bus.id);
      if (wire === undefined) {
        throw new ServocellError("INTERNAL", `the bus ${bus.id} has no wire`);
      }
      const onUnit = (unit: number, up: boolean) =>
        this.#tellUnit(config, { bus: bus.id, unit, up });
      const plan = planBus(bus, config.devices);
      const recorder = this.#recorderOf(bus, plan, config);
      this.#recorders.set(bus.id, recorder);
      const options = lanesOptionsOf(bus, plan.line);
      const parts = { id: bus.id, wire, options, log: ports.log, onUnit, recorder };
      this.#endpoints.set(bus.id, new Endpoint(parts));
    }
    this.#guardians = new Guardians({
      log: ports.log,
      event: (device, type, data) => this.#say(device, type, data),
      sendStop: (bus, unit, pdu, answer) => {
        const request = { lane: "stop", unit, pdu, client: ownClient, answer } as const;
        this.#endpoints.get(bus)?.request(request);
      },
      axis: (bus, unit, axis) => this.#endpoints.get(bus)?.axis(unit, axis),
    });
    this.#serve();
  }

  async start(): Promise<void> {
    this.#ports.main.onChange((connected) => {
      if (connected) void this.#flush();
    });
    this.#presence.start();
    this.#useTimer = setInterval(() => this.#tellUse(), useEveryMs);
  }

  stop(reason: string): Promise<void> {
    this.#stopped ??= this.#drain(reason);
    return this.#stopped;
  }

  #serve(): void {
    const { lanes } = this.#ports;
    lanes.onRequest((request) => {
      const { bus, lane, unit, pdu } = request;
      const fc = pdu[0] ?? 0;
      const commands = lane === "command" && !isReadFunction(fc);
      // A frame whose driver has gone is never sent, whichever of its sockets was read first.
      if (commands && !this.#guardians.commanded(bus, unit)) {
        request.answer(exceptionReply(fc, exceptionNeverSent));
        return;
      }
      this.#endpoints.get(bus)?.request(request);
    });
    lanes.onClientClosed((bus, _lane, client) => {
      this.#endpoints.get(bus)?.clientClosed(client);
    });
    lanes.onGuard((bus, client, message, reply) => {
      this.#guardians.message(bus, client, message);
      if (message.kind === "guard") reply();
    });
    lanes.onGuardClosed((_bus, client) => this.#guardians.closed(client));
  }

  async #drain(reason: string): Promise<void> {
    const { lanes, log, main, wires, records } = this.#ports;
    clearInterval(this.#useTimer);
    log.info({ reason }, "stopping: serving until the drivers have left");
    if (!(await this.#guardians.quiet(drainMsMax))) {
      log.warn({ drivers: this.#guardians.connections }, "drivers stayed: the guardian acts");
      this.#guardians.closeAll();
      await this.#guardians.quiet(guardianDrainMsMax);
    }
    await this.#flush();
    await this.#presence.stop();
    await lanes.close();
    this.#guardians.close();
    for (const endpoint of this.#endpoints.values()) endpoint.close();
    await Promise.all([...wires.values()].map((wire) => wire.close()));
    await Promise.all([...(records?.values() ?? [])].map((sink) => sink.close()));
    await main.close();
  }

  #tellUse(): void {
    const { main } = this.#ports;
    for (const [bus, recorder] of this.#recorders) {
      const utilisation = recorder.takeUse();
      const { stopWaitMsMax } = recorder;
      const use = utilisation === undefined ? {} : { utilisation };
      const payload = { v: 1, ts: Date.now(), ...use, stopWaitMsMax } as const;
      // Nobody keeps it: the next one says more.
      if (main.connected) main.publish("telemetryBus", { bus }, payload).catch(() => undefined);
    }
  }

  /** The bound is the plan's own: a stop that waits longer is an alarm [PROTOCOL 9]. */
  #recorderOf(bus: BusConfig, plan: BusPlan, { devices }: CellConfig): EndpointRecorder {
    const { boundMs } = plan.stop;
    const { records, log } = this.#ports;
    const onLateStop = ({ unit, waitedMs }: LateStop) => {
      log.error({ bus: bus.id, unit, waitedMs, boundMs }, "a stop waited longer than its bound");
      const device = devices.find((one) => one.bus === bus.id && one.setup.unit === unit)?.id;
      if (device !== undefined) {
        this.#say(device, "stop.late", { bus: bus.id, unit, waitedMs, boundMs });
      }
    };
    return new EndpointRecorder({ sink: records?.get(bus.id), boundMs, onLateStop });
  }

  /** Once per transition, not per request: a log of a dead unit stays short (RC-07, ST-04). */
  #tellUnit(
    { devices }: CellConfig,
    { bus, unit, up }: { readonly bus: string; readonly unit: number; readonly up: boolean },
  ): void {
    const { log } = this.#ports;
    const device = devices.find((one) => one.bus === bus && one.setup.unit === unit)?.id;
    const fields = { bus, unit, ...(device === undefined ? {} : { device }) };
    if (up) log.info(fields, "a silent unit answers again");
    else log.warn(fields, "a unit is silent: it is asked now and then");
    if (device !== undefined) this.#say(device, up ? "unit.back" : "unit.silent", { bus, unit });
  }

  #say(device: string, type: string, data: Detail): void {
    const { newId, boot, log } = this.#ports;
    const source = boot.service;
    this.#events.push(makeEvent({ kind: "device", id: device, type, source, newId, data }));
    if (this.#events.length > eventsMax) {
      this.#events.shift();
      log.warn({ kept: eventsMax }, "no broker for long: the oldest event was dropped");
    }
    void this.#flush();
  }

  /** Hands the kept events to the broker, in order; what fails stays for the next connect. */
  async #flush(): Promise<void> {
    const { main } = this.#ports;
    for (let event = this.#events[0]; event && main.connected; event = this.#events[0]) {
      this.#events.shift();
      try {
        await main.publish("event", eventLevels(event), event);
      } catch {
        this.#events.unshift(event);
        return;
      }
    }
  }
}
