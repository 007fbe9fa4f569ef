/**
 * The parts of a profile that say what a device does: conditions, steps, operations, stops.
 *
 * The idea: operations are lists of steps that one interpreter runs; acceptance stands apart from
 * done, and the frame that may move something is marked. Each condition or step is one strict
 * object in which exactly one of the leading keys stands (the lint counts), so that a mistake is
 * reported by its key and not as "no variant matched".
 */
import * as z from "zod";
import { evidenceSchema, expressionSchema, nameSchema } from "./profile-facts.js";
import { operationCodes } from "./reading.js";

const text = z.string().min(1);
const ms = z.number().int().nonnegative();
const whole = z.number().int();

/** Same names as `DriveState`, without `unknown`, which no pair stands for. */
export const driveStates = [
  "notReady",
  "off",
  "ready",
  "switchedOn",
  "enabled",
  "stopping",
  "faultReaction",
  "fault",
] as const;
export const driveStateSchema = z.enum(driveStates);

/** Flags with a place in `DeviceView`; a profile may name further ones for its own steps. */
export const viewFlags = [
  "enabled",
  "homed",
  "moving",
  "inTarget",
  "fault",
  "warning",
  "remote",
  "limit",
  "gripped",
] as const;

/** A number in a step: a constant, an argument (user units), or a captured reading. */
export interface Operand {
  readonly arg?: string | undefined;
  readonly capture?: string | undefined;
  /** Adds this argument. */
  readonly plus?: string | undefined;
  /** With `capture` of a raw word: these bits low, then those high, then those turned over. */
  readonly clear?: number | undefined;
  readonly set?: number | undefined;
  readonly toggle?: number | undefined;
}
export const operandSchema = z.union([
  z.number(),
  z.strictObject({
    arg: nameSchema.optional(),
    capture: nameSchema.optional(),
    plus: nameSchema.optional(),
    clear: whole.min(1).max(0xffff).optional(),
    set: whole.min(1).max(0xffff).optional(),
    toggle: whole.min(1).max(0xffff).optional(),
  }),
]);

/**
 * True, false, or not decidable because a value is missing; the last never counts as true.
 * Leading keys: all, any, not, state, flag, point.
 */
export interface Condition {
  readonly all?: readonly Condition[] | undefined;
  readonly any?: readonly Condition[] | undefined;
  readonly not?: Condition | undefined;
  readonly state?: readonly (typeof driveStates)[number][] | undefined;
  readonly flag?: string | undefined;
  /** With `flag`. @default true */
  readonly is?: boolean | undefined;
  readonly point?: string | undefined;
  /** With `point`: (value & mask) must be one of `equals`. @default all bits */
  readonly mask?: number | undefined;
  readonly equals?: readonly number[] | undefined;
  /** With `point`, user units: value ≥ or ≤ this. */
  readonly atLeast?: number | string | undefined;
  readonly atMost?: number | string | undefined;
  /** With `point`, user units: |value| ≤ this. */
  readonly absAtMost?: number | string | undefined;
  /** With `point`, user units: |value − near| ≤ within. */
  readonly near?: number | Operand | undefined;
  readonly within?: number | string | undefined;
}
export const conditionSchema: z.ZodType<Condition> = z.lazy(() =>
  z.strictObject({
    all: z.array(conditionSchema).min(1).optional(),
    any: z.array(conditionSchema).min(1).optional(),
    not: conditionSchema.optional(),
    state: z.array(driveStateSchema).min(1).optional(),
    flag: nameSchema.optional(),
    is: z.boolean().optional(),
    point: nameSchema.optional(),
    mask: whole.min(1).optional(),
    equals: z.array(whole).min(1).optional(),
    atLeast: expressionSchema.optional(),
    atMost: expressionSchema.optional(),
    absAtMost: expressionSchema.optional(),
    near: operandSchema.optional(),
    within: expressionSchema.optional(),
  }),
);

export const operationCodeSchema = z.enum(operationCodes);

/** A wait. `accept`: when it is met, the device has accepted the trigger (`running`). */
export const waitSchema = z.strictObject({
  until: conditionSchema,
  /** Consecutive fresh reads that must meet it. @default 1 */
  times: z.number().int().min(1).max(20).optional(),
  timeoutMs: ms.min(1),
  /** Adds this many times distance / velocity to the timeout. */
  travelFactor: z.number().positive().optional(),
  accept: z.boolean().optional(),
  otherwise: operationCodeSchema,
  /** Conditions that end the operation as faulted, once true for `forMs` without a gap. */
  fail: z
    .array(z.strictObject({ when: conditionSchema, forMs: ms, code: operationCodeSchema, text }))
    .optional(),
});
export type WaitSpec = z.infer<typeof waitSchema>;

