/**
 * The cell: what its runs, stops and people make of it, and what is said about it.
 *
 * The idea: changes of runs are translated into inputs of the cell machine, one failing run takes
 * the others down where the cell file says so, and hold and suspend park every run between its
 * steps. Its mode outlives a restart. It refuses to move anything, and to let a mode start
 * something.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { type CellMode, cellModes } from "#kernel/config/saga.js";
import type { CellCommand, RunRecord } from "#kernel/contract/payloads.js";
import type { Boot, Log, MessageLink, Row, Statement } from "#kernel/ports.js";
import {
  allowed,
  type CellEffect,
  type CellFacts,
  type CellInput,
  type CellSituation,
  cellAtBoot,
  isExecuting,
  nextCell,
  packTag,
  type SuspendedBy,
} from "./cell.machine.js";
import { CellPublisher, type CellSaid } from "./cell-publisher.js";
import { isAtRest } from "./cell-rest.js";
import type { CellWatch } from "./cell-watch.js";
import type { EventOutbox } from "./event-outbox.js";
import type { RunDesk } from "./run-desk.js";
import { type Cause, isActive, isEnded, newestEnds, type Run } from "./run-state.js";
import { recordOf } from "./run-view.js";
import type { StopDesk } from "./stop-desk.js";

/** The row of the table of facts that keeps the mode. */
const modeFact = "mode";

export interface CellDeskParts {
  readonly config: CellConfig;
  readonly main: MessageLink;
  readonly boot: Boot;
  readonly log: Log;
  readonly outbox: EventOutbox;
  readonly stops: StopDesk;
  readonly watch: CellWatch;
  readonly runs: () => RunDesk;
  /** Devices that a person has taken out of use, sorted. */
  readonly excluded: () => readonly string[];
  /** Which devices a run waits for, and who has them; undefined: it waits for none. */
  readonly waits: (run: Run) => string | undefined;
}

export class CellDesk {
  readonly #parts: CellDeskParts;
  readonly #publisher: CellPublisher;
  #state: CellSituation = cellAtBoot();
  #since = Date.now();
  #reason: Cause = { code: "STARTED", text: "the coordinator is starting" };
  #booted = false;
  /** Told of every change of the state; a suspension looks at its condition again then. */
  onState: (state: CellSituation) => void = () => undefined;

