/**
 * Modbus RTU as a line sees it: character times, silence, checksum, and how long a request is.
 *
 * The idea: written apart from the product's own framing, so that a wrong one shows. MODBUS over
 * Serial Line V1.02, 2.5.1 and 6.2.2. It refuses to know devices.
 */

export type LineFormat = "8N1" | "8N2" | "8E1" | "8O1";
export const lineFormats: readonly LineFormat[] = ["8N1", "8N2", "8E1", "8O1"];

/** One character on the wire, start and stop bits included, ms. */
export function characterMs(baud: number, format: LineFormat): number {
  return ((format === "8N1" ? 10 : 11) * 1000) / baud;
}

/** t3.5: three and a half characters, and above 19200 baud always 1.75 ms [MODBUS serial 2.5.1]. */
export function silenceMs(baud: number, format: LineFormat): number {
  return baud > 19_200 ? 1.75 : 3.5 * characterMs(baud, format);
}

export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

export function rtuFrame(unit: number, pdu: Uint8Array): Uint8Array {
  const frame = new Uint8Array(pdu.length + 3);
  frame[0] = unit;
  frame.set(pdu, 1);
  const crc = crc16(frame.subarray(0, -2));
  frame.set([crc & 0xff, crc >> 8], pdu.length + 1);
  return frame;
}

export function crcHolds(frame: Uint8Array): boolean {
  if (frame.length < 4) return false;
  const crc = crc16(frame.subarray(0, -2));
  return frame.at(-2) === (crc & 0xff) && frame.at(-1) === crc >> 8;
}

/** Bytes of a whole request frame; undefined: not known (yet), the silence must tell. */
export function requestBytes(frame: Uint8Array): number | undefined {
  const fc = frame[1];
  if (fc === undefined) return undefined;
  if ((fc >= 1 && fc <= 6) || fc === 8) return 8;
  if (fc === 15 || fc === 16) return plus(9, frame[6]);
  if (fc === 17) return 4;
  if (fc === 22) return 10;
  if (fc === 23) return plus(13, frame[10]);
  return fc === 43 ? 7 : undefined;
}

function plus(fixed: number, count: number | undefined): number | undefined {
  return count === undefined ? undefined : fixed + count;
}

/** Requests out of a stream that has no silence between frames: RTU over TCP. */
export class RtuStream {
  #rest: Uint8Array = new Uint8Array(0);

  /** Whole frames with a right checksum; what cannot be one is dropped with all that came. */
  push(bytes: Uint8Array): readonly { readonly unit: number; readonly pdu: Uint8Array }[] {
    let all = Uint8Array.of(...this.#rest, ...bytes);
    const frames: { readonly unit: number; readonly pdu: Uint8Array }[] = [];
    for (;;) {
      const length = requestBytes(all);
      if (length === undefined || all.length < length) break;
      const frame = all.subarray(0, length);
      if (!crcHolds(frame)) {
        all = new Uint8Array(0);
        break;
      }
      frames.push({ unit: frame[0] ?? 0, pdu: frame.slice(1, -2) });
      all = all.slice(length);
    }
    // Longer than any frame, and still none: noise.
    this.#rest = all.length > 256 ? new Uint8Array(0) : all;
    return frames;
  }
}
