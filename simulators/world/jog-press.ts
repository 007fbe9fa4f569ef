/**
 * A press of a jog button as a plan has it.
 *
 * The idea: data beside the other faults of a plan, so that a failing press is written to a file
 * and played again. It refuses to act; finger.ts does.
 */

export const fingerEnds = ["letGo", "cut", "numb", "again"] as const;
/** How a finger leaves a button. */
export type FingerEnd =
  /** Says so. */
  | "letGo"
  /** Its connection closes. */
  | "cut"
  /** Echoes nothing any more. */
  | "numb"
  /** Echoes nothing for a while, then all that it has ever heard. */
  | "again";

/** A press as a plan has it; user units per second, with its sign. */
export interface JogPress {
  readonly device: string;
  readonly velocity: number;
  /** From the press to the lifting, ms. */
  readonly forMs: number;
  readonly end: FingerEnd;
  /** How long the person waits for the end of open runs before pressing, ms. @default 0 */
  readonly patienceMs?: number;
  readonly mode: "Manual" | "Maintenance";
  /** Interlocks that are to be left out of account. */
  readonly bypass?: readonly string[];
}
