/**
 * MBAP: the framing of Modbus TCP, both ways.
 *
 * The idea: TCP is a stream, so a frame is what the length field says and nothing else: it may
 * come in any number of pieces, several may come at once, and what is left over waits for the
 * next piece. It refuses a header that cannot be right (protocol id not 0, length outside 2–254
 * [MODBUS TCP 3.1.3]): after one such header nothing that follows can be trusted, so the reader
 * is finished and its connection has to be closed.
 */

/** One frame: transaction id, unit id and the PDU. */
export interface MbapFrame {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Uint8Array;
}

/** Longest PDU of the specification [MODBUS 4.1]. */
export const pduBytesMax = 253;
const headerBytes = 7;
const lengthMax = pduBytesMax + 1;

/** @throws RangeError when a field does not fit the header. */
export function encodeMbap({ transaction, unit, pdu }: MbapFrame): Uint8Array {
  if (pdu.length < 1 || pdu.length > pduBytesMax) {
    throw new RangeError(`a PDU has 1 to ${pduBytesMax} bytes, got ${pdu.length}`);
  }
  if (!Number.isInteger(transaction) || transaction < 0 || transaction > 0xffff) {
    throw new RangeError(`a transaction id is 0 to 65535, got ${transaction}`);
  }
  if (!Number.isInteger(unit) || unit < 0 || unit > 0xff) {
    throw new RangeError(`a unit id is 0 to 255, got ${unit}`);
  }
  const length = pdu.length + 1;
  const bytes = new Uint8Array(headerBytes + pdu.length);
  bytes.set([transaction >> 8, transaction & 0xff, 0, 0, length >> 8, length & 0xff, unit]);
  bytes.set(pdu, headerBytes);
  return bytes;
}

export interface MbapRead {
  readonly frames: readonly MbapFrame[];
  /** Why the stream cannot be read on; the connection has to be closed. */
  readonly bad?: string;
}

/** Cuts a byte stream into frames. Holds at most one unfinished frame (260 bytes). */
export class MbapReader {
  #rest: Uint8Array = new Uint8Array(0);
  #bad: string | undefined;

  push(chunk: Uint8Array): MbapRead {
    if (this.#bad !== undefined) return { frames: [], bad: this.#bad };
    const bytes = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk);
    const frames: MbapFrame[] = [];
    let at = 0;
    while (bytes.length - at >= headerBytes - 1) {
      const word = (offset: number) =>
        ((bytes[at + offset] ?? 0) << 8) | (bytes[at + offset + 1] ?? 0);
      const length = word(4);
      if (word(2) !== 0) this.#bad = `protocol id ${word(2)} instead of 0`;
      else if (length < 2 || length > lengthMax) this.#bad = `length ${length} in the header`;
      if (this.#bad !== undefined) {
        this.#rest = new Uint8Array(0);
        return { frames, bad: this.#bad };
      }
      if (bytes.length - at < 6 + length) break;
      frames.push({
        transaction: word(0),
        unit: bytes[at + 6] ?? 0,
        pdu: Uint8Array.from(bytes.subarray(at + headerBytes, at + 6 + length)),
      });
      at += 6 + length;
    }
    this.#rest = Uint8Array.from(bytes.subarray(at));
    return { frames };
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
