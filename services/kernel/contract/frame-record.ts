/**
 * One line of a bus: an exchange with a device, or a decision about the bus.
 *
 * The idea: the flight recorder's files, the live tap and what a simulated device is made from
 * share this one shape, one JSON object a line; times are the monotonic clock of the bus process
 * that names itself in the first line. It refuses to carry decoded values: whoever reads it has
 * the profile.
 */
import * as z from "zod";

const hexPdu = z.string().regex(/^([0-9a-f]{2})+$/);

/** First line of every file and of every live tap. */
export const recordHeadSchema = z.strictObject({
  kind: z.literal("head"),
  /** Shape of the lines that follow. */
  version: z.literal(1),
  bus: z.string(),
  bootId: z.string(),
  /** Wall clock of `tMs` 0, ISO 8601. */
  epoch: z.string(),
  /** What the bus is, for people: `serial /dev/… 19200 8E1`, `tcp host:port`. */
  link: z.string(),
  /** unit id → device and profile. */
  units: z.record(z.string(), z.strictObject({ device: z.string(), profile: z.string() })),
});

export const frameRecordSchema = z.strictObject({
  kind: z.literal("frame"),
  /** When the request was handed to the wire, ms. */
  tMs: z.number(),
  /** Until the outcome, ms. */
  tookMs: z.number(),
  unit: z.number().int().min(0).max(255),
  lane: z.enum(["stop", "command", "poll"]),
  /** Request PDU, hex without spaces. */
  request: hexPdu,
  /** Reply PDU, exceptions included; absent: none. */
  reply: hexPdu.optional(),
  outcome: z.enum(["reply", "timeout", "malformed", "link-down", "not-sent"]),
});

export const decisionRecordSchema = z.strictObject({
  kind: z.literal("decision"),
  tMs: z.number(),
  unit: z.number().int().min(0).max(255).optional(),
  /** In a word: `stop-began`, `stop-ended`, `purged`, `guardian`, `silent`, `probe`, `link`, … */
  what: z.string(),
  text: z.string().optional(),
});

export const busRecordSchema = z.discriminatedUnion("kind", [
  recordHeadSchema,
  frameRecordSchema,
  decisionRecordSchema,
]);
export type RecordHead = z.infer<typeof recordHeadSchema>;
export type FrameRecord = z.infer<typeof frameRecordSchema>;
export type DecisionRecord = z.infer<typeof decisionRecordSchema>;
export type BusRecord = z.infer<typeof busRecordSchema>;
