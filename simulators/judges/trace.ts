/**
 * The trace of a cell: what happened, line after line, as judges and people read it.
 *
 * The idea: one form for a world in virtual time and for a cell of real processes, whose lines come
 * from the tap of the simulated devices, from the broker and from who kills and presses. A line
 * says what happened and never whether it was right. Lines that only a world can see are marked.
 * It refuses behaviour.
 */

/** A stop order was handed to a driver. */
export interface StopDelivered {
  readonly kind: "stopDelivered";
  readonly at: number;
  readonly device: string;
  readonly id: string;
  readonly road: "mqtt" | "socket";
  /** Boot id of the driver, where known. */
  readonly boot: string;
}

/** World only: a driver handed a frame to its lane. */
export interface Handed {
  readonly kind: "handed";
  readonly at: number;
  readonly device: string;
  readonly lane: "stop" | "command";
  /** Hex, without unit and checksum. */
  readonly pdu: string;
  readonly boot: string;
}

/**
 * A request reached a device. `reply` is absent when it gave none. Worlds write down writes only,
 * and with each how long ago the device last answered a read.
 */
export interface DeviceFrame {
  readonly kind: "frame";
  readonly at: number;
  readonly device: string;
  readonly pdu: string;
  readonly reply?: string;
  /** Whether the device obeyed. @default it answered, and not with an exception */
  readonly took?: boolean;
  /** Ms since the device last answered a read; Infinity: never. Absent: look at earlier frames. */
  readonly readAgoMs?: number;
}

export interface LeaseChange {
  readonly kind: "lease";
  readonly at: number;
  readonly device: string;
  readonly change: "granted" | "ended";
  readonly epoch: number;
  /** The driver's words, of an end. */
  readonly reason?: string;
}

export interface NodeLine {
  readonly kind: "killed" | "started" | "stalled" | "resumed";
  readonly at: number;
  /** Service and boot: `driver-x#3`. */
  readonly node: string;
}

/** A service ended by itself: an error that nobody handled. */
export interface Crashed {
  readonly kind: "crashed";
  readonly at: number;
  readonly node: string;
  readonly code: string;
  readonly text: string;
}

/** A plant began or ended to move. Position and velocity in raw units of the device. */
export interface Motion {
  readonly kind: "motion";
  readonly at: number;
  readonly device: string;
  readonly moving: boolean;
  readonly position: number;
}

/**
 * What is true of a plant: at the beginning of a trace, at least every 50 ms while it moves, when
 * it has come to rest, and when asked for.
 */
export interface Truth {
  readonly kind: "truth";
  readonly at: number;
  readonly device: string;
  readonly moving: boolean;
  /** In the axis' user unit, as the cell file's limits are; raw units where there is no axis. */
  readonly position: number;
  /** User units per second. */
  readonly velocity: number;
}

/** A lease holder's beat reached a driver. */
export interface Beat {
  readonly kind: "beat";
  readonly at: number;
  readonly device: string;
  readonly boot: string;
}

/** A driver said a word on a hold: a nonce to be echoed, or that the hold has ended. */
export interface HoldSaid {
  readonly kind: "holdSaid";
  readonly at: number;
  readonly device: string;
  readonly hold: string;
  readonly epoch: number;
  readonly state: "armed" | "pressed" | "ended";
  readonly nonce?: string;
  readonly reason?: string;
}

/** A heartbeat of a hold reached its driver; without a nonce it lets go. */
export interface Echo {
  readonly kind: "echo";
  readonly at: number;
  readonly device: string;
  readonly hold: string;
  readonly epoch: number;
  readonly nonce?: string;
  readonly ttlMs: number;
}

/** World only: a finger has left its button, whoever knows of it. */
export interface Lifted {
  readonly kind: "lifted";
  readonly at: number;
  readonly device: string;
  readonly hold: string;
  readonly how: string;
}

/** Something went wrong on purpose, or healed; in words for a timeline. */
export interface FaultLine {
  readonly kind: "fault";
  readonly at: number;
  readonly text: string;
  /** The kind of fault, for counting; absent for a healing. */
  readonly what?: string;
  /** The device that it befalls. */
  readonly device?: string;
  /** A device that lost its power: it does not know its place until it is homed again. */
  readonly rebooted?: string;
  /**
   * Its shaft was held by friction and is free: what the loop of a drive that holds its place had
   * pent up comes out of it now.
   */
  readonly freed?: string;
  /**
   * Frames of these devices may get lost, late or refused from now on (`ok: false`), or no longer
   * (`ok: true`); faults that overlap are counted. Absent: the fault leaves every way open. Bus and
   * driver processes that die or stall need no such line.
   */
  readonly reach?: { readonly devices: readonly string[]; readonly ok: boolean };
}

