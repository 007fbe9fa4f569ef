/**
 * The parts of a profile that state facts about the wire and the maker's document.
 *
 * The idea: every fact stands beside its evidence, and every one of the variations that device
 * families force on us has a key here, also where nothing acts on it yet (variants, gathered
 * blocks). Schemas are strict: an unknown key is refused, never dropped.
 */
import * as z from "zod";

/** Names of points, blocks, flags and arguments. */
export const nameSchema = z
  .string()
  .regex(/^[a-z][A-Za-z0-9]*$/, "a name is camelCase: letters and digits, a small letter first");

/** Arithmetic over numbers and installation constants, see expression.ts. */
export const expressionSchema = z.union([z.number(), z.string().min(1)]);

const text = z.string().min(1);
const ms = z.number().int().nonnegative();
export const wordSchema = z.number().int().min(0).max(0xffff);

/**
 * How well a value is known: A vendor text, B two independent implementations, C one, X sources
 * contradict each other (read it back first), M from memory, unverified.
 */
export const confidences = ["A", "B", "C", "X", "M"] as const;
export type Confidence = (typeof confidences)[number];

/** Variation 25: where a value comes from. `by` names an entry of `evidence.documents`. */
export const evidenceSchema = z.strictObject({
  by: text.optional(),
  at: text.optional(),
  confidence: z.enum(confidences),
  note: text.optional(),
});
export type Evidence = z.infer<typeof evidenceSchema>;

/** Variation 25 in whole: the documents, frames that are proved by tests, hardware it ran on. */
export const evidenceBlockSchema = z.strictObject({
  documents: z.record(
    nameSchema,
    z.strictObject({ title: text, where: text, revision: text.optional() }),
  ),
  goldenFrames: z.array(
    z.strictObject({
      frame: text,
      meaning: text,
      by: text,
      wrongOnPurpose: z.boolean().optional(),
    }),
  ),
  testedOn: z.array(z.strictObject({ model: text, firmware: text, date: text })),
});

/** Variation 4: by example, the bytes of 0xAABBCCDD as they come over the wire. */
export const orders = ["ABCD", "CDAB", "BADC", "DCBA"] as const;
export type Order = (typeof orders)[number];

/** Variations 1–4, 16, 18. */
export const transportSchema = z.strictObject({
  /** How the manual's number becomes the address on the wire. All addresses here are wire. */
  addressRule: text,
  functionCodes: z.array(z.number().int().min(1).max(127)),
  broadcast: z.boolean(),
  order: z.strictObject({
    default: z.enum(orders),
    /** A register that may have changed the order, and a value to check it against. */
    settableBy: text.optional(),
    check: z.strictObject({ point: nameSchema, equals: z.number().int() }).optional(),
    evidence: evidenceSchema,
  }),
  limits: z.strictObject({
    readRegisters: z.number().int().min(1).max(125),
    writeRegisters: z.number().int().min(1).max(123),
    frameBytes: z.number().int().min(8).max(260).optional(),
    /** Coils or discrete inputs in one read. @default readRegisters */
    readBits: z.number().int().min(1).max(2000).optional(),
    /** Registers (or bits) that a read may bridge although no point stands there. */
    hole: z.number().int().min(0).max(124),
    alignment: z.number().int().min(1).max(4).optional(),
    neverMerge: z.array(nameSchema).optional(),
    evidence: evidenceSchema,
  }),
  serial: z
    .strictObject({
      baud: z.number().int().positive().optional(),
      format: z.enum(["8N1", "8N2", "8E1", "8O1"]).optional(),
      unit: z.number().int().min(1).max(247).optional(),
      evidence: evidenceSchema,
    })
    .optional(),
  timing: z.strictObject({
    silenceBeforeMs: ms.optional(),
    silenceAfterMs: ms.optional(),
    afterWriteMs: ms.optional(),
    firstByteMs: ms.optional(),
    replyMs: ms.optional(),
    afterEnableMs: ms.optional(),
    commandsPerSecond: z.number().positive().optional(),
    byBaud: z.record(z.string(), z.strictObject({ silenceMs: z.number() })).optional(),
    evidence: evidenceSchema.optional(),
  }),
  exceptions: z.strictObject({
    /** Exception code → what this device means by it. */
    meanings: z.record(z.string().regex(/^\d+$/), text),
    /** Errors that come without an exception (a value, a count of 0, silence). */
    signs: z.array(text),
    /** Function bytes in error replies that differ from the standard. */
    functionBytes: z.array(z.number().int().min(0x80).max(0xff)),
    evidence: evidenceSchema.optional(),
  }),
});

