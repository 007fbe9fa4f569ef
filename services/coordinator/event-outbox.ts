/**
 * The coordinator's events on their way out.
 *
 * The idea: an event is stored in the transaction of the decision it tells of, published after
 * the commit, and leaves the table at the broker's receipt; so a restart says again what nobody
 * has confirmed, and events arrive at least once, with an id [PROTOCOL 17]. It refuses to keep
 * more than its bound: the oldest leave, and the log says so.
 */
import type { Detail } from "#drivers/reading.js";
import { type EventKind, eventLevels, makeEvent } from "#kernel/cloud-event.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import type { Log, MessageLink, NewId, Statement } from "#kernel/ports.js";
import type { StoreQueue } from "./store-queue.js";

/** Events kept while nobody takes them. */
export const outboxMax = 10_000;
/** Commands of the same decision go first, and have the processor on their way. */
const leadMs = 10;
/** Pause before a refused event is published again. */
const againMs = 1000;

export class EventOutbox {
  readonly #link: MessageLink;
  readonly #queue: StoreQueue;
  readonly #log: Log;
  readonly #newId: NewId;
  readonly #source: string;
  #ready: CloudEvent[] = [];
  #publishing = false;
  #later = false;
  #open = false;

  constructor(
    ports: { readonly main: MessageLink; readonly log: Log; readonly newId: NewId },
    queue: StoreQueue,
    source: string,
  ) {
    this.#link = ports.main;
    this.#log = ports.log;
    this.#newId = ports.newId;
    this.#queue = queue;
    this.#source = source;
    this.#link.onChange((connected) => {
      if (connected) this.#wake();
    });
  }

  /** From now on events leave; before, the stops of a restart go first. */
  open(): void {
    this.#open = true;
    this.#wake();
  }

  make(kind: EventKind, id: string, type: string, data: Detail): CloudEvent {
    return makeEvent({ kind, id, type, source: this.#source, newId: this.#newId, data });
  }

  /** To be written beside the decision. */
  statement(event: CloudEvent): Statement {
    const sql = "INSERT OR IGNORE INTO outbox (id, event) VALUES (?, ?)";
    return { sql, params: [event.id, JSON.stringify(event)] };
  }

  /** An event of its own, with no decision beside it. */
  emit(kind: EventKind, id: string, type: string, data: Detail): void {
    const event = this.make(kind, id, type, data);
    const stored = this.#queue.write([this.statement(event)], { durable: false });
    void stored.then(() => {
      this.#add([event]);
      this.#wake();
    });
  }

  /** The decision is on the disk: the events may go, behind its commands. */
  publish(events: readonly CloudEvent[]): void {
    this.#add(events);
    if (this.#later || this.#ready.length === 0) return;
    this.#later = true;
    setTimeout(() => {
      this.#later = false;
      this.#wake();
    }, leadMs);
  }

  #add(events: readonly CloudEvent[]): void {
    this.#ready.push(...events);
    const over = this.#ready.length - outboxMax;
    if (over > 0) {
      const lost = this.#ready.splice(0, over);
      this.#log.warn({ mark: "outbox.overflow", lost: lost.length }, "Events were dropped.");
      void this.#forget(lost);
    }
  }

  #wake(): void {
    if (!this.#open || this.#publishing || this.#ready.length === 0 || !this.#link.connected)
      return;
    this.#publishing = true;
    void this.#publishAll();
  }

  async #publishAll(): Promise<void> {
    while (this.#ready.length > 0 && this.#link.connected) {
      const batch = this.#ready.slice(0, 100);
      const sent = await Promise.allSettled(
        batch.map((event) => this.#link.publish("event", eventLevels(event), event)),
      );
      const gone = batch.filter((_, i) => sent[i]?.status === "fulfilled");
      this.#ready = this.#ready.filter((event) => !gone.includes(event));
      if (gone.length > 0) void this.#forget(gone);
      if (gone.length < batch.length) break;
    }
    this.#publishing = false;
    if (this.#ready.length > 0) setTimeout(() => this.#wake(), againMs);
  }

  #forget(events: readonly CloudEvent[]): Promise<void> {
    const drop = (event: CloudEvent): Statement => ({
      sql: "DELETE FROM outbox WHERE id = ?",
      params: [event.id],
    });
    return this.#queue.write(events.map(drop), { durable: false, lazy: true });
  }
}
