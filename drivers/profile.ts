/**
 * The profile: what a device model is, as data.
 *
 * The idea: one YAML file per model, where (table, address, encoding) apart from what (quantity,
 * scale, access), operations as steps, evidence beside each value, and no functions. This file
 * puts the parts together and holds points, status and identity. It refuses unknown keys; what
 * needs more than one key to judge is in profile-lint.ts.
 */
import * as z from "zod";
import {
  conditionSchema,
  driveStateSchema,
  operationSchema,
  rebootEvidenceSchema,
  stopSchema,
} from "./profile-behaviour.js";
import {
  alarmSchema,
  commissioningSchema,
  evidenceBlockSchema,
  evidenceSchema,
  expressionSchema,
  gatherSchema,
  nameSchema,
  orders,
  quirkSchema,
  refreshSchema,
  transportSchema,
  variantSchema,
  watchdogSchema,
  wordSchema,
} from "./profile-facts.js";
import { simulationSchema } from "./profile-simulation.js";

const text = z.string().min(1);

/** `bool` is a coil or discrete input; `bits` a field inside the word, see `bits`. */
export const pointTypes = [
  "bool",
  "bits",
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "u48",
  "i48",
  "u64",
  "i64",
  "bcd16",
] as const;
export type PointType = (typeof pointTypes)[number];

export const quantities = [
  "position",
  "velocity",
  "acceleration",
  "force",
  "width",
  "current",
  "none",
] as const;

/** One value of the device. Variations 1, 2, 5, 6, 7. Addresses are those on the wire. */
export const pointSchema = z.strictObject({
  text,
  read: z
    .strictObject({
      fc: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
      address: wordSchema,
      /** Registers to read where the manual's frame asks for more than the type needs. */
      count: z.number().int().min(1).max(4).optional(),
      /** The read itself changes the device; it is never read on the side. */
      clears: z.boolean().optional(),
    })
    .optional(),
  write: z
    .strictObject({
      fc: z.union([z.literal(5), z.literal(6), z.literal(15), z.literal(16)]),
      address: wordSchema,
      /** The write side means something else than the read side of the same address. */
      opcode: z.boolean().optional(),
    })
    .optional(),
  type: z.enum(pointTypes),
  /** With u8, i8: which half of the word. */
  byte: z.enum(["high", "low"]).optional(),
  /** With bits: lowest bit and width. */
  bits: z
    .strictObject({ from: z.number().int().min(0).max(15), width: z.number().int().min(1).max(16) })
    .optional(),
  /** Bits of the raw value that count; the others are masked off. */
  mask: z.number().int().min(1).optional(),
  order: z.enum(orders).optional(),
  quantity: z.enum(quantities),
  /** Raw units per user unit, arithmetic over constants: raw = user × scale + offset. */
  scale: expressionSchema.optional(),
  offset: expressionSchema.optional(),
  /** raw = scale / user + offset: a time that stands for an acceleration. */
  inverse: z.boolean().optional(),
  /** Raw values that mean "no value". */
  invalid: z.array(z.number().int()).optional(),
  /** fast: status, position, velocity; slow: regularly; full: at boot and after reconnect. */
  poll: z.enum(["fast", "slow", "full", "never"]),
  /** Variation 22. @default 0 */
  axis: z.number().int().min(0).max(15).optional(),
  evidence: evidenceSchema,
});
export type PointSpec = z.infer<typeof pointSchema>;

/** Variation 7: a number of the installation that unit expressions name. */
const constantSchema = z.strictObject({
  text,
  unit: text,
  default: z.number().optional(),
  /** The default counts only for axes with this user unit. */
  defaultForUnit: z.enum(["mm", "deg", "percent"]).optional(),
  evidence: evidenceSchema.optional(),
});

const flagSchema = z.strictObject({ when: conditionSchema, evidence: evidenceSchema });

/** Variation 9: first match decides; polarity by `when`. */
const statusSchema = z.strictObject({
  state: z.strictObject({
    point: nameSchema,
    pairs: z.array(
      z.strictObject({ state: driveStateSchema, mask: wordSchema, value: wordSchema }),
    ),
    evidence: evidenceSchema,
  }),
  flags: z.record(nameSchema, flagSchema),
  /** Standstill, of readings sent after a stop. */
  still: flagSchema,
  position: nameSchema.optional(),
  /** The device takes targets modulo its position counter. */
  counter: z.strictObject({ targetsWrap: z.boolean(), evidence: evidenceSchema }).optional(),
  velocity: nameSchema.optional(),
  faultCode: nameSchema.optional(),
  rebootEvidence: z.union([z.array(rebootEvidenceSchema).min(1), z.strictObject({ none: text })]),
});

