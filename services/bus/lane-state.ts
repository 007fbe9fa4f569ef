/**
 * What the scheduler of one endpoint holds: requests, bounds, inputs and effects.
 *
 * The idea: the words of lanes.machine.ts, apart from its decisions, so that both fit on a screen.
 * It refuses to decide anything but when a waiting request is due.
 */
import type { BadReason, Ms } from "#drivers/reading.js";
import type { Held, Silence } from "./lane-silence.js";

/** Waiting polls per client, other requests per unit and lane; one more is answered 0x0A. */
export const queueMax = 32;
/** A request that was not sent by then is answered 0x0A. */
export const unsentMsMax: Ms = 1000;
/** Every request is answered by then: before the driver's own timeout of 2 s. */
export const answerMsMax: Ms = 1700;
/** A stop without a reply by then goes over a new connection [PROTOCOL 9]. */
export const stopReplyMs: Ms = 100;
/** A unit on a line whose profile does not say more begins its reply by then [PROTOCOL 9]. */
export const firstByteMsDefault: Ms = 50;
/** How often a stop frame is repeated before it is answered 0x0B. */
export const stopRepeatMax = 3;
/** Requests that wait in all; one more poll is answered 0x0A. */
export const waitingMax = 1024;
/**
 * On a line nothing but stops is sent for so long after a stop frame, while another axis of the
 * line may move and has not had its own. An order reaches the last driver 5 to 8 ms after the
 * first [PROTOCOL, figures]; without this a poll would slip between two of its frames.
 */
export const stopWindowMs: Ms = 10;
/** A unit that answers "busy" (6) is not read for so long, its neighbours are (EX-03). */
export const busyPauseMs: Ms = 100;
/** How often a read is repeated for "busy", or for a doubtful reply, before it is answered so. */
export const busyRetryMax = 3;
/** Polls wait so long for a lost connection to come back. */
export const linkGraceMs: Ms = 250;

export type LaneName = "stop" | "command" | "poll";

/** What is known of the axis of a unit, from the pulses of its driver; else nobody looks at it. */
export type Axis = "moving" | "still" | "lost";

export interface LanesOptions {
  /** Longest wait for a reply on the normal path. */
  readonly replyTimeoutMs: Ms;
  /** Requests of commands and polls on the wire together; never two of one unit. @default 1 */
  readonly inFlightMax?: number;
  /** Whether a stop goes beside the request in flight (TCP) or after it (a line). */
  readonly stopBeside: boolean;
  /** Units that share the wire; where there are several, probes are rationed. @default 1 */
  readonly unitCount?: number;
  /** A line: the longest wait for the first byte, per unit. */
  readonly firstByteMs?: ReadonlyMap<number, Ms>;
  /** A line: what a byte costs there; a read on the poll lane may not take longer than a frame. */
  readonly charMs?: Ms;
  /** What unit 0 means. @default "ordinary" */
  readonly unit0?: "ordinary" | "broadcast" | "refused";
  /** Whether there is a connection that can be renewed. @default true */
  readonly reconnects?: boolean;
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
  /** How often the unit said that it is busy. @default 0 */
  readonly busy?: number | undefined;
  /** The longest that a request sent after it took to its reply: it held none any longer. */
  readonly heldMs?: Ms | undefined;
}

export interface LanesState {
  readonly options: LanesOptions;
  readonly link: { readonly up: true } | { readonly up: false; readonly sinceMs: Ms };
  /** All lanes, in order of arrival; a repeated stop stands first. */
  readonly waiting: readonly Request[];
  readonly inFlight: readonly Request[];
  /** The unit that was served last, per lane. */
  readonly served: { readonly [L in LaneName]: number };
  /** The turn in which a client was served last, and the newest turn. */
  readonly turns: ReadonlyMap<number, number>;
  readonly turn: number;
  readonly silence: ReadonlyMap<number, Silence>;
  /** Over TCP: the unit behind which a shared wire may be held. */
  readonly held?: Held | undefined;
  /** Until when a unit that said "busy" is not read. */
  readonly busy: ReadonlyMap<number, Ms>;
  readonly axes: ReadonlyMap<number, Axis>;
  /** The newest stop frame, and the units that had one since the order began. */
  readonly stops: { readonly atMs: Ms; readonly had: ReadonlySet<number> };
  /** When this connection last brought a valid reply; -1: not yet. */
  readonly heardAtMs: Ms;
}

