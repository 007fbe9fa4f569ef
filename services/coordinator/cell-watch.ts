/**
 * What the coordinator sees of the devices: axis states, breakers, who is there.
 *
 * The idea: a mirror of the drivers' topics that answers three questions: may a run start, does a
 * condition hold, has something happened that ends a run. A retained message counts only once its
 * driver is online under the same bootId [PROTOCOL 17]. It refuses to command anything.
 */
import type { Ms, Reading } from "#drivers/reading.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { readingsAgeMsMax } from "#kernel/config/saga.js";
import { takesCommands } from "#kernel/config/takes-commands.js";
import type { StateAxis, StateDevice } from "#kernel/contract/payloads.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { ErrorCode } from "#kernel/errors.js";
import type { MessageLink } from "#kernel/ports.js";
import type { Said } from "./latch-book.js";

type Avail = Payload<"avail">;

export interface WatchNews {
  onAxis(device: string): void;
  /** The driver that is online says whose lease it is; absent: nobody's. */
  onLease(device: string, lease: StateAxis["lease"]): void;
  /** The process that held the device is gone; `still`: it was seen standing still. */
  onDriverGone(device: string, still: boolean): void;
  onLeaseEnded(device: string, epoch: number | undefined, reason: string): void;
  onRebooted(device: string): void;
}

const fields = [
  "enabled",
  "homed",
  "moving",
  "inTarget",
  "fault",
  "gripped",
  "position",
  "velocity",
  "faultCode",
] as const;
type Field = (typeof fields)[number];

function isField(name: string): name is Field {
  return fields.some((field) => field === name);
}

export class CellWatch {
  readonly #config: CellConfig;
  readonly #known: ReadonlySet<string>;
  readonly #axes = new Map<string, StateAxis>();
  readonly #devices = new Map<string, StateDevice>();
  readonly #avail = new Map<string, Avail>();
  /** The start under which a driver was last heard live; a retained message is no sign of life. */
  readonly #live = new Map<string, string>();
  /** When a driver last told readings of its own, by this clock. */
  readonly #toldMs = new Map<string, Ms>();
  #news: WatchNews | undefined;
  /** Links whose subscriptions the broker has granted: what it retains is on its way. */
  readonly #granted = new Set<MessageLink>();

  constructor(config: CellConfig) {
    this.#config = config;
    this.#known = new Set(config.devices.map(({ id }) => id));
  }

  /** Every device that takes commands; its id is its axis' id. */
  get axes(): readonly string[] {
    return this.#config.devices.filter(takesCommands).map((d) => d.id);
  }

  get reachable(): readonly string[] {
    return this.axes.filter((device) => this.isOnline(device));
  }

