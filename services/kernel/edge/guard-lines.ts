/**
 * The lines of the guard socket, both ways (docs/ARCHITECTURE.md, Wires).
 *
 * The idea: one JSON object a line; frames are PDUs in hex. It refuses (undefined) whatever does
 * not fit, because a guardian with half a registration is worse than none.
 */
import * as z from "zod";
import { idSchema } from "../contract/payloads.js";
import type { GuardMessage } from "../ports.js";

/** Frames of one blind stop. */
export const guardFramesMax = 16;

const frameSchema = z
  .string()
  .transform((text) => text.replaceAll(/\s/g, ""))
  .refine((hex) => /^([0-9a-fA-F]{2}){1,253}$/.test(hex))
  .transform((hex) => Uint8Array.from(Buffer.from(hex, "hex")));

const guardLineSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("hello"),
    unit: z.number().int().min(0).max(255),
    device: idSchema,
  }),
  z.object({ kind: z.literal("guard"), frames: z.array(frameSchema).max(guardFramesMax) }),
  z.object({ kind: z.literal("pulse"), still: z.boolean(), up: z.boolean() }),
]);

/** Undefined: not a line of this socket. */
export function readGuardLine(line: string): GuardMessage | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const parsed = guardLineSchema.safeParse(json);
  return parsed.success ? parsed.data : undefined;
}

export function writeGuardLine(message: GuardMessage): string {
  if (message.kind !== "guard") return `${JSON.stringify(message)}\n`;
  const frames = message.frames.map((frame) => Buffer.from(frame).toString("hex"));
  return `${JSON.stringify({ kind: "guard", frames })}\n`;
}