/** Variations 2 and 8: written in one frame; fields in wire order, the trigger last. */
const blockSchema = z.strictObject({
  /** 15: coils; 16: registers; 23: registers, and a read in the same exchange. */
  fc: z.union([z.literal(15), z.literal(16), z.literal(23)]),
  address: wordSchema,
  /** Coils with function 15. Function 23 takes at most 121 (MODBUS 6.17). */
  registers: z.number().int().min(1).max(123),
  /** With fc 23: what the same exchange reads. */
  read: z.strictObject({ address: wordSchema, count: z.number().int().min(1).max(125) }).optional(),
  fields: z.array(nameSchema).min(1),
  /** The field that alone starts a motion. */
  trigger: nameSchema.optional(),
  /** The device takes the block as one exchange, so that the trigger may stand first. */
  atomic: z.boolean(),
  /** Fields that fall back by themselves after use. */
  fallsBack: z.array(nameSchema).optional(),
  evidence: evidenceSchema,
});

const verbRecord = z.partialRecord(
  z.enum([
    "moveTo",
    "moveBy",
    "velocity",
    "jog",
    "home",
    "enable",
    "disable",
    "hold",
    "grip",
    "release",
    "resetFault",
    "set",
  ]),
  operationSchema,
);

const identitySchema = z.strictObject({
  vendor: text,
  models: z.array(text).min(1),
  firmware: text.optional(),
  variants: z.array(variantSchema),
  /** Conditions over a full read; all must hold before motion. Or why there is none. */
  probe: z.union([
    z.array(z.strictObject({ text, when: conditionSchema, evidence: evidenceSchema })).min(1),
    z.strictObject({ none: text }),
  ]),
});

const idSchema = z
  .string()
  .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, "an id is maker/model in small letters");

/** The keys of the file, in the order in which they must stand. */
export const profileSchema = z.strictObject({
  servocellProfile: z.literal(1),
  id: idSchema,
  /** Variation 20: this file's keys stand over those of the base, see profile-merge.ts. */
  extends: idSchema.optional(),
  title: text,
  kind: z.enum(["servo", "inverter", "gripper", "io"]),
  identity: identitySchema,
  /** Variation 26: the device cannot be driven, and why. */
  unsupported: z.strictObject({ reason: text, evidence: evidenceSchema }).optional(),
  evidence: evidenceBlockSchema,
  transport: transportSchema,
  /** Variation 22: how many axes one slave has. */
  axes: z.number().int().min(1).max(16),
  commissioning: commissioningSchema,
  constants: z.record(nameSchema, constantSchema),
  points: z.record(nameSchema, pointSchema),
  status: statusSchema,
  blocks: z.record(nameSchema, blockSchema),
  gather: z.array(gatherSchema),
  operations: verbRecord,
  stops: z.strictObject({
    controlled: stopSchema.optional(),
    fast: stopSchema.optional(),
    coast: stopSchema.optional(),
    disable: stopSchema.optional(),
  }),
  /**
   * Gives a move under way a place further on (argument `position`); what hold-to-run needs where
   * the drive does not stop by itself [PROTOCOL 16]. Absent: the device is not known to take one.
   */
  retarget: operationSchema.optional(),
  refresh: z.array(refreshSchema),
  watchdog: watchdogSchema,
  /** Variation 24: how the device says who has control, in words; the flag is `remote`. */
  authority: text,
  alarms: z.record(z.string().regex(/^\d+$/), alarmSchema),
  /** How a simulated device of this profile behaves, where no family pretends to be it. */
  simulation: simulationSchema.optional(),
  /** What a reader would expect of such a device, and why it is not there. */
  missing: z.record(nameSchema, text),
  quirks: z.array(quirkSchema),
  /** Variation 27: the typed way out to code, with the reason. No profile uses it yet. */
  code: z.strictObject({ module: text, reason: text }).optional(),
});
export type Profile = z.infer<typeof profileSchema>;
export type BlockSpec = z.infer<typeof blockSchema>;
export type ConstantSpec = z.infer<typeof constantSchema>;
export type {
  ArgumentSpec,
  Condition,
  OperationSpec,
  StepSpec,
  StopSpec,
} from "./profile-behaviour.js";
export type { Confidence, Evidence, Order } from "./profile-facts.js";

/** Bytes of a type; `bool` and `bits` count as a word's. */
export const typeBytes: { readonly [T in PointType]: number } = {
  bool: 2,
  bits: 2,
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u48: 6,
  i48: 6,
  u64: 8,
  i64: 8,
  bcd16: 2,
};

/** Registers (or bits, for `bool`) that a point covers on the side that is read or written. */
export function pointSpan(point: PointSpec, side: "read" | "write"): number {
  const own = point.type === "bool" ? 1 : Math.max(1, typeBytes[point.type] / 2);
  return side === "read" ? Math.max(own, point.read?.count ?? 1) : own;
}
