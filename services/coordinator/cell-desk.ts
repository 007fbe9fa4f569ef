/**
 * The cell: what its runs and stops make of it, and what is said about it.
 *
 * The idea: changes of runs are translated into inputs of the cell machine, one failing run takes
 * the others down where the cell file says so, and state/cell and state/run are published once a
 * turn, the cell first. It refuses to move anything.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import type { CellCommand } from "#kernel/contract/payloads.js";
import type { Boot, Log, MessageLink } from "#kernel/ports.js";
import {
  allowed,
  type CellFacts,
  type CellInput,
  type CellPhase,
  cellAtBoot,
  nextCell,
} from "./cell.machine.js";
import type { CellWatch } from "./cell-watch.js";
import type { EventOutbox } from "./event-outbox.js";
import type { RunDesk } from "./run-desk.js";
import { type Cause, isActive, isWaiting, type Run } from "./run-state.js";
import { recordOf } from "./run-view.js";
import type { StopDesk } from "./stop-desk.js";

/** State topics are said again at least this often. */
const repeatMs = 10_000;
/** Runs in `state/run`. */
const runsMax = 20;

export interface CellDeskParts {
  readonly config: CellConfig;
  readonly main: MessageLink;
  readonly boot: Boot;
  readonly log: Log;
  readonly outbox: EventOutbox;
  readonly stops: StopDesk;
  readonly watch: CellWatch;
  readonly runs: () => RunDesk;
}

export class CellDesk {
  readonly #parts: CellDeskParts;
  #state: CellPhase = cellAtBoot;
  #since = Date.now();
  #reason: Cause = { code: "STARTED", text: "the coordinator is starting" };
  #booted = false;
  #dirty = false;
  #seq = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(parts: CellDeskParts) {
    this.#parts = parts;
  }

  get state(): CellPhase {
    return this.#state;
  }
  get allowed(): readonly CellCommand[] {
    return allowed(this.#state, this.#facts());
  }

  /** Known: the open runs and the latches. From here on the state is published. */
  boot(latched: number): void {
    const open = this.#parts.runs().open.length;
    const text = open > 0 ? "runs were open when the coordinator started" : "started";
    this.#booted = true;
    this.#reason = { code: "STARTED", text };
    this.feed({ kind: "booted", open, latched }, { code: "STARTED", text });
    this.publishSoon();
    this.#timer = setInterval(() => this.publishSoon(), repeatMs);
    this.#parts.main.onChange((connected) => {
      if (connected) this.publishSoon();
    });
    this.settle();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#booted = false;
  }

  feed(input: CellInput, reason?: Cause, about?: Run): boolean {
    const turn = nextCell(this.#state, input, this.#facts(about));
    if (turn === undefined) return false;
    this.#state = turn.state;
    for (const { from } of turn.effects) {
      this.#since = Date.now();
      if (reason !== undefined) this.#reason = reason;
      const { at } = turn.state;
      const { code, text } = this.#reason;
      this.#parts.log.info({ mark: "cell.state", from, to: at, code }, "The cell changes.");
      const data = { from, to: at, code, text };
      this.#parts.outbox.emit("cell", this.#parts.config.cell, "state.changed", data);
    }
    this.publishSoon();
    return true;
  }

  #facts(about?: Run): CellFacts {
    const { config, runs } = this.#parts;
    const others = runs().active.filter((run) => run.run !== about?.run).length;
    const waiting = runs().open.filter(isWaiting).length;
    return { others, waiting, onRunFailure: config.onRunFailure };
  }

  onRun(run: Run, before: Run | undefined): void {
    this.publishSoon();
    const { at } = run.phase;
    const was = before?.phase.at;
    if (was === undefined) this.feed({ kind: "runStarted" }, run.cause, run);
    if (at === was) return;
    const moved = was === "pending" || was === "running";
    if (run.phase.at === "releasing" && run.phase.result === "completed") {
      this.feed({ kind: "runCompleting" }, run.cause, run);
    } else if (was === "pending" && at === "releasing") {
      // No lease, no motion: no reason to take the others down.
      if (this.#facts(run).others === 0) this.feed({ kind: "runStopping" }, run.cause, run);
    } else if (moved && at === "stopping") {
      this.#onStopping(run);
    }
    if (at === "completed") this.feed({ kind: "runCompleted" }, run.cause, run);
    if (at === "needsOperator") this.#onNeedsOperator(run);
    // Others went on beside it and have ended before it: nothing is executed any more.
    const last = !isActive(run) && this.#facts(run).others === 0;
    if (last && this.#state.at === "Execute") this.feed({ kind: "runStopping" }, run.cause, run);
    this.settle();
  }

  #onStopping(run: Run): void {
    const { config, runs } = this.#parts;
    this.feed({ kind: "runStopping" }, run.cause, run);
    if (config.onRunFailure === "run") return;
    const others = runs().active.filter((other) => other.run !== run.run);
    const text = `the run ${run.run} of the cell ended: ${run.cause.text}`;
    // A person's stop or an interlock of one run: nothing of the others moves either.
    const waits = run.phase.at === "stopping" && run.phase.next === "stopped";
    if (waits) runs().feedAll(others, { kind: "operatorStop", how: "stop", text });
    else runs().feedAll(others, { kind: "failed", code: "STATE_CONFLICT", text });
  }

  #onNeedsOperator(run: Run): void {
    const { runs } = this.#parts;
    this.feed({ kind: "runNeedsOperator" }, run.cause, run);
    const others = runs().active.filter((other) => other.run !== run.run);
    const text = `the run ${run.run} of the cell needs a person`;
    runs().feedAll(others, { kind: "failed", code: "STATE_CONFLICT", text });
  }

  /** Looks whether nothing moves and no stop is open any more. */
  settle(): void {
    const { runs, stops } = this.#parts;
    if (!this.#booted) return;
    if (!runs().runs.some(isActive) && !stops.busy) this.feed({ kind: "settled" });
    if (runs().open.length > 0) return;
    const text = "the runs from before the start have ended; reset is next";
    this.feed({ kind: "runsEnded" }, { code: "STARTED", text });
  }

  publishSoon(): void {
    if (this.#dirty || !this.#booted) return;
    this.#dirty = true;
    queueMicrotask(() => this.#publish());
  }

  #publish(): void {
    this.#dirty = false;
    const { main, boot, runs, watch } = this.#parts;
    if (!this.#booted || !main.connected) return;
    this.#seq += 1;
    const head = { v: 1 as const, ts: Date.now(), seq: this.#seq, bootId: boot.bootId };
    const cell = {
      ...head,
      q: "good" as const,
      state: this.#state.at,
      mode: "Production" as const,
      since: this.#since,
      reason: { ...this.#reason },
      allowed: [...this.allowed],
    };
    const open = runs().open;
    const ended = runs().runs.filter((run) => !open.includes(run));
    const newest = ended.reverse().slice(0, Math.max(0, runsMax - open.length));
    const records = [...open, ...newest].map((run) =>
      recordOf(run, (device) => watch.describe(device)),
    );
    // Lost with the connection: the next connect says it again.
    main.publish("stateCell", {}, cell).catch(() => undefined);
    main.publish("stateRun", {}, { ...head, runs: records }).catch(() => undefined);
  }
}
