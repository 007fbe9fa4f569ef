/**
 * The wire of a bus, by the kind of its link.
 *
 * The idea: each kind is loaded only where it is used, so a TCP bus needs no serial library. It
 * refuses to choose: the cell file says what a bus is.
 */
import type { BusConfig } from "../config/cell.js";
import type { Log, Wire } from "../ports.js";

/** Each kind of wire is loaded only where it is used. */
export async function openWire({ link, units }: BusConfig, log: Log): Promise<Wire> {
  switch (link.kind) {
    case "tcp": {
      const { openModbusWire } = await import("./modbus-wire.js");
      return openModbusWire({ host: link.host, port: link.port, log });
    }
    case "rtuOverTcp": {
      const { openRtuOverTcpWire } = await import("./rtu-tcp-wire.js");
      return openRtuOverTcpWire({ host: link.host, port: link.port, units, log });
    }
    case "serial": {
      const { openLineWire } = await import("./line-wire.js");
      return openLineWire({ link, units, log });
    }
    default:
      return link satisfies never;
  }
}
