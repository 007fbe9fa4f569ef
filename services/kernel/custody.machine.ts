/**
 * Custody of events: what a source says next, and from when on it need not keep an event.
 *
 * The idea: a source has readers, each of which has all events up to a number by its own word. The
 * broker is one, by its receipts; the others are the declared consumers, by their cumulative
 * acknowledgements [PROTOCOL 17]. Events leave in pages, in order, one page at a time; what is new
 * leaves at once for all, and a reader that stays behind is served from where it stands, alone, a
 * page for every word of it, with growing pauses where it says nothing. It refuses to know what an
 * event says and where it is kept.
 */
import type { Ms } from "#drivers/reading.js";

/** Events that are on their way at a time, and that a reader is given for one word of it. */
export const pageMax = 100;
/** How long a consumer's word is waited for, at first and at most, before it is told again. */
export const waitMsMin: Ms = 2000;
export const waitMsMax: Ms = 60_000;
/** Least pause before anything is said again, whatever a consumer asks for. */
export const againMs: Ms = 1000;
/** Words beyond this are no numbers of ours. */
export const numberMax = 2 ** 52;

/** The reader whose word are the receipts; no consumer may have this name. */
export const brokerName = "broker";

export interface Reader {
  /** It has all up to here, by its own word. */
  readonly has: number;
  /** All up to here has been said to it. */
  readonly said: number;
  readonly waitMs: Ms;
  /** When it is told again; absent: it owes no word. */
  readonly dueMs?: Ms;
}

export interface CustodyState {
  readonly connected: boolean;
  /** The newest number that may be said. */
  readonly newest: number;
  /** Nothing up to here is kept. */
  readonly floor: number;
  /** The page under way: for whom, and what it begins after; `stale`: of an earlier connection. */
  readonly page?: { readonly reader: string; readonly after: number; readonly stale?: true };
  /** A page has failed: none before this. */
  readonly pauseMs?: Ms;
  readonly readers: { readonly [name: string]: Reader };
}

export type CustodyInput =
  | { readonly kind: "connected" }
  | { readonly kind: "lost" }
  /** Numbers up to this one may be said from now on. */
  | { readonly kind: "added"; readonly seq: number }
  /** The page is over: confirmed up to here, so many events; `whole`: nothing of it failed. */
  | {
      readonly kind: "said";
      readonly upTo: number;
      readonly count: number;
      readonly whole: boolean;
    }
  | { readonly kind: "ack"; readonly consumer: string; readonly seq: number }
  /** The bound is met: nothing up to here is kept any more. */
  | { readonly kind: "overflowed"; readonly upTo: number }
  | { readonly kind: "tick" };

export type CustodyEffect =
  /**
   * Say what is kept after `after`, a page at most, and nothing beyond `upTo`. The first of it
   * says that it follows on `follows`; 0: nothing before it is kept.
   */
  | {
      readonly kind: "say";
      readonly after: number;
      readonly follows: number;
      readonly upTo: number;
    }
  | { readonly kind: "drop"; readonly upTo: number }
  /** A consumer has numbers that this source has never given: new ones must be higher. */
  | { readonly kind: "raise"; readonly above: number };

export interface CustodyTurn {
  readonly state: CustodyState;
  readonly effects: readonly CustodyEffect[];
}

const fresh: Reader = { has: 0, said: 0, waitMs: waitMsMin };

/** `newest`: no number up to here is given again. Without consumers the receipts count. */
export function custodyAtBoot(consumers: readonly string[], newest: number): CustodyState {
  // What an earlier start has left is for the consumers: the broker is not asked to take it again.
  const at = consumers.length === 0 ? 0 : newest;
  const readers = { [brokerName]: { ...fresh, has: at, said: at } };
  const others = consumers.map((name) => [name, fresh] as const);
  return {
    connected: false,
    newest,
    floor: 0,
    readers: { ...readers, ...Object.fromEntries(others) },
  };
}

/** Undefined: nothing changes. */
export function nextCustody(
  state: CustodyState,
  input: CustodyInput,
  nowMs: Ms,
): CustodyTurn | undefined {
  switch (input.kind) {
    case "connected":
      return serve(anew({ ...state, connected: true }), nowMs);
    case "lost":
      return state.connected ? { state: { ...state, connected: false }, effects: [] } : undefined;
    case "added":
      return input.seq > state.newest ? serve({ ...state, newest: input.seq }, nowMs) : undefined;
    case "said":
      return state.page === undefined ? undefined : serve(onSaid(state, input, nowMs), nowMs);
    case "ack":
      return onAck(state, input, nowMs);
    case "overflowed":
      return input.upTo > state.floor
        ? { state: { ...state, floor: input.upTo }, effects: [] }
        : undefined;
    case "tick":
      return changed(state, serve(state, nowMs));
    default:
      return input satisfies never;
  }
}

/** When to tick; undefined: nothing is waited for. */
export function custodyDueMs({ connected, page, pauseMs, readers }: CustodyState): Ms | undefined {
  if (!connected || page !== undefined) return undefined;
  if (pauseMs !== undefined) return pauseMs;
  const due = Object.values(readers).flatMap(({ dueMs }) => dueMs ?? []);
  return due.length === 0 ? undefined : Math.min(...due);
}

/** What a consumer does with an event: it is next, it was there before, or others are missing. */
export function hearing(
  has: number,
  event: { readonly sequence: number; readonly follows?: number | undefined },
): "next" | "known" | "early" {
  if (event.sequence <= has) return "known";
  return (event.follows ?? 0) <= has ? "next" : "early";
}

