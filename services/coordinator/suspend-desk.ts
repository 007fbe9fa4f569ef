/**
 * Production that has nothing to do or nowhere to put it: suspended by conditions of the cell file.
 *
 * The idea: the conditions are looked at with every word of a driver; while one of them counts, the
 * cell is asked to be suspended, and when none does, to go on out of what they have suspended
 * [PackML]. A person who lets the cell go on overrules the conditions that hold then. It refuses to
 * end a person's suspension or hold.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { type ConditionLookup, notOlderThan } from "#kernel/config/condition.js";
import {
  emptyScope,
  evaluateExpression,
  readingsOf,
  type Written,
} from "#kernel/config/expression.js";
import { readingsAgeMsMax, type SuspendConfig } from "#kernel/config/saga.js";
import type { CellState } from "#kernel/contract/payloads.js";
import type { CellSituation } from "./cell.machine.js";
import type { CellDesk } from "./cell-desk.js";
import {
  nextSuspend,
  type SuspendInput,
  type SuspendState,
  suspendAtBoot,
  suspends,
} from "./suspend.machine.js";

/** Production has ended: whom it was overruled for is gone. */
const over: ReadonlySet<CellState> = new Set(["Idle", "Complete", "Stopped", "Aborted"]);

export interface SuspendParts {
  readonly config: CellConfig;
  readonly lookup: ConditionLookup;
  readonly cell: () => Pick<CellDesk, "suspend" | "unsuspend" | "state">;
}

export class SuspendDesk {
  readonly #parts: SuspendParts;
  readonly #conditions: readonly SuspendConfig[];
  readonly #states = new Map<string, SuspendState>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** True while it is the conditions that let the cell go on. */
  #isOwn = false;
  #closed = false;

  constructor(parts: SuspendParts) {
    this.#parts = parts;
    this.#conditions = parts.config.suspend ?? [];
  }

  /** A driver has said something. */
  seen(device: string): void {
    const reads = ({ when, until = when }: SuspendConfig) =>
      [when, until].some(({ expression }) =>
        readingsOf(expression).some((reading) => reading.device === device),
      );
    if (this.#conditions.some(reads)) this.look();
  }

  /** The cell has changed its state: one that begins to execute is looked at again. */
  cellIs({ at }: CellSituation): void {
    if (at === "Unsuspending" && !this.#isOwn) this.#tell({ kind: "overruled" });
    if (over.has(at)) this.#tell({ kind: "over" });
    queueMicrotask(() => this.look());
  }

  #tell(input: SuspendInput): void {
    const nowMs = performance.now();
    for (const condition of this.#conditions) {
      const { state } = nextSuspend(this.#stateOf(condition), input, nowMs);
      this.#states.set(condition.name, state);
    }
  }

  look(): void {
    if (this.#closed || this.#conditions.length === 0) return;
    const nowMs = performance.now();
    let dueMs = Number.POSITIVE_INFINITY;
    for (const condition of this.#conditions) {
      const holds = this.#says(condition);
      const before = this.#stateOf(condition);
      const turn = nextSuspend(before, { kind: "says", holds }, nowMs, condition.afterMs);
      this.#states.set(condition.name, turn.state);
      dueMs = Math.min(dueMs, turn.dueMs ?? dueMs);
    }
    this.#follow();
    clearTimeout(this.#timer);
    if (dueMs === Number.POSITIVE_INFINITY) return;
    // Rounded up: a timer that fires a fraction early would find nothing due.
    this.#timer = setTimeout(() => this.look(), Math.max(1, Math.ceil(dueMs - nowMs)));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #stateOf({ name }: SuspendConfig): SuspendState {
    return this.#states.get(name) ?? suspendAtBoot;
  }

  /** One that counts holds on until its `until` does, where it has one. */
  #says(condition: SuspendConfig): boolean | undefined {
    const { when, until } = condition;
    if (until === undefined || !this.#stateOf(condition).holds) return this.#worth(when);
    const goesOn = this.#worth(until);
    return goesOn === undefined ? undefined : !goesOn;
  }

  #worth({ expression }: Written): boolean | undefined {
    const reading = notOlderThan(this.#parts.lookup, readingsAgeMsMax, performance.now());
    const worked = evaluateExpression(expression, { ...emptyScope, reading });
    return worked.ok && typeof worked.value === "boolean" ? worked.value : undefined;
  }

  #follow(): void {
    const cell = this.#parts.cell();
    const { at } = cell.state;
    const holding = this.#conditions.find((condition) => suspends(this.#stateOf(condition)));
    if (holding !== undefined) {
      const { name, reason, when } = holding;
      if (at === "Execute") cell.suspend("condition", `${reason} (${name}: ${when.text})`);
    } else if (at === "Suspended" || at === "Suspending") {
      this.#isOwn = true;
      cell.unsuspend("condition", "no suspend condition holds any more");
      this.#isOwn = false;
    }
  }
}
