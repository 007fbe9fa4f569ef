/**
 * The door of this room: what a driver, a simulator or a check may ask of a device model.
 *
 * The idea: a profile (what a model is, as data) and a setup (what the cell file says of this
 * one device) compile into a `DeviceModel`. Everything above speaks user units (mm, mm/s, deg,
 * percent), and everything below speaks registers; the border is here. Pure: no sockets, no
 * files, no clocks; `nowMs` is always an argument. It refuses motion on values it cannot prove.
 */
import type { BadReason, Detail, Ms, Reading, Verdict } from "./reading.js";
import type { LineSpeed } from "./wire-time.js";

export type DeviceKind = "servo" | "inverter" | "gripper" | "io";

/** Verbs of PROTOCOL 15. `stop` and `quickStop` run as stop classes, see `StopClass`. */
export const verbs = [
  "moveTo",
  "moveBy",
  "velocity",
  "jog",
  "home",
  "enable",
  "disable",
  "stop",
  "quickStop",
  "hold",
  "grip",
  "release",
  "resetFault",
  "set",
] as const;
export type Verb = (typeof verbs)[number];

/** How an axis may be brought to a standstill; each may be missing in a profile. */
export const stopClasses = ["controlled", "fast", "coast", "disable"] as const;
export type StopClass = (typeof stopClasses)[number];

/** What the axis does when its power is taken away. No default for an axis (PROTOCOL 7). */
export type WhenOff = "stays" | "falls" | "coasts";

/** The mechanics of one axis, from the cell file. Lengths in mm or deg, see `unit`. */
export interface AxisSetup {
  readonly kind: "linear" | "rotary";
  /** User unit of position; velocity is unit/s, acceleration unit/s². Percent for inverters. */
  readonly unit: "mm" | "deg" | "percent";
  /** Encoder counts per motor revolution, > 0. */
  readonly countsPerRev: number;
  /** Motor revolutions : output revolutions, exact integers > 0. */
  readonly gear: { readonly motor: number; readonly output: number };
  /** User units per output revolution (pitch in mm, 360 for rotary), > 0. */
  readonly perRev: number;
  /** Endless axes: places are told and asked for within this, from 0; user units, > 0. */
  readonly modulo?: number;
  /** Software travel in user units; absent for endless axes. */
  readonly travel?: { readonly min: number; readonly max: number };
  /** Greatest velocity, user unit/s, > 0. */
  readonly velocityMax: number;
  /** Greatest acceleration, user unit/s², > 0. */
  readonly accelerationMax: number;
  /** Position tolerance of "arrived", user units, > 0. */
  readonly tolerance: number;
  readonly whenOff: WhenOff;
}

/** What the cell file says of one device, already validated and frozen. */
export interface DeviceSetup {
  readonly device: string;
  /** Modbus unit id 0–247 (1–247 on serial lines). */
  readonly unit: number;
  readonly axis?: AxisSetup;
  /** Further installation constants that the profile's unit expressions name. */
  readonly constants: { readonly [name: string]: number };
  /** Reason why velocity and jog are allowed without a verified drive watchdog. */
  readonly acceptNoWatchdog?: string;
  /** Reason why a device without a controlled and a fast stop may move all the same. */
  readonly acceptNoStop?: string;
  /** The cell file asks for this time of the drive's own watchdog, and allows to write it. */
  readonly watchdog?: { readonly setMs: Ms };
  /** Other units share its line, so their traffic may feed its watchdog. */
  readonly sharesLine?: boolean;
  /** The serial line that it hangs on; absent: TCP, or nobody knows. Reads are planned for it. */
  readonly wire?: LineSpeed;
}

/** One planned read: one request on the wire. `pdu` is the request without unit id. */
export interface ReadRequest {
  readonly fc: 1 | 2 | 3 | 4;
  readonly address: number;
  /** Registers (fc 3, 4) or bits (fc 1, 2). */
  readonly count: number;
  /** Names of the points that this block carries. */
  readonly points: readonly string[];
  readonly pdu: Uint8Array;
}

/** Decoded points: user units where the point has a quantity, else the raw number. */
export type PointValues = ReadonlyMap<string, number>;

/** The last known readings of a device, by point name. */
export type PointTable = ReadonlyMap<string, Reading<number>>;

/** The state of a drive by the first matching (mask, value) pair of its profile. */
export type DriveState =
  | "notReady"
  | "off"
  | "ready"
  | "switchedOn"
  | "enabled"
  | "stopping"
  | "faultReaction"
  | "fault"
  | "unknown";

