/**
 * RTU frames: one request's reply, found in whatever bytes come.
 *
 * The idea: RTU has no length field, so the request says what its reply looks like: unit,
 * function, byte count or echo, length, checksum. The earliest place in the stream where such a
 * frame can stand is waited for; whole valid frames of others are stepped over, so that their
 * data is never read as a frame; anything else is stepped over byte by byte. Gaps between bytes
 * mean nothing here: USB adapters make them at will. It refuses a reply that would not match, and
 * keeps no more than a few frames' worth of bytes.
 */
import { matchReply } from "#drivers/pdu.js";

/** Longest RTU frame [MODBUS over serial line 2.5.1]. */
export const rtuBytesMax = 256;
/** What is kept of a stream that will not become a frame. */
export const keptBytesMax = 4 * rtuBytesMax;
const crcBytes = 2;
const exceptionBytes = 5;

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

/** [MODBUS over serial line 6.2.2] */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let i = from; i < to; i += 1) {
    crc = (crc >> 8) ^ (crcTable[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  }
  return crc;
}

/** Unit, PDU and checksum. */
export function rtuFrame(unit: number, pdu: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + pdu.length + crcBytes);
  frame[0] = unit;
  frame.set(pdu, 1);
  const crc = crc16(frame, 0, 1 + pdu.length);
  frame[frame.length - 2] = crc & 0xff;
  frame[frame.length - 1] = crc >> 8;
  return frame;
}

/** Bytes of the whole RTU reply to a request, 0 where its function is not known. */
export function replyBytes(request: Uint8Array): number {
  const count = ((request[3] ?? 0) << 8) | (request[4] ?? 0);
  const lengths: { readonly [fc: number]: number } = {
    1: 5 + Math.ceil(count / 8),
    2: 5 + Math.ceil(count / 8),
    3: 5 + 2 * count,
    4: 5 + 2 * count,
    5: 8,
    6: 8,
    15: 8,
    16: 8,
    22: 10,
    23: 5 + 2 * count,
  };
  return lengths[request[0] ?? 0] ?? 0;
}

export interface RtuRequest {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** The frame that was sent, where the adapter hears itself: it has to come back first. */
  readonly echo?: Uint8Array | undefined;
  /** Whether a fitting reply may belong to an earlier request: then it is held. */
  readonly doubtful?: ((reply: Uint8Array) => boolean) | undefined;
  /** Hears of the replies of other units, and to other requests. */
  readonly onOther?: ((unit: number, reply: Uint8Array) => void) | undefined;
  /** Function bytes that this unit also puts on exceptions (profile: functionBytes). */
  readonly functionBytes?: readonly number[] | undefined;
}

/** What stands at one place of the stream. */
type Found =
  | { readonly pdu: Uint8Array; readonly raw: Uint8Array; readonly length: number }
  | "wait"
  | "no";

/** Collects the bytes that follow one request. Linear in what is pushed. */
export class RtuAssembler {
  readonly #request: RtuRequest;
  readonly #length: number;
  readonly #kept = new Uint8Array(keptBytesMax);
  #end = 0;
  #echo: Uint8Array | undefined;
  #heardBytes = 0;
  #noiseBytes = 0;
  #refused = 0;
  #strangers = 0;
  #ownHeard = false;
  #held: Uint8Array | undefined;

  constructor(request: RtuRequest) {
    this.#request = request;
    this.#length = replyBytes(request.pdu);
    this.#echo = request.echo;
  }

  /** Bytes that came and were not our own echo. */
  get heardBytes(): number {
    return this.#heardBytes;
  }

  /** Bytes that belonged to no frame. */
  get noiseBytes(): number {
    return this.#noiseBytes;
  }

  /** Valid frames of the asked unit with the asked function that do not match the request. */
  get refused(): number {
    return this.#refused;
  }

  /** Valid frames of others, or answers to another request. */
  get strangers(): number {
    return this.#strangers;
  }

  /** The newest reply that may be the one to an earlier request. */
  get held(): Uint8Array | undefined {
    return this.#held;
  }

  /** Our own request has come back, and not as the echo that was expected. */
  get ownHeard(): boolean {
    return this.#ownHeard;
  }

  /** The own frame has not come back although the line is said to echo. */
  get echoMissing(): boolean {
    return this.#echo !== undefined;
  }

