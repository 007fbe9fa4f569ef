/**
 * Turns touches of the mirror into events of the stream: only what really changed is sent.
 *
 * The idea: at a touch, and twice a second for what ages by itself, the resource is put together
 * anew and compared with what was sent last. It refuses to send the same thing twice in a row.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import type { StreamEvent } from "#kernel/contract/resources.js";
import type { Mirror, Touch } from "./mirror.js";
import type { StopLedger } from "./stop-ledger.js";
import type { Stream } from "./stream.js";
import { axisIds, axisView, cellView, deviceView, stopsView } from "./views.js";

/** How often freshness is looked at without a message. */
export const lookMs = 500;
/** Ids of events that are remembered: a broker may bring the same event again. */
export const eventIdsMax = 4096;
/** How long the news of stops is gathered. */
export const stopsTellMs = 30;

export class Deltas {
  readonly #last = new Map<string, string>();
  readonly #events = new Set<string>();
  readonly #mirror: Mirror;
  readonly #config: CellConfig;
  readonly #stream: Stream;
  readonly #ledger: StopLedger;
  readonly #axes: ReadonlySet<string>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopsTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: {
    mirror: Mirror;
    config: CellConfig;
    stream: Stream;
    ledger: StopLedger;
  }) {
    this.#mirror = parts.mirror;
    this.#config = parts.config;
    this.#stream = parts.stream;
    this.#ledger = parts.ledger;
    this.#axes = new Set(axisIds(parts.config));
  }

  start(): void {
    this.#timer = setInterval(() => this.touched({ kind: "all" }), lookMs);
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#stopsTimer);
  }

  touched(touch: Touch): void {
    if (touch.kind === "event") this.#event(touch.event);
    else if (touch.kind === "cell") this.#cell();
    else if (touch.kind === "axis") this.#axis(touch.id);
    else if (touch.kind === "device") this.#device(touch.id);
    else if (touch.kind === "stop") this.#stops();
    else if (touch.kind === "run") this.#runs();
    else this.#all();
  }

  /** A stop brings a word of every driver, twice: they are told together, after its frames. */
  stopsSoon(): void {
    this.#stopsTimer ??= setTimeout(() => this.#stops(), stopsTellMs);
  }

  /** Events come at least once; each goes into the line once, where it came first. */
  #event(event: CloudEvent): void {
    if (this.#events.has(event.id)) return;
    this.#events.add(event.id);
    const [oldest] = this.#events;
    if (this.#events.size > eventIdsMax && oldest !== undefined) this.#events.delete(oldest);
    this.#stream.publish("event", event);
  }

  #all(): void {
    this.#cell();
    for (const device of this.#config.devices) {
      this.#axis(device.id);
      this.#device(device.id);
    }
    this.#runs();
    this.#stops();
  }

  #cell(): void {
    this.#send("cell", "cell", cellView(this.#mirror, this.#config));
  }

  #axis(id: string): void {
    const device = this.#config.devices.find((d) => d.id === id);
    if (device === undefined || !this.#axes.has(id)) return;
    this.#send("axis", `axis/${id}`, axisView(this.#mirror, this.#config, device));
  }

  #device(id: string): void {
    const device = this.#config.devices.find((d) => d.id === id);
    if (device !== undefined) {
      this.#send("device", `device/${id}`, deviceView(this.#mirror, device));
    }
  }

  #runs(): void {
    const runs = this.#mirror.runs?.value.runs ?? [];
    const known = new Set(runs.map((run) => `run/${run.run}`));
    for (const key of this.#last.keys()) {
      if (key.startsWith("run/") && !known.has(key)) this.#last.delete(key);
    }
    for (const run of runs) this.#send("run", `run/${run.run}`, run);
    // The running step decides where an axis is sent, so its target may have changed.
    for (const axis of this.#axes) this.#axis(axis);
  }

  #stops(): void {
    clearTimeout(this.#stopsTimer);
    this.#stopsTimer = undefined;
    this.#send("stop", "stop", stopsView(this.#mirror, this.#ledger.orders()));
  }

  #send(event: StreamEvent, key: string, data: object): void {
    const text = JSON.stringify(data);
    if (this.#last.get(key) === text) return;
    this.#last.set(key, text);
    this.#stream.publish(event, data);
  }
}