/** What the points mean. Every field is a reading: absent facts carry their reason. */
export interface DeviceView {
  readonly state: Reading<DriveState>;
  readonly enabled: Reading<boolean>;
  readonly homed: Reading<boolean>;
  readonly moving: Reading<boolean>;
  readonly inTarget: Reading<boolean>;
  readonly fault: Reading<boolean>;
  readonly warning: Reading<boolean>;
  /** False: the drive ignores the fieldbus (local control). */
  readonly remote: Reading<boolean>;
  readonly limit: Reading<boolean>;
  /** Grippers: a part is held (contact). */
  readonly gripped: Reading<boolean>;
  readonly position: Reading<number>;
  readonly velocity: Reading<number>;
  readonly faultCode: Reading<number>;
  /** Modules (kind io): every input and output of one bit, by the name of its point. */
  readonly signals?: { readonly [name: string]: Reading<boolean> };
}

/** What the drive does by itself when the master is silent. */
export type WatchdogFacts =
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly note: string }
  | {
      readonly kind: "fixed";
      readonly timeoutMs: Ms;
      readonly reaction: string;
      readonly fedByNeighbours?: boolean;
    }
  | {
      readonly kind: "settable";
      readonly note: string;
      readonly fedByNeighbours: boolean;
      /** Registers that hold its time and reaction. */
      readonly points: readonly string[];
      readonly requests: readonly ReadRequest[];
    };

export const watchdogStates = [
  "verified",
  "off",
  "wrong-reaction",
  "none",
  "unknown",
  "fedByNeighbours",
] as const;

/** What is known of the watchdog now. Only `verified` counts [PROTOCOL 9]. */
export interface WatchdogFinding {
  readonly state: (typeof watchdogStates)[number];
  readonly text: string;
  readonly timeoutMs?: Ms;
}

export interface Finding {
  readonly ok: boolean;
  /** What was expected, and what was read. */
  readonly text: string;
}

/** A command that counts only while it is repeated. */
export interface RefreshDuty {
  readonly frames: readonly Uint8Array[];
  readonly everyMs: Ms;
  /** Without a repetition within this the device ends the motion by itself. */
  readonly deadlineMs: Ms;
}

/** A position register of 16 or 32 bits. */
export interface CounterFacts {
  /** User units of one full turn of the counter. */
  readonly span: number;
  /** The device takes targets modulo the counter and goes the short way. */
  readonly targetsWrap: boolean;
}

export interface AlarmFacts {
  readonly title: string;
  /** The position counts no longer. */
  readonly positionLost: boolean;
}

/** Stop class facts (PROTOCOL 6): `kept` classes go on until the rest of the path is discarded. */
export interface StopFacts {
  readonly remainder: "gone" | "kept";
  /**
   * Constant first frames that need no reading (write PDUs in order), for the guardian too. Empty
   * where no constant frame is harmless in every state; then the stop reads first.
   */
  readonly blind: readonly Uint8Array[];
  readonly keepsTorque: boolean;
}

