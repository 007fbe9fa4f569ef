/**
 * An operation or a stop as a flat list of instructions, and the state of one run of it.
 *
 * The idea: a profile's steps, edges and branches come down to a handful of instructions; so the
 * machine that runs them has few states and its table can be tested whole. A run is plain data. It
 * refuses to hold behaviour: compiling is in program-compile.ts, running in operation.machine.ts.
 */
import type { Encoded } from "./codec.js";
import type { OperandValues, Test } from "./condition.js";
import type { DriveState, ReadRequest, StopClass, Verb } from "./device-model.js";
import type { Operand } from "./profile-behaviour.js";
import type { BadReason, Ms, OperationCode } from "./reading.js";

export interface FailRule {
  readonly when: Test;
  readonly forMs: Ms;
  readonly code: OperationCode;
  readonly text: string;
}

/** Instructions that read carry their requests; the state word is always among them. */
export type Instruction =
  | {
      readonly op: "write";
      readonly role: "level" | "trigger";
      /** Not sent again when its reply was lost, although it moves nothing. */
      readonly once?: boolean;
      readonly frame: (values: OperandValues) => Encoded<Uint8Array>;
      readonly text: string;
    }
  | { readonly op: "hold"; readonly forMs: Ms }
  | { readonly op: "jump"; readonly to: number }
  | {
      readonly op: "wait";
      readonly requests: readonly ReadRequest[];
      readonly until: Test;
      readonly times: number;
      readonly timeoutMs: Ms;
      readonly travelFactor: number;
      readonly accept: boolean;
      readonly otherwise: OperationCode;
      readonly fail: readonly FailRule[];
    }
  | {
      readonly op: "reach";
      readonly requests: readonly ReadRequest[];
      readonly goal: DriveState;
      readonly state: (look: (point: string) => number | undefined) => DriveState | undefined;
      readonly by: { readonly [S in DriveState]?: Uint8Array };
      readonly timeoutMs: Ms;
      readonly otherwise: OperationCode;
    }
  | {
      readonly op: "readBack";
      readonly requests: readonly ReadRequest[];
      readonly point: string;
      readonly operand: number | Operand;
      readonly raw: (user: number) => number | undefined;
    }
  | {
      readonly op: "capture";
      readonly requests: readonly ReadRequest[];
      readonly entries: readonly (readonly [name: string, point: string])[];
    }
  | {
      readonly op: "branch";
      readonly requests: readonly ReadRequest[];
      readonly when: Test;
      readonly otherwiseTo: number;
    }
  | { readonly op: "endIf"; readonly requests: readonly ReadRequest[]; readonly when: Test };

export type Reader = Exclude<Instruction, { op: "write" | "hold" | "jump" }>;

export interface Program {
  readonly device: string;
  readonly verb: Verb | StopClass;
  readonly instructions: readonly Instruction[];
  readonly timeoutMs: Ms;
  /** Greatest travel factor among its waits; the whole bound grows with it. */
  readonly travelFactor: number;
  readonly toleratesFault: boolean;
  /** What the device means by an exception, beside its number. */
  readonly exceptions?: { readonly [code: string]: string };
  readonly fault: Test | undefined;
  /** Where the fault code is read once a fault is seen. */
  readonly faultCode:
    | { readonly point: string; readonly requests: readonly ReadRequest[] }
    | undefined;
  /** Name in the result → point. */
  readonly result: readonly (readonly [name: string, point: string])[];
  /** Flags that the result names, from the last fresh values. */
  readonly resultFlags: readonly (readonly [name: string, test: Test])[];
}

/** What the run waits for. Each phase takes exactly one kind of input besides. */
export type Phase =
  /** Begun; the first tick hands out the first effect. */
  | { readonly at: "ready" }
  /** A write is out, of this instruction or of a goal-state step. */
  | {
      readonly at: "writing";
      readonly role: "level" | "trigger";
      readonly attempt: number;
      /** With a goal-state step: the state that this write leaves. */
      readonly forState: DriveState | null;
    }
  /** A read is out. */
  | { readonly at: "reading" }
  /** Nothing is out until then; afterwards the read is sent, or the hold has ended. */
  | { readonly at: "waiting"; readonly untilMs: Ms }
  /** A fault was seen; its code is being read. */
  | { readonly at: "faulting" }
  | { readonly at: "ended" };
export type PhaseName = Phase["at"];

/** Memory of the instruction that reads, cleared when the run goes on. */
export interface Watch {
  readonly deadlineMs: Ms;
  /** Consecutive fresh reads that met the condition. */
  readonly met: number;
  /** Since when each fail rule holds without a gap; null: it does not. */
  readonly failSinceMs: readonly (Ms | null)[];
  /** The state for which a goal-state write was acknowledged last. */
  readonly writtenFor: DriveState | null;
  /** What the last input of a read was. */
  readonly last: "none" | "fresh" | BadReason;
}

/** One run, plain data: comparable and printable. */
export interface Run extends OperandValues {
  /** Key of its program in the compiled device. */
  readonly program: string;
  readonly phase: Phase;
  readonly pc: number;
  readonly deadlineMs: Ms;
  /** Estimated time of the travel itself. */
  readonly travelMs: Ms;
  /** A frame has been on the wire, or may have been. */
  readonly sent: boolean;
  /** A trigger has been on the wire, or may have been. */
  readonly moved: boolean;
  /** Reads count only if they were handed over after this; null: none was written. */
  readonly wroteAtMs: Ms | null;
  readonly accepted: boolean;
  /** The outcome of the trigger is unknown; the run goes on only to settle it. */
  readonly unsettled: boolean;
  readonly watch: Watch | null;
  /** Last fresh values, user units. */
  readonly values: { readonly [point: string]: number };
}
