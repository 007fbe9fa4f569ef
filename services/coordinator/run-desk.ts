/**
 * The runs of this process: feeds the machine, writes what it decides, carries it out.
 *
 * The idea: an event changes the run in memory at once and its stops leave in the same turn;
 * everything else waits until the event is on the disk, and is then looked at once more: a
 * command that the run does not wait for any more never leaves. It refuses to decide anything
 * itself.
 */
import type { Detail, Ms } from "#drivers/reading.js";
import type { CellConfig } from "#kernel/config/cell.js";
import { type ConditionLookup, notOlderThan } from "#kernel/config/condition.js";
import { evaluateExpression } from "#kernel/config/expression.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import type { Boot, Log, NewId, Statement } from "#kernel/ports.js";
import { crashPoint } from "./crash-points.js";
import type { DriverDesk } from "./driver-desk.js";
import type { EventOutbox } from "./event-outbox.js";
import { endedShownMax, type Journal } from "./journal.js";
import { RunBook } from "./run-book.js";
import { awaitedIds, dueMs, isAwaited } from "./run-due.js";
import type { NewRun, ReadValue, RunEffect, RunEvent, RunTurn } from "./run-events.js";
import { intendedIds } from "./run-flights.js";
import { begin, mayGoWithout } from "./run-leasing.js";
import { eventSlackMs } from "./run-limits.js";
import { isEnded, newestEnds, type Run } from "./run-state.js";
import { conditionsOf } from "./run-values.js";
import { RunWatchers } from "./run-watchers.js";
import { next } from "./saga.machine.js";
import { StartGate } from "./start-gate.js";
import type { StopDesk } from "./stop-desk.js";

/** Runs that may be open at a time. */
export const openRunsMax = 256;

type Bare<E> = E extends { readonly ts: number } ? Omit<E, "ts"> : never;
export type RunNews = Bare<RunEvent>;

interface Decision {
  readonly event: RunEvent;
  readonly turn: RunTurn;
  readonly nowMs: Ms;
  readonly beside: readonly Statement[];
}

export interface RunDeskParts {
  readonly config: CellConfig;
  readonly journal: Journal;
  readonly outbox: EventOutbox;
  readonly drivers: DriverDesk;
  readonly stops: StopDesk;
  readonly lookup: ConditionLookup;
  /** Resets exactly these latches at these devices. */
  readonly unlatch: (
    what: RunEffect & { kind: "unlatch" },
  ) => Promise<{ readonly ok: boolean; readonly text: string }>;
  /** Called after every change; `before` is absent for a new run. */
  readonly onChange: (run: Run, before: Run | undefined) => void;
  /** A start never reached the disk: there is no such run, and nobody was told of one. */
  readonly onWithdrawn: () => void;
  readonly boot: Boot;
  readonly log: Log;
  readonly newId: NewId;
}

export class RunDesk {
  readonly #parts: RunDeskParts;
  readonly #runs = new RunBook();
  readonly #byKey = new Map<string, string>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly gate: StartGate;
  readonly #watchers = new RunWatchers();
  /** No lease is asked for and no command leaves any more; stops do. */
  ending = false;
  #closed = false;

  constructor(parts: RunDeskParts) {
    this.#parts = parts;
    this.gate = new StartGate(parts.config);
  }

  /** All that are on the disk. */
  get runs(): readonly Run[] {
    return this.#runs.lists.runs;
  }
  get open(): readonly Run[] {
    return this.#runs.lists.open;
  }
  get active(): readonly Run[] {
    return this.#runs.lists.active;
  }
  find(run: string): Run | undefined {
    return this.#runs.get(run);
  }
  /** The run that an id of a command or stop belongs to. */
  owner(id: string): string | undefined {
    return this.#byKey.get(id.slice(0, id.lastIndexOf("-")));
  }

  /** A run out of the journal. */
  adopt(run: Run): void {
    this.#set(run);
    this.#byKey.set(run.key, run.run);
  }

