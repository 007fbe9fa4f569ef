/**
 * The guardian of one unit: stops the axis when its driver falls silent [PROTOCOL 9].
 *
 * The idea: a driver that may move an axis first hands over the axis' blind stop frames and then
 * says every 100 ms whether the axis is still. When its connection closes, or it says nothing for
 * 500 ms, while the axis is not known still, the frames go out in order on the stop path, round
 * by round, until one round was acknowledged whole. It refuses to act for a unit that registered
 * no frames, and it knows no registers: it cannot verify a standstill, only acknowledgements.
 */
import type { Ms } from "#drivers/reading.js";

/** No pulse for so long means that the driver is silent. */
export const pulseMsMax: Ms = 500;
/** From the begin of one round to the begin of the next. */
export const roundMs: Ms = 250;
/** Rounds at this pace; then a person is told, and the stop stays owed [PROTOCOL 14]. */
export const roundsMax = 20;
/** From one round to the next of a stop that is owed. */
export const owedRoundMs: Ms = 2000;

/** Why the guardian acts: the driver's connection closed, or its pulse fell silent. */
export type GuardianCause = "closed" | "silent";

interface Watch {
  readonly client: number;
  readonly device: string;
  readonly frames: readonly Uint8Array[];
}

interface Round {
  readonly device: string;
  readonly frames: readonly Uint8Array[];
  readonly cause: GuardianCause;
  /** The driver's connection, while it stands. */
  readonly client: number | undefined;
  /** Counts from 1. */
  readonly round: number;
  readonly beganAtMs: Ms;
}

/** `ticket` names the newest frame sent; an older one's outcome means nothing. */
export type GuardianState = { readonly ticket: number } & (
  | { readonly at: "unwatched" }
  /** A driver looks after the axis. No frames: it has not registered any. */
  | (Watch & {
      readonly at: "watched";
      /** "commanded": a write came since, so a pulse that says still may be older than it. */
      readonly still: "yes" | "no" | "unknown" | "commanded";
      readonly heardAtMs: Ms;
    })
  /** The driver is gone or silent; a stop frame is on its way. */
  | (Round & { readonly at: "stopping"; readonly index: number; readonly missed: boolean })
  /** A round was not acknowledged whole; the next is due. */
  | (Round & { readonly at: "pausing" })
  /** The stop has ended; the driver's connection stands, but it has not spoken since. */
  | (Watch & { readonly at: "acted" })
);

export type GuardianInput = { readonly nowMs: Ms } & (
  | { readonly kind: "hello"; readonly client: number; readonly device: string }
  | {
      readonly kind: "guard";
      readonly client: number;
      readonly frames: readonly Uint8Array[];
    }
  | { readonly kind: "pulse"; readonly client: number; readonly still: boolean }
  /** A write went to the unit on the command lane: its standstill is not known any more. */
  | { readonly kind: "commanded" }
  | { readonly kind: "closed"; readonly client: number }
  | { readonly kind: "sent"; readonly ticket: number; readonly acknowledged: boolean }
  | { readonly kind: "tick" }
);

export type GuardianEffect =
  | { readonly kind: "send"; readonly ticket: number; readonly pdu: Uint8Array }
  | { readonly kind: "began"; readonly device: string; readonly cause: GuardianCause }
  | {
      readonly kind: "ended";
      readonly device: string;
      readonly cause: GuardianCause;
      readonly acknowledged: boolean;
      readonly rounds: number;
    };

export interface GuardianStep {
  readonly state: GuardianState;
  readonly effects: readonly GuardianEffect[];
}

type At<A extends GuardianState["at"]> = Extract<GuardianState, { readonly at: A }>;

export const guardianAtStart: GuardianState = { at: "unwatched", ticket: 0 };

/** When `tick` is due; undefined: nothing to wait for. */
export function guardianWakeAt(state: GuardianState): Ms | undefined {
  if (state.at === "watched" && state.still !== "yes" && state.frames.length > 0) {
    return state.heardAtMs + pulseMsMax;
  }
  return state.at === "pausing" ? state.beganAtMs + paceMs(state) : undefined;
}

