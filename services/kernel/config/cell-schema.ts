/**
 * The structure of a cell file: which keys there are and what kind of value each takes.
 *
 * The idea: one strict schema, so unknown keys are refused; quantities are still text here
 * (`120 mm`), because what they mean is judged with their neighbours (cell-file.ts). It refuses
 * to check relations between values.
 */
import * as z from "zod";
import { idSchema } from "../contract/payloads.js";

const text = z.string().min(1);
/** A number with its unit, such as `120 mm`; plain numbers only where the key says so. */
const quantity = z.union([z.string(), z.number()], {
  error: "this is a number with its unit, such as 120 mm",
});
const port = z.number().int().min(1).max(65_535);
const prefix = z.string().regex(/^[a-z0-9_-]+(\/[a-z0-9_-]+)*$/, {
  message: "a prefix is levels of small letters, digits, - and _, joined by /",
});

export const axisFileSchema = z.strictObject({
  kind: z.enum(["linear", "rotary"]).optional(),
  unit: z.enum(["mm", "deg", "percent"]).optional(),
  countsPerRev: z.number().int().positive().optional(),
  gear: quantity.optional(),
  pitch: quantity.optional(),
  travel: z.tuple([quantity, quantity]).optional(),
  /** Endless rotary axes: places count within this, from 0. */
  modulo: quantity.optional(),
  velocityMax: quantity.optional(),
  accelerationMax: quantity.optional(),
  tolerance: quantity.optional(),
  /** Required: there is no default for an axis (PROTOCOL 7); cell-axis.ts says so. */
  whenOff: z.enum(["stays", "falls", "coasts"]).optional(),
});

export const deviceFileSchema = z.strictObject({
  profile: text,
  bus: text,
  unit: z.number().int().min(0).max(255),
  axis: axisFileSchema.optional(),
  lease: quantity.optional(),
  poll: z
    .strictObject({
      fast: quantity.optional(),
      idle: quantity.optional(),
      slow: quantity.optional(),
    })
    .optional(),
  breaker: z
    .strictObject({
      failures: z.number().int().min(1).max(100).optional(),
      reset: quantity.optional(),
    })
    .optional(),
  /** The drive's own watchdog: the time to set, which writes a parameter of the drive. */
  watchdog: z.strictObject({ set: quantity, allow: z.literal("write").optional() }).optional(),
  acceptNoWatchdog: z.string().min(10, { message: "a reason is a sentence" }).optional(),
  acceptNoStop: z.string().min(10, { message: "a reason is a sentence" }).optional(),
  constants: z.record(z.string(), z.number()).optional(),
  simulate: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

/** Which keys go together is said by cell-buses.ts, in words. */
export const busFileSchema = z.strictObject({
  tcp: text.optional(),
  framing: z.literal("rtu").optional(),
  /** Absolute path of the port. */
  serial: text.optional(),
  baud: z.number().int().positive().optional(),
  /** @default 8E1, as the norm has it */
  format: z.enum(["8N1", "8N2", "8E1", "8O1"]).optional(),
  echo: z.boolean().optional(),
  pollPort: port.optional(),
  replyTimeout: quantity.optional(),
});

/** An event, and the saga that it starts. */
export const ruleFileSchema = z.strictObject({
  name: idSchema.optional(),
  /** kind.id.type, or short: run.completed, run.step.ended. */
  on: text,
  /** Only the runs of this saga. */
  saga: text.optional(),
  /** A condition over the fields of the event: event.status == 'done'. */
  where: text.optional(),
  start: text,
  /** Inputs of the saga: values, or = and an expression over the event. */
  with: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  debounce: quantity.optional(),
  rate: z.strictObject({ starts: z.number().int().min(1).max(1000), within: quantity }).optional(),
  /** The run waits for devices that others have. */
  wait: z.boolean().optional(),
  /** Why a rule may lead back to itself. */
  loop: z.string().min(10, { message: "a reason is a sentence" }).optional(),
});

export const cellFileSchema = z.strictObject({
  servocell: z.literal(1),
  cell: z.strictObject({ name: idSchema, prefix }),
  broker: text.optional(),
  brokerPort: port.optional(),
  gateway: z.strictObject({ host: text.optional(), port: port.optional() }).optional(),
  simulation: z.boolean().optional(),
  controlOverPlantNetwork: z.literal("accepted").optional(),
  onRunFailure: z.enum(["cell", "run"]).optional(),
  /** Drivers that share a process: all, or by groups. @default one process each */
  isolation: z.union([z.literal("together"), z.array(z.array(idSchema).min(1))]).optional(),
  buses: z.record(idSchema, busFileSchema),
  devices: z.record(idSchema, deviceFileSchema),
  interlocks: z
    .array(
      z.strictObject({
        name: idSchema,
        moves: z.array(text).min(1),
        require: text,
        margin: quantity,
      }),
    )
    .optional(),
  sagas: z.array(text).optional(),
  /** Sagas that events start. */
  rules: z.array(ruleFileSchema).optional(),
  /** Who has to acknowledge every event before its source lets it go, besides the rules. */
  events: z.strictObject({ consumers: z.array(idSchema).max(8) }).optional(),
  /** Axes that share a place: when one of them fails, all are stopped at once. */
  zones: z.record(idSchema, z.array(text).min(1)).optional(),
  /** When production has nothing to do, or nowhere to put it. */
  suspend: z
    .array(
      z.strictObject({
        name: idSchema.optional(),
        reason: z.enum(["starved", "blocked"]),
        when: text,
        /** Goes on only when this holds. @default when `when` does not */
        until: text.optional(),
        /** For so long each has to hold. @default 300 ms */
        after: quantity.optional(),
      }),
    )
    .optional(),
  /** Folder of profiles of one's own, maker/model.yaml. @default profiles beside this file */
  profiles: text.optional(),
});
export type CellFile = z.infer<typeof cellFileSchema>;
export type DeviceFile = z.infer<typeof deviceFileSchema>;
export type AxisFile = z.infer<typeof axisFileSchema>;
