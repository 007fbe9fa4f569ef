/**
 * The payloads that services exchange, as schemas.
 *
 * The idea: one schema per message, from which the types, the checks on receipt and the
 * published documents come. Flat JSON, numbers as numbers, `ts` in epoch milliseconds; unknown
 * fields are ignored by readers. It refuses to know topics (topics.ts) and transports (edge/).
 */
import * as z from "zod";
import { cellModes } from "../config/saga.js";

const v = z.literal(1);
const ts = z.number();
/** Ids: `[a-z0-9][a-z0-9_-]{0,62}` (devices, sagas, services, cells). */
export const idSchema = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/);
/** Ids of commands, stops and runs: ULIDs or what a caller chose, 1–64 plain characters. */
export const commandIdSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const json: z.ZodType<import("#drivers/reading.js").Json> = z.json() as never;
const detail = z.record(z.string(), json);
const quality = z.enum(["good", "stale", "bad"]);

/** Who asked: a person or a service. */
export const bySchema = z.object({ user: z.string(), role: z.string() });

export const verdictSchema = z.discriminatedUnion("verdict", [
  z.object({ verdict: z.literal("done"), result: detail }),
  z.object({
    verdict: z.enum(["refused", "faulted", "unknown"]),
    code: z.string(),
    text: z.string(),
    detail: detail.optional(),
  }),
]);

export const availSchema = z.object({
  v,
  status: z.enum(["online", "degraded", "offline"]),
  ts,
  bootId: z.string(),
  version: z.string(),
  pid: z.number().optional(),
  /** What a degraded service cannot do at present. */
  text: z.string().optional(),
});

export const metaInfoSchema = z.object({
  v,
  ts,
  cell: z.string(),
  version: z.string(),
  configHash: z.string(),
  simulated: z.boolean(),
});

/** Per device: what it is, what it can do, what its numbers mean. */
export const metaDeviceSchema = z.object({
  v,
  ts,
  device: idSchema,
  profile: z.string(),
  kind: z.enum(["servo", "inverter", "gripper", "io"]),
  bus: idSchema,
  unit: z.number(),
  positionUnit: z.string(),
  velocityUnit: z.string(),
  travel: z.object({ min: z.number(), max: z.number() }).optional(),
  velocityMax: z.number().optional(),
  verbs: z.array(z.string()),
  waysToStop: z.object({
    operator: z.boolean(),
    lease: z.boolean(),
    guardian: z.boolean(),
    watchdog: z.string(),
  }),
  leaseMs: z.number(),
});

/** What a saga asks for when it is started. */
export const sagaInputSchema = z.object({
  kind: z.enum(["number", "boolean", "text"]),
  unit: z.string().optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  choices: z.array(z.string()).optional(),
  default: z.union([z.number(), z.boolean(), z.string()]).optional(),
  text: z.string().optional(),
});

export const metaSagasSchema = z.object({
  v,
  ts,
  sagas: z.array(
    z.object({
      name: idSchema,
      title: z.string(),
      version: z.string(),
      uses: z.array(idSchema),
      prepare: idSchema.optional(),
      mode: z.enum(cellModes).optional(),
      priority: z.number().optional(),
      inputs: z.record(z.string(), sagaInputSchema).optional(),
      steps: z.array(
        z.object({
          name: z.string(),
          text: z.string(),
          /** The container it stands in, by index. */
          parent: z.number().optional(),
        }),
      ),
    }),
  ),
});

/** The states of PackML; their numbers as PackTags are the index here plus 1. */
export const cellStates = [
  "Clearing",
  "Stopped",
  "Starting",
  "Idle",
  "Suspended",
  "Execute",
  "Stopping",
  "Aborting",
  "Aborted",
  "Holding",
  "Held",
  "Unholding",
  "Suspending",
  "Unsuspending",
  "Resetting",
  "Completing",
  "Complete",
] as const;
export const cellCommands = [
  "start",
  "stop",
  "quickStop",
  "abort",
  "reset",
  "clear",
  "hold",
  "unhold",
  "suspend",
  "unsuspend",
  "mode",
] as const;

