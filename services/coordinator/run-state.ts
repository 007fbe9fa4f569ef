/**
 * The words of a run: its state, what may happen to it, and what it asks to be done.
 *
 * The idea: a run is plain data that a journal of events rebuilds, so everything a decision needs
 * stands in it, ids included: they are made from the run's key and a counter, and the same journal
 * gives the same ids. It refuses to hold behaviour (saga.machine.ts decides) and clocks.
 */
import type { Detail, Json, Ms, Verdict } from "#drivers/reading.js";
import type { SagaDefinition } from "#kernel/config/cell.js";
import type { By, RunStep } from "#kernel/contract/payloads.js";

/** No `accepted` within this: the same id again [PROTOCOL 11]. */
export const acceptMsMax = 500;
/** The first time and two repeats [PROTOCOL 11]. */
export const sendsMax = 3;
/** From the stop order to the last word on standstill; then it counts as not stopped. */
export const stoppingMsMax = 10_000;
/**
 * A run that will wait for a person anyway waits this long for the verdict of its last command,
 * which may come on the other connection a moment after the standstill.
 */
export const lastWordMsMax = 500;
/** All leases of a run's start. */
export const leasingMsMax = 5000;
/** Giving leases back; without an answer they end with the next stop or lapse. */
export const releasingMsMax = 1000;
/** Resetting the latches that a person named by choosing makeSafe. */
export const unlatchingMsMax = 4000;
/** Pause before a refused lease is asked for again: once soon, then at the probe's pace. */
export const leaseAgainSoonMs = 20;
export const leaseAgainMs = 250;
/** A makeSafe that was refused before anything was sent is tried once more. */
export const safeAttemptsMax = 2;

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

