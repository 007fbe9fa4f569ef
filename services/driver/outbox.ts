/**
 * The events of a driver, on their way to the post.
 *
 * The idea: an event is numbered and stored at once, and leaves when the disk has it or has
 * refused it. Events of a stop are recorded after its frames and never hold them up [PROTOCOL 10];
 * what follows an answer leaves a little behind it. It refuses to decide when an event may go:
 * the post does.
 */
import type { Detail } from "#drivers/reading.js";
import { type EventKind, makeEvent } from "#kernel/cloud-event.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import { textOf } from "#kernel/errors.js";
import { EventPost } from "#kernel/event-post.js";
import type { OutboxBounds } from "#kernel/outbox-book.js";
import type { Log, MessageLink, NewId, Store } from "#kernel/ports.js";

/** What follows an answer that its sender has already: it leaves behind the next command. */
const patient: ReadonlySet<string> = new Set(["command.accepted", "command.ended"]);
const patienceMs = 10;
/** Events that wait for the database to be read. */
const earlyMax = 1000;

export interface OutboxPorts {
  readonly link: MessageLink;
  readonly store: Store;
  readonly log: Log;
  readonly newId: NewId;
  readonly source: string;
  readonly device: string;
  /** Those that have to acknowledge. */
  readonly consumers: readonly string[];
  readonly bounds?: OutboxBounds;
}

export class Outbox {
  readonly #ports: OutboxPorts;
  readonly #post: EventPost;
  #early: { readonly type: string; readonly event: CloudEvent }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Told what cannot be done at present. */
  onTrouble: (text: string | undefined) => void = () => undefined;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
    const { store, link, log, source, consumers, bounds } = ports;
    this.#post = new EventPost({
      ...{ link, log, source, consumers },
      ...(bounds === undefined ? {} : { bounds }),
      shelf: {
        read: (statements) => store.tx(statements, { durable: false }),
        write: async (statements, { durable }) => void (await store.tx(statements, { durable })),
      },
      onOverflow: (overflow) => {
        this.onTrouble(overflow?.text);
        if (overflow === undefined) this.emit("device", "outbox.recovered", {});
        else this.emit("device", "outbox.overflowed", { ...overflow });
      },
    });
  }

  /** `upTo`: the numbers that earlier starts have claimed. */
  restore(upTo: number): void {
    this.#post.restore(upTo);
    this.#post.open();
    for (const { type, event } of this.#early.splice(0)) this.#keep(type, event);
  }

  emit(kind: EventKind, type: string, data: Detail): void {
    const { source, device, newId, log } = this.#ports;
    const event = makeEvent({ kind, id: device, type, source, newId, data });
    if (this.#post.ready) {
      this.#keep(type, event);
      return;
    }
    this.#early.push({ type, event });
    if (this.#early.length <= earlyMax) return;
    const lost = this.#early.shift();
    log.warn({ event: lost?.event.id }, "Too many events wait for the database.");
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#post.close();
  }

  #keep(type: string, event: CloudEvent): void {
    const { store, log } = this.#ports;
    const out = this.#post.make(event);
    store
      .tx([this.#post.statement(out)], { durable: false })
      .catch((thrown) => {
        // Full or failing disk: the event still leaves, only a restart would lose it.
        log.warn({ event: event.id, error: textOf(thrown) }, "event not stored");
      })
      .then(() => {
        this.#post.stored([out]);
        if (!patient.has(type)) return this.#post.go();
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.#post.go();
        }, patienceMs);
      });
  }
}
