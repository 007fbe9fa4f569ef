/**
 * A wire named on the command line, opened by the command itself.
 *
 * The idea: `/dev/ttyUSB0`, `10.0.0.7:502` and `rtu:10.0.0.7:4001` are all that a person at a
 * cabinet has; the tools open them as the bus service would. It refuses to wait for ever: a wire
 * that does not stand in time is an error that says why.
 */
import type { Ms } from "#drivers/reading.js";
import { linkText } from "#kernel/config/bus-link.js";
import type { BusLink, SerialFormat, UnitTiming } from "#kernel/config/cell.js";
import { parseEndpoint } from "#kernel/config/endpoints.js";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import { ServocellError } from "#kernel/errors.js";
import type { Log, Wire } from "#kernel/ports.js";

export interface LineSettings {
  readonly baud: number;
  readonly format: SerialFormat;
  readonly echo: boolean;
}

/** A wire that is up after this long is up; otherwise it is said to be not. */
const upMsMax: Ms = 3000;
const lookMs: Ms = 20;

export const serialFormats: readonly SerialFormat[] = ["8N1", "8N2", "8E1", "8O1"];

/** True where the text names a serial port. */
export function isSerial(where: string): boolean {
  return where.startsWith("/") || where.startsWith("./") || where.startsWith("../");
}

/** @throws VALIDATION_FAILED for a text that names no wire. */
export function linkOf(where: string, line: LineSettings): BusLink {
  if (isSerial(where)) return { kind: "serial", path: where, ...line };
  const framed = where.startsWith("rtu:");
  const endpoint = parseEndpoint(framed ? where.slice(4) : where);
  if (endpoint !== undefined) return { kind: framed ? "rtuOverTcp" : "tcp", ...endpoint };
  const text = `${where} names no wire: write a port (/dev/…), host:port or rtu:host:port.`;
  throw new ServocellError("VALIDATION_FAILED", text);
}

/**
 * Opens it and waits until it stands.
 * @throws DEVICE_UNREACHABLE when it does not stand in 3 s; the text says what was tried.
 */
export async function openWire(link: BusLink, units: readonly UnitTiming[] = []): Promise<Wire> {
  const complaints: string[] = [];
  const note = (fields: object, text: string) => {
    const why = "why" in fields ? `: ${String(fields.why)}` : "";
    complaints.push(`${text}${why}`);
  };
  const log: Log = { debug: () => {}, info: () => {}, warn: note, error: note };
  const wire = await wireOf(link, units, log);
  const untilMs = performance.now() + upMsMax;
  while (!wire.connected && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  if (wire.connected) return wire;
  await wire.close();
  const why = complaints.at(-1) ?? "nothing was heard of it";
  const text = `${linkText(link)} does not stand after ${upMsMax / 1000} s: ${why}.`;
  throw new ServocellError("DEVICE_UNREACHABLE", text);
}

async function wireOf(link: BusLink, units: readonly UnitTiming[], log: Log): Promise<Wire> {
  switch (link.kind) {
    case "tcp":
      return openModbusWire({ host: link.host, port: link.port, log });
    case "rtuOverTcp": {
      const { openRtuOverTcpWire } = await import("#kernel/edge/rtu-tcp-wire.js");
      return openRtuOverTcpWire({ host: link.host, port: link.port, units, log });
    }
    case "serial": {
      const { openLineWire } = await import("#kernel/edge/line-wire.js");
      return openLineWire({ link, units, log });
    }
    default:
      return link satisfies never;
  }
}
