/**
 * The gateway's numbers for Prometheus.
 *
 * The idea: gauges are worked out from the mirror at the scrape, so they cannot be older than the
 * page; counters and the delivery times of stops are kept as they happen. A value that is not
 * known has no sample. It refuses labels without a bound.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { CellConfig } from "#kernel/config/cell.js";
import { planBus } from "#kernel/config/wire-plan.js";
import type { StopAxisResource } from "#kernel/contract/resources.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { Mirror } from "./mirror.js";
import type { Stream } from "./stream.js";
import { axisIds, axisView, cellView, deviceView } from "./views.js";

type Telemetry = Payload<"telemetryBus">;

/** What a bus said longer ago is not known any more. */
const busSilenceMsMax = 15_000;
const deliveryBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5];

export class Metrics {
  readonly registry = new Registry();
  readonly #stopDelivery: Histogram<"axis">;
  readonly #stopOutcome: Counter<"axis" | "status">;

  constructor(parts: { mirror: Mirror; config: CellConfig; stream: Stream }) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#stopDelivery = new Histogram({
      name: "servocell_stop_delivery_seconds",
      help: "From the stop request at the gateway to the driver's word that it has it.",
      labelNames: ["axis"],
      buckets: deliveryBuckets,
      registers,
    });
    this.#stopOutcome = new Counter({
      name: "servocell_stop_axis_total",
      help: "What became of stop orders, per axis.",
      labelNames: ["axis", "status"],
      registers,
    });
    this.#axisGauges(parts.mirror, parts.config);
    this.#deviceGauges(parts.mirror, parts.config);
    this.#busGauges(parts.mirror, parts.config);
    this.#ownGauges(parts);
  }

  stopReported(axis: StopAxisResource): void {
    this.#stopOutcome.inc({ axis: axis.axis, status: axis.status });
    if (axis.status !== "received" || axis.elapsedMs === undefined) return;
    this.#stopDelivery.observe({ axis: axis.axis }, axis.elapsedMs / 1000);
  }

  #axisGauges(mirror: Mirror, config: CellConfig): void {
    const registers = [this.registry];
    const ids = new Set(axisIds(config));
    const axes = () =>
      config.devices.filter((d) => ids.has(d.id)).map((d) => axisView(mirror, config, d));
    new Gauge({
      name: "servocell_axis_state",
      help: "1 for the state that the axis is in.",
      labelNames: ["axis", "state"],
      registers,
      collect() {
        this.reset();
        for (const axis of axes()) this.set({ axis: axis.axis, state: axis.state }, 1);
      },
    });
    new Gauge({
      name: "servocell_axis_position",
      help: "Position in the axis' user unit; no sample where it is not known.",
      labelNames: ["axis", "unit"],
      registers,
      collect() {
        this.reset();
        for (const axis of axes()) {
          if (axis.q !== "good" || axis.position === undefined) continue;
          this.set({ axis: axis.axis, unit: axis.unit }, axis.position);
        }
      },
    });
  }

  #deviceGauges(mirror: Mirror, config: CellConfig): void {
    const registers = [this.registry];
    new Gauge({
      name: "servocell_device_link",
      help: "1 for the state of the link to the device.",
      labelNames: ["device", "link"],
      registers,
      collect() {
        this.reset();
        for (const device of config.devices) {
          this.set({ device: device.id, link: deviceView(mirror, device).link }, 1);
        }
      },
    });
    new Gauge({
      name: "servocell_breaker_state",
      help: "1 for the state of the breaker of the device.",
      labelNames: ["device", "state"],
      registers,
      collect() {
        this.reset();
        for (const device of config.devices) {
          this.set({ device: device.id, state: deviceView(mirror, device).breaker }, 1);
        }
      },
    });
  }

  #busGauges(mirror: Mirror, { buses, devices }: CellConfig): void {
    const registers = [this.registry];
    const bound = new Gauge({
      name: "servocell_bus_stop_bound_ms",
      help: "How long a stop waits for the wire and its last frame at most, by the plan.",
      labelNames: ["bus"],
      registers,
    });
    for (const bus of buses) bound.set({ bus: bus.id }, planBus(bus, devices).stop.boundMs);
    const told = (name: string, help: string, value: (bus: Telemetry) => number | undefined) =>
      new Gauge({
        name,
        help,
        labelNames: ["bus"],
        registers,
        collect() {
          this.reset();
          for (const { id } of buses) {
            const known = mirror.buses.get(id);
            if (known === undefined || performance.now() - known.atMs > busSilenceMsMax) continue;
            const now = value(known.value);
            if (now !== undefined) this.set({ bus: id }, now);
          }
        },
      });
    told("servocell_bus_utilisation", "Share of time in which the wire had an exchange.", (bus) => {
      return bus.utilisation;
    });
    told("servocell_bus_stop_wait_max_ms", "Longest wait of a stop for the wire so far.", (bus) => {
      return bus.stopWaitMsMax;
    });
  }

  #ownGauges({
    mirror,
    config,
    stream,
  }: {
    mirror: Mirror;
    config: CellConfig;
    stream: Stream;
  }): void {
    const registers = [this.registry];
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge("servocell_broker_connected", "1 while the gateway is connected to the broker.", () =>
      mirror.connected ? 1 : 0,
    );
    gauge("servocell_stream_clients", "Open event streams.", () => stream.clients);
    gauge(
      "servocell_stream_clients_dropped",
      "Event streams dropped since the start.",
      () => stream.dropped,
    );
    new Gauge({
      name: "servocell_cell_state",
      help: "1 for the state that the cell is in.",
      labelNames: ["state"],
      registers,
      collect() {
        this.reset();
        this.set({ state: cellView(mirror, config).state }, 1);
      },
    });
  }
}
