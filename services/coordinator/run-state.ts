/**
 * The words of a run: its state, its threads and what they wait for.
 *
 * The idea: a run is plain data that a journal of events rebuilds, so everything a decision needs
 * stands in it, ids included: they are made from the run's key and a counter, and the same journal
 * gives the same ids. It refuses to hold behaviour (saga.machine.ts decides) and clocks.
 */
import type { Detail, Json, Ms } from "#drivers/reading.js";
import type { Value } from "#kernel/config/expression.js";
import type { SagaDefinition } from "#kernel/config/saga.js";
import type { By, RunStep } from "#kernel/contract/payloads.js";

/** Monotonic for durations, wall clock for records. */
export interface Now {
  readonly ms: Ms;
  readonly ts: number;
}
export type StopHow = "stop" | "quickStop";
export interface Cause {
  readonly code: string;
  readonly text: string;
}
/** A device of which something is not known, and what. */
export interface Unknown {
  readonly device: string;
  readonly text: string;
}
export type Epochs = { readonly [device: string]: number };

/** One of each step of the definition, however often it is begun. */
export interface StepRecord {
  readonly status: RunStep["status"];
  /** The command of the step that may still be answered; set with the intent. */
  readonly id?: string;
  readonly startedTs?: number;
  readonly startedMs?: Ms;
  readonly durationMs?: Ms;
  readonly error?: Cause;
  readonly safe: RunStep["safe"];
  readonly safeError?: Cause;
  /** Number of its newest intent in the run: makeSafe goes from the greatest to the least. */
  readonly order?: number;
  /** How often it was begun. */
  readonly times?: number;
  /** True: it was commanded at least once and not refused. */
  readonly moved?: true;
  /** Attempts of the newest time it was begun. */
  readonly attempts?: number;
}

/** A command on its way: the same id goes out until it is accepted or given up. */
export interface Flight {
  readonly id: string;
  readonly device: string;
  readonly verb: string;
  readonly args: { readonly [name: string]: Json };
  readonly epoch: number;
  readonly ttlMs: Ms;
  readonly sends: number;
  /** Absent once the driver has accepted it. */
  readonly acceptByMs?: Ms;
}

/** A field of a device, as expressions name it. */
export interface ReadingName {
  readonly device: string;
  readonly field: string;
}

/** What a thread waits for. */
export type Wait =
  | { readonly kind: "verdict"; readonly flight: Flight; readonly endByMs: Ms }
  /** `dueTs` is the wall clock, for restarts; `forMs` the whole of it, should that clock be off. */
  | { readonly kind: "dwell"; readonly untilMs: Ms; readonly dueTs: number; readonly forMs: Ms }
  | { readonly kind: "condition"; readonly endByMs: Ms }
  | { readonly kind: "event"; readonly endByMs: Ms }
  | { readonly kind: "signal"; readonly endByMs: Ms }
  | { readonly kind: "ask"; readonly endByMs: Ms }
  /** The readings of the step's expressions. */
  | {
      readonly kind: "readings";
      readonly token: string;
      readonly what: readonly ReadingName[];
      readonly endByMs: Ms;
    }
  /** The pause before the next attempt. */
  | { readonly kind: "backoff"; readonly untilMs: Ms }
  /** Its own stop of single axes: before a retry, or of the branches that `first` leaves behind. */
  | {
      readonly kind: "stilling";
      readonly order: string;
      readonly axes: readonly string[];
      readonly left: readonly string[];
      readonly endByMs: Ms;
      readonly after: AfterStilling;
    }
  /** The leases of axes that were stilled come back, one by one; `more` follow. */
  | {
      readonly kind: "lease";
      readonly request: string;
      readonly device: string;
      readonly more: readonly string[];
      readonly tries: number;
      readonly endByMs: Ms;
      readonly againAtMs?: Ms;
      readonly after: AfterStilling;
    }
  /** Its branches. */
  | { readonly kind: "join"; readonly left: readonly number[] }
  /** Held or suspended, between steps; `step` is next, or with `again` its next attempt is. */
  | { readonly kind: "parked"; readonly again?: true }
  /** So many steps were taken in one turn that the next follows with a tick. */
  | { readonly kind: "pause"; readonly untilMs: Ms };
