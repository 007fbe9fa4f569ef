/**
 * What a judge is: a promise, and a pure function that finds where a trace breaks it.
 *
 * The idea: a judge knows the promise and nothing of how it is kept, and the same judges read the
 * traces of worlds and of real processes. A finding is a sentence with its moment. It refuses to
 * repair, to explain and to guess: where a trace cannot tell, there is no finding.
 */
import type { TraceLine } from "./trace.js";

/** A device as judges need to know it. User units as in the cell file. */
export interface JudgedDevice {
  readonly id: string;
  readonly kind: "axis" | "other";
  /** User units; absent where the cell file sets none. */
  readonly travel?: readonly [number, number];
  readonly velocityMax?: number;
  readonly accelerationMax?: number;
  readonly pollMs: number;
  /** Position tolerance of a finished move, user units. */
  readonly tolerance: number;
  /** How far the plant may be from where its drive says that it is, user units. @default 0 */
  readonly lag?: number;
  /** Length of a turn of an endless axis, user units; absent: places are not repeated. */
  readonly modulo?: number;
  /** Service that drives it. @default `driver-{id}` */
  readonly service?: string;
  /** Service that owns its wire. @default `bus` */
  readonly bus?: string;
  /** Whether a written PDU (hex) starts a motion; a trigger edge. */
  readonly isTrigger: (pdu: string) => boolean;
  /** Whether a written PDU (hex) is one of its blind or ordered stop frames. */
  readonly isStop: (pdu: string) => boolean;
}

/** An interlock whose condition the judge can evaluate on true positions. */
export interface JudgedInterlock {
  readonly name: string;
  readonly moves: readonly string[];
  /** Run-on that the cell file accepts, user units. */
  readonly margin: number;
  /** True when it holds; undefined where the truth is not known. */
  readonly holds: (position: (device: string) => number | undefined) => boolean | undefined;
}

/** A saga as the judge of recipes needs to know it. */
export interface JudgedSaga {
  readonly name: string;
  readonly steps: readonly {
    readonly name: string;
    /** Of an operation. */
    readonly device?: string;
    readonly verb?: string;
    readonly makeSafe: "operations" | "still" | "none";
  }[];
}

export interface JudgeFacts {
  readonly devices: readonly JudgedDevice[];
  readonly interlocks: readonly JudgedInterlock[];
  /** Sagas whose own mistakes are looked for; absent: only the product is judged. */
  readonly sagas?: readonly JudgedSaga[];
  readonly leaseMs: number;
  /** Longest time from a stop's delivery to the first stop frame at the device, faults aside. */
  readonly stopBeginMs: number;
  /** Longest time from a stop's delivery to standstill, escalation and guardian included. */
  readonly standstillMs: number;
  /** How long a frame that has left may still arrive at the device. @default 50 */
  readonly exchangeMs?: number;
  /** How long after an outage its end may stay unnoticed: start, probe, read. @default 3000 */
  readonly recoverMs?: number;
  /** When faults had ended and the world was healed; Infinity: never. */
  readonly healedMs: number;
  readonly endMs: number;
}

export interface Finding {
  readonly judge: string;
  readonly at: number;
  readonly device?: string;
  readonly text: string;
}

export interface Judge {
  readonly name: string;
  /** One sentence, for the table in docs/VERIFICATION.md. */
  readonly promise: string;
  find(trace: readonly TraceLine[], facts: JudgeFacts): readonly Omit<Finding, "judge">[];
}