  /** The PDU of the reply when these bytes complete it. The rest of these bytes is dropped. */
  push(chunk: Uint8Array): Uint8Array | undefined {
    for (let at = 0; at < chunk.length; at += rtuBytesMax) {
      this.#keep(chunk.subarray(at, at + rtuBytesMax));
      if (!this.#echoGone()) continue;
      const found = this.#scan();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #keep(bytes: Uint8Array): void {
    const over = this.#end + bytes.length - keptBytesMax;
    if (over > 0) this.#drop(over);
    this.#kept.set(bytes, this.#end);
    this.#end += bytes.length;
    if (this.#echo === undefined) this.#heardBytes += bytes.length;
  }

  #drop(count: number): void {
    this.#kept.copyWithin(0, count, this.#end);
    this.#end -= count;
  }

  /** Everything up to the end of our own frame goes, exactly; without it nothing counts. */
  #echoGone(): boolean {
    const echo = this.#echo;
    if (echo === undefined) return true;
    const begin = Buffer.from(this.#kept.buffer, 0, this.#end).indexOf(echo);
    if (begin < 0) return false;
    this.#echo = undefined;
    this.#noiseBytes += begin;
    this.#drop(begin + echo.length);
    this.#heardBytes += this.#end;
    return true;
  }

  #scan(): Uint8Array | undefined {
    /** Where a frame of someone else may still be coming in. */
    let open: number | undefined;
    let at = 0;
    while (at < this.#end) {
      const own = this.#ownAt(at);
      if (typeof own === "object") {
        at += own.length;
        if (this.#request.doubtful?.(own.raw) !== true) {
          this.#drop(at);
          return own.pdu;
        }
        this.#held = own.pdu;
        continue;
      }
      if (own === "wait") break;
      const length = this.#otherAt(at);
      if (length > 0) {
        at += length;
        continue;
      }
      if (length < 0) open ??= at;
      else if (open === undefined) this.#noiseBytes += 1;
      at += 1;
    }
    this.#drop(Math.min(open ?? at, at));
    return undefined;
  }

  #ownAt(at: number): Found {
    const { unit, pdu, functionBytes } = this.#request;
    const there = this.#end - at;
    const byte = (offset: number) => this.#kept[at + offset] ?? 0;
    if (byte(0) !== unit) return "no";
    if (there === 1) return "wait";
    const fc = pdu[0] ?? 0;
    const exception = byte(1) === (fc | 0x80) || functionBytes?.includes(byte(1)) === true;
    if (!exception && (byte(1) !== fc || !this.#mayMatch(at))) return "no";
    const length = exception ? exceptionBytes : this.#length;
    if (there < length) return "wait";
    if (!this.#crcHolds(at, length)) return "no";
    const raw = this.#kept.slice(at + 1, at + length - crcBytes);
    if (exception) return { pdu: Uint8Array.of(fc | 0x80, byte(2)), raw, length };
    return matchReply(pdu, raw).kind === "malformed" ? "no" : { pdu: raw, raw, length };
  }

  /** Whether what is there of byte count or echo is as it must be. */
  #mayMatch(at: number): boolean {
    const { pdu } = this.#request;
    const fc = pdu[0] ?? 0;
    if (fc <= 4 || fc === 23) {
      return this.#end - at < 3 || this.#kept[at + 2] === this.#length - 5;
    }
    const end = Math.min(this.#end - at, this.#length - crcBytes);
    for (let i = 1; i < end; i += 1) if (this.#kept[at + i] !== pdu[i - 1]) return false;
    return true;
  }

  /** Length of a whole valid frame that is not the reply; -1: may become one; 0: is none. */
  #otherAt(at: number): number {
    const there = this.#end - at;
    const fc = this.#kept[at + 1] ?? 0;
    if (there < 2) return -1;
    let open = false;
    for (const length of frameLengths(fc, this.#kept[at + 2] ?? 0, this.#kept[at + 6] ?? 0)) {
      if (length > rtuBytesMax) continue;
      if (there < length) open = true;
      else if (this.#crcHolds(at, length)) {
        this.#strangers += 1;
        const { unit, pdu } = this.#request;
        // Our own request, heard again, is no answer to it.
        const request = fc <= 4 && length === 8 && this.#kept[at + 2] !== 3;
        const own = this.#isOwn(at, length);
        this.#ownHeard ||= own;
        if (this.#kept[at] === unit && (fc & 0x7f) === pdu[0] && !request) this.#refused += 1;
        if (!request && !own) this.#tellOther(at, length);
        return length;
      }
    }
    return open ? -1 : 0;
  }

  #tellOther(at: number, length: number): void {
    const reply = this.#kept.slice(at + 1, at + length - crcBytes);
    this.#request.onOther?.(this.#kept[at] ?? 0, reply);
  }

  #isOwn(at: number, length: number): boolean {
    const { unit, pdu } = this.#request;
    if (this.#kept[at] !== unit || length !== pdu.length + 3) return false;
    return pdu.every((byte, i) => this.#kept[at + 1 + i] === byte);
  }

  #crcHolds(at: number, length: number): boolean {
    const end = at + length - crcBytes;
    const crc = (this.#kept[end] ?? 0) | ((this.#kept[end + 1] ?? 0) << 8);
    return crc16(this.#kept, at, end) === crc;
  }
}

/** How long a frame of this function can be, as a reply and as a request. */
function frameLengths(fc: number, third: number, seventh: number): readonly number[] {
  if (fc >= 0x80) return [exceptionBytes];
  if (fc >= 1 && fc <= 4) return [5 + third, 8];
  if (fc === 5 || fc === 6) return [8];
  if (fc === 15 || fc === 16) return [8, 9 + seventh];
  if (fc === 22) return [10];
  if (fc === 23) return [5 + third];
  return [];
}