  constructor(parts: CellDeskParts) {
    this.#parts = parts;
    const { main, boot, runs } = parts;
    this.#publisher = new CellPublisher({
      main,
      boot,
      cell: () => this.#said(),
      openCount: () => runs().open.length,
      records: (countMax) => this.#records(countMax),
    });
  }

  get state(): CellSituation {
    return this.#state;
  }
  get allowed(): readonly CellCommand[] {
    return allowed(this.#state, this.#facts());
  }

  /** The mode that it had before; a mode starts nothing. */
  load(facts: readonly Row[]): void {
    const kept = facts.find(({ name }) => name === modeFact)?.value;
    const mode = cellModes.find((known) => known === kept);
    if (mode !== undefined) this.#state = cellAtBoot(mode);
  }

  /** What makes the mode outlive a restart. */
  static modeStatement(mode: CellMode): Statement {
    const sql = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)";
    return { sql, params: [modeFact, mode] };
  }

  /** Known: the open runs and the latches. From here on the state is published. */
  boot(latched: number): void {
    const open = this.#parts.runs().open.length;
    const text = open > 0 ? "runs were open when the coordinator started" : "started";
    this.#booted = true;
    this.#reason = { code: "STARTED", text };
    this.feed({ kind: "booted", open, latched }, { code: "STARTED", text });
    this.#publisher.begin();
    this.settle();
  }

  close(): void {
    this.#publisher.close();
    this.#booted = false;
  }

  feed(input: CellInput, reason?: Cause, about?: Run): boolean {
    const before = this.#state;
    const turn = nextCell(before, input, this.#facts(about));
    if (turn === undefined) return false;
    this.#state = turn.state;
    if (turn.state.at !== before.at) {
      this.#since = Date.now();
      if (reason !== undefined) this.#reason = reason;
    }
    for (const effect of turn.effects) this.#carryOut(effect);
    this.publishSoon();
    return true;
  }

  #carryOut(effect: CellEffect): void {
    const { log, outbox, config, runs } = this.#parts;
    const { code, text } = this.#reason;
    switch (effect.kind) {
      case "changed": {
        const { from } = effect;
        const to = this.#state.at;
        log.info({ mark: "cell.state", from, to, code }, "The cell changes.");
        outbox.emit("cell", config.cell, "state.changed", { from, to, code, text });
        this.onState(this.#state);
        return;
      }
      case "modeChanged": {
        const { from } = effect;
        const to = this.#state.mode;
        log.info({ mark: "cell.mode", from, to }, "The mode of the cell changes.");
        outbox.emit("cell", config.cell, "mode.changed", { from, to });
        return;
      }
      case "park":
        runs().feedAll(runs().active, { kind: "hold", how: effect.how, text });
        return;
      case "release":
        runs().feedAll(runs().active, { kind: "unhold", how: effect.how });
        return;
      default:
        effect satisfies never;
    }
  }

  /** Refused: undefined is not said, the state and what it allows are. */
  hold(text: string): boolean {
    return this.#park({ kind: "hold" }, { code: "HELD", text });
  }
  unhold(text: string): boolean {
    return this.#park({ kind: "unhold" }, { code: "UNHELD", text });
  }
  /** By a condition: starved or blocked, as the cell file declares it. */
  suspend(by: SuspendedBy, text: string): boolean {
    return this.#park({ kind: "suspend", by }, { code: "SUSPENDED", text });
  }
  /** A condition ends only its own suspension, and only out of Suspended. */
  unsuspend(by: SuspendedBy, text: string): boolean {
    return this.#park({ kind: "unsuspend", by }, { code: "UNSUSPENDED", text });
  }

  #park(input: CellInput, reason: Cause): boolean {
    if (!this.feed(input, reason)) return false;
    this.settle();
    return true;
  }

  #facts(about?: Run): CellFacts {
    const { config, runs } = this.#parts;
    const { active, open } = runs();
    const others = active.filter((run) => run.run !== about?.run).length;
    const waiting = open.length - active.length;
    const held = active.filter((run) => run.held === "hold").length;
    const suspended = active.filter((run) => run.held === "suspend").length;
    return { others, waiting, held, suspended, onRunFailure: config.onRunFailure };
  }

  onRun(run: Run, before: Run | undefined): void {
    this.publishSoon();
    const { at } = run.phase;
    const was = before?.phase.at;
    if (was === undefined) this.feed({ kind: "runStarted" }, run.cause, run);
    if (at === was) {
      // Its threads may have come to rest.
      this.settle();
      return;
    }
    const early = was === "pending" || was === "waiting";
    if (at === "running") this.feed({ kind: "runMoving" }, run.cause, run);
    if (run.phase.at === "releasing" && run.phase.result === "completed") {
      this.feed({ kind: "runCompleting" }, run.cause, run);
    } else if (early && at === "releasing") {
      // No lease, no motion: no reason to take the others down.
      if (this.#facts(run).others === 0) this.feed({ kind: "runStopping" }, run.cause, run);
    } else if ((early || was === "running") && at === "stopping") {
      this.#onStopping(run);
    }
    if (at === "completed") this.feed({ kind: "runCompleted" }, run.cause, run);
    if (at === "needsOperator") this.#onNeedsOperator(run);
    // Others went on beside it and have ended before it: nothing is executed any more.
    const last = !isActive(run) && this.#facts(run).others === 0;
    if (last && isExecuting(this.#state)) this.feed({ kind: "runStopping" }, run.cause, run);
    this.settle();
  }

  #onStopping(run: Run): void {
    const { config, runs } = this.#parts;
    // After a restart every run is stopped first, and each goes by its own rule [PROTOCOL 1].
    if (run.phase.at === "stopping" && run.phase.next === "undecided") return;
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

  /** Looks whether nothing moves and no stop is open any more, or every run is parked. */
  settle(): void {
    const { runs, stops } = this.#parts;
    if (!this.#booted) return;
    const { at } = this.#state;
    const { active } = runs();
    if (at === "Holding" || at === "Suspending") {
      if (active.every(isAtRest)) this.feed({ kind: "parked" });
    } else if (at === "Unholding" || at === "Unsuspending") {
      if (active.every((run) => run.held === undefined)) this.feed({ kind: "going" });
    }
    if (active.length === 0 && !stops.busy) this.feed({ kind: "settled" });
    if (runs().open.length > 0) return;
    const text = "the runs from before the start have ended; reset is next";
    this.feed({ kind: "runsEnded" }, { code: "STARTED", text });
  }

  publishSoon(): void {
    this.#publisher.soon();
  }

  #said(): CellSaid {
    const excluded = this.#parts.excluded();
    return {
      q: "good",
      state: this.#state.at,
      mode: this.#state.mode,
      packml: packTag(this.#state.at),
      since: this.#since,
      reason: { ...this.#reason },
      allowed: [...this.allowed],
      ...(excluded.length === 0 ? {} : { excluded: [...excluded] }),
    };
  }

  #records(countMax: number): readonly RunRecord[] {
    const { runs, watch, waits: waitsOf } = this.#parts;
    const all = runs().runs;
    const open = all.filter((run) => !isEnded(run));
    const newest = newestEnds(all).slice(0, Math.max(0, countMax - open.length));
    return [...open, ...newest].map((run) => {
      const record = recordOf(run, (device) => watch.describe(device));
      const waits = waitsOf(run);
      return waits === undefined ? record : { ...record, waits };
    });
  }
}
