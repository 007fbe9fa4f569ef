/**
 * The wires of the product on the bytes of a world.
 *
 * The idea: framing, queues, silences, drains, deadlines and reconnects are the product's own; the
 * socket, the port and the waiting for a moment are virtual. The thread of a serial line is played
 * in the bus service's name, a message's delay away. It refuses to know what the bytes mean.
 */
import "../world/world-globals.js";
import type { BusConfig } from "#kernel/config/cell.js";
import {
  type LineEars,
  type LineThread,
  openLineWire,
  type StartLine,
} from "#kernel/edge/line-wire.js";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import { openRtuOverTcpWire } from "#kernel/edge/rtu-tcp-wire.js";
import { type LinePorts, type LineSetup, SerialLine } from "#kernel/edge/serial-line.js";
import type { Log, Wire } from "#kernel/ports.js";
import type { BytePipe } from "../world/byte-pipe.js";
import type { RtuLine } from "../world/rtu-line.js";

/** What a message between two threads takes, ms. */
const threadMs = 0.05;
/** A moment of the clock is a whole number of microseconds. */
const microsecondMs = 0.001;

/** @throws RangeError when the pipe is of another kind than the link. */
export function makeByteWire({ link, units }: BusConfig, pipe: BytePipe, log: Log): Wire {
  if (link.kind === "serial" && pipe.kind === "serial") {
    const claim = () => () => undefined;
    return openLineWire({ link, units, log, start: startOn(pipe), claim });
  }
  if (link.kind === "serial" || pipe.kind === "serial") throw new RangeError("not this pipe's bus");
  const open = () => pipe.connect();
  const { host, port } = link;
  return link.kind === "tcp"
    ? openModbusWire({ host, port, log, open })
    : openRtuOverTcpWire({ host, port, units, log, open });
}

function startOn(pipe: RtuLine): StartLine {
  const { clock } = pipe;
  const ports: LinePorts = {
    open: (options) => pipe.open(options),
    at: (moment, look, then) => {
      const leftMs = moment - clock.nowMs;
      const wake = () => {
        look();
        then();
      };
      if (leftMs > 0) return clock.schedule(leftMs + microsecondMs, wake);
      wake();
      return () => undefined;
    },
    reason: (thrown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  };
  return (setup: LineSetup, ears: LineEars): LineThread => {
    const later = (work: () => void) => clock.schedule(threadMs, work);
    const line = new SerialLine(setup, ports, (message) => later(() => ears.heard(message)));
    return {
      tell: (message) => {
        later(() => {
          void line.handle(message).then(() => {
            if (message.kind === "close") later(() => ears.over());
          });
        });
      },
      end: () => ears.over(),
    };
  };
}
