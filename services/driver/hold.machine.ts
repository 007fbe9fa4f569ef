/**
 * Hold-to-run: whether the finger is still on the button, as far as the driver can prove it.
 *
 * The idea: the driver says a new nonce every 100 ms, and only an echo of one proves that somebody
 * pressed after it was said. So a hold lives until the newest echoed nonce is as old as a hold may
 * be, however late, often or out of order the echoes come: a replay proves nothing new, and what
 * waited in a stalled gateway proves less than it would have to [PROTOCOL 3, 16]. The clock is
 * looked at before the input. Pure; it refuses to bring a hold back that has ended.
 */
import type { Ms } from "#drivers/reading.js";

/** How often the driver says a new nonce. */
export const feedbackMs: Ms = 100;
/** `hold` of PROTOCOL 3: from a proof that the button was pressed to the stop. */
export const holdMs: Ms = 300;
/** Between the grant and the first echo; nothing moves in this time. */
export const armMs: Ms = 1000;
/** Nonces that are remembered; older ones have outlived every ttl. */
const saidMax = 8;

/** What the coordinator was granted for a person. */
export interface HoldGrant {
  /** Its id: of the press, of the motion's command, of its audit. */
  readonly hold: string;
  readonly epoch: number;
  /** User units a second, with its sign. */
  readonly velocity: number;
  /** Interlocks that this hold leaves out of account [PROTOCOL 8]. */
  readonly bypass: readonly string[];
  /** Who has granted it: without the coordinator nobody keeps runs away from the axis. */
  readonly granter: { readonly service: string; readonly bootId: string };
}

export interface SaidNonce {
  readonly nonce: string;
  readonly atMs: Ms;
}

export type HoldState =
  | { readonly at: "none" }
  /** Lent, and nobody has proved to press: nothing moves. */
  | {
      readonly at: "armed";
      readonly grant: HoldGrant;
      readonly said: readonly SaidNonce[];
      readonly untilMs: Ms;
    }
  /** Somebody pressed less than `holdMs` ago: the axis may move. */
  | {
      readonly at: "pressed";
      readonly grant: HoldGrant;
      readonly said: readonly SaidNonce[];
      readonly untilMs: Ms;
    };

export type HoldInput =
  | { readonly kind: "granted"; readonly grant: HoldGrant }
  /** `nonce`: said if one is due. */
  | { readonly kind: "tick"; readonly nonce: string }
  | {
      readonly kind: "echo";
      readonly hold: string;
      readonly epoch: number;
      readonly nonce: string;
      readonly ttlMs: Ms;
    }
  | { readonly kind: "release"; readonly hold: string; readonly epoch: number }
  /** The lease under it has ended, for whatever reason. */
  | { readonly kind: "ended"; readonly epoch: number; readonly reason: string };

export type HoldEffect =
  | { readonly kind: "say"; readonly nonce: string }
  /** The lease lives exactly until then. */
  | { readonly kind: "renew"; readonly untilMs: Ms }
  /** The first proof: the motion begins. */
  | { readonly kind: "begin" }
  /** The lease ends; a moving axis is stopped by that. */
  | { readonly kind: "end"; readonly reason: "released" | "lapsed" }
  | { readonly kind: "told"; readonly grant: HoldGrant; readonly reason: string };

export interface HoldStep {
  readonly state: HoldState;
  readonly effects: readonly HoldEffect[];
}

export const noHold: HoldState = { at: "none" };

/** Undefined: the input changes nothing. */
export function nextHold(state: HoldState, input: HoldInput, nowMs: Ms): HoldStep | undefined {
  if (state.at !== "none" && nowMs >= state.untilMs) {
    const lapse = over(state, "lapsed");
    const rest = whenNone(input, nowMs);
    if (rest === undefined) return lapse;
    return { state: rest.state, effects: [...lapse.effects, ...rest.effects] };
  }
  return state.at === "none" ? whenNone(input, nowMs) : whileHeld(state, input, nowMs);
}

function over(
  { grant }: Exclude<HoldState, { at: "none" }>,
  reason: "released" | "lapsed",
): HoldStep {
  return {
    state: noHold,
    effects: [
      { kind: "end", reason },
      { kind: "told", grant, reason },
    ],
  };
}

function whenNone(input: HoldInput, nowMs: Ms): HoldStep | undefined {
  if (input.kind !== "granted") return undefined;
  const state = { at: "armed", grant: input.grant, said: [], untilMs: nowMs + armMs } as const;
  return { state, effects: [] };
}

function whileHeld(
  state: Exclude<HoldState, { at: "none" }>,
  input: HoldInput,
  nowMs: Ms,
): HoldStep | undefined {
  const { grant, said } = state;
  switch (input.kind) {
    case "granted": {
      // Only one lease lives at a time: whatever was held before is over.
      const fresh = { at: "armed", grant: input.grant, said: [], untilMs: nowMs + armMs } as const;
      return { state: fresh, effects: [{ kind: "told", grant, reason: "superseded" }] };
    }
    case "tick": {
      const last = said.at(-1);
      if (last !== undefined && nowMs - last.atMs < feedbackMs) return undefined;
      const { nonce } = input;
      const now = [...said, { nonce, atMs: nowMs }].slice(-saidMax);
      return { state: { ...state, said: now }, effects: [{ kind: "say", nonce }] };
    }
    case "echo":
      if (input.hold !== grant.hold || input.epoch !== grant.epoch) return undefined;
      return proved(state, input, nowMs);
    case "release":
      if (input.hold !== grant.hold || input.epoch !== grant.epoch) return undefined;
      return over(state, "released");
    case "ended":
      if (input.epoch !== grant.epoch) return undefined;
      return { state: noHold, effects: [{ kind: "told", grant, reason: input.reason }] };
    default:
      return input satisfies never;
  }
}

function proved(
  state: Exclude<HoldState, { at: "none" }>,
  { nonce, ttlMs }: HoldInput & { kind: "echo" },
  nowMs: Ms,
): HoldStep | undefined {
  const heard = state.said.find((one) => one.nonce === nonce);
  if (heard === undefined || nowMs - heard.atMs > Math.min(ttlMs, holdMs)) return undefined;
  // Counted from when the nonce was said, not from now: nobody knows when the finger was lifted.
  const untilMs = heard.atMs + holdMs;
  if (nowMs >= untilMs) return undefined;
  const pressed = { at: "pressed", grant: state.grant, said: state.said, untilMs } as const;
  if (state.at === "armed") {
    return { state: pressed, effects: [{ kind: "renew", untilMs }, { kind: "begin" }] };
  }
  if (untilMs <= state.untilMs) return undefined;
  return { state: pressed, effects: [{ kind: "renew", untilMs }] };
}
