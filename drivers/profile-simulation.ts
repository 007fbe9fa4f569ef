/**
 * What a profile says about pretending to be its device: which writes move the axis.
 *
 * The idea: states, flags, position and scales are in the profile already, so that only the
 * commands have to be named; then a new drive moves in the simulator without code. A family of
 * simulated devices written by hand comes first; `like` names one. It refuses physics: the
 * mechanics are the cell file's.
 */
import * as z from "zod";
import { conditionSchema } from "./profile-behaviour.js";
import { nameSchema } from "./profile-facts.js";

/** A command counts while it holds, when it becomes true, or with each write of it. */
const commandSchema = z.strictObject({
  when: conditionSchema,
  /** @default edge */
  on: z.enum(["edge", "write"]).optional(),
});

/** What the simulated axis knows of itself; a flag of the profile shows one of these. */
export const simulationFacts = [
  "enabled",
  "moving",
  "standing",
  "inTarget",
  "fault",
  "homed",
  "accepted",
  "homing",
  "always",
  "never",
] as const;
export type SimulationFact = (typeof simulationFacts)[number];

export const simulationSchema = z.strictObject({
  /** `registers`: a memory without physics. */
  behaviour: z.enum(["axis", "registers"]),
  /** The family of another profile pretends for this one: same points, same behaviour. */
  like: z
    .string()
    .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/)
    .optional(),
  /** Powered while this holds. @default always */
  enable: conditionSchema.optional(),
  /** Takes target and speed, and goes there. */
  start: commandSchema.optional(),
  target: nameSchema.optional(),
  /** The target counts from where the axis stands. */
  relative: conditionSchema.optional(),
  speed: nameSchema.optional(),
  /** Turns at `runSpeed` while this holds. */
  run: conditionSchema.optional(),
  runSpeed: nameSchema.optional(),
  /** A run counts only so long after its last write. */
  runHoldsMs: z.number().int().positive().optional(),
  /** Brakes on the ramp while this holds; the rest of the path is gone, or kept. */
  stop: conditionSchema.optional(),
  keepsPath: z.boolean().optional(),
  /** The same with three times the ramp. */
  fast: conditionSchema.optional(),
  home: commandSchema.optional(),
  reset: commandSchema.optional(),
  /** Flag of the profile → what it shows. @default flags of the same name */
  shows: z.record(nameSchema, z.enum(simulationFacts)).optional(),
  /** Raw values after power-up. */
  defaults: z.record(nameSchema, z.number().int()).optional(),
});
export type SimulationSpec = z.infer<typeof simulationSchema>;
