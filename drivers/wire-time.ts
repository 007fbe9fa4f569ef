/**
 * What a frame costs on a serial line.
 *
 * The idea: a line has a speed and a character; from both follow the time of a frame and the
 * silence between two [MODBUS over serial line 2.5.1.1], so a planner can weigh one long read
 * against two short ones. Pure. It refuses to know ports and units.
 */
import type { Ms } from "./reading.js";

/** The line that a device hangs on. */
export interface LineSpeed {
  readonly baud: number;
  /** Start, data, parity and stop bits of one character. */
  readonly bitsPerChar: number;
}

/** Longest frame that a plan asks for [PROTOCOL 9]. */
export const frameMsMax: Ms = 60;
/** A unit that says nothing of itself begins its reply after about this. */
export const turnaroundMsDefault: Ms = 5;
/** Unit, PDU and CRC of a read request. */
export const readRequestBytes = 8;
/** Unit, function, byte count and CRC of a read reply. */
export const readReplyBytes = 5;
const silenceChars = 3.5;
const silenceMsAbove19200: Ms = 1.75;

export function charMs({ baud, bitsPerChar }: LineSpeed): Ms {
  return (bitsPerChar * 1000) / baud;
}

export function frameMs(line: LineSpeed, bytes: number): Ms {
  return bytes * charMs(line);
}

/** t3.5: above 19200 baud the norm has a fixed time. */
export function silenceMs(line: LineSpeed): Ms {
  return line.baud > 19_200 ? silenceMsAbove19200 : frameMs(line, silenceChars);
}

/** Bytes of data in the reply to a read. */
export function dataBytes(fc: number, count: number): number {
  return fc <= 2 ? Math.ceil(count / 8) : 2 * count;
}
