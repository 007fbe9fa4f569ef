/**
 * The payloads of hold-to-run [PROTOCOL 16].
 *
 * The idea: the driver says a nonce, the gateway echoes what the person's client has seen of it;
 * both are QoS 0 and say everything that is needed by themselves. It refuses to carry a speed: that
 * is part of the grant.
 */
import * as z from "zod";
import { commandIdSchema } from "./payloads.js";

const v = z.literal(1);

/**
 * A finger on the button, as the gateway tells it: renews the hold of this epoch by echoing the
 * newest nonce of the driver, or lets go. QoS 0: what is lost is not said again [PROTOCOL 16].
 */
export const holdBeatSchema = z.object({
  v,
  hold: commandIdSchema,
  epoch: z.number().int(),
  /** Of the newest feedback that the person's client has seen; absent: it lets go. */
  nonce: z.string().max(64).optional(),
  /** An echo of a nonce older than this is ignored. */
  ttlMs: z.number().positive(),
});

/** The driver's word on a hold, every 100 ms while it lives and once when it has ended. */
export const holdFeedbackSchema = z.object({
  v,
  ts: z.number(),
  bootId: z.string(),
  hold: commandIdSchema,
  epoch: z.number().int(),
  state: z.enum(["armed", "pressed", "ended"]),
  /** To be echoed; absent once it has ended. */
  nonce: z.string().optional(),
  /** Why it has ended. */
  reason: z.string().optional(),
});

export type HoldBeat = z.infer<typeof holdBeatSchema>;
export type HoldFeedback = z.infer<typeof holdFeedbackSchema>;