export type WaitKind = Wait["kind"];
export type AfterStilling = "retry" | "leave";

/** Where a thread is in one block of the saga. */
export interface Frame {
  /** The container; -1: the saga itself; for `orElse` the step whose backup plan this is. */
  readonly of: number;
  readonly kind: "body" | "branch" | "case" | "repeat" | "call" | "orElse";
  /** Which branch or case. */
  readonly block: number;
  /** Index in the block of the newest step; -1: none yet. */
  readonly at: number;
  /** Turns of a repeat that have been completed. */
  readonly turn: number;
  /** Turns of a repeat in all, where `times` says so; worked out once, at its begin. */
  readonly turns?: number;
  /** True: something in it was commanded and not refused; no backup plan of it can be taken. */
  readonly moved?: true;
}

export interface Thread {
  readonly id: number;
  /** The thread that waits for this branch. */
  readonly parent?: number;
  readonly frames: readonly Frame[];
  readonly step: number;
  readonly attempt: number;
  /** True: an attempt of this step was not refused; its backup plan cannot be taken. */
  readonly moved?: true;
  readonly wait: Wait;
}

/** A command whose verdict is asked for once its device stands still [PROTOCOL 11]. */
export interface Doubt {
  readonly id: string;
  readonly device: string;
}
/** A device of `saga.spare` without a lease, and why. */
export interface Missing {
  readonly device: string;
  readonly code: string;
  readonly text: string;
}
/** An event that was met, and how many steps the run had begun then. */
export interface MetEvent {
  readonly id: string;
  readonly entered: number;
}

/** One operation of a step's makeSafe; index -1: only standstill is asked of the device. */
export interface SafeItem {
  readonly step: number;
  readonly index: number;
}
export interface SafeWork {
  readonly item: SafeItem;
  readonly device: string;
  readonly attempt: number;
  readonly endByMs: Ms;
  readonly doing:
    | { readonly kind: "standstill" }
    | {
        readonly kind: "lease";
        readonly id: string;
        readonly tries: number;
        /** Set by a refusal, with what it said. */
        readonly againAtMs?: Ms;
        readonly why?: string;
      }
    | { readonly kind: "operation"; readonly flight: Flight };
}

export type Result = "completed" | "madeSafe" | "needsOperator";
export type SafeScope = "all" | "failed";

