/**
 * What the command runner is built from, and what it says of a motion that it has triggered.
 *
 * The idea: its neighbours name these shapes without knowing the runner. Types only; it refuses
 * anything that runs.
 */
import type { DeviceModel } from "#drivers/device-model.js";
import type { Breaker, Log } from "#kernel/ports.js";
import type { AxisFrame, PlannedCommand } from "./axis-frame.js";
import type { CommandFacts } from "./command-checks.js";
import type { DeviceIo } from "./device-io.js";
import type { Jogs } from "./jogs.js";
import type { Journal } from "./journal.js";
import type { Outbox } from "./outbox.js";
import type { Interruption } from "./pipeline.machine.js";
import type { Readings } from "./readings.js";
import type { Responder } from "./responder.js";

export type Surroundings = Omit<
  CommandFacts,
  "nowMs" | "verb" | "args" | "given" | "running" | "model" | "view" | "place"
>;

export interface CommandParts {
  readonly model: DeviceModel;
  readonly io: DeviceIo;
  readonly breaker: Breaker;
  readonly readings: Readings;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly responder: Responder;
  readonly frame: AxisFrame;
  readonly jogs: Jogs;
  readonly log: Log;
  /** What the rest of the driver knows now. */
  readonly surroundings: () => Surroundings;
  /** The first interlock that forbids to move, with these left out of account. */
  readonly interlock: (bypass: readonly string[]) => string | undefined;
  readonly generation: () => number;
  /** Why no frame of this command may leave now; asked in the tick of the handover. */
  readonly forbidden: (verb: string, holder: string, epoch: number) => Interruption | undefined;
  /** Waits for a fresh status, bounded; undefined: the present one is fresh. */
  readonly fresh: () => Promise<void> | undefined;
  /**
   * A motion began or goes on (its verb), is over ("none"), or ended otherwise than done after its
   * trigger ("unfinished"): then the device may still hold the rest of it.
   */
  readonly onMotion: (verb: string, started?: StartedMotion) => void;
  readonly onChange: () => void;
  /** A jog will not go on, whatever the disk does: its button means nothing any more. */
  readonly onJogOver: (command: string, why: string) => void;
}

/** With the trigger of a motion: what the drive was asked for, and the last look of its command. */
export interface StartedMotion {
  readonly planned: PlannedCommand;
  readonly allowed: () => boolean;
}
