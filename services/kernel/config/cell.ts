/**
 * The shape of a validated cell: what the cell file says, resolved, in plain numbers.
 *
 * The idea: the file is read and checked once (cell-file.ts), then frozen; services take this and
 * never look at YAML again. Durations in ms, lengths in the axis' user unit. It refuses to hold
 * anything that only one service needs at run time.
 */
import type { AxisSetup, DeviceSetup } from "#drivers/device-model.js";
import type { Profile } from "#drivers/profile.js";
import type { Ms } from "#drivers/reading.js";
import type { RuleConfig, SagaDefinition, SuspendConfig, ZoneConfig } from "./saga.js";

/** Character format of a serial line: data bits, parity, stop bits. */
export type SerialFormat = "8N1" | "8N2" | "8E1" | "8O1";

/** What a bus is made of. */
export type BusLink =
  /** A Modbus TCP endpoint of a device or gateway. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** A bridge that passes RTU frames over TCP; the serial side is the bridge's own. */
  | { readonly kind: "rtuOverTcp"; readonly host: string; readonly port: number }
  | {
      readonly kind: "serial";
      /** Stable path of the port, such as /dev/serial/by-id/…. */
      readonly path: string;
      readonly baud: number;
      readonly format: SerialFormat;
      /** The adapter hears what it sends. @default false */
      readonly echo: boolean;
    };

/** What one unit asks of the line beyond t3.5, from its profile. Milliseconds. */
export interface UnitTiming {
  readonly unit: number;
  /** Silence before a request to it and after its reply, where more than t3.5. */
  readonly silenceMs: Ms;
  /** Silence after a write to it. */
  readonly afterWriteMs: Ms;
  /** Longest wait for the first byte of its reply [PROTOCOL 9]. */
  readonly firstByteMs: Ms;
  /** What it usually takes between the request and the first byte of its reply. */
  readonly turnaroundMs: Ms;
  /** It lists broadcast writes. */
  readonly broadcast: boolean;
  /** Function bytes of its error replies that the norm does not have. */
  readonly functionBytes?: readonly number[];
}

export interface BusConfig {
  readonly id: string;
  readonly link: BusLink;
  /** The units of the cell on it, in rising order. */
  readonly units: readonly UnitTiming[];
  /** Loopback TCP port of the read-only poll lane, for vendor tools; absent: none. */
  readonly pollPort?: number;
  /** Longest wait for a whole reply, per request. @default 200 */
  readonly replyTimeoutMs: Ms;
}

export interface DeviceConfig {
  readonly id: string;
  readonly profile: Profile;
  readonly bus: string;
  readonly setup: DeviceSetup;
  readonly leaseMs: Ms;
  readonly pollFastMs: Ms;
  readonly pollIdleMs: Ms;
  readonly pollSlowMs: Ms;
  /** Consecutive failed logical calls that open the breaker. @default 3 */
  readonly breakerFailures: number;
  /** Pause before a half-open probe. @default 2000 */
  readonly breakerResetMs: Ms;
  /** What a simulated device of this kind needs beyond the profile. */
  readonly simulate: { readonly [name: string]: number | string | boolean };
}

/** `z.position >= 50 mm`: all terms must hold. `text` is the source, for people. */
export interface Condition {
  readonly text: string;
  readonly terms: readonly ConditionTerm[];
}
export interface ConditionTerm {
  readonly device: string;
  /** A field of DeviceView: position, velocity, homed, enabled, moving, gripped, … */
  readonly field: string;
  readonly op: ">=" | "<=" | ">" | "<" | "==" | "!=";
  readonly value: number | boolean;
}

export interface InterlockConfig {
  readonly name: string;
  /** Devices whose motion needs the permit. */
  readonly moves: readonly string[];
  /** The one device whose driver evaluates and publishes it. */
  readonly evaluator: string;
  readonly require: Condition;
  /** Greatest accepted run-on distance, user units of the moving axes. */
  readonly margin: number;
}

export interface CellConfig {
  readonly file: string;
  readonly cell: string;
  readonly prefix: string;
  /** SHA-256 of the effective configuration, hex. */
  readonly hash: string;
  readonly broker:
    | { readonly kind: "embedded"; readonly host: string; readonly port: number }
    | { readonly kind: "external"; readonly url: string };
  readonly gateway: { readonly host: string; readonly port: number };
  /** Where the services keep their files: `{dataDir}/{service}.db`, … Absolute. */
  readonly dataDir: string;
  /** Where the Unix sockets live; short, private to the service user. Absolute. */
  readonly runDir: string;
  readonly beatMs: Ms;
  /** True: the devices of this cell are simulated ones, served on this PC. */
  readonly simulation?: boolean;
  readonly onRunFailure: "cell" | "run";
  /** Groups of devices whose drivers share a process. @default one process each */
  readonly isolation?: readonly (readonly string[])[];
  readonly buses: readonly BusConfig[];
  readonly devices: readonly DeviceConfig[];
  readonly interlocks: readonly InterlockConfig[];
  readonly sagas: readonly SagaDefinition[];
  /** Sagas that events start. @default none */
  readonly rules?: readonly RuleConfig[];
  /** Who acknowledges events, besides the rules. @default none */
  readonly consumers?: readonly string[];
  /** Failure groups. @default none */
  readonly zones?: readonly ZoneConfig[];
  readonly suspend?: readonly SuspendConfig[];
}

export type {
  MakeSafe,
  SagaDefinition,
  SagaOperation,
  SagaStepDefinition,
} from "./saga.js";
export type { AxisSetup, DeviceSetup };
