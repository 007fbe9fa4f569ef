/**
 * Where an axis is, beyond what its drive can count.
 *
 * The idea: a drive shows its position in a register that wraps (2^16, 2^32 counts); the frame
 * adds up the wraps by the signed modular difference of two readings, so position, windows and
 * travel go on over the edge. What was commanded last is kept in exact user units, so relative
 * moves add up without the drift of rounding each one. A position that jumps farther than the
 * axis can have travelled is not a position: the reference is lost until the next homing. It
 * refuses to continue a count over a gap that it cannot bridge.
 */
import type { Ms } from "#drivers/reading.js";

/** A jump is implausible beyond so many times what the greatest velocity allows. */
export const jumpFactor = 4;
/** Added to the time between two readings, for what a poll may be late. */
export const jumpSlackMs: Ms = 250;

/** What does not change while the driver runs. User units. */
export interface FrameFacts {
  /** User units of one full turn of the position counter; undefined: it cannot wrap. */
  readonly span: number | undefined;
  /** An endless axis may cross the edge of its counter; a linear one may not. */
  readonly endless: boolean;
  readonly velocityMax: number;
  readonly tolerance: number;
  /** How far the axis may have been turned while nobody watched, for a stored count to hold. */
  readonly driftMax: number;
}

export interface FrameState {
  /** Wraps of the counter since the reference. */
  readonly wraps: number;
  /** Last position of the drive's own counter, and when it was read; undefined: not yet. */
  readonly last: { readonly position: number; readonly atMs: Ms } | undefined;
  /** Where the last finished move was to end, unwrapped; undefined: nobody knows exactly. */
  readonly commanded: number | undefined;
  /** Why the reference no longer counts, whatever the drive says; undefined: it counts. */
  readonly lost: string | undefined;
  /** A count of an earlier start, not yet compared with the drive. */
  readonly stored: StoredFrame | undefined;
}

/** What outlives a restart; written at standstill. */
export interface StoredFrame {
  readonly wraps: number;
  readonly position: number;
  readonly lost?: string;
}

export type FrameInput =
  /** A good position of the drive. `homed`: undefined where the profile does not tell. */
  | {
      readonly kind: "read";
      readonly position: number;
      readonly atMs: Ms;
      readonly homed: boolean | undefined;
      /** A homing is under way: the drive sets its counter anew at the switch. */
      readonly homing: boolean;
    }
  /** A move ended where it was to end, unwrapped user units. */
  | { readonly kind: "arrived"; readonly at: number }
  /** Anything else has moved the axis, or may have. */
  | { readonly kind: "unsettled" }
  /** Homing is done: the drive's counter is the reference again. */
  | { readonly kind: "homed" }
  /** Nobody has watched for a while: contact lost, drive rebooted, driver restarted. */
  | { readonly kind: "gap" }
  /** The device says by an alarm that its position is gone. */
  | { readonly kind: "positionLost"; readonly why: string };

export type FrameEffect = {
  /** For the log and the operator: the reference no longer counts. */
  readonly kind: "referenceLost";
  readonly why: string;
};

export interface FrameStep {
  readonly state: FrameState;
  readonly effects: readonly FrameEffect[];
}

export function frameAtStart(stored: StoredFrame | undefined): FrameState {
  return {
    wraps: 0,
    last: undefined,
    commanded: undefined,
    lost: stored?.lost,
    stored,
  };
}

/** Undefined: the input changes nothing. */
export function nextFrame(
  state: FrameState,
  input: FrameInput,
  facts: FrameFacts,
): FrameStep | undefined {
  switch (input.kind) {
    case "read":
      return read(state, input, facts);
    case "arrived":
      if (state.commanded === input.at) return undefined;
      return quiet({ ...state, commanded: input.at });
    case "unsettled":
      return state.commanded === undefined ? undefined : quiet({ ...state, commanded: undefined });
    case "homed":
      return quiet({ ...state, wraps: 0, commanded: undefined, lost: undefined });
    case "gap":
      return gap(state);
    case "positionLost":
      if (state.lost !== undefined) return undefined;
      return lose(state, input.why);
    default:
      return input satisfies never;
  }
}

