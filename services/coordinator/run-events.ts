/**
 * What may happen to a run, and what a run asks to be done.
 *
 * The idea: an event is what the journal keeps and a restart replays, so it carries everything a
 * decision needs; an effect is what the desk carries out once its event is on the disk. It
 * refuses to decide (saga.machine.ts does) and to carry anything out.
 */
import type { BadReason, Detail, Ms, Verdict } from "#drivers/reading.js";
import type { Value } from "#kernel/config/expression.js";
import type { SagaDefinition } from "#kernel/config/saga.js";
import type { By } from "#kernel/contract/payloads.js";
import type { Epochs, Flight, ReadingName, Run, StopHow } from "./run-state.js";

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
  /**
   * This process found the run unfinished in the journal. `above`: ids of its own begin here, for a
   * stop leaves before the disk has its id, and an earlier process may have used those that follow.
   */
  | { readonly kind: "restarted"; readonly text: string; readonly above?: number }
  /** Whether anything may move by itself after the restart [PROTOCOL 1]. */
  | { readonly kind: "ruled"; readonly makeSafe: boolean; readonly text: string }
  | { readonly kind: "unlatched"; readonly ok: boolean; readonly text: string }
  | { readonly kind: "released" }
  /** The devices that it waited for are its own now. */
  | { readonly kind: "locked" }
  | {
      readonly kind: "evaluated";
      readonly token: string;
      /** By `device.field`. */
      readonly readings: { readonly [name: string]: ReadValue };
    }
  | {
      readonly kind: "happened";
      readonly step: number;
      readonly event: { readonly id: string; readonly data: Detail };
    }
  | {
      readonly kind: "answered";
      readonly step: number;
      readonly choice: string;
      readonly user: string;
    }
  | { readonly kind: "signalled"; readonly name: string; readonly user: string }
  | { readonly kind: "hold"; readonly how: "hold" | "suspend"; readonly text: string }
  | { readonly kind: "unhold"; readonly how: "hold" | "suspend" }
  | { readonly kind: "makeSafe"; readonly user: string }
  | { readonly kind: "retry"; readonly user: string }
  /** Leaves out the makeSafes that have failed; goes on with those not tried because of them. */
  | { readonly kind: "skip"; readonly user: string; readonly text: string }
  /** The person has looked and vouches for what is unknown; nothing moves. */
  | { readonly kind: "resolve"; readonly user: string; readonly text: string }
  | { readonly kind: "abandon"; readonly text: string }
  /** The broker is back: an answer may have been lost, the same id asks for it again. */
  | { readonly kind: "reconnected" }
  /** `held`: commands that have not left yet; nobody can have accepted them. */
  | { readonly kind: "tick"; readonly held?: readonly string[] }
);
export type RunEventKind = RunEvent["kind"];
export type ReadValue = number | boolean | { readonly reason: BadReason };

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
  /** Answered at once, with `evaluated`. */
  | {
      readonly kind: "read";
      readonly token: string;
      readonly what: readonly ReadingName[];
      readonly ageMsMax: Ms;
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
  /** @default none */
  readonly inputs?: { readonly [name: string]: Value };
  /** True: it waits for devices that other runs have. @default false */
  readonly waits?: boolean;
}