export type WireOutcome =
  | { readonly kind: "reply"; readonly pdu: Uint8Array }
  | { readonly kind: "notSent"; readonly why: BadReason }
  | { readonly kind: "noReply"; readonly why: BadReason; readonly restMs?: Ms };

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
  /** A reply has come that nobody waited for any more: its unit is there. */
  | { readonly kind: "late"; readonly nowMs: Ms; readonly unit: number }
  | { readonly kind: "clientClosed"; readonly nowMs: Ms; readonly client: number }
  /** Undefined: no driver looks after the axis any more. */
  | {
      readonly kind: "axis";
      readonly nowMs: Ms;
      readonly unit: number;
      readonly axis: Axis | undefined;
    }
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
      /** On a line: longest wait for the first byte. */
      readonly firstByteMs?: Ms;
      readonly path: "normal" | "stop";
    }
  | { readonly kind: "answer"; readonly key: number; readonly pdu: Uint8Array }
  /** Drop the connection and open another; the stop goes first on it. */
  | { readonly kind: "reconnect" }
  /** A stop waits: what is not on the line yet stays off it, and its drain ends at t3.5. */
  | { readonly kind: "hurry" }
  /** A unit has fallen silent, or answers reliably again: once per transition (ST-04). */
  | { readonly kind: "unit"; readonly unit: number; readonly up: boolean };

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
    turns: new Map(),
    turn: 0,
    silence: new Map(),
    busy: new Map(),
    axes: new Map(),
    stops: { atMs: Number.NEGATIVE_INFINITY, had: new Set() },
    heardAtMs: -1,
  };
}

/** When `tick` is due; undefined: nothing waits. */
export function wakeAt(state: LanesState, nowMs: Ms): Ms | undefined {
  let atMs: Ms | undefined;
  for (const request of state.waiting) {
    const dueMs = dueAt(state, request);
    if (atMs === undefined || dueMs < atMs) atMs = dueMs;
    const busyMs = state.busy.get(request.unit);
    // A pause that has passed wakes nobody: something else holds the request up.
    if (busyMs !== undefined && busyMs > nowMs && busyMs < atMs) atMs = busyMs;
  }
  const windowMs = state.stops.atMs + stopWindowMs;
  if (atMs === undefined || windowMs <= nowMs) return atMs;
  return state.options.stopBeside ? atMs : Math.min(atMs, windowMs);
}

/** When a waiting request is answered without having been sent (again). */
export function dueAt({ link }: Pick<LanesState, "link">, request: Request): Ms {
  const dueMs = request.sinceMs + (request.left ? answerMsMax : unsentMsMax);
  if (link.up || request.lane !== "poll") return dueMs;
  return Math.min(dueMs, Math.max(request.sinceMs, link.sinceMs + linkGraceMs));
}

/** The units that were served last, after this one was. */
export function servedNow(
  before: LanesState["served"],
  lane: LaneName,
  unit: number,
): LanesState["served"] {
  const of = (one: LaneName) => (one === lane ? unit : before[one]);
  return { stop: of("stop"), command: of("command"), poll: of("poll") };
}

/** Another map that differs in one entry; undefined takes it out. */
export function changed<V>(
  map: ReadonlyMap<number, V>,
  key: number,
  value: V | undefined,
): ReadonlyMap<number, V> {
  const other = new Map(map);
  if (value === undefined) other.delete(key);
  else other.set(key, value);
  return other;
}