export const stateCellSchema = z.object({
  v,
  ts,
  seq: z.number(),
  bootId: z.string(),
  q: quality,
  state: z.enum(cellStates),
  mode: z.enum(cellModes),
  /** The state as a PackTags number, for readers that count. */
  packml: z.number().int().optional(),
  since: ts,
  reason: z.object({ code: z.string(), text: z.string() }),
  allowed: z.array(z.enum(cellCommands)),
  /** Devices that a person has taken out of use. */
  excluded: z.array(idSchema).optional(),
});

export const deviceStates = ["unconfigured", "inactive", "active", "faulted"] as const;

/** Fields are absent (never 0) when there is no good reading; `q` and `reasons` say why. */
export const stateAxisSchema = z.object({
  v,
  ts,
  seq: z.number(),
  bootId: z.string(),
  q: quality,
  state: z.enum(deviceStates),
  driveState: z.string().optional(),
  enabled: z.boolean().optional(),
  homed: z.boolean().optional(),
  moving: z.boolean().optional(),
  inTarget: z.boolean().optional(),
  fault: z.boolean().optional(),
  gripped: z.boolean().optional(),
  position: z.number().optional(),
  velocity: z.number().optional(),
  faultCode: z.number().optional(),
  /** Modules: inputs and outputs of one bit. */
  signals: z.record(z.string(), z.boolean()).optional(),
  command: z.object({ id: z.string(), verb: z.string() }).optional(),
  lease: z.object({ holder: z.string(), epoch: z.number() }).optional(),
  latched: z.array(z.string()),
  /** The drive's own watchdog: verified, off, wrong-reaction, none, unknown, fedByNeighbours. */
  watchdog: z.string().optional(),
  stop: z.object({ id: z.string(), status: z.enum(["stopping", "confirmed", "owed"]) }).optional(),
  reasons: z.record(z.string(), z.string()),
});

export const stateDeviceSchema = z.object({
  v,
  ts,
  seq: z.number(),
  bootId: z.string(),
  link: z.enum(["up", "stale", "down"]),
  breaker: z.enum(["closed", "open", "half-open"]),
  /** Wall clock of the last good reply; absent before the first. */
  lastSeen: ts.optional(),
  lastError: z.string().optional(),
  identity: z.enum(["unknown", "match", "mismatch"]),
  pollPeriodMs: z.number(),
});

/** Latched stops; owned by the coordinator, rebuilt at its boot from the drivers. */
export const stateStopSchema = z.object({
  v,
  ts,
  bootId: z.string(),
  stops: z.array(z.object({ id: z.string(), ts, kind: z.string(), by: bySchema })),
});

export const runStates = [
  "pending",
  "running",
  "stopping",
  "makingSafe",
  "completed",
  "madeSafe",
  "stopped",
  "needsOperator",
] as const;

export const runStepSchema = z.object({
  name: z.string(),
  text: z.string(),
  status: z.enum(["pending", "running", "done", "refused", "faulted", "unknown", "skipped"]),
  startedAt: ts.optional(),
  durationMs: z.number().optional(),
  error: z.object({ code: z.string(), text: z.string() }).optional(),
  safe: z.enum(["none", "pending", "running", "done", "failed"]),
  safeText: z.string().optional(),
  safeError: z.object({ code: z.string(), text: z.string() }).optional(),
  /** The container it stands in, by index. */
  parent: z.number().optional(),
  /** Attempts of the newest time it was begun, where more than one. */
  attempts: z.number().optional(),
  /** How often it was begun, where more than once. */
  times: z.number().optional(),
});

export const runSchema = z.object({
  run: commandIdSchema,
  saga: idSchema,
  version: z.string(),
  state: z.enum(runStates),
  cause: z.object({ code: z.string(), text: z.string() }),
  by: bySchema,
  startedAt: ts,
  endedAt: ts.optional(),
  steps: z.array(runStepSchema),
  /** What is not known, and what a person may choose; empty unless needsOperator or stopped. */
  unknowns: z.array(z.object({ device: z.string(), text: z.string() })),
  choices: z.array(z.enum(["makeSafe", "abandon", "retry", "skip", "resolve"])),
  /** Why it stands still although it is running: held, suspended, waits for devices or a person. */
  waits: z.string().optional(),
  /** Questions to a person, each with the step that asks. */
  asks: z
    .array(z.object({ step: z.string(), text: z.string(), choices: z.array(z.string()) }))
    .optional(),
  inputs: z.record(z.string(), z.union([z.number(), z.boolean(), z.string()])).optional(),
});