  /** Topics of devices that are not in the cell file are nobody's business here. */
  #isKnown(device: string): boolean {
    return this.#known.has(device);
  }

  /** Both links hear: a connection alone is deaf until its subscriptions are granted. */
  get hears(): boolean {
    return this.#granted.size === 2;
  }

  listen(links: { readonly main: MessageLink; readonly stop: MessageLink }, news: WatchNews): void {
    this.#news = news;
    for (const link of [links.main, links.stop]) {
      link.onChange((granted) => {
        if (granted) this.#granted.add(link);
        else this.#granted.delete(link);
      });
    }
    // A broker that comes back may repeat the words of services that have died meanwhile.
    links.main.onChange(() => this.#live.clear());
    links.stop.subscribe("avail", {}, ({ levels, payload, retained }) => {
      if (!retained) this.#live.set(levels.service, payload.bootId);
      this.#hearAvail(levels.service, payload);
    });
    links.main.subscribe("stateAxis", {}, ({ levels, payload, retained }) => {
      if (!this.#isKnown(levels.axis)) return;
      if (!retained) {
        this.#live.set(`driver-${levels.axis}`, payload.bootId);
        this.#toldMs.set(levels.axis, performance.now());
      }
      this.#axes.set(levels.axis, payload);
      if (this.#isOf(levels.axis, payload.bootId)) news.onLease(levels.axis, payload.lease);
      news.onAxis(levels.axis);
    });
    // It comes also when nothing changes: what the state says is as old as this.
    links.main.subscribe("telemetryAxis", {}, ({ levels }) => {
      if (!this.#isKnown(levels.axis)) return;
      const nowMs = performance.now();
      const wasOld = nowMs - (this.#toldMs.get(levels.axis) ?? 0) > readingsAgeMsMax;
      this.#toldMs.set(levels.axis, nowMs);
      // What was too old to be acted on counts again.
      if (wasOld) news.onAxis(levels.axis);
    });
    links.main.subscribe("stateDevice", {}, ({ levels, payload }) => {
      if (!this.#isKnown(levels.device)) return;
      this.#devices.set(levels.device, payload);
    });
    links.main.subscribe("event", { kind: "axis", type: "lease.ended" }, ({ levels, payload }) => {
      const { epoch, reason } = payload.data;
      const known = typeof epoch === "number" ? epoch : undefined;
      news.onLeaseEnded(levels.id, known, String(reason ?? "the lease ended"));
    });
    links.main.subscribe("event", { kind: "device", type: "rebooted" }, ({ levels }) => {
      news.onRebooted(levels.id);
    });
  }

  #hearAvail(service: string, avail: Avail): void {
    const device = /^driver-(.+)$/.exec(service)?.[1];
    if (device === undefined || !this.#isKnown(device)) return;
    const before = this.#avail.get(service);
    // A will of an older start says nothing about the one that is online now.
    if (avail.status === "offline" && before !== undefined && before.bootId !== avail.bootId) {
      return;
    }
    this.#avail.set(service, avail);
    const wasThere = before !== undefined && before.status !== "offline";
    const gone = avail.status === "offline" || before?.bootId !== avail.bootId;
    if (wasThere && gone) {
      const axis = this.#axes.get(device);
      const still = axis?.bootId === before.bootId && axis.moving === false && axis.q === "good";
      this.#news?.onDriverGone(device, still);
    }
    if (avail.status !== "offline") this.#news?.onAxis(device);
  }

  isOnline(device: string): boolean {
    const avail = this.#avail.get(`driver-${device}`);
    return avail !== undefined && avail.status !== "offline";
  }

  breaker(device: string): StateDevice["breaker"] | undefined {
    const state = this.#devices.get(device);
    return this.#isOf(device, state?.bootId) ? state?.breaker : undefined;
  }

  /** Why the device could not be commanded now; undefined: nothing is known against it. */
  absent(device: string): { ok: false; code: ErrorCode; text: string } | undefined {
    if (!this.isOnline(device)) {
      return { ok: false, code: "SERVICE_OFFLINE", text: "its driver is not online" };
    }
    const breaker = this.breaker(device);
    if (breaker === undefined || breaker === "closed") return undefined;
    return { ok: false, code: "BREAKER_OPEN", text: `its breaker is ${breaker}` };
  }

  /** Said by the start of the driver that is online. */
  #isOf(device: string, bootId: string | undefined): boolean {
    const avail = this.#avail.get(`driver-${device}`);
    return avail !== undefined && avail.status !== "offline" && avail.bootId === bootId;
  }

  /** Said by a driver that has been heard since the broker is there [PROTOCOL 17]. */
  #isLive(device: string, bootId: string | undefined): boolean {
    return this.#isOf(device, bootId) && this.#live.get(`driver-${device}`) === bootId;
  }

  /** Also what an absent driver said last: its latches are on its disk. */
  latched(device: string): { readonly latched: readonly string[]; readonly said: Said } {
    const { latched = [], bootId = "", ts = 0 } = this.#axes.get(device) ?? {};
    return { latched, said: { bootId, ts } };
  }

  isHomed(device: string): boolean | undefined {
    const axis = this.#axes.get(device);
    return this.#isLive(device, axis?.bootId) ? axis?.homed : undefined;
  }

  isHeard(device: string): boolean {
    return this.#isLive(device, this.#axes.get(device)?.bootId);
  }

  /**
   * For conditions: a reading that may be acted on, or why there is none. Its time is that of its
   * driver's newest word, so that the readings of a driver that hangs grow old.
   */
  lookup(device: string, field: string): Reading<number | boolean> | undefined {
    const atMs = this.#toldMs.get(device) ?? Number.NEGATIVE_INFINITY;
    const axis = this.#axes.get(device);
    if (axis === undefined) return undefined;
    const value = isField(field) ? axis[field] : axis.signals?.[field];
    if (!isField(field) && value === undefined) return undefined;
    if (!this.#isLive(device, axis.bootId)) return { ok: false, reason: "link-down", atMs };
    if (axis.q === "good" && value !== undefined) return { ok: true, value, atMs };
    return { ok: false, reason: "invalid-value", atMs };
  }

  /** The state of a device as a person wants to hear it. */
  describe(device: string): string {
    const axis = this.#axes.get(device);
    if (!this.isOnline(device)) return "its driver is not online";
    if (axis === undefined) return "nothing has been heard of it";
    const words: string[] = [axis.state];
    if (axis.position !== undefined) words.push(`at ${Math.round(axis.position * 100) / 100}`);
    if (axis.moving === undefined) words.push("nobody knows whether it moves");
    else words.push(axis.moving ? "moving" : "standing still");
    if (axis.fault === true) words.push(`fault ${axis.faultCode ?? "without a code"}`);
    if (axis.q !== "good") words.push(`readings ${axis.q}`);
    const breaker = this.breaker(device);
    if (breaker !== undefined && breaker !== "closed") words.push(`breaker ${breaker}`);
    return `seen ${words.join(", ")}`;
  }
}
