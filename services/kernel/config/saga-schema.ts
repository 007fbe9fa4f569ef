/**
 * The structure of a saga: which keys there are and what kind of value each takes.
 *
 * The idea: one strict schema for YAML files, for modules and for editors, so unknown keys are
 * refused everywhere alike; which keys go together, and what they mean, is judged with the devices
 * (saga-steps.ts). It refuses to check relations between values.
 */
import * as z from "zod";
import { idSchema } from "../contract/payloads.js";
import { cellModes } from "./saga.js";

const text = z.string().min(1);
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, {
  message: "a name is letters, digits and _, and begins with a letter",
});
const stepName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
  message: "a step's name is small letters, digits and -",
});
/** A number with its unit, such as `120 mm`; plain numbers only where the key says so. */
const quantity = z.union([z.string(), z.number()], {
  error: "this is a number with its unit, such as 120 mm, or an expression, such as = input.depth",
});
/** As `quantity`, true, false, a text, or an expression behind `=`. */
const value = z.union([z.string(), z.number(), z.boolean()], {
  error: "this is a value, or an expression, such as = input.depth + 5 mm",
});

/** A whole number within these. */
function whole(min: number, max: number, key: string) {
  const message = `${key} is a whole number from ${min} to ${max}`;
  return z.number().int({ message }).min(min, { message }).max(max, { message });
}

const operation = z.strictObject({
  do: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]*\.[a-zA-Z]+$/, { message: "write device.operation" })
    .describe("The operation, such as z.moveTo."),
  with: z.record(z.string(), quantity).optional().describe("Its arguments."),
});
const makeSafe = z.union(
  [z.literal("still"), z.strictObject({ none: z.string().min(3) }), z.array(operation).min(1)],
  { error: 'write still, { none: "the reason" } or a list of { do: device.operation }' },
);

const input = z.strictObject({
  kind: z.enum(["number", "boolean", "text"]).optional().describe("@default number"),
  unit: text.optional().describe("Of a number: its unit, such as mm; absent: a plain number."),
  min: quantity.optional(),
  max: quantity.optional(),
  choices: z.array(text).min(1).max(32).optional().describe("Of a text: what it may be."),
  default: value.optional().describe("Absent: it has to be given."),
  text: text.optional().describe("For people."),
});

const retry = z.strictObject({
  attempts: whole(2, 10, "attempts").describe("Attempts in all, the first one included."),
  backoff: quantity.optional().describe("Pause before the second attempt. @default 500 ms"),
  factor: z
    .number()
    .min(1, { message: "factor is 1 to 10" })
    .max(10, { message: "factor is 1 to 10" })
    .optional()
    .describe("The pause grows by this. @default 2"),
});

const eventWait = z.strictObject({
  event: text.describe("kind.id.type, such as axis.x.lease.ended; * for any id."),
  where: text.optional().describe("A condition over its fields, such as event.code == 'X'."),
});

const ask = z.strictObject({
  text: z.string().min(1).max(200),
  choices: z.array(z.string().min(1).max(40)).min(1).max(8),
  as: name.optional().describe("The variable that keeps the answer."),
});

const steps: z.ZodType<readonly unknown[]> = z.lazy(() => z.array(sagaStepSchema).min(1));

const parallel = z.strictObject({
  branches: z.record(stepName, steps).describe("Name and steps of each branch; 2 to 8."),
  until: z
    .enum(["all", "first"])
    .optional()
    .describe("first: the others are stopped when one has ended. @default all"),
});
const choice = z.strictObject({ when: text.describe("A condition."), steps });
const repeat = z.strictObject({
  times: quantity.optional().describe("How often; a number or an expression."),
  while: text.optional().describe("Goes on as long as this condition holds."),
  max: whole(1, 10_000, "max").optional().describe("Never more turns than this."),
  steps,
});
const call = z.strictObject({
  saga: idSchema.describe("A saga of this cell; its steps are run here."),
  with: z.record(z.string(), value).optional().describe("Its inputs."),
});

export const sagaStepSchema = z.strictObject({
  name: stepName.describe("Unique in the saga; it stands in journal and page."),
  do: operation.shape.do.optional(),
  with: operation.shape.with,
  dwell: quantity.optional().describe("Waits for this time."),
  waitFor: z
    .union([text, eventWait], { error: "write a condition, or { event: kind.id.type }" })
    .optional()
    .describe("Waits until a condition holds, or for an event."),
  signal: idSchema.optional().describe("Waits until someone sends this signal to the run."),
  ask: ask.optional().describe("Asks the operator and waits for the answer."),
  set: z.record(name, value).optional().describe("Variables, each with its expression."),
  parallel: parallel.optional().describe("Branches that run at the same time."),
  choose: z.array(choice).min(1).max(16).optional().describe("The first case that holds is run."),
  otherwise: steps.optional().describe("Of choose: what is run when no case holds."),
  repeat: repeat.optional().describe("Runs steps again and again."),
  call: call.optional().describe("Runs another saga as a part of this one."),
  timeout: quantity.optional().describe("@default 30 s; ask and signal: 10 min"),
  retry: retry.optional().describe("Tries again; only where the profile allows it."),
  orElse: steps.optional().describe("Run instead where this step was refused and nothing moved."),
  makeSafe: makeSafe.optional().describe("How it is made safe when the run fails."),
  maxAge: quantity.optional().describe("Greatest age of readings acted on. @default 1 s"),
});

/** What a saga file holds; a module exports the same structure. */
export const sagaFileSchema = z.strictObject({
  saga: idSchema.describe("Its name in the cell."),
  title: text.optional().describe("For people. @default its name"),
  inputs: z.record(name, input).optional().describe("What is given at the start of a run."),
  uses: z.array(text).optional().describe("Devices leased. @default those that are commanded"),
  prepare: text.optional().describe("A saga to run first when an axis is not ready."),
  onRestart: z.enum(["makeSafe", "resume"]).optional().describe("@default makeSafe"),
  mode: z.enum(cellModes).optional().describe("The mode it may be started in. @default Production"),
  priority: whole(0, 9, "priority").optional().describe("Higher goes first. @default 5"),
  safeFirst: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Steps whose makeSafe is run before all others, in this order."),
  steps,
});
export type SagaFile = z.infer<typeof sagaFileSchema>;
