/**
 * What the gateway shows over HTTP and in its stream, as schemas.
 *
 * The idea: a resource is the last known state joined with what the cell file says, and it always
 * says how fresh it is; the page, the OpenAPI document and the routes share these shapes. A value
 * that is not known is absent, never 0. It refuses to know how a resource is put together
 * (services/gateway does).
 */
import * as z from "zod";
import { cellModes } from "../config/saga.js";
import {
  bySchema,
  cellCommands,
  cellStates,
  commandIdSchema,
  deviceStates,
  idSchema,
  runSchema,
  sagaInputSchema,
} from "./payloads.js";

const ts = z.number().describe("Wall clock, epoch milliseconds.");
const q = z.enum(["good", "stale", "bad"]);

export const serviceResource = z.object({
  service: z.string(),
  status: z.enum(["online", "degraded", "offline", "unknown"]),
  version: z.string().optional(),
});

/** `state` is unknown unless the coordinator is online under the same boot id (PROTOCOL 15). */
export const cellResource = z.object({
  cell: idSchema,
  prefix: z.string(),
  state: z.enum([...cellStates, "unknown"]),
  mode: z.enum([...cellModes, "unknown"]),
  packml: z.number().int().optional().describe("The state as a PackTags number."),
  since: ts.optional(),
  reason: z.object({ code: z.string(), text: z.string() }),
  allowed: z.array(z.enum(cellCommands)),
  excluded: z.array(idSchema).describe("Devices that a person has taken out of use."),
  broker: z.boolean().describe("Whether the gateway is connected to the broker."),
  simulated: z.boolean().optional(),
  services: z.array(serviceResource),
});

export const axisResource = z.object({
  axis: idSchema,
  kind: z.string(),
  unit: z.string(),
  velocityUnit: z.string(),
  travel: z.object({ min: z.number(), max: z.number() }).optional(),
  velocityMax: z.number().optional(),
  jog: z.boolean().optional().describe("Whether it can be moved by holding a button."),
  state: z.enum([...deviceStates, "unknown"]),
  q,
  staleBecause: z.string().optional(),
  ts: ts.optional(),
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
  target: z.number().optional().describe("Where the running step sends it."),
  command: z.object({ id: z.string(), verb: z.string() }).optional(),
  lease: z.object({ holder: z.string(), epoch: z.number() }).optional(),
  latched: z.array(z.string()),
  stop: z.object({ id: z.string(), status: z.enum(["stopping", "confirmed", "owed"]) }).optional(),
  reasons: z.record(z.string(), z.string()),
});

export const deviceResource = z.object({
  device: idSchema,
  profile: z.string(),
  kind: z.string(),
  bus: idSchema,
  unit: z.number(),
  link: z.enum(["up", "stale", "down", "unknown"]),
  breaker: z.enum(["closed", "open", "half-open", "unknown"]),
  identity: z.enum(["unknown", "match", "mismatch"]),
  q,
  staleBecause: z.string().optional(),
  lastSeen: ts.optional(),
  lastError: z.string().optional(),
  pollPeriodMs: z.number().optional(),
  leaseMs: z.number(),
  driver: z.enum(["online", "degraded", "offline", "unknown"]),
  verbs: z.array(z.string()),
  waysToStop: z
    .object({
      operator: z.boolean(),
      lease: z.boolean(),
      guardian: z.boolean(),
      watchdog: z.string(),
    })
    .optional(),
});

export const sagaResource = z.object({
  name: idSchema,
  title: z.string(),
  version: z.string(),
  uses: z.array(idSchema),
  prepare: idSchema.optional(),
  mode: z.enum(cellModes).describe("The mode of the cell in which it may be started."),
  priority: z.number().optional(),
  inputs: z.record(z.string(), sagaInputSchema).optional(),
  steps: z.array(
    z.object({
      name: z.string(),
      text: z.string(),
      parent: z.number().optional().describe("The container it stands in, by index."),
    }),
  ),
});

export const runsResource = z.object({ q, runs: z.array(runSchema) });

/** Where one axis stands with one stop order. */
export const stopAxisResource = z.object({
  axis: idSchema,
  status: z.enum(["requested", "received", "confirmed", "unconfirmed", "notDelivered"]),
  elapsedMs: z.number().optional().describe("From the order to this status."),
  text: z.string().optional(),
});

export const stopOrderResource = z.object({
  id: commandIdSchema,
  kind: z.enum(["stop", "quickStop", "abort"]),
  ts,
  by: bySchema,
  reason: z.string().optional(),
  axes: z.array(stopAxisResource),
});

export const stopsResource = z.object({
  q,
  latched: z
    .array(z.object({ id: z.string(), ts, kind: z.string(), by: bySchema }))
    .describe("Stops in force: nothing moves until a reset names each of them."),
  orders: z.array(stopOrderResource).describe("The newest orders given through this gateway."),
});

/** The whole of it: what a new stream begins with. */
export const snapshotResource = z.object({
  ts,
  you: bySchema,
  cell: cellResource,
  axes: z.array(axisResource),
  devices: z.array(deviceResource),
  sagas: z.array(sagaResource),
  runs: z.array(runSchema),
  stops: stopsResource,
});

/** RFC 9457, with the registered code. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string().describe("What the code means."),
  status: z.number().int(),
  code: z.string(),
  message: z.string().describe("What happened, to which device, what to do."),
  action: z.string().describe("What the operator does."),
  retry: z.enum(["yes", "no", "never-automatic"]),
  detail: z.string(),
  facts: z.record(z.string(), z.unknown()),
  instance: z.string(),
});

/** Events of the stream; `beat` has no id and is not replayed. */
export const streamEvents = [
  "snapshot",
  "resync",
  "cell",
  "axis",
  "device",
  "run",
  "stop",
  "event",
  "beat",
] as const;
export type StreamEvent = (typeof streamEvents)[number];

export type ServiceResource = z.infer<typeof serviceResource>;
export type CellResource = z.infer<typeof cellResource>;
export type AxisResource = z.infer<typeof axisResource>;
export type DeviceResource = z.infer<typeof deviceResource>;
export type SagaResource = z.infer<typeof sagaResource>;
export type RunsResource = z.infer<typeof runsResource>;
export type StopAxisResource = z.infer<typeof stopAxisResource>;
export type StopOrderResource = z.infer<typeof stopOrderResource>;
export type StopsResource = z.infer<typeof stopsResource>;
export type SnapshotResource = z.infer<typeof snapshotResource>;
export type Problem = z.infer<typeof problemSchema>;