function changed(before: CustodyState, turn: CustodyTurn): CustodyTurn | undefined {
  return turn.state === before && turn.effects.length === 0 ? undefined : turn;
}

/** Another connection: what nobody has confirmed is said again. */
function anew(state: CustodyState): CustodyState {
  const readers = mapped(state, ({ has }) => ({ has, said: has, waitMs: waitMsMin }));
  const { page, pauseMs: _pause, ...rest } = state;
  return page === undefined
    ? { ...rest, readers }
    : { ...rest, readers, page: { ...page, stale: true } };
}

function mapped(
  { readers }: CustodyState,
  change: (reader: Reader, name: string) => Reader,
): CustodyState["readers"] {
  return Object.fromEntries(
    Object.entries(readers).map(([name, reader]) => [name, change(reader, name)]),
  );
}

function onSaid(
  state: CustodyState,
  { upTo, count, whole }: CustodyInput & { kind: "said" },
  nowMs: Ms,
): CustodyState {
  const { page, ...rest } = state;
  if (page === undefined || page.stale === true) return rest;
  const { after } = page;
  const readers = mapped(state, (reader, name) => {
    // Whoever stood within the page has all of it now; whoever stands behind it has a gap.
    const reached = reader.said >= after && reader.said < upTo;
    const told = reached ? { ...reader, said: upTo } : reader;
    // Nothing is kept in between: there is nothing to wait for.
    const empty = whole && count === 0 && reached && reader.has >= after;
    const had = empty || (reached && name === brokerName) ? { ...told, has: upTo } : told;
    return owing(had, nowMs);
  });
  return whole ? { ...rest, readers } : { ...rest, readers, pauseMs: nowMs + againMs };
}

function owing(reader: Reader, nowMs: Ms): Reader {
  if (reader.has >= reader.said) return settled(reader);
  return reader.dueMs === undefined ? { dueMs: nowMs + reader.waitMs, ...reader } : reader;
}

function settled({ dueMs: _due, ...reader }: Reader): Reader {
  return reader;
}

function onAck(
  state: CustodyState,
  { consumer, seq }: CustodyInput & { kind: "ack" },
  nowMs: Ms,
): CustodyTurn | undefined {
  const reader = state.readers[consumer];
  if (reader === undefined || consumer === brokerName || seq < 0 || seq > numberMax) {
    return undefined;
  }
  if (seq > state.newest) {
    // It says so again when it is told again; a page under way has the old numbers.
    if (state.page !== undefined) return undefined;
    return { state, effects: [{ kind: "raise", above: seq }] };
  }
  const heard = afterWord(reader, seq, nowMs);
  if (heard === reader) return undefined;
  return serve({ ...state, readers: { ...state.readers, [consumer]: heard } }, nowMs);
}

function afterWord(reader: Reader, seq: number, nowMs: Ms): Reader {
  const { has, said, dueMs, waitMs } = reader;
  if (seq > has) {
    const went = { has: seq, said: Math.max(said, seq), waitMs: waitMsMin };
    return owing(went, nowMs);
  }
  // It has lost its memory: told again from where it stands now.
  if (seq < has)
    return { has: seq, said: Math.max(said, has), waitMs: waitMsMin, dueMs: nowMs + againMs };
  // The same word again: something was lost on the way to it, or it is back.
  if (dueMs === undefined || has >= said) return reader;
  const soonMs = Math.max(nowMs, dueMs - waitMs + againMs);
  return soonMs < dueMs ? { ...reader, waitMs: waitMsMin, dueMs: soonMs } : reader;
}

/** What follows from where the readers stand: what may go, and the next page. */
function serve(state: CustodyState, nowMs: Ms): CustodyTurn {
  const { readers } = state;
  const consumers = Object.entries(readers).filter(([name]) => name !== brokerName);
  const counted = consumers.length === 0 ? Object.entries(readers) : consumers;
  const floor = Math.min(...counted.map(([, { has }]) => has));
  const effects: CustodyEffect[] = [];
  let now = state;
  if (floor > state.floor) {
    now = { ...now, floor };
    effects.push({ kind: "drop", upTo: floor });
  }
  if (!now.connected || now.page !== undefined) return { state: now, effects };
  if (now.pauseMs !== undefined) {
    if (nowMs < now.pauseMs) return { state: now, effects };
    const { pauseMs: _over, ...rest } = now;
    now = rest;
  }
  for (const [name, reader] of Object.entries(readers)) {
    const next = told(reader, now.newest, nowMs);
    if (next === undefined) continue;
    const { said: after } = next;
    const follows = after <= now.floor ? 0 : after;
    effects.push({ kind: "say", after, follows, upTo: now.newest });
    const page = { reader: name, after };
    return { state: { page, ...now, readers: { ...readers, [name]: next } }, effects };
  }
  return { state: now, effects };
}

/** The reader as it is when a page for it begins; undefined: it gets none now. */
function told(reader: Reader, newest: number, nowMs: Ms): Reader | undefined {
  const { has, said, dueMs, waitMs } = reader;
  if (dueMs !== undefined) {
    if (nowMs < dueMs) return undefined;
    return { has, said: has, waitMs: Math.min(waitMs * 2, waitMsMax) };
  }
  return said < newest && has >= said ? reader : undefined;
}
