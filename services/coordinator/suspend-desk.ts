/**
 * Production that has nothing to do or nowhere to put it: suspended by conditions of the cell file.
 *
 * The idea: the conditions are looked at with every word of a driver; while one of them counts, the
 * cell is asked to be suspended, and when none does, to go on out of what they have suspended
 * [PackML]. It refuses to end a person's suspension or hold.
 */
import type { CellConfig } from "#kernel/config/cell.js";
import { type ConditionLookup, notOlderThan } from "#kernel/config/condition.js";
import { evaluateExpression, readingsOf } from "#kernel/config/expression.js";
import { readingsAgeMsMax, type SuspendConfig } from "#kernel/config/saga.js";
import type { CellDesk } from "./cell-desk.js";
import { nextSuspend, type SuspendState, suspendAtBoot } from "./suspend.machine.js";

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
  #closed = false;

  constructor(parts: SuspendParts) {
    this.#parts = parts;
    this.#conditions = parts.config.suspend ?? [];
  }

  /** A driver has said something. */
  seen(device: string): void {
    const reads = ({ when }: SuspendConfig) =>
      readingsOf(when.expression).some((reading) => reading.device === device);
    if (this.#conditions.some(reads)) this.look();
  }

  /** Also when the cell has begun to execute. */
  look(): void {
    if (this.#closed || this.#conditions.length === 0) return;
    const nowMs = performance.now();
    let dueMs = Number.POSITIVE_INFINITY;
    for (const condition of this.#conditions) {
      const turn = nextSuspend(this.#stateOf(condition), this.#says(condition), nowMs);
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

  #says({ when }: SuspendConfig): boolean | undefined {
    const nothing = () => undefined;
    const lookup = notOlderThan(this.#parts.lookup, readingsAgeMsMax, performance.now());
    const scope = { input: nothing, variable: nothing, event: nothing, reading: lookup };
    const worked = evaluateExpression(when.expression, scope);
    return worked.ok && typeof worked.value === "boolean" ? worked.value : undefined;
  }

  #follow(): void {
    const cell = this.#parts.cell();
    const { at } = cell.state;
    const holding = this.#conditions.find((condition) => this.#stateOf(condition).holds);
    if (holding !== undefined) {
      const { name, reason, when } = holding;
      if (at === "Execute") cell.suspend("condition", `${reason} (${name}: ${when.text})`);
    } else if (at === "Suspended" || at === "Suspending") {
      cell.unsuspend("condition", "no suspend condition holds any more");
    }
  }
}