function paceMs({ round }: Round): Ms {
  return round < roundsMax ? roundMs : owedRoundMs;
}

/** Whether a write on the command lane may go to the unit: a driver looks after its axis. */
export function guardianPasses({ at }: GuardianState): boolean {
  return at === "watched" || at === "acted";
}

/** Whether the guardian is busy with a stop; one that is owed for long holds nobody up. */
export function guardianActs(state: GuardianState): boolean {
  if (state.at === "stopping") return state.round <= roundsMax;
  return state.at === "pausing" && state.round < roundsMax;
}

export function guardianNext(state: GuardianState, input: GuardianInput): GuardianStep | undefined {
  if (input.kind === "hello") return hello(state, input);
  switch (state.at) {
    case "unwatched":
      return undefined;
    case "watched":
      return watched(state, input);
    case "stopping":
      return stopping(state, input);
    case "pausing":
      return pausing(state, input);
    case "acted":
      return acted(state, input);
    default:
      state satisfies never;
      return undefined;
  }
}

/** A new driver takes over. Frames and doubt stay until it registers its own. */
function hello(
  state: GuardianState,
  input: Extract<GuardianInput, { readonly kind: "hello" }>,
): GuardianStep {
  const same = state.at !== "unwatched" && state.device === input.device;
  return {
    state: {
      at: "watched",
      ticket: state.ticket,
      client: input.client,
      device: input.device,
      frames: same ? state.frames : [],
      still: state.at === "watched" && same ? state.still : "unknown",
      heardAtMs: input.nowMs,
    },
    effects: [],
  };
}

function watched(state: At<"watched">, input: GuardianInput): GuardianStep | undefined {
  switch (input.kind) {
    case "guard":
      if (input.client !== state.client) return undefined;
      return {
        state: { ...state, frames: input.frames, still: "unknown", heardAtMs: input.nowMs },
        effects: [],
      };
    case "pulse": {
      if (input.client !== state.client) return undefined;
      const known = state.still === "commanded" ? "unknown" : "yes";
      const still = input.still ? known : "no";
      return { state: { ...state, still, heardAtMs: input.nowMs }, effects: [] };
    }
    case "commanded": {
      if (state.still === "commanded") return undefined;
      const heardAtMs = state.still === "yes" ? input.nowMs : state.heardAtMs;
      return { state: { ...state, still: "commanded", heardAtMs }, effects: [] };
    }
    case "closed":
      if (input.client !== state.client) return undefined;
      if (state.still === "yes" || state.frames.length === 0) return unwatched(state, []);
      return begin(state, "closed", input.nowMs);
    case "tick": {
      const dueMs = guardianWakeAt(state);
      if (dueMs === undefined || input.nowMs < dueMs) return undefined;
      return begin(state, "silent", input.nowMs);
    }
    case "hello":
    case "sent":
      return undefined;
    default:
      input satisfies never;
      return undefined;
  }
}

function unwatched(state: GuardianState, effects: readonly GuardianEffect[]): GuardianStep {
  return { state: { at: "unwatched", ticket: state.ticket }, effects };
}

function begin(state: At<"watched">, cause: GuardianCause, nowMs: Ms): GuardianStep {
  const { device, frames, ticket } = state;
  const client = cause === "closed" ? undefined : state.client;
  const first = sendRound({ device, frames, cause, client, round: 1, beganAtMs: nowMs }, ticket);
  return { ...first, effects: [{ kind: "began", device, cause }, ...first.effects] };
}

function sendRound(round: Round, ticket: number): GuardianStep {
  return sendFrame({ ...round, at: "stopping", ticket, index: 0, missed: false });
}