/** All open runs, who needs a person first; then the newest ended ones, up to 20 in all. */
export const stateRunSchema = z.object({
  v,
  ts,
  seq: z.number(),
  bootId: z.string(),
  runs: z.array(runSchema),
});

export const telemetryAxisSchema = z.object({
  v,
  ts,
  seq: z.number(),
  position: z.number().optional(),
  velocity: z.number().optional(),
  q: quality,
});

/** How a bus fares; what is not known yet is left out. */
export const telemetryBusSchema = z.object({
  v,
  ts,
  /** Share of the time since the last one in which the wire had an exchange; 0 to 1. */
  utilisation: z.number().optional(),
  /** What a stop has waited for the wire at most since the start of the service. */
  stopWaitMsMax: z.number(),
});

/**
 * CloudEvents 1.0, structured JSON. `id` is unique; events arrive at least once, and those of one
 * source carry rising numbers: nothing is kept between an event and the one that it follows.
 */
export const eventSchema = z.object({
  specversion: z.literal("1.0"),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.string(),
  datacontenttype: z.literal("application/json"),
  /** Given by the source, never twice. */
  sequence: z.number().int().positive().optional(),
  /** 0: nothing before it is kept. */
  follows: z.number().int().nonnegative().optional(),
  data: detail,
});

/** An interlock's condition as its evaluating driver sees it now. */
export const permitSchema = z.object({
  v,
  ts,
  bootId: z.string(),
  n: z.number(),
  ok: z.boolean(),
  text: z.string(),
});

export const beatSchema = z.object({ v, bootId: z.string(), n: z.number() });

/** A stop is understood with nothing but an id; everything else is for the record. */
export const stopOrderSchema = z.object({
  id: z.string(),
  ts: ts.optional(),
  by: bySchema.optional(),
  reason: z.string().optional(),
  v: z.number().optional(),
  /** True: an operator's stop, latched. False: a run's own stop before makeSafe. */
  latch: z.boolean().optional(),
  /** Devices meant by a cell-wide order; absent: all. */
  axes: z.array(z.string()).optional(),
});

/** A driver's word on a stop, QoS 0 on the stop connection and on the local socket. */
export const stopAckSchema = z.object({
  v,
  ts,
  bootId: z.string(),
  axis: idSchema,
  id: z.string(),
  status: z.enum(["received", "confirmed", "unconfirmed"]),
  latched: z.boolean(),
  text: z.string().optional(),
  position: z.number().optional(),
});

export const commandSchema = z.object({
  v,
  id: commandIdSchema,
  ts,
  ttlMs: z.number().positive(),
  by: bySchema,
  /** Where the answer goes: `res/{replyTo}`. */
  replyTo: idSchema,
  lease: z.object({ holder: idSchema, epoch: z.number().int() }).optional(),
  args: z.record(z.string(), json),
});

export const responseSchema = z.object({
  v,
  id: commandIdSchema,
  ts,
  bootId: z.string(),
  source: idSchema,
  status: z.enum(["accepted", "running", "succeeded", "failed", "cancelled", "expired", "unknown"]),
  verdict: verdictSchema.optional(),
  error: z.object({ code: z.string(), message: z.string(), detail: detail.optional() }).optional(),
  result: detail.optional(),
});

/** A durable consumer has all events of a source up to this number; never retained. */
export const ackSourceSchema = z.object({ v, consumer: idSchema, seq: z.number().int() });

export type By = z.infer<typeof bySchema>;
export type StopOrder = z.infer<typeof stopOrderSchema>;
export type StopAck = z.infer<typeof stopAckSchema>;
export type Command = z.infer<typeof commandSchema>;
export type Response = z.infer<typeof responseSchema>;
export type RunRecord = z.infer<typeof runSchema>;
export type RunStep = z.infer<typeof runStepSchema>;
export type RunState = (typeof runStates)[number];
export type CellState = (typeof cellStates)[number];
export type CellCommand = (typeof cellCommands)[number];
export type DeviceState = (typeof deviceStates)[number];
export type StateCell = z.infer<typeof stateCellSchema>;
export type StateAxis = z.infer<typeof stateAxisSchema>;
export type StateDevice = z.infer<typeof stateDeviceSchema>;
export type CloudEvent = z.infer<typeof eventSchema>;