export interface StepRecord {
  readonly status: RunStep["status"];
  /** The command of the step, if it has one; set with the intent. */
  readonly id?: string;
  readonly startedTs?: number;
  readonly startedMs?: Ms;
  readonly durationMs?: Ms;
  readonly error?: Cause;
  readonly safe: RunStep["safe"];
  readonly safeError?: Cause;
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

/** What a running step waits for. */
export type Wait =
  | { readonly kind: "verdict"; readonly flight: Flight; readonly endByMs: Ms }
  | { readonly kind: "dwell"; readonly untilMs: Ms }
  | { readonly kind: "condition"; readonly endByMs: Ms };

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
  /** Leases are being collected, in sorted order; nothing of the run has moved. */
  | {
      readonly at: "pending";
      readonly want: readonly string[];
      readonly request: string;
      readonly leases: Epochs;
      readonly endByMs: Ms;
      /** Set while a driver that is not ready yet is given a moment. */
      readonly againAtMs?: Ms;
    }
  /** A step's intent is journalled; its device may move. */
  | { readonly at: "running"; readonly step: number; readonly leases: Epochs; readonly wait: Wait }
  /** A stop is out to every axis of the run; `left` have not confirmed standstill. */
  | {
      readonly at: "stopping";
      readonly order: string;
      readonly how: StopHow;
      /** undecided: after a restart, until it is known whether anything may move [PROTOCOL 1]. */
      readonly next: "makeSafe" | "stopped" | "undecided";
      readonly scope: SafeScope;
      readonly left: readonly string[];
      readonly unstopped: readonly Unknown[];
      /** The command in doubt, asked for once its device stands still [PROTOCOL 11]. */
      readonly doubt?: { readonly id: string; readonly device: string };
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
  readonly phase: Phase;
}

/** What may happen to a run. `ts` is the wall clock, for records only. */
export type RunEvent = { readonly ts: number } & (
  | {
      readonly kind: "leased";
      readonly id: string;
      readonly device: string;
      readonly epoch: number;
    }
  | {
      readonly kind: "leaseRefused";
      readonly id: string;
      readonly device: string;
      readonly code: string;
      readonly text: string;
    }
  /** A lease ended, or its driver went away: the step fails at once [PROTOCOL 13]. */
  | { readonly kind: "leaseLost"; readonly device: string; readonly text: string }
  /** An interlock or the guardian stopped an axis: nothing moves [PROTOCOL 1, 15]. */
  | {
      readonly kind: "tripped";
      readonly device: string;
      readonly code: "INTERLOCKED" | "LEASE_LOST";
      readonly text: string;
    }
  | { readonly kind: "accepted"; readonly id: string }
  | { readonly kind: "verdict"; readonly id: string; readonly verdict: Verdict }
  | { readonly kind: "conditionMet"; readonly step: number }
  /** From outside the run: the disk is full, another run of the cell failed. */
  | { readonly kind: "failed"; readonly code: string; readonly text: string }
  | { readonly kind: "cancelled"; readonly text: string }
  | {
      readonly kind: "operatorStop";
      /** Absent when the stop does not latch an axis of this run. */
      readonly stop?: string;
      readonly how: StopHow;
      readonly text: string;
    }
  | { readonly kind: "still"; readonly order: string; readonly device: string }
  | {
      readonly kind: "notStill";
      readonly order: string;
      readonly device: string;
      readonly text: string;
    }
  | { readonly kind: "queried"; readonly id: string; readonly verdict: Verdict }
  /** This process found the run unfinished in the journal. */
  | { readonly kind: "restarted"; readonly text: string }
  /** Whether anything may move by itself after the restart [PROTOCOL 1]. */
  | { readonly kind: "ruled"; readonly makeSafe: boolean; readonly text: string }
  | { readonly kind: "unlatched"; readonly ok: boolean; readonly text: string }
  | { readonly kind: "released" }
  | { readonly kind: "makeSafe"; readonly user: string }
  | { readonly kind: "retry"; readonly user: string }
  | { readonly kind: "abandon"; readonly text: string }
  /** The broker is back: an answer may have been lost, the same id asks for it again. */
  | { readonly kind: "reconnected" }
  | { readonly kind: "tick" }
);
export type RunEventKind = RunEvent["kind"];

/** `stop` leaves at once; everything else only after its event is on the disk. */
export type RunEffect =
  | {
      readonly kind: "stop";
      readonly id: string;
      readonly how: StopHow;
      readonly axes: readonly string[];
    }
  | { readonly kind: "lease"; readonly id: string; readonly device: string }
  | { readonly kind: "release"; readonly leases: Epochs }
  /** `intent` names what the journal keeps beside the event; absent on repeats. */
  | {
      readonly kind: "send";
      readonly flight: Flight;
      readonly intent?: { readonly step: string; readonly part: "run" | "makeSafe" };
    }
  | { readonly kind: "query"; readonly id: string; readonly device: string }
  | {
      readonly kind: "unlatch";
      /** Who chose to go on. */
      readonly user: string;
      readonly stops: readonly string[];
      readonly devices: readonly string[];
    }
  | { readonly kind: "event"; readonly type: string; readonly data: Detail };

export interface RunTurn {
  readonly state: Run;
  readonly effects: readonly RunEffect[];
}

export interface NewRun {
  readonly run: string;
  readonly key: string;
  readonly saga: SagaDefinition;
  readonly by: By;
  readonly ts: number;
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

/** The commands this run waits for now; anything else that is ready to leave is stale. */
export function awaitedId(run: Run): string | undefined {
  const { phase } = run;
  switch (phase.at) {
    case "pending":
      return phase.request;
    case "running":
      return phase.wait.kind === "verdict" ? phase.wait.flight.id : undefined;
    case "stopping":
      return phase.doubt?.id;
    case "makingSafe": {
      const doing = phase.current?.doing;
      if (doing?.kind === "operation") return doing.flight.id;
      return doing?.kind === "lease" ? doing.id : undefined;
    }
    case "unlatching":
    case "releasing":
    case "completed":
    case "madeSafe":
    case "stopped":
    case "needsOperator":
    case "abandoned":
      return undefined;
    default:
      return phase satisfies never;
  }
}

/** The lease this run counts on for a device. */
export function epochOf(run: Run, device: string): number | undefined {
  const { phase } = run;
  const has = phase.at === "pending" || phase.at === "running" || phase.at === "makingSafe";
  return has ? phase.leases[device] : undefined;
}

function flightDue(flight: Flight, endByMs: Ms): Ms {
  return Math.min(endByMs, flight.acceptByMs ?? endByMs);
}

/** When the time of what the run waits for is over, whether or not it was accepted. */
export function deadlineMs(run: Run): Ms | undefined {
  const { phase } = run;
  if (phase.at === "running" && phase.wait.kind === "verdict") return phase.wait.endByMs;
  return phase.at === "makingSafe" ? phase.current?.endByMs : dueMs(run);
}

/** When the run wants its next tick; undefined: never. */
export function dueMs(run: Run): Ms | undefined {
  const { phase } = run;
  switch (phase.at) {
    case "pending":
      return Math.min(phase.endByMs, phase.againAtMs ?? phase.endByMs);
    case "stopping":
    case "unlatching":
    case "releasing":
      return phase.endByMs;
    case "running":
      if (phase.wait.kind === "dwell") return phase.wait.untilMs;
      if (phase.wait.kind === "condition") return phase.wait.endByMs;
      return flightDue(phase.wait.flight, phase.wait.endByMs);
    case "makingSafe": {
      const work = phase.current;
      if (work === undefined) return undefined;
      if (work.doing.kind === "operation") return flightDue(work.doing.flight, work.endByMs);
      if (work.doing.kind === "standstill") return work.endByMs;
      return Math.min(work.endByMs, work.doing.againAtMs ?? work.endByMs);
    }
    case "completed":
    case "madeSafe":
    case "stopped":
    case "needsOperator":
    case "abandoned":
      return undefined;
    default:
      return phase satisfies never;
  }
}
