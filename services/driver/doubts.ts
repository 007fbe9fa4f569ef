/**
 * Commands of an earlier start of this driver: what was never sent, and what nobody knows yet.
 *
 * The idea: received means refused, started means unknown until the device was read at standstill
 * [PROTOCOL 11]; each is ended once, in the store and as an event. It refuses to guess an end
 * before that read.
 */
import type { Verdict } from "#drivers/reading.js";
import { isMotion } from "#kernel/config/moving-verbs.js";
import { textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";
import { refuse } from "./command-checks.js";
import type { InboxEntry, Journal } from "./journal.js";

export interface DoubtParts {
  readonly journal: Journal;
  readonly log: Log;
  readonly tell: (command: { id: string; verb: string }, verdict: Verdict) => void;
}

export class Doubts {
  readonly #parts: DoubtParts;
  #entries: InboxEntry[] = [];

  constructor(parts: DoubtParts) {
    this.#parts = parts;
  }

  /** A motion of an earlier start has no known end: the device may hold the rest of it. */
  get motion(): boolean {
    return this.#entries.some(({ verb }) => isMotion(verb));
  }

  find(id: string): InboxEntry | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  restore(inbox: readonly InboxEntry[]): void {
    for (const entry of inbox) {
      if (entry.status === "received") {
        const text = "the driver restarted before the command began; nothing was sent";
        this.#end(entry, refuse("SUPERSEDED", text));
      } else if (entry.status === "started") {
        const text = "the driver restarted while the command ran; the device is being read";
        const detail = {
          note: "restart",
          ...(entry.target === undefined ? {} : { target: entry.target }),
        };
        const verdict: Verdict = { verdict: "unknown", code: "OUTCOME_UNKNOWN", text, detail };
        this.#entries.push({ ...entry, verdict });
      }
    }
  }

  /** After the full read at standstill: what was in doubt is a move that was stopped short. */
  settle(position: number | undefined): void {
    const entries = this.#entries;
    this.#entries = [];
    for (const entry of entries) {
      const text = "the driver restarted while the command ran; the axis stands still";
      const detail = {
        cause: "restart",
        ...(entry.target === undefined ? {} : { target: entry.target }),
        ...(position === undefined ? {} : { actual: position }),
      };
      this.#end(entry, { verdict: "faulted", code: "STOPPED_SHORT", text, detail });
    }
  }

  /** Verdict stored, told as an event. */
  #end(entry: InboxEntry, verdict: Verdict): void {
    const { journal, log, tell } = this.#parts;
    journal.save({ ...entry, status: "ended", verdict }).catch((thrown) => {
      log.error({ command: entry.id, error: textOf(thrown) }, "verdict not stored");
    });
    tell(entry, verdict);
  }
}
