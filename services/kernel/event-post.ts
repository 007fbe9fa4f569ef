/**
 * The post of a source: its events on their way to everybody who has to have them.
 *
 * The idea: an event gets its number before it is stored, waits in line until it is on the disk,
 * and leaves in order; the newest stand in memory, older ones are read again from the disk where a
 * reader stayed behind. What every reader has goes from the disk by one statement, some time
 * later. It refuses to say what is not claimed, and to keep more than its bounds: then the oldest
 * leave, and that is an alarm until there is room again.
 */
import { eventLevels } from "./cloud-event.js";
import type { CloudEvent } from "./contract/payloads.js";
import {
  type CustodyEffect,
  type CustodyInput,
  type CustodyState,
  custodyAtBoot,
  custodyDueMs,
  nextCustody,
  pageMax,
} from "./custody.machine.js";
import { codeOf, textOf } from "./errors.js";
import { EventNumbers } from "./event-numbers.js";
import { OutboxBook, type OutboxBounds, outboxBounds } from "./outbox-book.js";
import {
  dropEvents,
  eventsOf,
  heapsOf,
  type KeptEvent,
  putEvent,
  putNumbered,
  readEvents,
  readHeaps,
  shiftEvents,
} from "./outbox-table.js";
import type { Log, MessageLink, Row, Statement } from "./ports.js";

/** Newest events that stand in memory. */
export const tailMax = 512;
/** What all have leaves the disk within this time. */
export const dropMs = 100;
/** Pause before the disk is asked again for something that it has refused. */
const diskAgainMs = 1000;

/** The disk of a source. */
export interface EventShelf {
  read(statements: readonly Statement[]): Promise<Row[][]>;
  /** Resolves when it is written; may wait for the next write where `lazy`. */
  write(statements: readonly Statement[], how: { durable: boolean; lazy: boolean }): Promise<void>;
}

/** Events were lost because their consumers did not take them; `lost`: so many up to now. */
export interface Overflow {
  readonly lost: number;
  readonly since: number;
  readonly text: string;
}

export interface PostPorts {
  readonly link: MessageLink;
  readonly log: Log;
  readonly source: string;
  /** Those that have to acknowledge; none: the broker's receipt counts. */
  readonly consumers: readonly string[];
  readonly shelf: EventShelf;
  /** The oldest events leave; undefined: there is room again. */
  readonly onOverflow: (overflow: Overflow | undefined) => void;
  /** @default 100 MB, 7 days */
  readonly bounds?: OutboxBounds;
}

/** An event in line: it has its number, and leaves when it is ready and nothing is before it. */
export interface Outgoing extends KeptEvent {
  readonly at: number;
  readonly text: string;
}
interface InLine {
  readonly out: Outgoing;
  at: "made" | "ready" | "gone";
}

export class EventPost {
  readonly #ports: PostPorts;
  readonly #book: OutboxBook;
  readonly #numbers: EventNumbers;
  readonly #line = new Map<number, InLine>();
  /** The newest that have left the line; all after `#tailAfter`. */
  #tail: KeptEvent[] = [];
  #tailAfter = 0;
  /** Undefined: not restored yet, or being numbered anew. */
  #state: CustodyState | undefined;
  /** Nothing up to here is kept, whatever the consumers have said. */
  #emptyUpTo = 0;
  #open = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dropUpTo = 0;
  #dropping: ReturnType<typeof setTimeout> | undefined;
  #overflow: { lost: number; readonly since: number } | undefined;
  #closed = false;

