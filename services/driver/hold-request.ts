/**
 * What a request for a hold says, read and judged before a lease is lent for it.
 *
 * The idea: a press is refused with its reason at once, and not after the first echo; what leaves
 * an interlock out of account goes slowly, whoever asks [PROTOCOL 8]. Pure; it refuses a request
 * of which it understands only a part.
 */
import * as z from "zod";
import type { AxisSetup } from "#drivers/device-model.js";
import type { Verdict } from "#drivers/reading.js";
import { type Command, commandIdSchema, idSchema } from "#kernel/contract/payloads.js";
import { refuse } from "./command-checks.js";
import type { HoldRequest } from "./holds.js";

/** Of the greatest velocity, for a hold that leaves an interlock out of account. */
export const bypassShareMax = 0.1;

const argsSchema = z.object({
  holder: idSchema,
  hold: commandIdSchema,
  velocity: z.number(),
  bypass: z.array(z.string()).max(64).default([]),
  granter: idSchema,
  granterBootId: z.string(),
});

/** Undefined: it is not one. */
export function holdRequestOf({ args, by, replyTo }: Command): HoldRequest | undefined {
  const read = argsSchema.safeParse(args);
  if (!read.success) return undefined;
  const { holder, hold, velocity, bypass, granter, granterBootId } = read.data;
  const who = { service: granter, bootId: granterBootId };
  return { holder, hold, velocity, bypass, by, replyTo, granter: who };
}

/** Why this speed is not allowed beside an interlock that is left out of account. */
export function tooFast(
  { velocity, bypass }: Pick<HoldRequest, "velocity" | "bypass">,
  axis: Pick<AxisSetup, "velocityMax" | "unit"> | undefined,
): Verdict | undefined {
  if (bypass.length === 0 || axis === undefined) return undefined;
  const limit = axis.velocityMax * bypassShareMax;
  if (Math.abs(velocity) <= limit) return undefined;
  const unit = `${axis.unit}/s`;
  const text = `without ${bypass.join(", ")} it goes at ${limit} ${unit} at most, not ${velocity}`;
  return refuse("LIMIT_EXCEEDED", text, { value: velocity, limit });
}
