/**
 * The stop of one axis: generation, latches, escalation, and the proof of standstill.
 *
 * The idea: a stop raises the generation at once, so nothing that began before it may send
 * another frame; then it climbs its ladder of stop classes until two consecutive readings, sent
 * after an acknowledged stop frame, show the axis still. What cannot be proved stays owed and is
 * the first frame after any sign of life [PROTOCOL 7, 14]. Latches are kept by stop id; a reset
 * removes exactly what it names [PROTOCOL 2]. Pure; it refuses to disable by itself an axis that
 * does not stay where it is without power.
 */
import type { Ms } from "#drivers/reading.js";
import { isStronger, ladderOf, unconfirmed, unsent } from "./stop-ladder.js";
import {
  adopt,
  forgetReset,
  isCopy,
  isLateCopy,
  latchesAnew,
  reset,
  wasReset,
} from "./stop-latches.js";
import {
  type Climb,
  type FrameFate,
  offMsMax,
  owedRepeatMs,
  recentMax,
  retryMs,
  type StopEffect,
  type StopInput,
  type StopProgress,
  type StopRules,
  type StopState,
  type StopStep,
  stillReadingsNeeded,
} from "./stop-state.js";

/** Undefined: the input changes nothing. */
export function nextStop(
  state: StopState,
  input: StopInput,
  rules: StopRules,
): StopStep | undefined {
  switch (input.kind) {
    case "order":
      return order(state, input, rules);
    case "owe": {
      if (state.progress.at !== "none" || rules.whenOff === undefined) return undefined;
      return owe(state, input, rules);
    }
    case "frame":
      return frame(state, input);
    case "classEnd":
      return classEnd(state, input, rules);
    case "reading":
      return reading(state, input, rules);
    case "tick":
      return tick(state, rules);
    case "life":
      return life(state, rules);
    case "overtaken": {
      // The last word on the wire must be the stop's [PROTOCOL 4].
      const { progress } = state;
      if (progress.at === "none") return undefined;
      if (progress.at === "owed") return repeatOwed(state, progress, rules);
      return resend(state, progress, progress, rules, false);
    }
    case "reset":
      return reset(state, input.ids, rules.nowMs);
    case "adopt":
      return adopt(state, input, (bare, id) => {
        const by = { id, stop: "stop", latch: true, reason: "stop", answer: false } as const;
        return order(bare, { kind: "order", ...by }, rules);
      });
    default:
      return input satisfies never;
  }
}

type Order = StopInput & { kind: "order" };

function order(before: StopState, asked: Order, rules: StopRules): StopStep {
  const late = isLateCopy(before, asked, rules.nowMs);
  // Whoever gave it may mean it: it stops the axis; it does not take back what a person has reset.
  const input = late ? { ...asked, latch: false } : asked;
  const ids = [input.id];
  const received: StopEffect[] = input.answer ? [{ kind: "ack", ids, status: "received" }] : [];
  const done: StopEffect[] = input.answer ? [{ kind: "ack", ids, status: "confirmed" }] : [];
  const { progress } = before;
  const open = progress.at === "stopping" || progress.at === "owed";
  const again = open && progress.ids.includes(input.id);
  if (again && !isStronger(progress, input.stop, rules)) {
    return keep(alsoOff(before, input), input, received);
  }
  // From before its reset for certain: it says nothing of an axis that may move again.
  if (input.kept === true && wasReset(before, input.id)) {
    return { state: before, effects: rules.still ? [...received, ...done] : received };
  }
  const state = late ? before : forgetReset(before, input.id);
  if (!late && isCopy(state, input, rules)) {
    return keep(state, input, [...received, ...done]);
  }
  const latched = keep(state, input, [
    { kind: "endLease", reason: input.reason },
    ...received,
    { kind: "began", id: input.id, reason: input.reason },
  ]);
  const bumped = { ...latched.state, generation: state.generation + 1 };
  if (rules.whenOff === undefined) {
    const effects: StopEffect[] = [...latched.effects, ...done, { kind: "confirmed", ids }];
    return { state: ended(bumped, ids, input.stop === "abort"), effects };
  }
  const step =
    progress.at === "stopping"
      ? join(bumped, progress, input, rules)
      : climb(bumped, progress.at === "owed" ? [...progress.ids, input.id] : ids, input, rules);
  // The frames before everything else: no acknowledgement and no storage stands before them.
  return { state: step.state, effects: [...step.effects, ...latched.effects] };
}

