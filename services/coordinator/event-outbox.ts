/**
 * The coordinator's events on their way to the post.
 *
 * The idea: an event is stored in the transaction of the decision it tells of and leaves after the
 * commit, behind the commands of that decision; so what has happened is told, and what was never
 * written is not. It refuses to decide when an event may go: the post does.
 */
import type { Detail } from "#drivers/reading.js";
import { type EventKind, makeEvent } from "#kernel/cloud-event.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { eventConsumers } from "#kernel/config/cell-events.js";
import { ServocellError } from "#kernel/errors.js";
import { EventPost, type Outgoing } from "#kernel/event-post.js";
import type { OutboxBounds } from "#kernel/outbox-book.js";
import type { Boot, Log, MessageLink, NewId, Statement } from "#kernel/ports.js";
import type { StoreQueue } from "./store-queue.js";

/** Commands of the same decision go first, and have the processor on their way. */
const leadMs = 10;

export interface OutboxPorts {
  readonly main: MessageLink;
  readonly log: Log;
  readonly newId: NewId;
  readonly boot: Pick<Boot, "service">;
  readonly config: Pick<CellConfig, "cell" | "rules" | "consumers">;
  readonly bounds?: OutboxBounds;
}

export class EventOutbox {
  readonly #post: EventPost;
  readonly #queue: StoreQueue;
  readonly #newId: NewId;
  readonly #source: string;
  #early: (() => void)[] = [];
  #later: ReturnType<typeof setTimeout> | undefined;
  /** Told what cannot be done at present. */
  onTrouble: (text: string | undefined) => void = () => undefined;

  constructor(ports: OutboxPorts, queue: StoreQueue) {
    const { main, log, newId, boot, config, bounds } = ports;
    this.#newId = newId;
    this.#queue = queue;
    this.#source = boot.service;
    this.#post = new EventPost({
      ...{ link: main, log, source: boot.service, consumers: eventConsumers(config) },
      ...(bounds === undefined ? {} : { bounds }),
      shelf: {
        read: (statements) => queue.read(statements),
        write: (statements, how) => queue.write(statements, how),
      },
      onOverflow: (overflow) => {
        this.onTrouble(overflow?.text);
        if (overflow === undefined) this.emit("cell", config.cell, "outbox.recovered", {});
        else this.emit("cell", config.cell, "outbox.overflowed", { ...overflow });
      },
    });
  }

  /** `upTo`: the numbers that earlier starts have claimed. */
  restore(upTo: number): void {
    this.#post.restore(upTo);
    for (const emit of this.#early.splice(0)) emit();
  }

  /** From now on events leave; before, the stops of a restart go first. */
  open(): void {
    this.#post.open();
  }

  close(): void {
    clearTimeout(this.#later);
    this.#post.close();
  }

  /** Has its number, and is published or abandoned later. */
  make(kind: EventKind, id: string, type: string, data: Detail): Outgoing {
    if (!this.#post.ready) {
      throw new ServocellError("INTERNAL", `${kind}.${type} was made before the journal was read`);
    }
    return this.#post.make(
      makeEvent({ kind, id, type, source: this.#source, newId: this.#newId, data }),
    );
  }

  /** To be written beside the decision. */
  statement(event: Outgoing): Statement {
    return this.#post.statement(event);
  }

  /** An event of its own, with what has to be true together with it. */
  emit(
    kind: EventKind,
    id: string,
    type: string,
    data: Detail,
    beside: readonly Statement[] = [],
  ): void {
    if (!this.#post.ready) {
      this.#early.push(() => this.emit(kind, id, type, data, beside));
      return;
    }
    const event = this.make(kind, id, type, data);
    const stored = this.#queue.write([this.statement(event), ...beside], { durable: false });
    void stored.then(() => {
      this.#post.stored([event]);
      this.#post.go();
    });
  }

  /** The decision is on the disk: the events may go, behind its commands. */
  publish(events: readonly Outgoing[]): void {
    this.#post.stored(events);
    if (events.length === 0) return;
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      this.#post.go();
    }, leadMs);
  }

  /** The decision was never written. */
  abandon(events: readonly Outgoing[]): void {
    this.#post.abandon(events);
  }
}
