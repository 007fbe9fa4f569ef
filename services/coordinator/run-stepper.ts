/**
 * One turn of a running run in the making.
 *
 * The idea: a turn may take many steps in several threads, so it is gathered in one mutable place
 * and comes out as one new run and one list of effects: stops first, and nothing that was begun in
 * a turn that ends in failure ever leaves. It refuses to decide what comes next (run-program.ts).
 */
import type { Detail } from "#drivers/reading.js";
import type { SagaActionKind, SagaStepDefinition } from "#kernel/config/saga.js";
import { awaitedIds } from "./run-due.js";
import type { RunEffect, RunTurn } from "./run-events.js";
import { stepsEnteredMax, toldTimesMax, turnStepsMax } from "./run-limits.js";
import type { Cause, Epochs, Now, Run, StepRecord, Thread, Wait } from "./run-state.js";
import { changed, endingOf, enterReleasing, type StepEnd, takeId } from "./run-steps.js";
import { enterStopping } from "./run-stopping.js";

/** next: the step after; attempt: the same step; turn: whether a repeat goes on. */
export interface Job {
  readonly id: number;
  readonly how: "next" | "attempt" | "turn";
}
/** Kinds of steps that do nothing outside the run. */
const instant: ReadonlySet<SagaActionKind> = new Set(["set", "choose", "repeat", "call"]);

interface Failure {
  readonly next: "makeSafe" | "stopped";
  readonly cause: Cause;
}

export class Stepper {
  run: Run;
  leases: Epochs;
  threads: readonly Thread[];
  readonly now: Now;
  jobs: Job[] = [];
  stepsLeft = turnStepsMax;
  failure: Failure | undefined;
  #effects: RunEffect[] = [];
  /** They leave before everything else. */
  readonly #stops: RunEffect[] = [];
  #changed = false;
  /** The records of the run in the making: copied once in a turn, however many it changes. */
  #own: StepRecord[] | undefined;

  constructor(
    run: Run,
    from: { readonly leases: Epochs; readonly threads: readonly Thread[] },
    now: Now,
  ) {
    this.run = run;
    this.leases = from.leases;
    this.threads = from.threads;
    this.now = now;
  }

  thread(id: number): Thread | undefined {
    return this.threads.find((thread) => thread.id === id);
  }
  definition(step: number): SagaStepDefinition | undefined {
    return this.run.saga.steps[step];
  }
  nameOf(step: number): string {
    return this.definition(step)?.name ?? "";
  }

  put(thread: Thread): void {
    this.#changed = true;
    const known = this.threads.some(({ id }) => id === thread.id);
    this.threads = known
      ? this.threads.map((other) => (other.id === thread.id ? thread : other))
      : [...this.threads, thread];
  }
  drop(ids: readonly number[]): void {
    this.#changed = true;
    this.threads = this.threads.filter(({ id }) => !ids.includes(id));
    this.jobs = this.jobs.filter(({ id }) => !ids.includes(id));
  }
  wait(id: number, wait: Wait): void {
    const thread = this.thread(id);
    if (thread !== undefined) this.put({ ...thread, wait });
  }
  do(id: number, how: Job["how"]): void {
    this.#changed = true;
    this.jobs.unshift({ id, how });
  }

  keep(scope: string, values: Run["values"][string]): void {
    this.run = { ...this.run, values: { ...this.run.values, [scope]: values } };
  }

  takeId(): string {
    const taken = takeId(this.run);
    this.run = taken.run;
    return taken.id;
  }
  tell(type: string, data: Detail): void {
    this.#effects.push({ kind: "event", type, data });
  }
  emit(effect: RunEffect): void {
    this.#effects.push(effect);
  }

  /** A stop of single axes: it ends their leases in the same turn. Returns its order. */
  stop(axes: readonly string[]): string {
    const id = this.takeId();
    this.#stops.push({ kind: "stop", id, how: "stop", axes });
    const kept = Object.entries(this.leases).filter(([device]) => !axes.includes(device));
    this.leases = Object.fromEntries(kept);
    return id;
  }

  /** Registers the intent and with it the makeSafe. False: the run has begun too many. */
  enter(step: number, attempt: number, again = false): boolean {
    const order = this.run.entered + 1;
    if (order > stepsEnteredMax) {
      const text = `the run has begun ${stepsEnteredMax} steps, which is the most it may`;
      this.fail({ code: "LIMIT_EXCEEDED", text });
      return false;
    }
    const definition = this.definition(step);
    const before = this.run.steps[step];
    if (definition === undefined || before === undefined) return false;
    const nothing = definition.makeSafe.kind === "none" || this.#isMissing(definition);
    const record: StepRecord = {
      status: "running",
      startedTs: again ? (before.startedTs ?? this.now.ts) : this.now.ts,
      startedMs: again ? (before.startedMs ?? this.now.ms) : this.now.ms,
      safe: nothing ? before.safe : "pending",
      order,
      times: (before.times ?? 0) + (again ? 0 : 1),
      attempts: attempt,
      ...(before.moved === true ? { moved: true } : {}),
    };
    this.#record(step, record);
    this.run = { ...this.run, entered: order };
    return true;
  }