/** An abort under the id of a stop under way: the power goes after that one's proof. */
function alsoOff(state: StopState, input: Order): StopState {
  const { progress } = state;
  if (progress.at === "none") return state;
  return { ...state, progress: { ...progress, off: offAfter(progress, input) } };
}

/** Latches the order where it asks for it, and has that recorded. */
function keep(state: StopState, input: Order, effects: readonly StopEffect[]): StopStep {
  if (!latchesAnew(state, input)) return { state, effects };
  const latches = [...state.latches, input.id];
  return { state: { ...state, latches }, effects: [...effects, { kind: "persist" }] };
}

/** Starts at the foot of the ladder that the order asks for. */
function climb(state: StopState, ids: readonly string[], input: Order, rules: StopRules): StopStep {
  const ladder = ladderOf(input.stop, rules);
  const off = offAfter(state.progress, input);
  const fresh = attempt({ ids: ids.slice(-recentMax), ladder, rung: 0, off }, state, rules.nowMs);
  const first = ladder[0];
  if (first === undefined) {
    return watchOnly({ ...state, attempts: fresh.attempt }, fresh, ids, rules);
  }
  const untilMs = rules.nowMs + rules.boundMs[first];
  const progress = { at: "stopping", untilMs, ...fresh } as const;
  return {
    state: { ...state, attempts: fresh.attempt, progress },
    effects: [{ kind: "send", stopClass: first, attempt: fresh.attempt }],
  };
}

/** Nothing can be sent: an alarm, unless the axis stands and nothing else is seen meanwhile. */
function watchOnly(
  state: StopState,
  fresh: Climb,
  ids: readonly string[],
  rules: StopRules,
): StopStep {
  const bare = unsent(fresh, state.progress, rules);
  const untilMs = bare.frameAtMs + rules.boundMs.controlled;
  if (rules.stands) {
    return { state: { ...state, progress: { at: "stopping", untilMs, ...bare } }, effects: [] };
  }
  const progress = { at: "owed", silent: false, ...bare } as const;
  return { state: { ...state, progress }, effects: unconfirmed(ids, rules) };
}

/** An abort stays one, whatever stop joins or follows it before the power is off. */
function offAfter(progress: StopProgress, input: Order): boolean {
  return input.stop === "abort" || (progress.at !== "none" && progress.off);
}

type Where = Pick<Climb, "ids" | "ladder" | "rung" | "off">;

function attempt(where: Where, state: StopState, nowMs: Ms): Climb {
  const { ids, ladder, rung, off } = where;
  const fresh = { frames: "pending", frameAtMs: nowMs, done: false, stills: 0 } as const;
  return { ids, ladder, rung, off, attempt: state.attempts + 1, attemptAtMs: nowMs, ...fresh };
}

/** Another stop while one is in progress: one climb for both, on the stronger ladder. */
function join(
  state: StopState,
  progress: StopProgress & { at: "stopping" },
  input: Order,
  rules: StopRules,
): StopStep {
  const ids = remember(progress.ids, [input.id]);
  const ladder = ladderOf(input.stop, rules);
  const off = offAfter(progress, input);
  if (isStronger(progress, input.stop, rules)) {
    return resend(state, progress, { ids, ladder, rung: 0, off }, rules, true);
  }
  const joined = { ...progress, ids, off };
  if (rules.nowMs - progress.attemptAtMs < retryMs) {
    return { state: { ...state, progress: joined }, effects: [] };
  }
  return resend(state, joined, joined, rules, false);
}