function quiet(state: FrameState): FrameStep {
  return { state, effects: [] };
}

function lose(state: FrameState, why: string): FrameStep {
  return {
    state: { ...state, commanded: undefined, lost: why },
    effects: [{ kind: "referenceLost", why }],
  };
}

/** What is counted so far is compared with the drive when it is heard again. */
function gap(state: FrameState): FrameStep | undefined {
  const { last, wraps, lost } = state;
  if (last === undefined) return undefined;
  const stored = { wraps, position: last.position, ...(lost === undefined ? {} : { lost }) };
  return quiet({ ...state, last: undefined, commanded: undefined, stored });
}

function read(
  state: FrameState,
  { position, atMs, homed, homing }: Extract<FrameInput, { kind: "read" }>,
  facts: FrameFacts,
): FrameStep {
  const now = { position, atMs };
  if (state.last === undefined) return resume(state, now, homed, facts);
  const { delta, wrap } = step(state.last.position, position, facts);
  const elapsedMs = Math.max(0, atMs - state.last.atMs) + jumpSlackMs;
  const most = (jumpFactor * facts.velocityMax * elapsedMs) / 1000 + facts.tolerance;
  const moved = { ...state, last: now, wraps: state.wraps + wrap };
  // Without a reference there is none to lose.
  const counts = homed !== false && !homing && state.lost === undefined;
  if (Math.abs(delta) <= most || !counts) return quiet(moved);
  const from = shown(state.last.position);
  const why = `the position jumped from ${from} to ${shown(position)}, farther than it can move`;
  return lose({ ...state, last: now }, why);
}

/** The first reading after a gap: the count goes on only where nothing can have been missed. */
function resume(
  state: FrameState,
  now: { readonly position: number; readonly atMs: Ms },
  homed: boolean | undefined,
  facts: FrameFacts,
): FrameStep {
  const { stored } = state;
  const fresh = { ...state, last: now, stored: undefined, wraps: 0 };
  if (stored === undefined || homed === false) return quiet(fresh);
  const { delta, wrap } = step(stored.position, now.position, facts);
  const wraps = stored.wraps + wrap;
  if (Math.abs(delta) <= facts.driftMax) return quiet({ ...fresh, wraps });
  // Without a wrap the drive's own count is the whole truth, wherever it stands.
  if (stored.wraps === 0 || state.lost !== undefined) return quiet(fresh);
  const why = `it was turned by ${shown(Math.abs(delta))} while nobody watched, over a wrapped count`;
  return lose(fresh, why);
}

/** How far and over which edge the counter went, the short way round for an endless axis. */
function step(
  from: number,
  to: number,
  { span, endless }: FrameFacts,
): { readonly delta: number; readonly wrap: number } {
  const plain = to - from;
  if (span === undefined || !endless || Math.abs(plain) <= span / 2) {
    return { delta: plain, wrap: 0 };
  }
  const wrap = plain > 0 ? -1 : 1;
  return { delta: plain + wrap * span, wrap };
}

function shown(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** The drive's position in the frame of the axis, unwrapped. */
export function unwrapped(state: FrameState, position: number, facts: FrameFacts): number {
  return position + state.wraps * (facts.span ?? 0);
}

/** What the drive has to count to for a place of the axis. */
export function toCounter(state: FrameState, place: number, facts: FrameFacts): number {
  return place - state.wraps * (facts.span ?? 0);
}

/** A place of a modulo axis in 0 … modulo, modulo excluded. */
export function within(place: number, modulo: number | undefined): number {
  if (modulo === undefined) return place;
  const rest = place % modulo;
  const positive = rest < 0 ? rest + modulo : rest;
  // A tiny negative rest plus the modulo may round to the modulo itself.
  return positive === modulo ? 0 : positive;
}

/** The place congruent to `target` that lies nearest to `from`; upwards from just opposite. */
export function nearest(target: number, from: number, modulo: number): number {
  const forward = within(target - from, modulo);
  return from + (forward > modulo / 2 ? forward - modulo : forward);
}
