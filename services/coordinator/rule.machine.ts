/**
 * Whether an event that a rule means starts its saga now.
 *
 * The idea: one pure function over what the rule has met: an event counts once by its id, those
 * close together count as one, and only so many starts fit into a time. What happened before the
 * coordinator was there starts nothing: nobody expects motion from an old word. Where an id has
 * been forgotten, the time up to which that is so is remembered, so that no repeat is taken for
 * news. It refuses to know sagas and to start anything.
 */
import type { Ms } from "#drivers/reading.js";
import type { RuleConfig } from "#kernel/config/saga.js";

/** Ids of events that are remembered by a rule. */
export const ruleEventsMax = 1000;
/** An event older than this when it comes starts nothing. */
export const ruleEventAgeMsMax = 10_000;
/** A stamp further ahead than this is no stamp [mqtt-drives-states 7.2]. */
const aheadMsMax = 1000;
/** So many refusals of a rule are told within `toldWithinMs`; the others are counted. */
export const toldMax = 10;
export const toldWithinMs: Ms = 10_000;

interface MetEvent {
  readonly id: string;
  readonly ts: number;
}

export interface RuleState {
  /** Newest last. */
  readonly seen: readonly MetEvent[];
  /** Of events up to this time some are not remembered any more: none of them starts anything. */
  readonly forgottenTs?: number;
  /** Monotonic time of the newest event that was meant. */
  readonly lastMs?: Ms;
  /** Monotonic times of the starts that may still count. */
  readonly starts: readonly Ms[];
}
/** Monotonic times of the refusals that were told, and how many since were not. */
export interface Telling {
  readonly atMs: readonly Ms[];
  readonly untold: number;
}
export const ruleAtBoot: RuleState = { seen: [], starts: [] };
export const tellingAtBoot: Telling = { atMs: [], untold: 0 };

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

/** `known`: met before; `close`: one with the event before it. The others are refusals. */
export type WhyIgnored = "known" | "close" | "old" | "ahead" | "rate";
export type RuleDecision =
  | { readonly kind: "start" }
  | { readonly kind: "ignored"; readonly why: WhyIgnored; readonly text: string };

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
  const ignored = (why: WhyIgnored, text: string, next: RuleState) => {
    return { state: next, decision: { kind: "ignored", why, text } } as const;
  };
  if (state.seen.some((met) => met.id === id)) {
    return ignored("known", "the event was met before", state);
  }
  // Without a time nobody knows how old it is, nor which others it may be taken for.
  if (!Number.isFinite(eventTs)) return ignored("old", "it does not say when it happened", state);
  const known = noted(state, { id, ts: eventTs });
  if (eventTs < openTs) return ignored("old", "it happened before this start", known);
  if (eventTs <= (state.forgottenTs ?? Number.NEGATIVE_INFINITY)) {
    return ignored("old", "it happened among events that are not remembered any more", known);
  }
  const ageMs = nowTs - eventTs;
  if (ageMs > ruleEventAgeMsMax) {
    return ignored("old", `it is ${Math.round(ageMs / 1000)} s old`, known);
  }
  if (ageMs < -aheadMsMax) {
    return ignored("ahead", `its time is ${Math.round(-ageMs / 1000)} s ahead`, known);
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

/** Remembers the event; of those that no longer fit, the newest time. */
function noted(state: RuleState, met: MetEvent): RuleState {
  const seen = [...state.seen, met];
  const over = seen.slice(0, Math.max(0, seen.length - ruleEventsMax));
  if (over.length === 0) return { ...state, seen };
  const { forgottenTs = Number.NEGATIVE_INFINITY } = state;
  const newest = Math.max(forgottenTs, ...over.map(({ ts }) => ts));
  return { ...state, seen: seen.slice(over.length), forgottenTs: newest };
}

/** Whether a refusal is told now, and how many before it were not. */
export function nextTelling(
  { atMs, untold }: Telling,
  nowMs: Ms,
): { readonly state: Telling; readonly told: boolean; readonly untold: number } {
  const recent = atMs.filter((earlier) => nowMs - earlier < toldWithinMs);
  if (recent.length >= toldMax) {
    return { state: { atMs: recent, untold: untold + 1 }, told: false, untold: untold + 1 };
  }
  return { state: { atMs: [...recent, nowMs], untold: 0 }, told: true, untold };
}
