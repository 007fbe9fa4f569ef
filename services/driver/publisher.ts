/**
 * What a driver tells everybody: what its device is, how it is, where it is.
 *
 * The idea: a change of state is published with the poll that saw it, positions at most ten times
 * a second, everything at least every ten seconds. A field without a good reading is left out and
 * its reason given; nothing is ever made up (EX-01). It refuses to queue: the next state is the
 * better one.
 */
import type { DeviceModel, DeviceView, WatchdogFinding } from "#drivers/device-model.js";
import type { Ms, Reading } from "#drivers/reading.js";
import type { CellConfig, DeviceConfig } from "#kernel/config/cell.js";
import type { DeviceState, StateAxis, StateDevice } from "#kernel/contract/payloads.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { Boot, MessageLink } from "#kernel/ports.js";
import type { Aftermath } from "./aftermath.js";
import type { Quality } from "./readings.js";

/** Positions and velocities, in state and telemetry, at most every so often. */
export const motionPeriodMs = 100;
/** State is repeated at least so often. */
export const heartbeatMs = 10_000;
/** Telemetry of an axis that stands still. */
const stillTelemetryMs = 400;

export interface AxisSnapshot {
  readonly view: DeviceView;
  readonly quality: Quality;
  readonly state: DeviceState;
  readonly command: { readonly id: string; readonly verb: string } | undefined;
  readonly lease: { readonly holder: string; readonly epoch: number } | undefined;
  readonly latched: readonly string[];
  /** How far the drive's own watchdog is known to guard the axis. */
  readonly watchdog: WatchdogFinding["state"];
  readonly stop:
    | { readonly id: string; readonly status: "stopping" | "confirmed" | "owed" }
    | undefined;
}

/** What the device is for others, by its own readings. */
export function deviceStateOf(view: DeviceView, statusSeen: boolean): DeviceState {
  const { enabled, fault, state } = view;
  if (!statusSeen) return "unconfigured";
  const faulted = state.ok && (state.value === "fault" || state.value === "faultReaction");
  if ((fault.ok && fault.value) || faulted) return "faulted";
  return enabled.ok && enabled.value ? "active" : "inactive";
}

export type DeviceSnapshot = Pick<
  StateDevice,
  "link" | "breaker" | "identity" | "pollPeriodMs" | "lastSeen" | "lastError"
>;

export interface PublisherParts {
  readonly link: MessageLink;
  readonly boot: Boot;
  readonly cell: CellConfig;
  readonly device: DeviceConfig;
  readonly model: DeviceModel;
  readonly axis: () => AxisSnapshot;
  readonly deviceState: () => DeviceSnapshot;
  readonly aftermath: Aftermath;
}