  #set(run: Run): void {
    this.#runs.set(run);
    this.#watchers.note(run);
  }

  /**
   * Starts a run; resolves when it is on the disk, rejects when it cannot be and then there is
   * none. Its first command leaves after that.
   */
  async start(
    input: Omit<NewRun, "key" | "ts">,
    beside: (run: Run) => readonly Statement[],
  ): Promise<Run> {
    const given: NewRun = { ...input, key: this.#parts.newId(), ts: Date.now() };
    const nowMs = performance.now();
    const turn = begin(given, nowMs);
    this.#runs.unwritten(input.run);
    this.adopt(turn.state);
    const { events, statements } = this.#events(turn);
    const rows = [...statements, ...beside(turn.state)];
    try {
      await this.#parts.journal.create(given, turn, nowMs, rows);
    } catch (thrown) {
      this.#forget(turn.state);
      this.#parts.outbox.abandon(events);
      this.#parts.onWithdrawn();
      throw thrown;
    }
    this.#runs.written(input.run);
    this.#parts.outbox.publish(events);
    this.#parts.onChange(turn.state, undefined);
    // What has become of it meanwhile, in the order in which it became so.
    const now = this.#runs.get(input.run) ?? turn.state;
    if (now !== turn.state) this.#parts.onChange(now, turn.state);
    this.#carryOut(turn.state, turn.effects);
    this.#arm(input.run);
    return turn.state;
  }

  /**
   * Undefined: the event means nothing to the run now. Resolves when it is on the disk, with
   * whatever has to be true together with it.
   */
  feed(
    id: string,
    news: RunNews,
    beside: (run: Run) => readonly Statement[] = () => [],
  ): { readonly committed: Promise<void> } | undefined {
    const run = this.#runs.get(id);
    if (run === undefined) return undefined;
    heard(news);
    const event: RunEvent = { ts: Date.now(), ...news };
    const nowMs = performance.now();
    const turn = next(run, event, nowMs);
    if (turn === undefined) {
      this.#arm(id);
      return undefined;
    }
    this.#set(turn.state);
    for (const effect of turn.effects) if (effect.kind === "stop") this.#stop(turn.state, effect);
    const committed = this.#commit(run, { event, turn, nowMs, beside: beside(turn.state) });
    if (turn.state !== run && this.#runs.isWritten(id)) this.#parts.onChange(turn.state, run);
    this.#arm(id);
    this.gate.sweep((command) => this.#isAwaited(command));
    this.look(id);
    return { committed };
  }

  feedAll(runs: readonly Run[], news: RunNews): void {
    for (const { run } of runs) this.feed(run, news);
  }

  /** Whether a condition that a run waits for holds now. */
  look(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    const { lookup } = this.#parts;
    for (const { step, condition, scope, ageMsMax } of conditionsOf(run, lookup)) {
      const reading = notOlderThan(lookup, ageMsMax, performance.now());
      const valued = evaluateExpression(condition.expression, { ...scope, reading });
      if (!valued.ok || valued.value !== true) continue;
      // What follows is looked at again by the feed itself.
      this.feed(id, { kind: "conditionMet", step });
      return;
    }
  }

  /** There is news of a device: conditions over it are looked at. */
  seen(device: string): void {
    for (const run of this.#watchers.ofDevice(device)) this.look(run);
  }

  /** Met once by a wait, by its id, and never by one that began after it happened [ADR 0012]. */
  happened(event: CloudEvent): void {
    const { id, data } = event;
    const eventTs = Date.parse(event.time);
    for (const { run, step } of this.#watchers.ofEvent(event)) {
      const begunTs = this.#runs.get(run)?.steps[step]?.startedTs ?? 0;
      if (!(eventTs >= begunTs - eventSlackMs)) continue;
      this.feed(run, { kind: "happened", step, event: { id, data: data as Detail } });
    }
  }

  /** A command runs: the next move of its interlock may start. */
  started(command: string): void {
    this.gate.leave(command);
  }

  /** No timer and no effect after this. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.gate.close();
  }

  #isAwaited(command: string): boolean {
    const run = this.#runs.get(this.owner(command) ?? "");
    return run !== undefined && !this.ending && isAwaited(run, command);
  }

  #commit(before: Run, decision: Decision): Promise<void> {
    const { event, turn, nowMs, beside } = decision;
    // What leaves the run as it was is no decision: nothing of it has to survive.
    if (turn.state === before) {
      this.#carryOut(turn.state, turn.effects);
      return Promise.resolve();
    }
    const { events, statements } = this.#events(turn);
    const intents = intendedIds(turn.effects);
    for (const id of intents) this.#runs.intents.add(id);
    const committed = this.#parts.journal.append(event, turn, nowMs, [...statements, ...beside]);
    return committed.then(() => {
      for (const id of intents) this.#runs.intents.delete(id);
      this.#carryOut(turn.state, turn.effects);
      this.#parts.outbox.publish(events);
    });
  }

  #events(turn: RunTurn) {
    const { run, saga } = turn.state;
    const told = turn.effects.filter((effect) => effect.kind === "event");
    const events = told.map(({ type, data }) =>
      this.#parts.outbox.make("run", run, type, { run, saga: saga.name, ...data }),
    );
    return { events, statements: events.map((event) => this.#parts.outbox.statement(event)) };
  }

  #stop(run: Run, effect: RunEffect & { kind: "stop" }): void {
    const { id, how, axes } = effect;
    const by = { user: this.#parts.boot.service, role: "service" };
    this.#parts.stops.order({ id, how, axes, reason: run.cause.text, by });
    crashPoint("stop.ordered");
  }

  #carryOut(run: Run, effects: readonly RunEffect[]): void {
    if (this.#closed) return;
    for (const effect of effects) this.#one(run, effect);
  }

  #one(run: Run, effect: RunEffect): void {
    const { drivers } = this.#parts;
    const id = run.run;
    switch (effect.kind) {
      case "stop":
      case "event":
        return;
      case "lease":
        if (this.#isAwaited(effect.id)) void this.#lease(id, effect);
        return;
      case "release":
        void this.#release(id, effect.leases);
        return;
      case "send": {
        const { flight, intent } = effect;
        const go = () => {
          if (this.#closed || !this.#isAwaited(flight.id)) return;
          drivers.send(flight);
          if (intent !== undefined) {
            crashPoint(intent.part === "makeSafe" ? "makeSafe.sent" : "intent.sent");
          }
          this.#arm(id);
        };
        // A repeat of what has not left yet would overtake its intent, or the moves before it.
        if (intent !== undefined) this.gate.enter(flight, go);
        else if (!this.#runs.intents.has(flight.id) && !this.gate.isHeld(flight.id)) go();
        this.#arm(id);
        return;
      }
      case "read":
        this.#read(id, effect);
        return;
      case "query": {
        const asked = drivers.query(this.#parts.newId(), effect.device, effect.id);
        void asked.then((verdict) => this.feed(id, { kind: "queried", id: effect.id, verdict }));
        return;
      }
      case "unlatch": {
        const reset = this.#parts.unlatch(effect);
        void reset.then((answer) => this.feed(id, { kind: "unlatched", ...answer }));
        return;
      }
      default:
        effect satisfies never;
    }
  }

  async #lease(run: string, effect: RunEffect & { kind: "lease" }): Promise<void> {
    const { id, device } = effect;
    const asker = this.#runs.get(run);
    const absent =
      asker !== undefined && mayGoWithout(asker, device)
        ? this.#parts.drivers.absent(device)
        : undefined;
    const asked = absent ?? this.#parts.drivers.lease(id, device);
    crashPoint("lease.asked");
    const answer = await asked;
    if (this.#closed) return;
    if (answer.ok && answer.epoch !== undefined && this.#runs.get(run) === undefined) {
      // Its start never reached the disk: nobody has any use for the lease.
      void this.#parts.drivers.release(this.#parts.newId(), device, answer.epoch);
    } else if (!answer.ok) {
      const { code, text } = answer;
      this.feed(run, { kind: "leaseRefused", id, device, code, text });
    } else if (answer.epoch !== undefined) {
      this.feed(run, { kind: "leased", id, device, epoch: answer.epoch });
    }
  }

  async #release(run: string, leases: { readonly [device: string]: number }): Promise<void> {
    const { drivers, newId } = this.#parts;
    const given = Object.entries(leases);
    crashPoint("release.before");
    const gone = given.map(([device, epoch]) => drivers.release(newId(), device, epoch));
    crashPoint("release.sent");
    await Promise.all(gone);
    if (!this.#closed) this.feed(run, { kind: "released" });
  }

  /** One timer a run, for the earliest of its limits. */
  #arm(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    const run = this.#runs.get(id);
    if (run === undefined || this.#closed) return;
    this.#trim(run);
    const due = dueMs(run, (command) => this.gate.isHeld(command));
    if (due === undefined) return;
    // Rounded up: a timer that fires a fraction early would find nothing due.
    const delayMs = Math.max(1, Math.ceil(due - performance.now()));
    this.#timers.set(
      id,
      setTimeout(() => this.#tick(id), delayMs),
    );
  }

  #tick(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    const held = awaitedIds(run).filter((command) => this.gate.isHeld(command));
    this.feed(id, held.length === 0 ? { kind: "tick" } : { kind: "tick", held });
  }

  #read(id: string, { token, what, ageMsMax }: RunEffect & { kind: "read" }): void {
    const lookup = notOlderThan(this.#parts.lookup, ageMsMax, performance.now());
    const readings: { [name: string]: ReadValue } = {};
    for (const { device, field } of what) {
      const reading = lookup(device, field);
      const value =
        reading?.ok === true ? reading.value : { reason: reading?.reason ?? "never-read" };
      readings[`${device}.${field}`] = value as ReadValue;
    }
    this.feed(id, { kind: "evaluated", token, readings });
  }

  /** Only so many ended runs are shown; the others are in the journal. */
  #trim(run: Run): void {
    if (!isEnded(run)) return;
    for (const old of newestEnds(this.runs).slice(endedShownMax)) this.#forget(old);
  }

  #forget(run: Run): void {
    this.#runs.delete(run.run);
    this.#byKey.delete(run.key);
    this.#watchers.forget(run.run);
    clearTimeout(this.#timers.get(run.run));
    this.#timers.delete(run.run);
  }
}

/** Where a test may let the process die: what it has heard is known to nobody else yet. */
function heard({ kind }: RunNews): void {
  if (kind === "verdict") crashPoint("verdict.heard");
  else if (kind === "still") crashPoint("still.heard");
  else if (kind === "leased") crashPoint("lease.granted");
}
