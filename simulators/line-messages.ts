/**
 * What a simulated line's thread and the simulation tell each other.
 *
 * The idea: requests and replies as messages, counters in shared memory, so that a look at them
 * asks nobody. It refuses behaviour.
 */
import type { LineFormat } from "./rtu.js";

export interface LineSetup {
  /** Where the symlink to the pseudo-terminal is made. */
  readonly path: string;
  readonly baud: number;
  readonly format: LineFormat;
  /** The adapter hears itself. */
  readonly echo: boolean;
  /** Frames of a master whose terminal is set to another rate are not heard. */
  readonly rateMatters: boolean;
  /** Silence that a unit needs before a request to it, ms, beyond t3.5. */
  readonly silences: Readonly<Record<number, number>>;
  readonly counts: SharedArrayBuffer;
}

export type FromLine =
  | { readonly kind: "plugged"; readonly pts: string }
  | { readonly kind: "unplugged" }
  | {
      readonly kind: "request";
      readonly unit: number;
      readonly pdu: Uint8Array;
      /** First byte handed over, and the end of its last character on the wire. */
      readonly beganMs: number;
      readonly endMs: number;
      /** Silence before it. */
      readonly gapMs: number;
    }
  | { readonly kind: "noise"; readonly tMs: number; readonly text: string }
  | {
      readonly kind: "violation";
      readonly tMs: number;
      readonly gapMs: number;
      readonly neededMs: number;
    };

export type ToLine =
  | { readonly kind: "reply"; readonly bytes: Uint8Array; readonly dueMs: number }
  | { readonly kind: "echo"; readonly on: boolean }
  | { readonly kind: "plug" }
  | { readonly kind: "unplug" }
  | { readonly kind: "close" };

export const counterNames = [
  /** Requests with a right checksum. */
  "frames",
  "replies",
  /** Silences that were judged, and those shorter than t3.5 [MODBUS serial 2.5.1.1]. */
  "gaps",
  "violations",
  /** Silences not judged: this machine was so late with a reply that the master had given up. */
  "disturbed",
  /** Silences shorter than the profile of the unit that was asked wants. */
  "unitViolations",
  "shortestGapMs",
  "checksums",
  /** Both sides at once. */
  "collisions",
  "dropped",
  /** How late this machine was with replies: at most, and in sum. */
  "lateMsMax",
  "lateMsSum",
  /** Silences of less than 50 ms, in number and in sum: what a master that never pauses needs. */
  "briefGaps",
  "briefGapsMsSum",
] as const;
export type CounterName = (typeof counterNames)[number];

export function counter(name: CounterName): number {
  return counterNames.indexOf(name);
}