/** Leading: write, edge, hold, wait, reach, readBack, capture, output, endIf, when (do, else). */
export interface StepSpec {
  /** Point → value; one frame each in this order, or one frame together with `block`. */
  readonly write?: { readonly [point: string]: number | Operand } | undefined;
  readonly block?: string | undefined;
  /** With `write`: may move something, is never repeated. */
  readonly trigger?: boolean | undefined;
  /** With `write`: an opcode or toggle that moves nothing, yet must not arrive twice. */
  readonly once?: boolean | undefined;
  /** Bit low, held for at least `lowForMs`, then high. */
  readonly edge?:
    | {
        readonly point: string;
        readonly low: number;
        readonly high: number;
        /** @default 10 */
        readonly lowForMs?: number | undefined;
        /** What must be read while it is low, before it goes high. */
        readonly lowUntil?: Condition | undefined;
        readonly trigger: boolean;
      }
    | undefined;
  readonly hold?: number | undefined;
  readonly wait?: WaitSpec | undefined;
  /** Goal-state graph: per state the value to write until the goal is read. */
  readonly reach?:
    | {
        readonly goal: (typeof driveStates)[number];
        readonly point: string;
        readonly by: { readonly [state: string]: number };
        readonly timeoutMs: number;
        readonly otherwise: (typeof operationCodes)[number];
      }
    | undefined;
  /** Point → value that it must read back as. */
  readonly readBack?: { readonly [point: string]: number | Operand } | undefined;
  /** Name → point, read afresh. */
  readonly capture?: { readonly [name: string]: string } | undefined;
  /** Writes the value to the numbered one of these points, 1 the first, and waits to read it. */
  readonly output?:
    | {
        /** Names of arguments. */
        readonly number: string;
        readonly value: string;
        readonly points: readonly string[];
        readonly timeoutMs: number;
      }
    | undefined;
  /** Ends as done when a fresh read meets it. */
  readonly endIf?: Condition | undefined;
  readonly when?: Condition | undefined;
  readonly do?: readonly StepSpec[] | undefined;
  readonly else?: readonly StepSpec[] | undefined;
}
export const stepSchema: z.ZodType<StepSpec> = z.lazy(() =>
  z.strictObject({
    write: z.record(nameSchema, operandSchema).optional(),
    block: nameSchema.optional(),
    trigger: z.boolean().optional(),
    once: z.boolean().optional(),
    edge: z
      .strictObject({
        point: nameSchema,
        low: whole,
        high: whole,
        lowForMs: ms.min(1).optional(),
        lowUntil: conditionSchema.optional(),
        trigger: z.boolean(),
      })
      .optional(),
    hold: ms.min(1).max(10_000).optional(),
    wait: waitSchema.optional(),
    reach: z
      .strictObject({
        goal: driveStateSchema,
        point: nameSchema,
        by: z.partialRecord(driveStateSchema, whole),
        timeoutMs: ms.min(1),
        otherwise: operationCodeSchema,
      })
      .optional(),
    readBack: z.record(nameSchema, operandSchema).optional(),
    capture: z.record(nameSchema, nameSchema).optional(),
    output: z
      .strictObject({
        number: nameSchema,
        value: nameSchema,
        points: z.array(nameSchema).min(1),
        timeoutMs: ms.min(1),
      })
      .optional(),
    endIf: conditionSchema.optional(),
    when: conditionSchema.optional(),
    do: z.array(stepSchema).optional(),
    else: z.array(stepSchema).optional(),
  }),
);

/** An argument of an operation, in user units. Without `default` it must be given. */
export const argumentSchema = z.strictObject({
  /** `number` is a whole number without a unit, such as the number of an output. */
  quantity: z.enum([
    "position",
    "distance",
    "velocity",
    "acceleration",
    "force",
    "width",
    "number",
  ]),
  /** The point whose scale and range it must fit; `number` may do without. */
  point: nameSchema.optional(),
  default: expressionSchema.optional(),
  min: expressionSchema.optional(),
  /** Excludes `min` itself. */
  above: z.boolean().optional(),
  max: expressionSchema.optional(),
  /** Another name under which it may be given. */
  alias: nameSchema.optional(),
});
export type ArgumentSpec = z.infer<typeof argumentSchema>;

/**
 * Variation 19: what may be sent again after an unknown outcome. A trigger never is, whatever
 * stands here; a level write is, unless its step says `once`.
 */
export const repeatRules = ["never", "levelsOnly", "always"] as const;

export const operationSchema = z.strictObject({
  text,
  args: z.record(nameSchema, argumentSchema),
  /** Flags of the last readings that must be true before anything is sent. */
  requires: z.array(z.enum(["enabled", "homed"])),
  repeat: z.enum(repeatRules),
  /** Variation 21: what it does besides, in words for people. */
  sideEffects: z.array(text),
  /** Bound of the whole operation. The waits' own travel time is added. */
  timeoutMs: ms.min(1).max(600_000),
  /** True: a fault of the drive is expected and does not end it. */
  toleratesFault: z.boolean().optional(),
  /** Points whose values are the result. */
  result: z.array(nameSchema),
  steps: z.array(stepSchema).min(1),
  evidence: evidenceSchema,
});
export type OperationSpec = z.infer<typeof operationSchema>;

/** Constants of the installation: whole numbers, or arithmetic as in scales. */
const firstFrameSchema = z.record(nameSchema, z.union([whole, z.string().min(1)]));

/** Variation 12. `blind` frames are constant; empty: the stop reads `readFirst` before. */
export const stopSchema = z.strictObject({
  text,
  keepsTorque: z.boolean(),
  remainder: z.enum(["gone", "kept"]),
  /** Whether the device goes on by itself with what is left. */
  resumable: z.boolean(),
  /** Frames that never raise the power state, whatever state the device is in. */
  blind: z.array(z.strictObject({ write: firstFrameSchema, block: nameSchema.optional() })),
  readFirst: z.array(nameSchema).optional(),
  /** The first frame where the readings prove this state; then `blind` is not sent. */
  whenKnown: z
    .strictObject({
      when: conditionSchema,
      write: firstFrameSchema,
      block: nameSchema.optional(),
    })
    .optional(),
  timeoutMs: ms.min(1).max(600_000),
  steps: z.array(stepSchema).min(1),
  evidence: evidenceSchema,
});
export type StopSpec = z.infer<typeof stopSchema>;

/** Variation 20/13 of the protocol: what a change between two readings gives away. */
export const rebootEvidenceSchema = z.strictObject({
  before: conditionSchema,
  after: conditionSchema,
  evidence: evidenceSchema,
});