/** States are named by what is physically true of the run's axes. */
export type Phase =
  /** It waits for devices of other runs; nothing of it is leased. */
  | { readonly at: "waiting"; readonly want: readonly string[] }
  /** Leases are being collected, in sorted order; nothing of the run has moved. */
  | {
      readonly at: "pending";
      readonly want: readonly string[];
      readonly request: string;
      readonly leases: Epochs;
      readonly endByMs: Ms;
      /** Set while a driver that is not ready yet is given a moment. */
      readonly againAtMs?: Ms;
      /** How often the newest device has refused. */
      readonly tries?: number;
      /** Of a run that goes on after a restart: where it goes on. */
      readonly threads?: readonly Thread[];
    }
  /** A step's intent is journalled; its device may move. The first thread is the saga itself. */
  | { readonly at: "running"; readonly leases: Epochs; readonly threads: readonly Thread[] }
  /** A stop is out to every axis of the run; `left` have not confirmed standstill. */
  | {
      readonly at: "stopping";
      readonly order: string;
      readonly how: StopHow;
      /** undecided: after a restart, until it is known whether anything may move [PROTOCOL 1]. */
      readonly next: "makeSafe" | "stopped" | "undecided" | "resume";
      readonly scope: SafeScope;
      readonly left: readonly string[];
      readonly unstopped: readonly Unknown[];
      readonly doubts: readonly Doubt[];
      /** After a restart of a saga that may be resumed: where it would go on. */
      readonly threads?: readonly Thread[];
      readonly endByMs: Ms;
      /** True: the time for the last verdict is over as well. */
      readonly waited?: true;
    }
  /** A person chose makeSafe: the latches of this run's stops are being reset. Nothing moves. */
  | { readonly at: "unlatching"; readonly scope: SafeScope; readonly endByMs: Ms }
  /** One makeSafe at a time, in reverse order of intents. */
  | {
      readonly at: "makingSafe";
      readonly order: string;
      readonly queue: readonly SafeItem[];
      readonly leases: Epochs;
      readonly unstopped: readonly Unknown[];
      readonly failed: readonly Unknown[];
      readonly current?: SafeWork;
    }
  /** Nothing moves any more; the leases are being given back. */
  | {
      readonly at: "releasing";
      readonly result: Result;
      readonly unknowns: readonly Unknown[];
      readonly endByMs: Ms;
    }
  | { readonly at: "completed"; readonly endedTs: number }
  | { readonly at: "madeSafe"; readonly endedTs: number }
  /** Stopped by a person or an interlock: nothing moves until a person says so. */
  | { readonly at: "stopped" }
  /** Something is not known or not safe: a person looks and chooses. */
  | { readonly at: "needsOperator"; readonly unknowns: readonly Unknown[] }
  /** A person took the run out of Servocell's hands. */
  | { readonly at: "abandoned"; readonly endedTs: number };

export interface Run {
  readonly run: string;
  /** Makes the ids of its commands unique, whatever the run is called. */
  readonly key: string;
  readonly saga: SagaDefinition;
  readonly by: By;
  readonly startedTs: number;
  readonly cause: Cause;
  readonly steps: readonly StepRecord[];
  /** Latched stops that hit this run; makeSafe by a person names and resets these. */
  readonly stops: readonly string[];
  /** Counts ids given out. */
  readonly serial: number;
  /** Counts intents: steps begun, retries included. */
  readonly entered: number;
  readonly inputs: { readonly [name: string]: Value };
  /** By scope: "" is the saga; "7" the variables and "7/inputs" the inputs of the call step 7. */
  readonly values: { readonly [scope: string]: { readonly [name: string]: Value } };
  /** No new step is begun; steps under way end. */
  readonly held?: "hold" | "suspend";
  readonly missing?: readonly Missing[];
  readonly met?: readonly MetEvent[];
  readonly phase: Phase;
}

export function causeDetail(cause: Cause): Detail {
  return { code: cause.code, text: cause.text };
}

/** True while the run may move something or is about to. */
export function isActive(run: Run): boolean {
  const { at } = run.phase;
  return !(isEnded(run) || at === "stopped" || at === "needsOperator");
}

/** True when a person has to choose before the cell may be reset. */
export function isWaiting(run: Run): boolean {
  return run.phase.at === "stopped" || run.phase.at === "needsOperator";
}

export function isEnded(run: Run): boolean {
  const { at } = run.phase;
  return at === "completed" || at === "madeSafe" || at === "abandoned";
}

/** Ended runs, the one that ended last first, whenever they were started. */
export function newestEnds(runs: readonly Run[]): readonly Run[] {
  const endedTs = ({ phase }: Run) => ("endedTs" in phase ? phase.endedTs : 0);
  return runs.filter(isEnded).sort((a, b) => endedTs(b) - endedTs(a));
}

/** The lease this run counts on for a device. */
export function epochOf(run: Run, device: string): number | undefined {
  const { phase } = run;
  const has = phase.at === "pending" || phase.at === "running" || phase.at === "makingSafe";
  return has ? phase.leases[device] : undefined;
}
