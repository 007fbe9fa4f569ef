/**
 * What the gateway has heard of the cell, and how much of it still counts.
 *
 * The idea: every message is kept as it came; freshness is worked out when it is asked for, from
 * the connection, the service's `avail` and the last live message under the same boot id. A
 * retained message is last-known and shown stale until a live one follows (PROTOCOL 17). It
 * refuses to decide anything about the cell, and it never invents a value.
 */
import type {
  CloudEvent,
  Response,
  StateAxis,
  StateCell,
  StateDevice,
} from "#kernel/contract/payloads.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { MessageLink } from "#kernel/ports.js";

/** `avail` repeats every 2 s: three missed ones and a service is no longer believed. */
export const silenceMsMax = 6000;

type Avail = Payload<"avail">;

/** What has changed; `all` after a change of the connection. */
export type Touch =
  | { readonly kind: "all" }
  | { readonly kind: "cell" }
  | { readonly kind: "axis"; readonly id: string }
  | { readonly kind: "device"; readonly id: string }
  | { readonly kind: "run" }
  | { readonly kind: "stop" }
  | { readonly kind: "event"; readonly event: CloudEvent };

export interface MirrorListener {
  touched(touch: Touch): void;
  answered(response: Response): void;
}

export type Freshness = { readonly ok: true } | { readonly ok: false; readonly because: string };

type TelemetryBus = Payload<"telemetryBus">;

interface Kept<T> {
  readonly value: T;
  readonly service: string;
  readonly bootId: string;
}

export class Mirror {
  readonly #main: MessageLink;
  readonly #listener: MirrorListener;
  readonly #heard = new Map<string, { readonly bootId: string; readonly atMs: number }>();
  readonly avail = new Map<string, Avail>();
  readonly axes = new Map<string, Kept<StateAxis>>();
  readonly devices = new Map<string, Kept<StateDevice>>();
  readonly metas = new Map<string, Payload<"metaDevice">>();
  readonly telemetry = new Map<string, Payload<"telemetryAxis">>();
  readonly buses = new Map<string, { readonly value: TelemetryBus; readonly atMs: number }>();
  info: Payload<"metaInfo"> | undefined;
  cell: Kept<StateCell> | undefined;
  runs: Kept<Payload<"stateRun">> | undefined;
  stops: Kept<Payload<"stateStop">> | undefined;

  constructor(main: MessageLink, listener: MirrorListener) {
    this.#main = main;
    this.#listener = listener;
    this.#subscribeMeta(main);
    this.#subscribeState(main);
    main.subscribe("response", { client: "gateway" }, (m) => listener.answered(m.payload));
    main.onChange(() => {
      this.#heard.clear();
      listener.touched({ kind: "all" });
    });
  }

  get connected(): boolean {
    return this.#main.connected;
  }

  /** Whether what a service said under a boot id counts now. */
  freshness(service: string, bootId: string | undefined): Freshness {
    if (!this.#main.connected) return stale("the gateway has no connection to the broker");
    const avail = this.avail.get(service);
    if (avail === undefined) return stale(`${service} has not been seen`);
    if (avail.status === "offline") return stale(`${service} is offline`);
    if (bootId === undefined) return stale(`${service} has not said anything yet`);
    if (avail.bootId !== bootId) return stale(`it is from an earlier start of ${service}`);
    const heard = this.#heard.get(service);
    if (heard === undefined || heard.bootId !== bootId) return stale("no live value has come yet");
    if (performance.now() - heard.atMs > silenceMsMax) {
      return stale(`nothing from ${service} for more than ${silenceMsMax / 1000} s`);
    }
    return { ok: true };
  }

  #hear(service: string, bootId: string, retained: boolean): void {
    if (!retained) this.#heard.set(service, { bootId, atMs: performance.now() });
  }

  #subscribeMeta(main: MessageLink): void {
    main.subscribe("avail", {}, ({ levels, payload, retained }) => {
      const known = this.avail.get(levels.service);
      // A last will that comes after its successor's birth says nothing about the successor.
      const late = payload.status === "offline" && known?.bootId !== payload.bootId;
      if (late && known !== undefined && known.status !== "offline") return;
      this.avail.set(levels.service, payload);
      if (payload.status !== "offline") this.#hear(levels.service, payload.bootId, retained);
      const device = levels.service.replace(/^driver-/, "");
      if (device !== levels.service) {
        this.#listener.touched({ kind: "axis", id: device });
        this.#listener.touched({ kind: "device", id: device });
      }
      this.#listener.touched({ kind: "cell" });
      if (levels.service === "coordinator") this.#listener.touched({ kind: "stop" });
    });
    main.subscribe("metaInfo", {}, ({ payload }) => {
      this.info = payload;
      this.#listener.touched({ kind: "cell" });
    });
    main.subscribe("metaDevice", {}, ({ levels, payload }) => {
      this.metas.set(levels.device, payload);
      this.#listener.touched({ kind: "axis", id: levels.device });
      this.#listener.touched({ kind: "device", id: levels.device });
    });
  }

  #subscribeState(main: MessageLink): void {
    const keep = <T extends { bootId: string }>(service: string, value: T, retained: boolean) => {
      this.#hear(service, value.bootId, retained);
      return { value, service, bootId: value.bootId };
    };
    main.subscribe("stateCell", {}, ({ payload, retained }) => {
      this.cell = keep("coordinator", payload, retained);
      this.#listener.touched({ kind: "cell" });
    });
    main.subscribe("stateRun", {}, ({ payload, retained }) => {
      this.runs = keep("coordinator", payload, retained);
      this.#listener.touched({ kind: "run" });
    });
    main.subscribe("stateStop", {}, ({ payload, retained }) => {
      this.stops = keep("coordinator", payload, retained);
      this.#listener.touched({ kind: "stop" });
    });
    main.subscribe("stateAxis", {}, ({ levels, payload, retained }) => {
      this.axes.set(levels.axis, keep(`driver-${levels.axis}`, payload, retained));
      this.#listener.touched({ kind: "axis", id: levels.axis });
    });
    main.subscribe("stateDevice", {}, ({ levels, payload, retained }) => {
      this.devices.set(levels.device, keep(`driver-${levels.device}`, payload, retained));
      this.#listener.touched({ kind: "device", id: levels.device });
    });
    main.subscribe("telemetryAxis", {}, ({ levels, payload }) => {
      this.telemetry.set(levels.axis, payload);
      this.#listener.touched({ kind: "axis", id: levels.axis });
    });
    main.subscribe("telemetryBus", {}, ({ levels, payload }) => {
      this.buses.set(levels.bus, { value: payload, atMs: performance.now() });
    });
    main.subscribe("event", {}, ({ payload }) => {
      this.#listener.touched({ kind: "event", event: payload });
    });
  }
}

function stale(because: string): Freshness {
  return { ok: false, because };
}
