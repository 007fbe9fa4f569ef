/**
 * The coordinator's own stops, on both roads, and what the drivers say to any stop.
 *
 * The idea: an order leaves in the very turn that decides it and is repeated under its id, to the
 * axes that have not settled it, until its time is over; a driver that restarts meanwhile gets it
 * again. Every word of a driver on a stop is passed on. It refuses to wait for storage and for
 * the broker.
 */
import type { By, StopAck, StopOrder } from "#kernel/contract/payloads.js";
import type { Log, MessageLink, StopFanOut } from "#kernel/ports.js";
import { StopSender } from "#kernel/stop-sender.js";
import { stoppingMsMax } from "./run-limits.js";
import type { StopHow } from "./run-state.js";

/** A delivery repeats for 500 ms; then the axes that have not settled the order get it again. */
export const orderAgainMs = 500;
/** A stop by a person is waited for this long before the cell counts as stopped. */
export const operatorStopMsMax = stoppingMsMax;

export interface StopNews {
  onStill(order: string, device: string): void;
  onNotStill(order: string, device: string, text: string): void;
  /** A driver holds a latch by this id. */
  onLatched(axis: string, id: string, said: Pick<StopAck, "bootId" | "ts">): void;
  /** The last axis of an operator's stop has answered, or its time is over. */
  onOperatorStopSettled(): void;
}

export interface OwnStop {
  readonly id: string;
  readonly how: StopHow;
  readonly axes: readonly string[];
  readonly reason: string;
  readonly by: By;
}

export class StopDesk {
  readonly #sender: StopSender;
  readonly #log: Log;
  readonly #open = new Map<string, { readonly stop: OwnStop; readonly left: Set<string> }>();
  readonly #operator = new Map<string, { left: Set<string>; timer: Timer }>();
  #news: StopNews | undefined;

  constructor(ports: {
    readonly stop: MessageLink;
    readonly fanOut: StopFanOut;
    readonly log: Log;
  }) {
    this.#log = ports.log;
    this.#sender = new StopSender({ link: ports.stop, fanOut: ports.fanOut });
    ports.fanOut.onAck((ack) => this.#hear(ack));
    // The socket road needs no broker; the other one follows as soon as there is one.
    ports.stop.onChange((connected) => {
      if (connected) for (const { stop, left } of this.#open.values()) this.#now(stop, left);
    });
    ports.stop.subscribe("stopAck", {}, ({ payload }) => this.#hear(payload));
  }

  listen(news: StopNews): void {
    this.#news = news;
  }

  /** True while an operator's stop has not been answered by every axis. */
  get busy(): boolean {
    return this.#operator.size > 0;
  }

  /** Sends now; goes on until every axis has confirmed or said that it cannot. */
  order(stop: OwnStop): void {
    const left = new Set(stop.axes);
    // An older order of the same axes is settled by this one; repeats of it would end new leases.
    for (const older of this.#open.values()) for (const axis of left) older.left.delete(axis);
    this.#open.set(stop.id, { stop, left });
    this.#log.info({ mark: "stop.own", stop: stop.id, axes: stop.axes }, "Stopping a run's axes.");
    this.#send(stop, left, performance.now() + stoppingMsMax);
  }

  #send(stop: OwnStop, left: Set<string>, untilMs: number): void {
    if (left.size === 0 || performance.now() >= untilMs) {
      this.#open.delete(stop.id);
      return;
    }
    this.#now(stop, left);
    setTimeout(() => this.#send(stop, left, untilMs), orderAgainMs);
  }

  #now(stop: OwnStop, left: ReadonlySet<string>): void {
    const axes = [...left];
    if (axes.length === 0) return;
    const { id, how, reason, by } = stop;
    const order: StopOrder = { id, ts: Date.now(), by, reason, v: 1, latch: false, axes };
    this.#sender.send({ kind: how, order, axes });
  }

  /** Follows a person's stop that others send, until its axes have answered. */
  follow(id: string, axes: readonly string[]): void {
    if (this.#operator.has(id) || axes.length === 0) return;
    const end = () => this.#endFollowing(id);
    this.#operator.set(id, { left: new Set(axes), timer: setTimeout(end, operatorStopMsMax) });
  }

  #endFollowing(id: string): void {
    const followed = this.#operator.get(id);
    if (followed === undefined) return;
    clearTimeout(followed.timer);
    this.#operator.delete(id);
    if (followed.left.size > 0) {
      const axes = [...followed.left];
      this.#log.error({ mark: "stop.unconfirmed", stop: id, axes }, "A stop was not confirmed.");
    }
    this.#news?.onOperatorStopSettled();
  }

  #hear(ack: StopAck): void {
    const { id, axis, status, latched, text } = ack;
    if (latched) this.#news?.onLatched(axis, id, ack);
    if (status === "received") return;
    this.#open.get(id)?.left.delete(axis);
    if (status === "confirmed") this.#news?.onStill(id, axis);
    else this.#news?.onNotStill(id, axis, text ?? "standstill could not be confirmed");
    const followed = this.#operator.get(id);
    if (followed?.left.delete(axis) && followed.left.size === 0) this.#endFollowing(id);
  }
}

type Timer = ReturnType<typeof setTimeout>;
