/**
 * The times of a serial line, computed from its baud rate and character format.
 *
 * The idea: a character is a start bit, eight data bits, parity or none, and stop bits; 3.5
 * characters of silence end a frame. Above 19200 baud the silence is fixed at 1.75 ms
 * [MODBUS over serial line 2.5.1.1]. Pure. It refuses to know any device.
 */
import type { Ms } from "#drivers/reading.js";
import type { SerialFormat } from "../config/cell.js";

const fixedAboveBaud = 19_200;
const fixedSilenceMs: Ms = 1.75;
const silenceCharacters = 3.5;

/** Start, data, parity and stop bits. */
export function bitsOf(format: SerialFormat): number {
  return format === "8N1" ? 10 : 11;
}

export function characterMs(baud: number, format: SerialFormat): Ms {
  return (1000 * bitsOf(format)) / baud;
}

/** t3.5: the silence that ends a frame. */
export function frameSilenceMs(baud: number, format: SerialFormat): Ms {
  return baud > fixedAboveBaud ? fixedSilenceMs : silenceCharacters * characterMs(baud, format);
}

/** What a frame of so many bytes takes on the wire. */
export function frameMs(bytes: number, baud: number, format: SerialFormat): Ms {
  return bytes * characterMs(baud, format);
}