/** Sends the class of a rung again, or for the first time when `climbed`. */
function resend(
  state: StopState,
  progress: Exclude<StopProgress, { at: "none" }>,
  base: Where,
  rules: StopRules,
  climbed: boolean,
): StopStep {
  const stopClass = base.ladder[base.rung];
  if (stopClass === undefined) return { state: { ...state, progress }, effects: [] };
  const fresh = attempt(base, state, rules.nowMs);
  const untilMs = rules.nowMs + rules.boundMs[stopClass];
  const next: StopProgress =
    progress.at === "stopping"
      ? { ...progress, ...fresh, ...(climbed ? { untilMs } : {}) }
      : { ...progress, ...fresh };
  return {
    state: { ...state, attempts: fresh.attempt, progress: next },
    effects: [{ kind: "send", stopClass, attempt: fresh.attempt }],
  };
}

function owe(state: StopState, input: StopInput & { kind: "owe" }, rules: StopRules): StopStep {
  const ladder = ladderOf("stop", rules);
  const ids = [input.id];
  const fresh = attempt({ ids, ladder, rung: 0, off: false }, state, rules.nowMs);
  const first = ladder[0];
  const send: StopEffect[] =
    first === undefined ? [] : [{ kind: "send", stopClass: first, attempt: fresh.attempt }];
  const climb = first === undefined ? unsent(fresh, state.progress, rules) : fresh;
  const progress = { at: "owed", silent: first !== undefined, ...climb } as const;
  const generation = state.generation + 1;
  return {
    state: { ...state, generation, attempts: fresh.attempt, progress },
    effects: [...send, { kind: "endLease", reason: input.reason }],
  };
}

/** The first frame after any sign of life is the stop that is owed [PROTOCOL 14]. */
function life(state: StopState, rules: StopRules): StopStep | undefined {
  const { progress } = state;
  if (progress.at !== "owed" || !progress.silent) return undefined;
  if (rules.nowMs - progress.attemptAtMs < retryMs) return undefined;
  return repeatOwed(state, progress, rules);
}

function frame(state: StopState, input: StopInput & { kind: "frame" }): StopStep | undefined {
  const { progress } = state;
  if (progress.at === "none" || input.attempt !== progress.attempt) return undefined;
  // An acknowledgement stands: a later frame of the attempt that fails ends the class instead.
  if (progress.frames === "acked" && input.outcome !== "acked") return undefined;
  const answered = input.outcome === "acked" || input.outcome === "refused";
  const frames: FrameFate = input.outcome === "acked" ? "acked" : "failed";
  const next = { ...progress, frames, frameAtMs: input.sentAtMs, stills: 0 };
  if (next.at === "owed") {
    return { state: { ...state, progress: { ...next, silent: !answered } }, effects: [] };
  }
  return { state: { ...state, progress: next }, effects: [] };
}

function classEnd(
  state: StopState,
  input: StopInput & { kind: "classEnd" },
  rules: StopRules,
): StopStep | undefined {
  const { progress } = state;
  if (progress.at === "none" || input.attempt !== progress.attempt) return undefined;
  if (input.ok) {
    // Nothing had to be sent: the readings of this attempt are the proof.
    const frames = progress.frames === "pending" ? "acked" : progress.frames;
    return confirmed(state, { ...progress, frames, done: true }, rules);
  }
  if (progress.at === "stopping" && input.answered) return climbOn(state, progress, rules);
  if (progress.at === "off" && input.answered) return notOff(state, progress);
  return { state: { ...state, progress: { ...progress, frames: "failed" } }, effects: [] };
}

function reading(
  state: StopState,
  input: StopInput & { kind: "reading" },
  rules: StopRules,
): StopStep | undefined {
  const { progress } = state;
  // Off was preceded by the proof; its class judges for itself.
  if (progress.at === "none" || progress.at === "off") return undefined;
  if (progress.at === "stopping" && progress.ladder.length === 0 && !input.still) {
    return climbOn(state, progress, rules);
  }
  // A reading that was on its way when the stop went out proves nothing.
  if (progress.frames !== "acked" || input.sentAtMs <= progress.frameAtMs) return undefined;
  return confirmed(state, { ...progress, stills: input.still ? progress.stills + 1 : 0 }, rules);
}