/**
 * Variation 17: parameters that must stand before motion. With `point` and `expect` they are read
 * in the full read, and motion is refused while they differ. Nothing writes them by itself.
 */
export const commissioningSchema = z.strictObject({
  parameters: z.array(
    z.strictObject({
      text: text,
      point: nameSchema.optional(),
      /** Raw value of the point that must be read, or several that will do. */
      expect: z.union([z.number().int(), z.array(z.number().int()).min(1)]).optional(),
      access: z.enum(["checkOnly", "mayWrite", "byHand"]),
      powerCycle: z.boolean().optional(),
      memory: z.enum(["volatile", "eeprom", "unknown"]),
      writesMax: z.number().int().positive().optional(),
      password: text.optional(),
      notWhileEnabled: z.boolean().optional(),
      evidence: evidenceSchema,
    }),
  ),
  save: z
    .strictObject({
      point: nameSchema,
      value: z.number().int(),
      result: nameSchema.optional(),
      evidence: evidenceSchema,
    })
    .optional(),
});

/** Variation 14. `kind` decides whether velocity and jog need a reason. */
export const watchdogSchema = z.strictObject({
  kind: z.enum(["none", "unknown", "fixed", "settable"]),
  note: text,
  timeoutMs: ms.optional(),
  /** With settable: the point that holds the time, in `unitMs`; `off` is its raw value for none. */
  timeoutPoint: nameSchema.optional(),
  unitMs: z.number().positive().optional(),
  /** The point that holds the reaction, and its raw values that bring the axis to rest. */
  reactionPoint: nameSchema.optional(),
  accept: z.array(z.number().int()).min(1).optional(),
  register: text.optional(),
  unit: text.optional(),
  resolution: z.number().positive().optional(),
  /** The least that it takes, raw as `off`: with a timeoutPoint no cell file may set less. */
  minimum: z.number().optional(),
  factory: z.number().optional(),
  off: z.number().optional(),
  reactions: z.array(z.enum(["ramp", "coast", "warn", "goOn", "lastSpeed", "fault"])).optional(),
  /** A register of its own that feeds it: its values are written in turn. */
  feed: z
    .strictObject({
      point: nameSchema,
      values: z.array(z.number().int()).min(1),
      everyMs: ms.min(50),
    })
    .optional(),
  fedBy: z.enum(["anyTraffic", "ownFrames", "processData", "writes", "unknown"]),
  faultCode: z.number().int().optional(),
  evidence: evidenceSchema,
});

/** Variation 15, per code. */
export const alarmSchema = z.strictObject({
  title: text,
  description: text.optional(),
  severity: z.enum(["warning", "fault"]),
  reset: z.enum(["byCommand", "byItself", "powerCycle", "unknown"]),
  positionLost: z.boolean().optional(),
  communication: z.boolean().optional(),
  evidence: evidenceSchema,
});

/** Variation 13: a command that counts only while it is repeated. */
export const refreshSchema = z.strictObject({
  operation: nameSchema,
  /** What is written again while the motion goes on, with the arguments of the operation. */
  write: z
    .record(nameSchema, z.union([z.number(), z.strictObject({ arg: nameSchema })]))
    .optional(),
  block: nameSchema.optional(),
  everyMs: ms.min(5),
  deadlineMs: ms,
  baudMin: z.number().int().positive().optional(),
  evidence: evidenceSchema,
});

/** Variation 23: a list of addresses is written once, then one block is read. */
export const gatherSchema = z.strictObject({
  listAddress: wordSchema,
  blockAddress: wordSchema,
  entriesMax: z.number().int().positive(),
  reset: text.optional(),
  evidence: evidenceSchema,
});

/** Variation 20: the same family with other suffixes or firmware. */
export const variantSchema = z.strictObject({
  name: text,
  suffix: text.optional(),
  firmware: text.optional(),
  note: text,
  evidence: evidenceSchema,
});

/** A peculiarity that someone will want to remove one day: why it is there, and who says so. */
export const quirkSchema = z.strictObject({ what: text, reason: text, source: text });
