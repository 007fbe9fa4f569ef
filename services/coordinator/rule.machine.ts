/**
 * Whether an event that a rule means starts its saga now.
 *
 * The idea: one pure function over what the rule has met: an event counts once by its id, those
 * close together count as one, and only so many starts fit into a time. What happened before the
 * coordinator was there starts nothing: nobody expects motion from an old word. It refuses to know
 * sagas and to start anything.
 */
import type { Ms } from "#drivers/reading.js";
import type { RuleConfig } from "#kernel/config/saga.js";

/** Ids of events that are remembered by a rule; older events are too old by their time. */
export const ruleEventsMax = 1000;
/** An event older than this when it comes starts nothing. */
export const ruleEventAgeMsMax = 10_000;

export interface RuleState {
  /** Newest last. */
  readonly seen: readonly string[];
  /** Monotonic time of the newest event that was meant. */
  readonly lastMs?: Ms;
  /** Monotonic times of the starts that may still count. */
  readonly starts: readonly Ms[];
}
export const ruleAtBoot: RuleState = { seen: [], starts: [] };

export type RuleInput =
  | {
      readonly kind: "event";
      readonly id: string;
      /** Wall clock of the event, of now, and of the moment the coordinator was there. */
      readonly eventTs: number;
      readonly nowTs: number;
      readonly openTs: number;
      readonly nowMs: Ms;
    }
  /** The start was refused: it does not count for the rate. */
  | { readonly kind: "refused"; readonly startedMs: Ms };

export type RuleDecision =
  | { readonly kind: "start" }
  | {
      readonly kind: "ignored";
      readonly why: "known" | "old" | "close" | "rate";
      readonly text: string;
    };

export interface RuleTurn {
  readonly state: RuleState;
  readonly decision?: RuleDecision;
}

export function nextRule(
  state: RuleState,
  input: RuleInput,
  rule: Pick<RuleConfig, "debounceMs" | "rate">,
): RuleTurn | undefined {
  switch (input.kind) {
    case "event":
      return onEvent(state, input, rule);
    case "refused": {
      if (!state.starts.includes(input.startedMs)) return undefined;
      const starts = state.starts.filter((atMs) => atMs !== input.startedMs);
      return { state: { ...state, starts } };
    }
    default:
      return input satisfies never;
  }
}

function onEvent(
  state: RuleState,
  input: RuleInput & { kind: "event" },
  { debounceMs = 0, rate }: Pick<RuleConfig, "debounceMs" | "rate">,
): RuleTurn {
  const { id, eventTs, nowTs, openTs, nowMs } = input;
  const ignored = (why: "known" | "old" | "close" | "rate", text: string, next: RuleState) => {
    return { state: next, decision: { kind: "ignored", why, text } } as const;
  };
  if (state.seen.includes(id)) return ignored("known", "the event was met before", state);
  const seen = [...state.seen, id].slice(-ruleEventsMax);
  const known = { ...state, seen };
  if (eventTs < openTs) return ignored("old", "it happened before this start", known);
  const ageMs = nowTs - eventTs;
  if (ageMs > ruleEventAgeMsMax) {
    return ignored("old", `it is ${Math.round(ageMs / 1000)} s old`, known);
  }
  const sinceMs = nowMs - (state.lastMs ?? Number.NEGATIVE_INFINITY);
  const met = { ...known, lastMs: nowMs };
  if (sinceMs < debounceMs) {
    return ignored("close", `${Math.round(sinceMs)} ms after the one before it`, met);
  }
  const withinMs = rate?.withinMs ?? 0;
  const starts = state.starts.filter((atMs) => nowMs - atMs < withinMs);
  if (rate !== undefined && starts.length >= rate.starts) {
    const text = `${rate.starts} starts within ${rate.withinMs} ms are the most`;
    return ignored("rate", text, { ...met, starts });
  }
  const counted = rate === undefined ? [] : [...starts, nowMs];
  return { state: { ...met, starts: counted }, decision: { kind: "start" } };
}