  constructor(ports: PostPorts) {
    this.#ports = ports;
    this.#book = new OutboxBook(ports.bounds ?? outboxBounds);
    this.#numbers = new EventNumbers((upTo) => this.#written([putNumbered(upTo)]));
    this.#numbers.onClaimed = () => this.go();
    const { link, source, consumers } = ports;
    link.onChange((connected) => {
      if (this.#open) this.#feed({ kind: connected ? "connected" : "lost" });
    });
    if (consumers.length === 0) return;
    link.subscribe("ackSource", { source }, ({ payload: { consumer, seq } }) => {
      this.#feed({ kind: "ack", consumer, seq });
    });
  }

  /** Whether events can be given numbers. */
  get ready(): boolean {
    return this.#numbers.ready;
  }

  /** `upTo`: what earlier starts have claimed. */
  restore(upTo: number): void {
    const { consumers } = this.#ports;
    this.#numbers.begin(upTo, Date.now());
    this.#tailAfter = this.#numbers.last;
    this.#state = custodyAtBoot(consumers, this.#numbers.last);
    void this.#readBook();
  }

  /** From now on events leave. */
  open(): void {
    this.#open = true;
    this.go();
    if (this.#ports.link.connected) this.#feed({ kind: "connected" });
  }

  /** What all have goes from the disk before it is closed. */
  close(): void {
    if (this.#dropping !== undefined) this.#dropNow();
    this.#closed = true;
    this.#open = false;
    clearTimeout(this.#timer);
  }

  /** Gives an event its number; it has to become ready, or to be abandoned. */
  make(event: CloudEvent): Outgoing {
    const seq = this.#numbers.next();
    const out = { seq, event, at: Date.now(), text: JSON.stringify(event) };
    this.#line.set(seq, { out, at: "made" });
    return out;
  }

  statement({ seq, at, text }: Outgoing): Statement {
    return putEvent(seq, at, text);
  }

  /** They are on the disk, or never will be and leave all the same; `go` lets them leave. */
  stored(outs: readonly Outgoing[]): void {
    this.#mark(outs, "ready");
  }

  /** What they tell of has not happened. */
  abandon(outs: readonly Outgoing[]): void {
    this.#mark(outs, "gone");
    this.go();
  }

  #mark(outs: readonly Outgoing[], at: InLine["at"]): void {
    for (const { seq } of outs) {
      const entry = this.#line.get(seq);
      if (entry !== undefined) entry.at = at;
    }
  }

  /** Whatever is ready, up to the first that is not. */
  go(): void {
    if (!this.#open || this.#state === undefined) return;
    const nowMs = performance.now();
    let newest: number | undefined;
    for (const [seq, { out, at }] of this.#line) {
      if (at === "made" || seq > this.#numbers.claimed) break;
      this.#line.delete(seq);
      if (at === "gone") continue;
      newest = seq;
      this.#tail.push({ seq, event: out.event });
      this.#book.add(seq, out.text.length, nowMs);
    }
    if (newest === undefined) return;
    this.#shortenTail();
    this.#bound();
    this.#feed({ kind: "added", seq: newest });
  }

  #shortenTail(): void {
    const over = this.#tail.length - tailMax;
    if (over <= 0) return;
    this.#tailAfter = this.#tail[over - 1]?.seq ?? this.#tailAfter;
    this.#tail = this.#tail.slice(over);
  }

  #feed(input: CustodyInput): void {
    if (this.#state === undefined || this.#closed) return;
    const turn = nextCustody(this.#state, input, performance.now());
    if (turn === undefined) {
      // A timer that fired a fraction early found nothing due: it has to come again.
      if (input.kind === "tick") this.#arm();
      return;
    }
    this.#state = turn.state;
    for (const effect of turn.effects) this.#run(effect);
    this.#arm();
  }

  #run(effect: CustodyEffect): void {
    switch (effect.kind) {
      case "say":
        void this.#say(effect);
        return;
      case "drop":
        this.#drop(effect.upTo);
        return;
      case "raise":
        void this.#raise(effect.above);
        return;
      default:
        effect satisfies never;
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const dueMs = this.#state === undefined ? undefined : custodyDueMs(this.#state);
    if (dueMs === undefined) return;
    const waitMs = Math.max(1, Math.ceil(dueMs - performance.now()));
    this.#timer = setTimeout(() => {
      this.#bound();
      this.#feed({ kind: "tick" });
    }, waitMs);
  }

  async #say({ after, follows, upTo }: CustodyEffect & { kind: "say" }): Promise<void> {
    const page = await this.#page(after, upTo);
    if (page === undefined) {
      this.#feed({ kind: "said", upTo: after, count: 0, whole: false });
      return;
    }
    const { link, log } = this.#ports;
    const { events } = page;
    const sent = events.map(({ seq, event }, i) => {
      const numbered = { sequence: seq, follows: events[i - 1]?.seq ?? follows, ...event };
      return link.publish("event", eventLevels(event), numbered);
    });
    const settled = await Promise.allSettled(sent);
    const failed = settled.findIndex(({ status }) => status === "rejected");
    if (failed < 0) {
      this.#feed({ kind: "said", upTo: page.upTo, count: events.length, whole: true });
      return;
    }
    const failure = settled[failed];
    if (failure?.status === "rejected") {
      // What does not fit its schema is a broken assumption; offline, it is said again.
      if (codeOf(failure.reason) === "INTERNAL") throw failure.reason;
      log.debug({ error: textOf(failure.reason) }, "Events were not sent.");
    }
    const last = events[failed - 1]?.seq ?? after;
    this.#feed({ kind: "said", upTo: last, count: failed, whole: false });
  }

  /** What is kept there, a page at most; undefined: the disk does not give it. */
  async #page(after: number, upTo: number): Promise<Page | undefined> {
    const from = Math.max(after, this.#state?.floor ?? 0);
    if (from >= this.#tailAfter) {
      const events = this.#tail.filter(({ seq }) => seq > from && seq <= upTo).slice(0, pageMax);
      return { events, upTo: events.at(-1)?.seq ?? upTo };
    }
    const { shelf, log } = this.#ports;
    try {
      const [rows = []] = await shelf.read([readEvents(from, upTo, pageMax)]);
      const events = eventsOf(rows, (seq) => {
        log.error({ mark: "outbox.spoiled", seq }, "An event on the disk cannot be read.");
      });
      const last = rows.at(-1)?.seq;
      return { events, upTo: last === undefined ? upTo : Number(last) };
    } catch (thrown) {
      log.warn({ error: textOf(thrown) }, "The outbox cannot be read.");
      return undefined;
    }
  }

  #drop(upTo: number): void {
    this.#forget(upTo);
    this.#book.dropped(upTo);
    this.#bound();
  }

  /** In memory at once, on the disk with whatever else is written there. */
  #forget(upTo: number): void {
    const left = this.#tail.findIndex(({ seq }) => seq > upTo);
    this.#tail = left < 0 ? [] : this.#tail.slice(left);
    this.#dropUpTo = Math.max(this.#dropUpTo, upTo);
    this.#dropping ??= setTimeout(() => this.#dropNow(), dropMs);
  }