/** Takes the new progress, or ends the stop where it has proved the standstill. */
function confirmed(
  state: StopState,
  progress: Exclude<StopProgress, { at: "none" }>,
  rules: StopRules,
): StopStep {
  if (progress.at === "off") return { state: { ...state, progress: { at: "none" } }, effects: [] };
  if (!progress.done || progress.stills < stillReadingsNeeded) {
    return { state: { ...state, progress }, effects: [] };
  }
  const { ids } = progress;
  const said: StopEffect[] = [
    { kind: "ack", ids, status: "confirmed" },
    { kind: "confirmed", ids },
  ];
  const stands = ended(state, ids, progress.off);
  if (mustSwitchOff(progress, rules)) return switchOff(stands, progress, said, rules);
  return { state: { ...stands, progress: { at: "none" } }, effects: said };
}

function ended(state: StopState, ids: readonly string[], aborted: boolean): StopState {
  const recent = remember(state.recent, ids);
  return { ...state, recent, aborted: aborted ? remember(state.aborted, ids) : state.aborted };
}

/** After an abort, and only where the axis stays without power [PROTOCOL 7]. */
function mustSwitchOff(progress: Climb, rules: StopRules): boolean {
  const isOff = progress.ladder[progress.rung] === "disable";
  return progress.off && !isOff && rules.whenOff === "stays" && rules.classes.has("disable");
}

function switchOff(
  state: StopState,
  { ids }: Climb,
  said: readonly StopEffect[],
  rules: StopRules,
): StopStep {
  const where = { ids, ladder: ["disable"], rung: 0, off: true } as const;
  const fresh = attempt(where, state, rules.nowMs);
  const untilMs = rules.nowMs + offMsMax;
  return {
    state: { ...state, attempts: fresh.attempt, progress: { at: "off", untilMs, ...fresh } },
    effects: [{ kind: "send", stopClass: "disable", attempt: fresh.attempt }, ...said],
  };
}

/** The standstill is proved all the same: nothing is repeated, a person is told. */
function notOff(state: StopState, { ids }: Climb): StopStep {
  return { state: { ...state, progress: { at: "none" } }, effects: [{ kind: "notOff", ids }] };
}

function remember(recent: readonly string[], ids: readonly string[]): readonly string[] {
  return [...recent.filter((id) => !ids.includes(id)), ...ids].slice(-recentMax);
}

function tick(state: StopState, rules: StopRules): StopStep | undefined {
  const { progress } = state;
  if (progress.at === "none") return undefined;
  const sinceMs = rules.nowMs - progress.attemptAtMs;
  if (progress.at === "owed") {
    // A silent device is left alone until it shows life [PROTOCOL 14].
    if (progress.silent || progress.frames === "pending" || sinceMs < owedRepeatMs) {
      return undefined;
    }
    return repeatOwed(state, progress, rules);
  }
  if (rules.nowMs >= progress.untilMs) {
    return progress.at === "off" ? notOff(state, progress) : climbOn(state, progress, rules);
  }
  if (progress.frames !== "failed" || sinceMs < retryMs) return undefined;
  return resend(state, progress, progress, rules, false);
}

function climbOn(
  state: StopState,
  progress: StopProgress & { at: "stopping" },
  rules: StopRules,
): StopStep {
  const rung = progress.rung + 1;
  if (rung < progress.ladder.length) {
    return resend(state, progress, { ...progress, rung }, rules, true);
  }
  const { untilMs: _, ...now } = progress;
  const silent = progress.frames !== "acked";
  return {
    state: { ...state, progress: { ...now, at: "owed", silent } },
    effects: unconfirmed(progress.ids, rules),
  };
}

/** The strongest class that keeps the axis under power; never disable by repetition. */
function repeatOwed(
  state: StopState,
  progress: StopProgress & { at: "owed" },
  rules: StopRules,
): StopStep {
  const powered = progress.ladder.filter((c) => c !== "disable").length - 1;
  const rung = Math.max(0, powered);
  const awake = { ...progress, silent: false };
  return resend({ ...state, progress: awake }, awake, { ...progress, rung }, rules, false);
}