  /** Nothing can be sent to it, so nothing of it will have to be made safe. */
  #isMissing({ action }: SagaStepDefinition): boolean {
    if (action.kind !== "operation") return false;
    return this.run.missing?.some(({ device }) => device === action.operation.device) === true;
  }

  change(step: number, change: Partial<StepRecord>): void {
    const before = this.run.steps[step];
    if (before !== undefined) this.#record(step, changed(before, change));
  }
  /** The command of the step is settled: a later word on it changes nothing. */
  forget(step: number, change: Partial<StepRecord>): void {
    const before = this.run.steps[step];
    if (before === undefined) return;
    const { id: _settled, ...rest } = before;
    this.#record(step, changed(rest, change));
  }
  #record(step: number, record: StepRecord): void {
    if (this.#own === undefined || this.#own !== this.run.steps) {
      this.#own = [...this.run.steps];
      this.run = { ...this.run, steps: this.#own };
    }
    this.#own[step] = record;
  }

  /** Says that the step has begun. */
  began(step: number): void {
    if (this.#isQuiet(step)) return;
    const text = this.definition(step)?.text ?? "";
    this.tell("step.started", { step: this.nameOf(step), text });
  }
  end(step: number, end: StepEnd): void {
    const { change, told } = endingOf(this.run, step, end, this.now.ms);
    this.change(step, change);
    if (end.status !== "done" || !this.#isQuiet(step)) this.#effects.push(told);
  }
  /** A loop that only counts would fill the outbox with what nobody reads. */
  #isQuiet(step: number): boolean {
    const kind = this.definition(step)?.action.kind;
    const inner = kind !== undefined && instant.has(kind);
    return inner && (this.run.steps[step]?.times ?? 0) > toldTimesMax;
  }

  /** The thread's step is done; what follows it is next. */
  done(id: number): void {
    const thread = this.thread(id);
    if (thread === undefined) return;
    this.end(thread.step, { status: "done" });
    this.do(id, "next");
  }

  /** Something was commanded and not refused: no backup plan around it can be taken any more. */
  moved(id: number): void {
    const thread = this.thread(id);
    if (thread === undefined) return;
    const frames = thread.frames.map((frame) =>
      frame.moved === true ? frame : { moved: true as const, ...frame },
    );
    this.put({ moved: true, ...thread, frames });
    // A step whose backup plan this is was refused itself.
    const around = frames.filter(({ kind }) => kind !== "orElse").map(({ of }) => of);
    for (const step of [thread.step, ...around]) {
      if (this.run.steps[step]?.moved !== true) this.change(step, { moved: true });
    }
    if (thread.parent !== undefined) this.moved(thread.parent);
  }

  /** The whole run fails; the first failure is its cause. */
  fail(cause: Cause, next: Failure["next"] = "makeSafe"): void {
    this.#changed = true;
    this.failure ??= { cause, next };
  }

  /** Undefined: nothing came of it. */
  turn(): RunTurn | undefined {
    if (this.failure !== undefined) return this.#failed(this.failure);
    if (!this.#changed) return undefined;
    if (this.threads.length > 0) {
      const { leases, threads } = this;
      const state: Run = { ...this.run, phase: { at: "running", leases, threads } };
      return { state, effects: this.#wanted(awaitedIds(state)) };
    }
    const done = { ...this.run, cause: { code: "COMPLETED", text: "every step is done" } };
    const { leases, now } = this;
    const nowMs = now.ms;
    const turn = enterReleasing(done, { result: "completed", unknowns: [], leases, nowMs });
    return { state: turn.state, effects: [...this.#stops, ...this.#effects, ...turn.effects] };
  }

  /** What a thread asked for that was left behind in the same turn never leaves. */
  #wanted(awaited: readonly string[]): readonly RunEffect[] {
    const wanted = this.#effects.filter((effect) => {
      if (effect.kind === "send") return awaited.includes(effect.flight.id);
      if (effect.kind === "lease") return awaited.includes(effect.id);
      return effect.kind !== "read" || awaited.includes(effect.token);
    });
    return [...this.#stops, ...wanted];
  }

  /** The stop leaves before anything else; what this turn would have sent never leaves. */
  #failed({ cause, next }: Failure): RunTurn {
    const unsent = this.#effects.flatMap((effect) =>
      effect.kind === "send" && effect.intent !== undefined ? [effect.flight.id] : [],
    );
    const told = this.#effects.filter(({ kind }) => kind === "event");
    this.#effects = told;
    for (const [step, record] of this.run.steps.entries()) {
      if (record.id === undefined || !unsent.includes(record.id)) continue;
      const error = { code: cause.code, text: `not sent, because of ${cause.text}` };
      this.end(step, { status: "refused", error });
    }
    const { leases, threads } = this;
    const run: Run = { ...this.run, phase: { at: "running", leases, threads } };
    const turn = enterStopping(run, { next, cause }, this.now.ms);
    const stops = turn.effects.filter((effect) => effect.kind === "stop");
    const rest = turn.effects.filter((effect) => effect.kind !== "stop");
    return { state: turn.state, effects: [...stops, ...this.#stops, ...this.#effects, ...rest] };
  }
}