  #dropNow(): void {
    clearTimeout(this.#dropping);
    this.#dropping = undefined;
    const { shelf, log } = this.#ports;
    const gone = shelf.write([dropEvents(this.#dropUpTo)], { durable: false, lazy: true });
    // They stay a while longer, and go with those that follow.
    gone.catch((thrown) => log.debug({ error: textOf(thrown) }, "Events were not dropped."));
  }

  #bound(): void {
    const nowMs = performance.now();
    const over = this.#book.overflow(nowMs);
    const { log, onOverflow, source, consumers } = this.#ports;
    if (over !== undefined) {
      this.#forget(over.upTo);
      this.#feed({ kind: "overflowed", upTo: over.upTo });
      const spell = this.#overflow ?? { lost: 0, since: Date.now() };
      const begins = this.#overflow === undefined;
      spell.lost += over.count;
      this.#overflow = spell;
      if (!begins) return;
      const whom = consumers.length === 0 ? "the broker" : consumers.join(" or ");
      const text = `events of ${source} are lost: ${whom} does not take them`;
      log.error({ mark: "outbox.overflow", ...spell }, text);
      onOverflow({ ...spell, text });
    } else if (this.#overflow !== undefined && this.#book.isRoomy(nowMs)) {
      const { lost } = this.#overflow;
      this.#overflow = undefined;
      log.info({ mark: "outbox.roomy", lost }, "The outbox has room again.");
      onOverflow(undefined);
    }
  }

  /** All that is kept is numbered anew, above what a consumer has of a database that is gone. */
  async #raise(above: number): Promise<void> {
    const { log, source, consumers, link } = this.#ports;
    const state = this.#state;
    // It comes again with the next page.
    if (this.#line.size > 0 || state === undefined) return;
    this.#state = undefined;
    log.warn({ mark: "outbox.renumbered", source, above }, "A consumer knows higher numbers.");
    clearTimeout(this.#timer);
    clearTimeout(this.#dropping);
    this.#dropping = undefined;
    const { last } = this.#numbers;
    const floor = Math.max(state.floor, this.#emptyUpTo);
    // No higher than it takes: numbers that doubled would soon be beyond those that count.
    const by = above - floor;
    // All or nothing, and nothing is said before: else its word counts for what it never had.
    await this.#numbers.raise(last + by, (upTo) => {
      return this.#written([dropEvents(floor), shiftEvents(by, last), putNumbered(upTo)]);
    });
    if (this.#closed) return;
    this.#tail = this.#tail.map(({ seq, event }) => ({ seq: seq + by, event }));
    this.#tailAfter += by;
    this.#emptyUpTo = above;
    this.#dropUpTo = 0;
    this.#book.shift(by);
    this.#state = custodyAtBoot(consumers, last + by);
    this.go();
    if (link.connected) this.#feed({ kind: "connected" });
  }

  async #readBook(): Promise<void> {
    const { shelf, log } = this.#ports;
    const upTo = this.#numbers.last;
    try {
      const [rows] = await shelf.read([readHeaps(upTo)]);
      this.#emptyUpTo = Math.max(this.#emptyUpTo, Number(rows?.[0]?.first ?? upTo + 1) - 1);
      this.#book.restore(heapsOf(rows), performance.now(), Date.now());
      this.#book.dropped(this.#state?.floor ?? 0);
      this.#bound();
    } catch (thrown) {
      log.warn({ error: textOf(thrown) }, "What the outbox holds was not counted.");
    }
  }

  /** Tried until the disk has it; also resolves when this is closed before. */
  async #written(statements: readonly Statement[]): Promise<void> {
    const { shelf, log } = this.#ports;
    while (!this.#closed) {
      try {
        await shelf.write(statements, { durable: true, lazy: false });
        return;
      } catch (thrown) {
        log.warn({ error: textOf(thrown) }, "No event can be numbered now.");
        await new Promise<void>((resolve) => setTimeout(resolve, diskAgainMs));
      }
    }
  }
}

interface Page {
  readonly events: readonly KeptEvent[];
  /** Nothing else is kept up to here. */
  readonly upTo: number;
}