/** A problem found in a file, for a person. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  /** The offending value as written. */
  readonly value?: string;
  readonly suggestion?: string;
  readonly severity: "error" | "warning";
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What may be asked of a compiled device. All methods are pure. */
export interface DeviceModel {
  readonly profileId: string;
  readonly kind: DeviceKind;
  readonly setup: DeviceSetup;
  /** Operations that the profile has, and that the setup allows. */
  readonly verbs: ReadonlySet<Verb>;
  /** Those of them with a step that may move something, whatever they are called. */
  readonly movers?: ReadonlySet<Verb>;
  /** The profile has an operation of its own for jog. */
  readonly ownJog?: boolean;
  readonly stops: { readonly [C in StopClass]?: StopFacts };
  readonly watchdog: WatchdogFacts;
  /** The register that counts the position, where it is one that may wrap. */
  readonly counter?: CounterFacts;
  /** What is known of the watchdog. Absent: what `watchdog` says is all. */
  judgeWatchdog?(points: PointTable): WatchdogFinding;
  /** Frames that set the watchdog as the cell file asks; only what differs. */
  watchdogFrames?(points: PointTable): readonly Uint8Array[];
  /** What is written in turn to feed the watchdog, where that takes a register of its own. */
  readonly watchdogFeed?: { readonly frames: readonly Uint8Array[]; readonly everyMs: Ms };
  /** Whether the parameters that must stand do stand, by a full read. */
  commissioned?(points: PointTable): Finding;
  /** What must be repeated while this motion goes on. */
  refresh?(verb: Verb, args: { readonly [name: string]: number }): RefreshDuty | undefined;
  /** Why this verb is not among `verbs`, for a person. */
  whyNot?(verb: string): string | undefined;
  /** What the profile says of a fault code. */
  alarm?(code: number): AlarmFacts | undefined;
  /** Reads enough for `view` and for continuity: status, position, velocity. */
  readonly pollFast: readonly ReadRequest[];
  /** The rest of what is read regularly (temperatures, currents, fault code). */
  readonly pollSlow: readonly ReadRequest[];
  /** Everything, shadow registers and identity included: the first read after boot. */
  readonly pollFull: readonly ReadRequest[];
  /** Matches a reply with its request (see pdu.ts) and splits it into values. */
  decode(request: ReadRequest, reply: Uint8Array): PointValues | BadReason;
  /** What the readings mean now. */
  view(points: PointTable): DeviceView;
  /** Whether the identity probe of the profile matches a full read. */
  identityMatches(points: PointTable): { readonly ok: boolean; readonly text: string };
  /** Whether a change between two readings shows that the drive has rebooted. */
  rebooted(before: PointTable, after: PointTable): boolean;
  /** The points that `rebooted` looks at. @default any of them */
  readonly rebootPoints?: readonly string[];
  /** Begins an operation; `refused` when the profile or the arguments do not allow it. */
  begin(request: OperationRequest): Begun;
  /**
   * Gives a moveTo under way a place further on, user units; the speed stays. Absent: the device
   * is not known to take one on the fly, so there is no leash for it.
   */
  beginRetarget?(request: Omit<OperationRequest, "verb" | "args"> & { position: number }): Begun;
  /**
   * Begins a stop of the class; undefined when the profile has none. With `points` the first
   * frame may be a better one than the blind frame (halt instead of quick stop); give them only if
   * the status in them was read after the last write of any operation or stop (docs/adr/0002).
   */
  beginStop(stopClass: StopClass, nowMs: Ms, points?: PointTable): OperationState | undefined;
  /** The only way an operation moves on. Undefined: the input means nothing in this state. */
  next(state: OperationState, input: OperationInput): OperationStep | undefined;
}

export interface OperationRequest {
  readonly verb: Verb;
  /** User units: position, velocity, acceleration, distance, force (percent), … */
  readonly args: { readonly [name: string]: number };
  readonly nowMs: Ms;
  readonly points: PointTable;
}

export type Begun =
  | { readonly ok: true; readonly state: OperationState }
  | { readonly ok: false; readonly verdict: Verdict };

/** Opaque to callers; plain data, safe to compare and to print. */
export interface OperationState {
  readonly verb: Verb | StopClass;
  /** True once a frame that may move something has been handed out. */
  readonly triggered: boolean;
  readonly inner: unknown;
}

export type OperationInput =
  /** First input, and whenever `wake` falls due. */
  | { readonly kind: "tick"; readonly nowMs: Ms }
  /** Outcome of the write effect. `notSent`: never on the wire. `unknown`: sent, no reply. */
  | {
      readonly kind: "wrote";
      readonly nowMs: Ms;
      readonly outcome: "acked" | "exception" | "notSent" | "unknown";
      readonly exception?: number;
    }
  /** Fresh values asked for by a read effect; `sentAtMs` is when that read was handed over. */
  | {
      readonly kind: "read";
      readonly nowMs: Ms;
      readonly sentAtMs: Ms;
      readonly values: PointValues;
    }
  /** The read effect brought nothing. */
  | { readonly kind: "readFailed"; readonly nowMs: Ms; readonly reason: BadReason };

export type OperationEffect =
  /**
   * One frame. `trigger` may move something and is never repeated; `level` may be repeated.
   * The runner looks at generation, lease and latch immediately before handing it over.
   */
  | { readonly kind: "write"; readonly pdu: Uint8Array; readonly role: "level" | "trigger" }
  /** Read these points afresh and hand them back as `read` or `readFailed`. */
  | { readonly kind: "read"; readonly requests: readonly ReadRequest[] }
  /** Nothing to do until then; come back with `tick`. */
  | { readonly kind: "wake"; readonly atMs: Ms }
  /** The trigger was accepted by the device (for `running`). */
  | { readonly kind: "accepted" }
  | { readonly kind: "end"; readonly verdict: Verdict };

/** At most one of write/read/wake/end per step, `accepted` may come before it. */
export interface OperationStep {
  readonly state: OperationState;
  readonly effects: readonly OperationEffect[];
}

export type { BadReason, Detail, Ms, Reading, Verdict };
