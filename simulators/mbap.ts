/**
 * Modbus TCP frames out of a stream of bytes.
 *
 * The idea: bytes go in as they come, in pieces or many frames at once, whole frames come out; a
 * header that cannot be one ends the connection, because nothing after it can be trusted. MODBUS
 * Messaging on TCP/IP 3.1.3. It refuses more than one unfinished frame of memory.
 */

export interface MbapFrame {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Uint8Array;
}

/** Unit id and PDU: 1 + 253 bytes at most. */
const lengthMost = 254;
const headerBytes = 7;

export function word16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export class MbapReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** Frames completed by these bytes; undefined: the stream is not Modbus TCP, close it. */
  push(bytes: Uint8Array): readonly MbapFrame[] | undefined {
    let all: Uint8Array = bytes;
    if (this.#rest.length > 0) {
      all = new Uint8Array(this.#rest.length + bytes.length);
      all.set(this.#rest);
      all.set(bytes, this.#rest.length);
    }
    const frames: MbapFrame[] = [];
    let at = 0;
    while (all.length - at >= headerBytes) {
      const length = word16(all, at + 4);
      if (word16(all, at + 2) !== 0 || length < 2 || length > lengthMost) return undefined;
      const end = at + 6 + length;
      if (end > all.length) break;
      frames.push({
        transaction: word16(all, at),
        unit: all[at + 6] ?? 0,
        pdu: all.slice(at + headerBytes, end),
      });
      at = end;
    }
    this.#rest = all.slice(at);
    return frames;
  }
}

export function mbapFrame(frame: MbapFrame): Uint8Array {
  const { transaction, unit, pdu } = frame;
  const length = pdu.length + 1;
  const out = new Uint8Array(headerBytes + pdu.length);
  out.set([transaction >> 8, transaction & 0xff, 0, 0, length >> 8, length & 0xff, unit]);
  out.set(pdu, headerBytes);
  return out;
}
