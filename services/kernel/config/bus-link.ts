/**
 * What a bus is: in a few words for people, and as a speed for planners.
 *
 * The idea: one text for checks, logs, records and errors. It refuses to open anything.
 */
import type { LineSpeed } from "#drivers/wire-time.js";
import type { BusLink } from "./cell.js";

/** `127.0.0.1:502`, `RTU over 10.0.0.7:4001`, `/dev/ttyUSB0 19200 8E1`. */
export function linkText(link: BusLink): string {
  switch (link.kind) {
    case "tcp":
      return `${link.host}:${link.port}`;
    case "rtuOverTcp":
      return `RTU over ${link.host}:${link.port}`;
    case "serial":
      return `${link.path} ${link.baud} ${link.format}`;
    default:
      return link satisfies never;
  }
}

/** A start bit, eight data bits, parity, and stop bits. */
export function lineSpeed(line: {
  readonly baud: number;
  readonly format: "8N1" | "8N2" | "8E1" | "8O1";
}): LineSpeed {
  return { baud: line.baud, bitsPerChar: line.format === "8N1" ? 10 : 11 };
}
