/**
 * Keeps the latch book: hears of stops, tells `state/stop`, carries resets to the drivers.
 *
 * The idea: a stop is entered and told before it is stored, because it is the drivers that hold
 * it; a reset goes to every reachable driver, and only their answers take an id out of the book.
 * It refuses to publish before it has listened to what the drivers hold.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { By, StopOrder } from "#kernel/contract/payloads.js";
import type { Boot, MessageLink, NewId, Row } from "#kernel/ports.js";
import type { StopKind } from "#kernel/stop-order.js";
import type { CellWatch } from "./cell-watch.js";
import type { DriverDesk } from "./driver-desk.js";
import type { EventOutbox } from "./event-outbox.js";
import { type Entered, LatchBook, type Said } from "./latch-book.js";
import type { StoreQueue } from "./store-queue.js";

export interface LatchDeskParts {
  readonly config: CellConfig;
  readonly stop: MessageLink;
  readonly boot: Boot;
  readonly newId: NewId;
  readonly queue: StoreQueue;
  readonly outbox: EventOutbox;
  readonly watch: CellWatch;
  readonly drivers: DriverDesk;
  /** `fresh`: the stop is happening now, its answers are still to come. */
  readonly onEntered: (entered: Entered, fresh: boolean) => void;
}

export interface ResetAnswer {
  readonly ok: boolean;
  readonly text: string;
}

export class LatchDesk {
  readonly book = new LatchBook();
  readonly #parts: LatchDeskParts;
  #open = false;
  /** Before that, writing the book would forget what is on the disk. */
  #loaded = false;

  constructor(parts: LatchDeskParts) {
    this.#parts = parts;
    const { stop } = parts;
    for (const verb of ["stop", "quickStop", "abort"] as const) {
      stop.subscribe("cellStop", { verb }, ({ payload }) => this.hear(verb, payload));
    }
    for (const verb of ["stop", "quickStop"] as const) {
      stop.subscribe("axisStop", { verb }, ({ levels, payload }) => {
        this.hear(verb, { ...payload, axes: [levels.axis] });
      });
    }
    stop.onChange((connected) => {
      if (connected) this.publish();
    });
  }

  hear(kind: StopKind, order: StopOrder): void {
    this.#enter(this.book.enter(kind, order, Date.now()), true);
  }

  /** A driver holds it; `fresh`: said in answer to the stop itself. */
  learn(device: string, id: string, said: Said, fresh: boolean): void {
    this.#enter(this.book.learn(device, id, said, Date.now()), fresh);
  }

  #enter(entered: Entered | undefined, fresh: boolean): void {
    if (entered === undefined) return;
    this.publish();
    this.#parts.onEntered(entered, fresh);
    this.#save();
  }

  /** What was on the disk; what has been heard meanwhile is written beside it. */
  load(rows: readonly Row[]): void {
    const isNews = this.book.latches.length > 0;
    this.book.load(rows);
    this.#loaded = true;
    if (isNews) this.#save();
  }

  /** The drivers have been listened to: from here on the book is told. */
  open(): void {
    this.#open = true;
    this.publish();
  }

  publish(): void {
    const { stop, boot } = this.#parts;
    if (!this.#open || !stop.connected) return;
    const stops = this.book.latches.map(({ id, ts, kind, by }) => ({ id, ts, kind, by }));
    const payload = { v: 1 as const, ts: Date.now(), bootId: boot.bootId, stops };
    stop.publish("stateStop", {}, payload).catch(() => undefined);
  }

  /**
   * Names these stops to the drivers of these devices. Ok: each reachable one has confirmed. An
   * id that every reachable driver of the cell has reset leaves the book.
   */
  async reset(stops: readonly string[], devices: readonly string[], by: By): Promise<ResetAnswer> {
    if (stops.length === 0) return { ok: true, text: "" };
    const { watch, drivers, newId, outbox, config } = this.#parts;
    const asked = devices.filter((device) => watch.isOnline(device));
    const problems = await Promise.all(
      asked.map(async (device) => {
        const answer = await drivers.reset(newId(), device, stops);
        if (!answer.ok) return `${device}: ${answer.text}`;
        const left = Array.isArray(answer.result.latched) ? answer.result.latched : [];
        const gone = stops.filter((id) => !left.includes(id));
        for (const id of gone) this.book.confirmReset(id, device, answer.said);
        const held = stops.filter((id) => left.includes(id));
        return held.length === 0 ? undefined : `${device} still holds ${held.join(", ")}`;
      }),
    );
    this.book.drop(stops, watch.reachable);
    this.publish();
    this.#save();
    const bad = problems.filter((problem) => problem !== undefined);
    const data = { stops: [...stops], devices: [...asked], user: by.user, ok: bad.length === 0 };
    outbox.emit("cell", config.cell, "stops.reset", data);
    return { ok: bad.length === 0, text: bad.join("; ") };
  }

  #save(): void {
    if (!this.#loaded) return;
    // Never waited for: what holds is in the drivers [PROTOCOL 10].
    void this.#parts.queue.write(this.book.statements(), { durable: false });
  }
}
