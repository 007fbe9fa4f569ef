/**
 * The start of a run: what speaks against it is said by name before anything is written.
 *
 * The idea: the saga's inputs are judged, the cell, its mode and its latches are asked, then each
 * device that the saga cannot do without. Devices that other runs have are a reason to refuse, or
 * to wait where the start says so. The same run id with the same saga and inputs is the same wish.
 * It refuses to start a second run for it.
 */
import type { CellConfig, SagaDefinition } from "#kernel/config/cell.js";
import { startInputs } from "#kernel/config/saga-inputs.js";
import { commandIdSchema } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import type { NewId, Statement } from "#kernel/ports.js";
import { wishText } from "#kernel/wish.js";
import type { CellDesk } from "./cell-desk.js";
import type { CellWatch } from "./cell-watch.js";
import { type Answer, type Asked, keeping, nameIn, refusal } from "./door-answer.js";
import type { ExclusionDesk } from "./exclusion-desk.js";
import type { Journal } from "./journal.js";
import type { LatchDesk } from "./latch-desk.js";
import type { LockDesk } from "./lock-desk.js";
import { openRunsMax, type RunDesk } from "./run-desk.js";
import { publishedState } from "./run-view.js";
import type { StoreQueue } from "./store-queue.js";

export interface StartParts {
  readonly config: CellConfig;
  readonly newId: NewId;
  readonly runs: RunDesk;
  readonly cell: CellDesk;
  readonly watch: CellWatch;
  readonly latches: LatchDesk;
  readonly journal: Journal;
  readonly queue: StoreQueue;
  readonly locks: LockDesk;
  readonly exclusions: ExclusionDesk;
}

export class StartDoor {
  readonly #parts: StartParts;

  constructor(parts: StartParts) {
    this.#parts = parts;
  }

  /** `beside`: what has to be true together with a new run. */
  async start(asked: Asked, beside: readonly Statement[] = []): Promise<Answer> {
    const { config, runs, newId } = this.#parts;
    const { args, by } = asked.command;
    const saga = config.sagas.find((known) => known.name === args.saga);
    if (saga === undefined) {
      return refusal("NOT_FOUND", `There is no saga "${nameIn(args, "saga")}" in this cell.`);
    }
    const given = args.run;
    if (given !== undefined && !commandIdSchema.safeParse(given).success) {
      return refusal("VALIDATION_FAILED", "A run id is 1 to 64 of A–Z a–z 0–9 _ -.");
    }
    if (args.wait !== undefined && typeof args.wait !== "boolean") {
      return refusal("VALIDATION_FAILED", "wait is true or false.");
    }
    const run = given === undefined ? newId() : nameIn(args, "run");
    const before = given === undefined ? undefined : await this.#repeated(run, saga, args.inputs);
    if (before !== undefined) return before;
    const judged = startInputs(saga, args.inputs);
    if (!judged.ok) return wrongInputs(judged.problems);
    const waits = this.#check(saga, args.wait === true);
    const answer: Answer = { ok: true, result: { run, state: "pending" } };
    const start = { run, saga, by, inputs: judged.inputs, ...(waits ? { waits } : {}) };
    await runs.start(start, () => [...keeping(asked, answer), ...beside]);
    return answer;
  }

  /** Whether there is such a run, ended or not. */
  async knows(run: string): Promise<boolean> {
    const { runs, journal } = this.#parts;
    return runs.find(run) !== undefined || (await journal.stored(run)) !== undefined;
  }

  /** The same run with the same saga and inputs is the same wish; with others it is a mistake. */
  async #repeated(run: string, saga: SagaDefinition, inputs: unknown): Promise<Answer | undefined> {
    const { runs, journal } = this.#parts;
    const stored = runs.find(run) === undefined ? await journal.stored(run) : undefined;
    // Looked for again: it may have been started while the journal was asked.
    const known = runs.find(run);
    const name = known?.saga.name ?? stored?.saga;
    if (name === undefined) return undefined;
    if (name !== saga.name) {
      return refusal("DUPLICATE_ID", `The run ${run} exists and is one of "${name}".`);
    }
    const judged = startInputs(known?.saga ?? saga, inputs);
    if (!judged.ok) return wrongInputs(judged.problems);
    const had = known?.inputs ?? stored?.inputs ?? {};
    if (wishText(judged.inputs) !== wishText(had)) {
      return refusal("DUPLICATE_ID", `The run ${run} exists and was started with other inputs.`);
    }
    return {
      ok: true,
      result: { run, state: known === undefined ? "ended" : publishedState(known) },
    };
  }

  /**
   * Whether the run has to wait for devices of others.
   * @throws what speaks against it, by name.
   */
  #check(saga: SagaDefinition, mayWait: boolean): boolean {
    this.#checkCell(saga);
    const { runs, locks, exclusions } = this.#parts;
    if (runs.open.length >= openRunsMax) {
      throw new ServocellError("STATE_CONFLICT", `${openRunsMax} runs are open already.`);
    }
    const needed = saga.uses.filter((device) => saga.spare?.includes(device) !== true);
    const excluded = needed.find((device) => exclusions.isExcluded(device));
    if (excluded !== undefined) {
      const why = exclusions.describe(excluded);
      const text = `${excluded} is out of use (${why}); the saga needs it.`;
      throw new ServocellError("EXCLUDED", text, { device: excluded });
    }
    for (const device of needed) this.#checkDevice(device);
    const taken = locks.taken(saga.uses.filter((device) => !exclusions.isExcluded(device)));
    if (taken !== undefined && !mayWait) {
      const { run, saga: other, devices, waits } = taken;
      const text = `The run ${run} (${other}) ${waits ? "waits for" : "has"} ${devices.join(", ")}.`;
      throw new ServocellError("STATE_CONFLICT", text, { run, devices: [...devices] });
    }
    return taken !== undefined;
  }

  #checkCell(saga: SagaDefinition): void {
    const { cell, latches, queue } = this.#parts;
    if (queue.trouble !== undefined) {
      const code = queue.trouble === "STORE_FULL" ? "STORE_FULL" : "STORE_FAILED";
      throw new ServocellError(code, "The journal cannot be written; no run is started.");
    }
    const [latch] = latches.book.latches;
    if (latch !== undefined) {
      const text = `The stop ${latch.id} is latched; reset the cell first.`;
      throw new ServocellError("LATCHED", text, { stops: latches.book.latches.map((l) => l.id) });
    }
    const { at, mode } = cell.state;
    if (!cell.allowed.includes("start")) {
      const detail = { state: at, allowed: [...cell.allowed] };
      throw new ServocellError(
        "STATE_CONFLICT",
        `The cell is ${at}; start is not allowed.`,
        detail,
      );
    }
    const wanted = saga.mode ?? "Production";
    if (wanted === mode) return;
    const text = `${saga.name} is a saga for the mode ${wanted}; the cell is in ${mode}.`;
    throw new ServocellError("STATE_CONFLICT", text, { mode, wanted });
  }

  #checkDevice(device: string): void {
    const { watch } = this.#parts;
    if (!watch.isOnline(device)) {
      const text = `The driver of ${device} is not online; the saga needs it.`;
      throw new ServocellError("NOT_READY", text, { device });
    }
    const breaker = watch.breaker(device);
    if (breaker === "open" || breaker === "half-open") {
      const text = `The breaker of ${device} is ${breaker}; the saga needs this device.`;
      throw new ServocellError("BREAKER_OPEN", text, { device });
    }
  }
}

function wrongInputs(problems: readonly string[]): Answer {
  return refusal("VALIDATION_FAILED", `${problems.join("; ")}.`, { problems: [...problems] });
}
