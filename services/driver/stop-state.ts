/**
 * The words of the stop machine: its states, inputs, effects and bounds.
 *
 * The idea: everything that the machine (stop.machine.ts) and the latch rules (stop-latches.ts)
 * share stands here once. Pure data; it refuses to decide anything beyond "is it latched".
 */
import type { StopClass, WhenOff } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import { latchesMax } from "#kernel/stop-order.js";

export type StopKind = "stop" | "quickStop" | "abort";

/** Consecutive still readings that prove a standstill. */
export const stillReadingsNeeded = 2;
/** Pause between attempts of one stop, and between re-verifications of a repeat [PROTOCOL 5]. */
export const retryMs = 200;
/** Pause between repeats of an owed stop while the device answers. */
export const owedRepeatMs = 1000;
/** Reset ids remembered, so that a late state/stop cannot latch them again: one whole reset. */
export const resetsMax = latchesMax;
/** So long after its reset an order under an id may be a copy that was under way. */
export const lateCopyMs = 2000;
/** Ended stops remembered, so that their repeats are answered and not run again. */
export const recentMax = 32;
/** How long an abort may take to switch an axis off that stands. */
export const offMsMax = 3000;
/**
 * Where no stop frame can be sent, and the axis is not known still, a standstill counts so long
 * after the order at the earliest: a trigger that left just before it may begin late.
 */
export const unsentSettleMs = 1000;

export type FrameFate = "pending" | "acked" | "failed";

/** One climb of the ladder. */
export interface Climb {
  readonly ids: readonly string[];
  readonly ladder: readonly StopClass[];
  readonly rung: number;
  /** An abort: power is taken away once the standstill is proved, where the axis stays. */
  readonly off: boolean;
  /** Number of the attempt whose frames are out. */
  readonly attempt: number;
  readonly attemptAtMs: Ms;
  readonly frames: FrameFate;
  /** When the acknowledged frame was handed over; only later readings count. */
  readonly frameAtMs: Ms;
  /** The class has discarded the rest of the path [PROTOCOL 6]. */
  readonly done: boolean;
  readonly stills: number;
}

export type StopProgress =
  | { readonly at: "none" }
  | ({ readonly at: "stopping"; readonly untilMs: Ms } & Climb)
  /** Not confirmed by any class. `silent`: the device does not answer. */
  | ({ readonly at: "owed"; readonly silent: boolean } & Climb)
  /** Stands still, proved and acknowledged; the power is being taken away (abort). */
  | ({ readonly at: "off"; readonly untilMs: Ms } & Climb);

export interface StopState {
  readonly generation: number;
  readonly attempts: number;
  readonly latches: readonly string[];
  readonly resets: readonly string[];
  /** When the reset of an id came; those of an earlier start are not known. */
  readonly resetAtMs: ReadonlyMap<string, Ms>;
  /** False until state/stop was read: booted as latched. */
  readonly seen: boolean;
  readonly recent: readonly string[];
  /** Those of them that were aborts: the power has been dealt with, too. */
  readonly aborted: readonly string[];
  readonly progress: StopProgress;
}

export type StopInput =
  | {
      readonly kind: "order";
      readonly id: string;
      readonly stop: StopKind;
      readonly latch: boolean;
      /** Why, for the lease's end and the events. */
      readonly reason: string;
      /** False: ordered by the driver itself, nobody waits for an acknowledgement. */
      readonly answer: boolean;
      /** The broker kept it for whoever comes: nobody says when it was given. */
      readonly kept?: true;
    }
  | { readonly kind: "owe"; readonly id: string; readonly reason: string }
  | {
      readonly kind: "frame";
      readonly attempt: number;
      readonly outcome: "acked" | "refused" | "lost" | "notSent";
      readonly sentAtMs: Ms;
    }
  | {
      readonly kind: "classEnd";
      readonly attempt: number;
      readonly ok: boolean;
      /** The device answered, so the same class again would bring the same. */
      readonly answered: boolean;
    }
  | { readonly kind: "reading"; readonly sentAtMs: Ms; readonly still: boolean }
  | { readonly kind: "tick" }
  | { readonly kind: "life" }
  /** A command's frame that was out when a stop frame left may have come after it. */
  | { readonly kind: "overtaken" }
  | { readonly kind: "reset"; readonly ids: readonly string[] }
  | {
      readonly kind: "adopt";
      readonly ids: readonly string[];
      /** True: the axis is not known to stand still, so the missed stop is carried out now. */
      readonly act: boolean;
    };

export type StopEffect =
  /** Frames out now, in this very tick [PROTOCOL 4]. */
  | { readonly kind: "send"; readonly stopClass: StopClass; readonly attempt: number }
  | { readonly kind: "endLease"; readonly reason: string }
  | {
      readonly kind: "ack";
      readonly ids: readonly string[];
      readonly status: "received" | "confirmed" | "unconfirmed";
    }
  | { readonly kind: "persist" }
  | { readonly kind: "began"; readonly id: string; readonly reason: string }
  | { readonly kind: "confirmed"; readonly ids: readonly string[] }
  | { readonly kind: "unconfirmed"; readonly ids: readonly string[]; readonly critical: boolean }
  /** The axis stands, but the abort could not take its power away. */
  | { readonly kind: "notOff"; readonly ids: readonly string[] };

export interface StopRules {
  readonly nowMs: Ms;
  /** Stop classes that the profile has. */
  readonly classes: ReadonlySet<StopClass>;
  /** Undefined: the device does not move. */
  readonly whenOff: WhenOff | undefined;
  /** How long a class may take before the next one is tried. */
  readonly boundMs: { readonly [C in StopClass]: Ms };
  /** True when a fresh reading says that the axis stands still, and nothing of ours may move it. */
  readonly still: boolean;
  /** True when a fresh reading says so, whatever of ours may move it yet. */
  readonly stands: boolean;
  /** True while a command has begun whose trigger may still follow. */
  readonly begun: boolean;
}

export interface StopStep {
  readonly state: StopState;
  readonly effects: readonly StopEffect[];
}

export function stopAtBoot(latches: readonly string[], resets: readonly string[]): StopState {
  const resetAtMs = new Map<string, Ms>();
  const progress = { at: "none" } as const;
  const none = { recent: [], aborted: [], progress } as const;
  return { generation: 0, attempts: 0, seen: false, latches, resets, resetAtMs, ...none };
}

/** No lease while this holds [PROTOCOL 2]. */
export function isLatched(state: StopState): boolean {
  return !state.seen || state.latches.length > 0;
}
