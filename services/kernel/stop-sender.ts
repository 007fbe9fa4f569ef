/**
 * Sends one stop order on both roads until every axis has answered.
 *
 * The idea: the local sockets go first and at once, MQTT follows in the same breath; both are
 * repeated with the same id every 50 ms until each driver has said `received`, at most 500 ms
 * [PROTOCOL 5]. What is not answered by then is reported as not delivered. It refuses to wait
 * for anything before the first send, and a failing road never holds the other.
 */
import type { StopAck, StopOrder } from "./contract/payloads.js";
import type { MessageLink, StopFanOut } from "./ports.js";
import type { StopKind } from "./stop-order.js";

/** Pause between repeats [PROTOCOL 5]. */
export const stopRepeatMs = 50;
/** Bound of the delivery; then it is shown as not delivered [PROTOCOL 5]. */
export const stopDeliveryMaxMs = 500;
/** How long confirmations of a delivered stop are still passed on. */
export const stopConfirmMaxMs = 30_000;
/** Stops followed at a time; the oldest is let go first. */
const followedMax = 64;

export type StopStatus = "sent" | "received" | "confirmed" | "unconfirmed" | "notDelivered";

/** One axis of a stop: what its driver has said so far. */
export interface StopReport {
  readonly axis: string;
  readonly status: StopStatus;
  readonly latched?: boolean;
  readonly position?: number;
  readonly text?: string;
}

export interface StopDelivery {
  /** Called at every news of an axis, also after `done`, for at most 30 s. */
  onUpdate(listener: (report: StopReport) => void): void;
  /** All axes received, or 500 ms over; every axis named. Never rejects. */
  readonly done: Promise<readonly StopReport[]>;
}

export interface StopRequest {
  readonly kind: StopKind;
  readonly order: StopOrder;
  /** The axes whose drivers must answer. */
  readonly axes: readonly string[];
}

export interface StopRoads {
  readonly link?: MessageLink | undefined;
  readonly fanOut?: StopFanOut | undefined;
}

class Delivery implements StopDelivery {
  readonly done: Promise<readonly StopReport[]>;
  readonly #request: StopRequest;
  readonly #roads: StopRoads;
  readonly #reports = new Map<string, StopReport>();
  readonly #listeners: ((report: StopReport) => void)[] = [];
  readonly #repeat: ReturnType<typeof setInterval>;
  readonly #limit: ReturnType<typeof setTimeout>;
  #resolve: (reports: readonly StopReport[]) => void = () => undefined;
  #ended = false;

  constructor(request: StopRequest, roads: StopRoads) {
    this.#request = request;
    this.#roads = roads;
    for (const axis of request.axes) this.#reports.set(axis, { axis, status: "sent" });
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#send();
    this.#repeat = setInterval(() => this.#send(), stopRepeatMs);
    this.#limit = setTimeout(() => this.#finish(), stopDeliveryMaxMs);
    if (request.axes.length === 0) this.#finish();
  }

  onUpdate(listener: (report: StopReport) => void): void {
    this.#listeners.push(listener);
  }

  hear(ack: StopAck): void {
    if (ack.id !== this.#request.order.id) return;
    const known = this.#reports.get(ack.axis);
    if (known === undefined) return;
    // Both roads answer: a late `received` takes nothing back.
    if (ack.status === "received" && known.status !== "sent" && known.status !== "notDelivered")
      return;
    if (ack.status === known.status) return;
    this.#tell({
      axis: ack.axis,
      status: ack.status,
      latched: ack.latched,
      ...(ack.position === undefined ? {} : { position: ack.position }),
      ...(ack.text === undefined ? {} : { text: ack.text }),
    });
    if (!this.#ended && [...this.#reports.values()].every((r) => r.status !== "sent")) {
      this.#finish();
    }
  }

  #send(): void {
    const { kind, order } = this.#request;
    this.#roads.fanOut?.send(kind, order);
    const link = this.#roads.link;
    if (link?.connected) {
      link.publish("cellStop", { verb: kind }, order).catch(() => undefined);
    }
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#repeat);
    clearTimeout(this.#limit);
    for (const report of [...this.#reports.values()]) {
      if (report.status === "sent") this.#tell({ axis: report.axis, status: "notDelivered" });
    }
    this.#resolve([...this.#reports.values()]);
  }

  #tell(report: StopReport): void {
    this.#reports.set(report.axis, report);
    for (const listener of this.#listeners) listener(report);
  }
}

/** One per process: it subscribes to the drivers' answers once and follows many stops. */
export class StopSender {
  readonly #roads: StopRoads;
  readonly #followed = new Set<Delivery>();

  constructor(roads: StopRoads) {
    this.#roads = roads;
    const hear = (ack: StopAck) => {
      for (const delivery of this.#followed) delivery.hear(ack);
    };
    roads.fanOut?.onAck(hear);
    roads.link?.subscribe("stopAck", {}, (message) => hear(message.payload));
  }

  /** Sends at once. The order's `axes` restrict it; `axes` here are those that must answer. */
  send(request: StopRequest): StopDelivery {
    const [oldest] = this.#followed;
    if (this.#followed.size >= followedMax && oldest !== undefined) {
      this.#followed.delete(oldest);
    }
    const delivery = new Delivery(request, this.#roads);
    this.#followed.add(delivery);
    setTimeout(() => this.#followed.delete(delivery), stopConfirmMaxMs);
    return delivery;
  }
}

const senders = new WeakMap<object, StopSender>();

/** The sender of these roads (made at the first stop), then one order through it. */
export function sendStop(request: StopRequest & StopRoads): StopDelivery {
  const { kind, order, axes, link, fanOut } = request;
  const owner = link ?? fanOut;
  let sender = owner === undefined ? undefined : senders.get(owner);
  if (sender === undefined) {
    sender = new StopSender({ link, fanOut });
    if (owner !== undefined) senders.set(owner, sender);
  }
  return sender.send({ kind, order, axes });
}
