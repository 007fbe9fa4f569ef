/**
 * The events of a driver, on their way out: published in order, gone at the broker's receipt.
 *
 * The idea: an event is in the table before it is published and leaves it after the receipt, so a
 * restart sends again what nobody has confirmed; events arrive at least once, with an id. Events
 * of a stop are recorded after its frames and never hold them up [PROTOCOL 10]. It refuses to
 * keep more than its bound: the oldest leave, and the log says so.
 */
import type { Detail } from "#drivers/reading.js";
import { type EventKind, eventLevels, makeEvent } from "#kernel/cloud-event.js";
import { textOf } from "#kernel/errors.js";
import type { Log, MessageLink, NewId } from "#kernel/ports.js";
import { type Journal, type OutboxEntry, outboxMax } from "./journal.js";

/** What follows an answer that its sender has already: it leaves behind the next command. */
const patient: ReadonlySet<string> = new Set(["command.accepted", "command.ended"]);
const patienceMs = 10;

export interface OutboxPorts {
  readonly link: MessageLink;
  readonly journal: Journal;
  readonly log: Log;
  readonly newId: NewId;
  readonly source: string;
  readonly device: string;
}

export class Outbox {
  readonly #ports: OutboxPorts;
  #waiting: OutboxEntry[] = [];
  #sending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
    ports.link.onChange((connected) => {
      if (connected) void this.#send();
    });
  }

  /** What an earlier start has left; before any new event. */
  restore(entries: readonly OutboxEntry[]): void {
    this.#waiting = [...entries, ...this.#waiting];
    void this.#send();
  }

  emit(kind: EventKind, type: string, data: Detail): void {
    const { source, device, newId, journal, log } = this.#ports;
    const event = makeEvent({ kind, id: device, type, source, newId, data });
    const entry = { id: event.id, event };
    this.#waiting.push(entry);
    if (this.#waiting.length > outboxMax) {
      const lost = this.#waiting.shift();
      log.warn({ event: lost?.id, outboxMax }, "the outbox is full; the oldest event was dropped");
    }
    journal
      .saveEvent(entry)
      .catch((thrown) => {
        // Full or failing disk: the event still leaves, only a restart would lose it.
        log.warn({ event: entry.id, error: textOf(thrown) }, "event not stored");
      })
      .then(() => {
        if (!patient.has(type)) return this.#send();
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          void this.#send();
        }, patienceMs);
        return undefined;
      });
  }

  async #send(): Promise<void> {
    const { link, journal, log } = this.#ports;
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (link.connected) {
        const next = this.#waiting[0];
        if (next === undefined) break;
        await link.publish("event", eventLevels(next.event), next.event);
        this.#waiting = this.#waiting.filter((entry) => entry.id !== next.id);
        await journal.dropEvents([next.id]).catch(() => undefined);
      }
    } catch (thrown) {
      // Offline: the next connect sends it again.
      log.debug({ error: textOf(thrown) }, "event not sent");
    } finally {
      this.#sending = false;
    }
  }
}
