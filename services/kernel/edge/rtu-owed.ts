/**
 * What the units of an RTU line may still answer, and to which request a reply belongs.
 *
 * The idea: a reply names no request, but a unit answers in the order in which it was asked, each
 * request once at most. So a reply is counted for the earliest request that it fits, and it is
 * certain to belong to the newest only where it fits none before it. Such a reply ends all that
 * was asked before. A doubtful one bounds it: what is asked so far apart is answered about as far
 * apart. Pure. It refuses to guess between two requests that differ.
 */
import { matchReply } from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";

/** So long after a request was given up its unit may still answer it. */
export const owedMsMax: Ms = 500;
/** The second of two replies begins so long after the first, or within its unit's own limit. */
export const secondMsMax: Ms = 50;
/** Requests of one unit that are kept; the oldest goes first. */
export const owedMax = 32;

export interface Asked {
  readonly unit: number;
  readonly pdu: Uint8Array;
  readonly sentAtMs: Ms;
  /** Longest wait for the first byte; 0: not known. */
  readonly firstByteMs: Ms;
  /** Function bytes that this unit also puts on exceptions (profile: functionBytes). */
  readonly functionBytes: readonly number[];
}

/** Why a reply need not be the one to the newest request. */
export interface Doubt {
  /** Whatever it answers, it is the same request, byte for byte. */
  readonly same: boolean;
  /** All that it may answer but the newest were bounded by an earlier reply. */
  readonly bounded: boolean;
  /** From then on nothing of all this is owed any more. */
  readonly settledAtMs: Ms;
}

interface Owed extends Asked {
  readonly untilMs: Ms;
  readonly bounded: boolean;
}

export class OwedReplies {
  readonly #units = new Map<number, readonly Owed[]>();

  /** A request was given up. */
  add(asked: Asked, nowMs: Ms): void {
    this.#push({ ...asked, untilMs: nowMs + owedMsMax, bounded: false });
  }

  /** A doubtful reply was all that came, whether it was taken or not: this bounds the others. */
  bound(asked: Asked, { settledAtMs }: Doubt): void {
    const before = this.#units.get(asked.unit) ?? [];
    const sooner = before.map((owed) => {
      return { ...owed, untilMs: Math.min(owed.untilMs, settledAtMs), bounded: true };
    });
    this.#units.set(asked.unit, sooner);
    this.#push({ ...asked, untilMs: settledAtMs, bounded: true });
  }

  /** A reply that nobody waits for: to the earliest request that it fits. */
  came(unit: number, reply: Uint8Array): void {
    const owed = this.#units.get(unit) ?? [];
    const at = owed.findIndex((one) => fits(one, reply));
    if (at >= 0) this.#units.set(unit, owed.slice(at + 1));
  }

  /**
   * A reply that fits the request that waits; undefined: it certainly belongs to that, and nothing
   * that was asked before is owed any more.
   */
  doubtOf(asked: Asked, reply: Uint8Array, nowMs: Ms): Doubt | undefined {
    const { unit, sentAtMs, firstByteMs } = asked;
    const owed = (this.#units.get(unit) ?? []).filter(({ untilMs }) => untilMs > sentAtMs);
    const at = owed.findIndex((one) => fits(one, reply));
    const [first, ...later] = at < 0 ? [] : owed.slice(at);
    this.#units.set(unit, later);
    if (first === undefined) return undefined;
    const candidates = [first, ...later];
    const apartMs = Math.min(sentAtMs - first.sentAtMs, owedMsMax);
    return {
      same: candidates.every(({ pdu }) => sameBytes(pdu, asked.pdu)),
      bounded: candidates.every(({ bounded }) => bounded),
      settledAtMs: nowMs + apartMs + Math.max(secondMsMax, firstByteMs),
    };
  }

  #push(owed: Owed): void {
    const { unit } = owed;
    this.#units.set(unit, [...(this.#units.get(unit) ?? []), owed].slice(-owedMax));
  }
}

/** An exception fits whatever was asked with its function; other replies fit by their form. */
function fits({ pdu, functionBytes }: Asked, reply: Uint8Array): boolean {
  const got = reply[0] ?? 0;
  if (got >= 0x80) return got === ((pdu[0] ?? 0) | 0x80) || functionBytes.includes(got);
  return matchReply(pdu, reply).kind !== "malformed";
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
