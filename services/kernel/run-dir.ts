/**
 * Names of what stands in the run directory of a cell: local sockets, and who serves a bus.
 *
 * The idea: one place knows the names, so nobody is configured twice. It refuses to open them
 * (edge/ does).
 */
import type { Lane } from "./ports.js";

/** A lane of a bus: MBAP frames (Modbus TCP), unit id in the frame. */
export function lanePath(runDir: string, bus: string, lane: Lane): string {
  return `${runDir}/bus-${bus}-${lane}.sock`;
}
/** Guardian registration and pulses of a bus: one JSON object a line. */
export function guardPath(runDir: string, bus: string): string {
  return `${runDir}/bus-${bus}-guard.sock`;
}
/** The local stop socket of a driver: one JSON object a line. */
export function stopPath(runDir: string, device: string): string {
  return `${runDir}/stop-${device}.sock`;
}
/** Faults and state of the simulator, for tests and `--fault`: one JSON object a line. */
export function simControlPath(runDir: string): string {
  return `${runDir}/sim.sock`;
}
/** A word with the supervisor: one JSON object a line. */
export function supervisorPath(runDir: string): string {
  return `${runDir}/supervisor.sock`;
}
/** Where the pseudo-terminal of a simulated serial line is found. */
export function simulatedLinePath(runDir: string, bus: string): string {
  return `${runDir}/line-${bus}.tty`;
}
/** What happens on a bus, live: one FrameRecord a line. */
export function busTapPath(runDir: string, bus: string): string {
  return `${runDir}/bus-${bus}-tap.sock`;
}
/** Which process serves a bus and over which wire: a JSON object. */
export function busOwnerPath(runDir: string, bus: string): string {
  return `${runDir}/bus-${bus}.json`;
}
