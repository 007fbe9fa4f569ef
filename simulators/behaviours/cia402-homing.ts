/**
 * Homing of a CiA 402 drive: a run to the switch at the machine's zero, and back to its edge.
 *
 * The idea: the switch is closed wherever the shaft is at or below zero. Towards it at the
 * homing speed, off it slowly, zero at its edge; methods 35 and 37 take the place as zero at
 * once. Dropping bit 4 interrupts the run. Pure; it refuses to know the other modes.
 */
import { type ServoCommand, type ServoMotion, servoStill } from "../plants/servo.js";

export type HomingPhase =
  /** No run since power-up or since the mode was left. */
  "idle" | "seek" | "leave" | "attained" | "interrupted" | "error";

/** What a rising edge of bit 4 begins. */
export function homingStart(method: number): HomingPhase {
  if (method === 35 || method === 37) return "attained";
  return method === 0 ? "error" : "seek";
}

export function homingRuns(phase: HomingPhase): boolean {
  return phase === "seek" || phase === "leave";
}

/** The phase after the shaft has moved to `motion` (machine counts, the switch at 0). */
export function homingNext(phase: HomingPhase, motion: ServoMotion): HomingPhase {
  if (phase === "seek" && motion.position <= 0) return "leave";
  if (phase === "leave" && motion.position === 0 && servoStill(motion)) return "attained";
  return phase;
}

/** Speeds in counts/s. */
export function homingCommand(
  phase: HomingPhase,
  options: {
    readonly fast: number;
    readonly slow: number;
    readonly acceleration: number;
  },
): ServoCommand {
  const ramps = { acceleration: options.acceleration, deceleration: options.acceleration };
  if (phase === "seek") return { kind: "velocity", velocity: -options.fast, ...ramps };
  if (phase === "leave") return { kind: "position", target: 0, velocity: options.slow, ...ramps };
  return { kind: "stop", deceleration: options.acceleration };
}
