/**
 * What goes wrong with the bytes of a field bus: faults of lines, adapters, gateways and devices.
 *
 * The idea: each is a probability of one exchange, read at the moment, so a schedule can raise and
 * lower them. None of them makes a valid frame that says something false: a checksum or a
 * transaction number always shows it. It refuses faults that no protocol can see.
 */
import type { SeededRandom } from "./seeded-random.js";

export interface ByteFaults {
  /** Bits of a frame are turned on its way: of a request on a line, of a reply anywhere. */
  spoil: number;
  /** Only the first part of a reply comes. */
  truncate: number;
  /** A reply comes when its request has long been given up. */
  late: number;
  /** A reply comes twice. */
  twice: number;
  /** A reply to an earlier request comes first. */
  stale: number;
  /** Bytes that are nobody's come first. */
  stray: number;
  /** Another unit answers first. */
  stranger: number;
  /** TCP: the endpoint resets the connection instead of answering. */
  reset: number;
  /** TCP: the connection is dead from now on, and nobody is told. */
  halfOpen: number;
}

export const noByteFaults: ByteFaults = {
  spoil: 0,
  truncate: 0,
  late: 0,
  twice: 0,
  stale: 0,
  stray: 0,
  stranger: 0,
  reset: 0,
  halfOpen: 0,
};

/** All of them, so often; what ends a connection ten times less. */
export function byteFaultsAt(rate: number): ByteFaults {
  return {
    spoil: rate,
    truncate: rate,
    late: rate,
    twice: rate,
    stale: rate,
    stray: rate,
    stranger: rate,
    reset: rate / 10,
    halfOpen: rate / 10,
  };
}

/** Flips that CRC-16 always finds in a frame [its distance is 4 up to 32,751 bits]. */
const flipsMax = 3;

/**
 * A late reply comes after its request was given up; where frames have no number, within the time
 * in which a master reckons with it.
 */
export const lateMs = { numbered: [220, 900], unnumbered: [60, 450] } as const;

/** The frame with one to three bits turned; never the same. */
export function turned(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const spoilt = Uint8Array.from(bytes);
  const bits = new Set<number>();
  const flips = random.whole(1, flipsMax);
  while (bits.size < flips) bits.add(random.whole(0, 8 * bytes.length - 1));
  for (const bit of bits) spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return spoilt;
}

/** A few bytes by chance. */
export function noise(random: SeededRandom): Uint8Array {
  return Uint8Array.from({ length: random.whole(1, 9) }, () => random.whole(0, 255));
}

/** A first part of the bytes, never all of them. */
export function truncated(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  return bytes.subarray(0, random.whole(1, bytes.length - 1));
}