/** Sends the frame at `index`; its outcome comes back under a new ticket. */
function sendFrame(state: At<"stopping">): GuardianStep {
  const ticket = state.ticket + 1;
  const pdu = state.frames[state.index] ?? new Uint8Array(0);
  return { state: { ...state, ticket }, effects: [{ kind: "send", ticket, pdu }] };
}

function stopping(state: At<"stopping">, input: GuardianInput): GuardianStep | undefined {
  switch (input.kind) {
    case "sent": {
      if (input.ticket !== state.ticket) return undefined;
      // An unacknowledged frame does not hold up the next: it may be the one that works.
      const missed = state.missed || !input.acknowledged;
      const index = state.index + 1;
      if (index < state.frames.length) return sendFrame({ ...state, index, missed });
      if (!missed) return ended(state);
      const { index: _, missed: __, ...round } = state;
      const pause: At<"pausing"> = { ...round, at: "pausing" };
      if (state.round === roundsMax) return { state: pause, effects: [endOf(state, false)] };
      return pausing(pause, { kind: "tick", nowMs: input.nowMs }) ?? { state: pause, effects: [] };
    }
    case "closed":
    case "guard":
      return driverInRound(state, input);
    case "hello":
    case "pulse":
    case "commanded":
    case "tick":
      return undefined;
    default:
      input satisfies never;
      return undefined;
  }
}

function pausing(state: At<"pausing">, input: GuardianInput): GuardianStep | undefined {
  switch (input.kind) {
    case "tick": {
      if (input.nowMs < state.beganAtMs + paceMs(state)) return undefined;
      const { ticket, at: _, ...round } = state;
      return sendRound({ ...round, round: state.round + 1, beganAtMs: input.nowMs }, ticket);
    }
    case "closed":
    case "guard":
      return driverInRound(state, input);
    case "pulse":
      // Back at work after an owed stop could not be sent: the driver owes it itself.
      return state.round < roundsMax ? undefined : driverInRound(state, input);
    case "hello":
    case "commanded":
    case "sent":
      return undefined;
    default:
      input satisfies never;
      return undefined;
  }
}

/** The driver's connection while the guardian acts: lost too, or its driver is back at work. */
function driverInRound(
  state: At<"stopping"> | At<"pausing">,
  input: Extract<GuardianInput, { readonly kind: "closed" | "guard" | "pulse" }>,
): GuardianStep | undefined {
  if (input.client !== state.client) return undefined;
  if (input.kind === "closed") return { state: { ...state, client: undefined }, effects: [] };
  const { ticket, device, frames } = state;
  return {
    state: {
      at: "watched",
      ticket,
      client: input.client,
      device,
      frames: input.kind === "guard" ? input.frames : frames,
      still: "unknown",
      heardAtMs: input.nowMs,
    },
    effects: [],
  };
}

function endOf({ device, cause, round: rounds }: Round, acknowledged: boolean): GuardianEffect {
  return { kind: "ended", device, cause, acknowledged, rounds };
}

function ended(state: At<"stopping">): GuardianStep {
  const { device, client, frames, ticket } = state;
  const effects = [endOf(state, true)];
  if (client === undefined) return unwatched(state, effects);
  return { state: { at: "acted", ticket, client, device, frames }, effects };
}

/** The stop has ended; whatever the driver does next puts the axis under watch again. */
function acted(state: At<"acted">, input: GuardianInput): GuardianStep | undefined {
  const watch = (still: At<"watched">["still"], frames = state.frames): GuardianStep => ({
    state: { ...state, at: "watched", frames, still, heardAtMs: input.nowMs },
    effects: [],
  });
  switch (input.kind) {
    case "guard":
      return input.client === state.client ? watch("unknown", input.frames) : undefined;
    case "pulse":
      return input.client === state.client ? watch(input.still ? "yes" : "no") : undefined;
    case "commanded":
      return watch("commanded");
    case "closed":
      return input.client === state.client ? unwatched(state, []) : undefined;
    case "hello":
    case "sent":
    case "tick":
      return undefined;
    default:
      input satisfies never;
      return undefined;
  }
}
