/**
 * A recording as a cell that can be served: one bus, and on it every unit that was asked.
 *
 * The idea: the person says where it is to answer; what was a line keeps its baud rate. It
 * refuses a place that is none.
 */
import { endpointOf, type SimBus, type SimCell } from "./cell-file.js";
import { SimProblem } from "./problem.js";
import { type Recording, readRecording } from "./recording.js";

const busId = "recorded";
const lineUsual = { baud: 19_200, format: "8E1" } as const;

export interface RecordedPlace {
  readonly file: string;
  /** Path of the terminal's link. */
  readonly serial?: string;
  /** host:port @default 127.0.0.1, a free port */
  readonly tcp?: string;
}

/** @throws SimProblem */
export function recordedCell(place: RecordedPlace): SimCell {
  const recording = readRecording(place.file);
  const devices = recording.units.map((recorded) => ({
    id: recorded.device,
    bus: busId,
    setup: { unit: recorded.unit },
    recorded,
  }));
  return { buses: [busOf(place, recording)], devices };
}

function busOf({ serial, tcp }: RecordedPlace, { line }: Recording): SimBus {
  if (serial !== undefined) {
    if (serial.startsWith("/dev/")) {
      throw new SimProblem(`${serial} may be a real port; name a path outside /dev.`);
    }
    return { id: busId, kind: "line", ...(line ?? lineUsual), echo: false, path: serial };
  }
  const endpoint = endpointOf(tcp ?? "127.0.0.1:0");
  if (endpoint === undefined) throw new SimProblem(`${tcp} is not host:port.`);
  return { id: busId, kind: "tcp", ...endpoint, framing: "mbap" };
}