export class Publisher {
  readonly #parts: PublisherParts;
  #seq = 0;
  #axisNews: readonly unknown[] = [];
  #axisMotion: readonly unknown[] = [];
  #axisAtMs = Number.NEGATIVE_INFINITY;
  #deviceNews: readonly unknown[] = [];
  #deviceAtMs = Number.NEGATIVE_INFINITY;
  #due = false;
  #telemetryNews: readonly unknown[] = [];
  #telemetryAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    parts.link.onChange((connected) => {
      if (connected) this.all();
    });
  }

  /** Everything again: the broker may have forgotten. */
  all(): void {
    this.#meta();
    this.#axisAtMs = Number.NEGATIVE_INFINITY;
    this.#deviceAtMs = Number.NEGATIVE_INFINITY;
    this.update(performance.now());
  }

  /** What has changed, once it is no longer quiet. */
  soon(): void {
    if (this.#due) return;
    this.#due = true;
    // Not in the middle of a handover: the frame leaves first.
    queueMicrotask(() => this.#parts.aftermath.later(this.#tell));
  }

  readonly #tell = (): void => {
    this.#due = false;
    this.update(performance.now());
  };

  /** What has changed, as often as each kind may be said. */
  update(nowMs: Ms): void {
    if (!this.#parts.link.connected) return;
    this.#axis(nowMs);
    this.#device(nowMs);
  }

  #say<T>(promise: Promise<T>): void {
    // Offline in between: the next connect says everything again.
    promise.catch(() => undefined);
  }

  #frame() {
    this.#seq += 1;
    return { v: 1, ts: Date.now(), seq: this.#seq } as const;
  }

  #axis(nowMs: Ms): void {
    const { link, boot, device } = this.#parts;
    const snapshot = this.#parts.axis();
    const position = numberOf(snapshot.view.position);
    const velocity = numberOf(snapshot.view.velocity);
    const news = newsOf(snapshot, nowMs);
    const motion = [position, velocity];
    const sinceMs = nowMs - this.#axisAtMs;
    const moved = sinceMs >= motionPeriodMs && !same(motion, this.#axisMotion);
    if (moved || sinceMs >= heartbeatMs || !same(news, this.#axisNews)) {
      this.#axisNews = news;
      this.#axisMotion = motion;
      this.#axisAtMs = nowMs;
      const values = withValues(position, velocity);
      const fields = axisFields(snapshot, nowMs);
      const payload = { ...this.#frame(), bootId: boot.bootId, ...fields, ...values };
      this.#say(link.publish("stateAxis", { axis: device.id }, payload));
    }
    this.#telemetry(nowMs, position, velocity, snapshot.quality);
  }

  #telemetry(
    nowMs: Ms,
    position: number | undefined,
    velocity: number | undefined,
    q: Quality,
  ): void {
    const { link, device, model } = this.#parts;
    const sinceMs = nowMs - this.#telemetryAtMs;
    if (sinceMs < motionPeriodMs) return;
    // Dead band: a tenth of what counts as arrived.
    const band = (model.setup.axis?.tolerance ?? 0) / 10;
    const news = [banded(position, band), banded(velocity, band), q];
    if (sinceMs < stillTelemetryMs && same(news, this.#telemetryNews)) return;
    this.#telemetryNews = news;
    this.#telemetryAtMs = nowMs;
    const { v, ts, seq } = this.#frame();
    const payload: Payload<"telemetryAxis"> = { v, ts, seq, q };
    if (position !== undefined) payload.position = position;
    if (velocity !== undefined) payload.velocity = velocity;
    this.#say(link.publish("telemetryAxis", { axis: device.id }, payload));
  }

  #device(nowMs: Ms): void {
    const { link, boot, device } = this.#parts;
    const snapshot = this.#parts.deviceState();
    const { breaker, identity, pollPeriodMs, lastError } = snapshot;
    // The time alone is no news; it goes along with what is.
    const news = [snapshot.link, breaker, identity, pollPeriodMs, lastError];
    if (nowMs - this.#deviceAtMs < heartbeatMs && same(news, this.#deviceNews)) return;
    this.#deviceNews = news;
    this.#deviceAtMs = nowMs;
    const payload = { ...this.#frame(), bootId: boot.bootId, ...snapshot };
    this.#say(link.publish("stateDevice", { device: device.id }, payload));
  }

  #meta(): void {
    const { link, device, model } = this.#parts;
    if (!link.connected) return;
    const { axis } = model.setup;
    const blind = Object.values(model.stops).some((stop) => stop.blind.length > 0);
    const unit = axis?.unit ?? "";
    const payload = {
      v: 1 as const,
      ts: Date.now(),
      device: device.id,
      profile: model.profileId,
      kind: model.kind,
      bus: device.bus,
      unit: model.setup.unit,
      positionUnit: unit,
      velocityUnit: unit === "" || unit === "percent" ? unit : `${unit}/s`,
      verbs: [...model.verbs],
      waysToStop: { operator: true, lease: true, guardian: blind, watchdog: watchdogText(model) },
      leaseMs: device.leaseMs,
      ...(axis?.travel === undefined ? {} : { travel: axis.travel }),
      ...(axis === undefined ? {} : { velocityMax: axis.velocityMax }),
    };
    this.#say(link.publish("metaDevice", { device: device.id }, payload));
  }
}

function watchdogText({ watchdog }: DeviceModel): string {
  switch (watchdog.kind) {
    case "none":
      return "none";
    case "unknown":
      return `unknown: ${watchdog.note}`;
    case "settable":
      return `settable: ${watchdog.note}`;
    case "fixed":
      return `${watchdog.reaction} after ${watchdog.timeoutMs} ms`;
    default:
      return watchdog satisfies never;
  }
}

function withValues(position: number | undefined, velocity: number | undefined) {
  return {
    ...(position === undefined ? {} : { position }),
    ...(velocity === undefined ? {} : { velocity }),
  };
}

function banded(value: number | undefined, band: number): number | undefined {
  return value === undefined || band === 0 ? value : Math.round(value / band);
}

/** The same texts, numbers and flags in the same order. */
function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function numberOf(reading: Reading<number>): number | undefined {
  return reading.ok ? reading.value : undefined;
}

const told = [
  "enabled",
  "homed",
  "moving",
  "inTarget",
  "fault",
  "gripped",
  "faultCode",
] as const satisfies readonly (keyof DeviceView & keyof StateAxis)[];
const moving = ["position", "velocity"] as const;

type AxisFields = Omit<StateAxis, "v" | "ts" | "seq" | "bootId" | (typeof moving)[number]>;

/**
 * What is news as soon as it changes, flat: several times for every poll somebody has to know
 * whether there is anything to say, and mostly there is not.
 */
function newsOf(snapshot: AxisSnapshot, nowMs: Ms): readonly unknown[] {
  const { view, quality, state, command, lease, latched, stop, watchdog } = snapshot;
  const drive = view.state.ok ? view.state.value : undefined;
  const who = [command?.id, command?.verb, lease?.holder, lease?.epoch, stop?.id, stop?.status];
  const news: unknown[] = [quality, state, watchdog, drive, ...who, latched.length, ...latched];
  const note = (reading: Reading<number | boolean>, value: number | boolean | undefined) => {
    news.push(reading.ok ? value : reading.reason);
    if (reading.ok && quality !== "good") news.push(age(nowMs, reading.atMs));
  };
  for (const name of told) {
    const reading = view[name];
    note(reading, reading.ok ? reading.value : undefined);
  }
  for (const name of moving) note(view[name], undefined);
  for (const [name, reading] of Object.entries(view.signals ?? {})) {
    if (reading.ok) news.push(name, reading.value);
  }
  return news;
}

/** Good readings as fields, the others as reasons; what the profile has not is simply absent. */
function axisFields(snapshot: AxisSnapshot, nowMs: Ms): AxisFields {
  const { view, quality, state, command, lease, latched, stop, watchdog } = snapshot;
  const reasons: { [field: string]: string } = {};
  const fields: { [field: string]: number | boolean } = {};
  const explain = (name: string, reading: Reading<number | boolean>) => {
    if (!reading.ok && reading.reason !== "not-in-profile") reasons[name] = reading.reason;
    if (reading.ok && quality !== "good") reasons[name] = `last known ${age(nowMs, reading.atMs)}`;
  };
  for (const name of told) {
    const reading = view[name];
    if (reading.ok) fields[name] = reading.value;
    explain(name, reading);
  }
  for (const name of moving) explain(name, view[name]);
  const signals = Object.entries(view.signals ?? {}).flatMap(([name, reading]) => {
    return reading.ok ? [[name, reading.value] as const] : [];
  });
  return {
    q: quality,
    state,
    latched: [...latched],
    watchdog,
    reasons,
    ...fields,
    ...(signals.length === 0 ? {} : { signals: Object.fromEntries(signals) }),
    ...(view.state.ok ? { driveState: view.state.value } : {}),
    ...(command === undefined ? {} : { command }),
    ...(lease === undefined ? {} : { lease }),
    ...(stop === undefined ? {} : { stop }),
  };
}

/** In half seconds, so that an age alone is no news twenty times a second. */
function age(nowMs: Ms, atMs: Ms): string {
  return `${Math.round((nowMs - atMs) / 500) / 2} s ago`;
}
