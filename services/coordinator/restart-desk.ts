/**
 * The coordinator's own restart: stop first, then the ruling on every unfinished run.
 *
 * The idea: while it lives it writes down about once a second that it does; after a restart the
 * stop orders of unfinished runs leave before anything else, and once the drivers have been heard
 * the rule says which runs may make themselves safe [PROTOCOL 1]. It refuses to hold up a stop.
 */
import type { Row } from "#kernel/ports.js";
import { storedJson } from "#kernel/stored-json.js";
import type { CellWatch } from "./cell-watch.js";
import { crashPoint } from "./crash-points.js";
import type { LatchBook } from "./latch-book.js";
import { type Alive, ruleRestart } from "./restart-rule.js";
import type { RunDesk } from "./run-desk.js";
import { isWaiting, type Run } from "./run-state.js";
import type { StoreQueue } from "./store-queue.js";

/** How often the sign of life is written. */
export const aliveEveryMs = 1000;
/** The drivers of a run are waited for this long before it is ruled without their word. */
export const heardMsMax = 3000;
const lookMs = 50;
/** Orders of a run that may have left without being in the journal; far more than there can be. */
const unwrittenMax = 1_000_000;

export interface RestartParts {
  readonly queue: StoreQueue;
  readonly watch: CellWatch;
  readonly book: LatchBook;
  readonly runs: () => RunDesk;
  readonly hostBootId: string;
}

export class RestartDesk {
  readonly #parts: RestartParts;
  readonly #rebooted = new Set<string>();
  #untrusted = new Set<string>();
  #alive: Alive | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(parts: RestartParts) {
    this.#parts = parts;
  }

  load(facts: readonly Row[]): void {
    const row = facts.find(({ name }) => name === "alive");
    if (row !== undefined) this.#alive = storedJson<Alive>(row.value, "the sign of life");
  }

  /** The PC has been started anew since the last sign of life. */
  get isAnotherHost(): boolean {
    return this.#alive !== undefined && this.#alive.hostBootId !== this.#parts.hostBootId;
  }

  rebooted(device: string): void {
    this.#rebooted.add(device);
  }

  /** The first thing that leaves this process: the stop of whatever may still move. */
  stopUnfinished(untrusted: ReadonlySet<string>): readonly Run[] {
    const runs = this.#parts.runs();
    this.#untrusted = new Set(untrusted);
    const unfinished = runs.open;
    const text = "the coordinator was restarted";
    // Rises with every start, also where the clock has gone back: what left before this start and
    // is not in the journal had a number near its run's.
    for (const { run, serial } of unfinished) {
      const above = Math.max(Date.now() * 1000, serial + unwrittenMax);
      runs.feed(run, { kind: "restarted", text, above });
    }
    return runs.active;
  }

  /** Rules the unfinished runs as their drivers are heard; bounded. */
  async rule(unfinished: readonly Run[], nowTs: number): Promise<void> {
    // A stop that was heard of before the journal was read has told nobody who waits.
    for (const run of this.#parts.runs().open) if (isWaiting(run)) this.#tellLatches(run);
    await Promise.all(unfinished.map((run) => this.#ruleOne(run, nowTs)));
  }

  async #ruleOne(run: Run, nowTs: number): Promise<void> {
    const { watch, book, runs, hostBootId } = this.#parts;
    const { uses } = run.saga;
    const untilMs = performance.now() + heardMsMax;
    while (!uses.every((device) => watch.isHeard(device)) && performance.now() < untilMs) {
      await new Promise<void>((resolve) => setTimeout(resolve, lookMs));
      if (this.#closed) return;
    }
    if (this.#closed) return;
    this.#tellLatches(run);
    const ruling = ruleRestart({
      alive: this.#alive,
      nowTs,
      hostBootId,
      latched: book.latches.map(({ id }) => id),
      devices: uses.map((device) => ({
        device,
        heard: watch.isHeard(device),
        homed: watch.isHomed(device),
        rebooted: this.#rebooted.has(device),
      })),
      trusted: !this.#untrusted.has(run.run),
    });
    runs().feed(run.run, { kind: "ruled", ...ruling });
    crashPoint("restart.ruled");
  }

  #tellLatches({ run, saga }: Run): void {
    const { book, runs } = this.#parts;
    for (const stop of new Set(saga.uses.flatMap((device) => book.holding(device)))) {
      const text = `the stop ${stop} is latched`;
      runs().feed(run, { kind: "operatorStop", stop, how: "stop", text });
    }
  }

  /** From now on the sign of life is this start's. */
  startSigns(): void {
    this.#sign();
    this.#timer = setInterval(() => this.#sign(), aliveEveryMs);
  }

  #sign(): void {
    const { queue, watch, hostBootId } = this.#parts;
    // Behind a full disk one sign waits already; more would only fill the queue.
    if (queue.trouble !== undefined) return;
    const homed = watch.axes.filter((device) => watch.isHomed(device) === true);
    const alive: Alive = { ts: Date.now(), hostBootId, homed };
    const sql = "INSERT OR REPLACE INTO facts (name, value) VALUES ('alive', ?)";
    void queue.write([{ sql, params: [JSON.stringify(alive)] }], { durable: false });
  }

  /** Nothing is ruled any more; the next start does it. */
  end(): void {
    this.#closed = true;
  }

  close(): void {
    this.end();
    if (this.#timer !== undefined) this.#sign();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