/** World only: a person's stop of the whole cell reached the coordinator. */
export interface StopHeard {
  readonly kind: "stopHeard";
  readonly at: number;
  readonly id: string;
}

/** World only: a person's choice for a run that was stopped reached the coordinator. */
export interface Chosen {
  readonly kind: "chosen";
  readonly at: number;
  readonly run: string;
  readonly choice: string;
}

/** A person pressed something. */
export interface Pressed {
  readonly kind: "pressed";
  readonly at: number;
  readonly what: string;
  readonly text: string;
}

/** A gripper holds a part, or holds none any more, by what its driver reads. */
export interface Held {
  readonly kind: "held";
  readonly at: number;
  readonly device: string;
  readonly held: boolean;
}

/** What a driver says of its axis in words, when one of them changes. */
export interface Said {
  readonly kind: "said";
  readonly at: number;
  readonly device: string;
  readonly text: string;
}

export interface RunLine {
  readonly kind: "run";
  readonly at: number;
  readonly run: string;
  readonly saga: string;
  readonly state: string;
  readonly ended: boolean;
}

export interface CellLine {
  readonly kind: "cell";
  readonly at: number;
  readonly state: string;
}

/**
 * A command for an axis was published (each copy is a line). `body` is JSON text with the fields
 * `verb`, `args` and `lease` as they were published, always in this order.
 */
export interface CommandLine {
  readonly kind: "command";
  readonly at: number;
  readonly from: string;
  readonly id: string;
  readonly device: string;
  readonly verb: string;
  readonly body: string;
}

/** World only: the coordinator's disk took the intent of a command. */
export interface Intent {
  readonly kind: "intent";
  readonly at: number;
  readonly id: string;
  readonly run: string;
  readonly step: string;
  readonly part: string;
}

/**
 * A driver answered a command for good, or confirmed a stop: then `id` is the order's and the
 * verdict is `done`. Truth of the plant at that moment beside it, in units as in `Truth`.
 */
export interface VerdictLine {
  readonly kind: "verdict";
  readonly at: number;
  readonly id: string;
  readonly device: string;
  readonly verdict: "done" | "refused" | "faulted" | "unknown";
  readonly code?: string;
  readonly position: number;
  readonly moving: boolean;
}

/**
 * An event was published (`published`) or handed to a durable consumer (`heard`). World only: the
 * disk of its source has it (`kept`); a consumer's disk has all up to this number (`taken`).
 */
export interface EventLine {
  readonly kind: "event";
  readonly at: number;
  readonly way: "kept" | "published" | "heard" | "taken";
  /** Service that it comes from, without its boot. */
  readonly source: string;
  readonly by: string;
  readonly seq: number;
  readonly id: string;
  readonly path: string;
}

/** The last retained state of an axis or device, taken at the end of a healed world. */
export interface LastState {
  readonly kind: "lastState";
  readonly at: number;
  readonly device: string;
  /** `good`, or why the reading may not be used. */
  readonly q: string;
  readonly position?: number;
  readonly moving?: boolean;
  readonly truePosition: number;
  readonly trueMoving: boolean;
}

/** At the end: a lock, lease or latch that is still held, by name. */
export interface LeftOver {
  readonly kind: "leftOver";
  readonly at: number;
  readonly what: "lock" | "lease" | "latch" | "run" | "armed";
  readonly text: string;
}

export type TraceLine =
  | StopDelivered
  | Handed
  | DeviceFrame
  | LeaseChange
  | NodeLine
  | Crashed
  | Motion
  | Truth
  | Beat
  | HoldSaid
  | Echo
  | Lifted
  | FaultLine
  | StopHeard
  | Chosen
  | Pressed
  | Held
  | Said
  | RunLine
  | CellLine
  | CommandLine
  | Intent
  | VerdictLine
  | EventLine
  | LastState
  | LeftOver;

export type LineOf<K extends TraceLine["kind"]> = Extract<TraceLine, { kind: K }>;

/** Lines of one kind, in order. */
export function linesOf<K extends TraceLine["kind"]>(
  trace: readonly TraceLine[],
  kind: K,
): LineOf<K>[] {
  return trace.filter((line): line is LineOf<K> => line.kind === kind);
}
