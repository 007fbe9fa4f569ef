/**
 * What the scheduler of one endpoint holds: requests, bounds, inputs and effects.
 *
 * The idea: the words of lanes.machine.ts, apart from its decisions, so that both fit on a screen.
 * It refuses to decide anything but when a waiting request is due.
 */
import type { BadReason, Ms } from "#drivers/reading.js";

/** Waiting requests per unit and lane; one more is answered 0x0A. */
export const queueMax = 32;
/** A request that was not sent by then is answered 0x0A. */
export const unsentMsMax: Ms = 1000;
/** Every request is answered by then: before the driver's own timeout of 2 s. */
export const answerMsMax: Ms = 1700;
/** A stop without a reply by then goes over a new connection [PROTOCOL 9]. */
export const stopReplyMs: Ms = 100;
/** How often a stop frame is repeated before it is answered 0x0B. */
export const stopRepeatMax = 3;
/** So many timeouts in a row make a unit silent. */
export const silentAfter = 3;
/** A silent unit is asked once in this time. */
export const probeMs: Ms = 2000;
/** Polls wait so long for a lost connection to come back. */
export const linkGraceMs: Ms = 250;

export type LaneName = "stop" | "command" | "poll";

export interface LanesOptions {
  /** Longest wait for a reply on the normal path. */
  readonly replyTimeoutMs: Ms;
  /** Requests of commands and polls on the wire together; never two of one unit. @default 1 */
  readonly inFlightMax?: number;
  /** Whether a stop goes beside the request in flight (TCP) or after it (a line). */
  readonly stopBeside: boolean;
}

/** A request in the scheduler's hands. */
export interface Request {
  readonly key: number;
  readonly lane: LaneName;
  readonly unit: number;
  readonly pdu: Uint8Array;
  readonly client: number;
  readonly sinceMs: Ms;
  /** How often it was handed to the wire. */
  readonly sends: number;
  readonly sentAtMs: Ms;
  /** True once it may have been on the wire. */
  readonly left: boolean;
}

/** Timeouts in a row of a unit, counted up to `silentAfter`. */
export interface Silence {
  readonly timeouts: number;
  readonly probedAtMs: Ms;
}

export interface LanesState {
  readonly options: LanesOptions;
  readonly link: { readonly up: true } | { readonly up: false; readonly sinceMs: Ms };
  /** All lanes, in order of arrival; a repeated stop stands first. */
  readonly waiting: readonly Request[];
  readonly inFlight: readonly Request[];
  /** The unit that was served last, per lane. */
  readonly served: { readonly [L in LaneName]: number };
  readonly silence: ReadonlyMap<number, Silence>;
  /** When this connection last brought a valid reply; -1: not yet. */
  readonly heardAtMs: Ms;
}

export type WireOutcome =
  | { readonly kind: "reply"; readonly pdu: Uint8Array }
  | { readonly kind: "notSent"; readonly why: BadReason }
  | { readonly kind: "noReply"; readonly why: BadReason };

export type LanesInput =
  | {
      readonly kind: "request";
      readonly nowMs: Ms;
      /** Names the request from here on; never used twice. */
      readonly key: number;
      readonly lane: LaneName;
      readonly unit: number;
      readonly pdu: Uint8Array;
      readonly client: number;
    }
  /** What came of the `attempt`-th send of a request. */
  | {
      readonly kind: "wire";
      readonly nowMs: Ms;
      readonly key: number;
      readonly attempt: number;
      readonly result: WireOutcome;
    }
  | { readonly kind: "clientClosed"; readonly nowMs: Ms; readonly client: number }
  | { readonly kind: "link"; readonly nowMs: Ms; readonly up: boolean }
  | { readonly kind: "tick"; readonly nowMs: Ms };

export type LanesEffect =
  | {
      readonly kind: "send";
      readonly key: number;
      readonly attempt: number;
      readonly unit: number;
      readonly pdu: Uint8Array;
      readonly timeoutMs: Ms;
      readonly path: "normal" | "stop";
    }
  | { readonly kind: "answer"; readonly key: number; readonly pdu: Uint8Array }
  /** Drop the connection and open another; the stop goes first on it. */
  | { readonly kind: "reconnect" };

export interface LanesStep {
  readonly state: LanesState;
  readonly effects: readonly LanesEffect[];
}

/** Begins with the link down: nothing is sent before the wire says that it stands. */
export function lanesAtStart(options: LanesOptions, nowMs: Ms): LanesState {
  return {
    options,
    link: { up: false, sinceMs: nowMs },
    waiting: [],
    inFlight: [],
    served: { stop: -1, command: -1, poll: -1 },
    silence: new Map(),
    heardAtMs: -1,
  };
}

/** When `tick` is due; undefined: nothing waits. */
export function wakeAt(state: LanesState): Ms | undefined {
  let atMs: Ms | undefined;
  for (const request of state.waiting) {
    const dueMs = dueAt(state, request);
    if (atMs === undefined || dueMs < atMs) atMs = dueMs;
  }
  return atMs;
}

/** When a waiting request is answered without having been sent (again). */
export function dueAt(state: LanesState, request: Request): Ms {
  const dueMs = request.sinceMs + (request.left ? answerMsMax : unsentMsMax);
  if (state.link.up || request.lane !== "poll") return dueMs;
  return Math.min(dueMs, Math.max(request.sinceMs, state.link.sinceMs + linkGraceMs));
}
