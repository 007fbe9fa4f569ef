/**
 * The history of a run as it is handed out: pages of its journal, as schemas.
 *
 * The idea: a row is what the journal holds, in its order: events of the run and, as `intent`,
 * the commands that each let leave. The first page also has the run's record, so that a reader
 * knows its steps; `next` leads to the following page. It refuses to interpret a row.
 */
import * as z from "zod";
import { bySchema, commandIdSchema, idSchema, runSchema, runStates } from "./payloads.js";

/** Rows of one page. */
export const historyRowsMax = 200;

export const historyRowSchema = z.object({
  seq: z.number().int().min(1).describe("Counts from 1 in the run, without gaps."),
  type: z.string().describe("What happened: an event of the run, or intent."),
  at: z.number().describe("Wall clock, epoch milliseconds."),
  data: z.record(z.string(), z.unknown()),
});

export const runHistorySchema = z.object({
  run: commandIdSchema,
  saga: idSchema,
  version: z.string(),
  state: z.enum(runStates),
  by: bySchema,
  startedAt: z.number(),
  endedAt: z.number().optional(),
  inputs: z.record(z.string(), z.union([z.number(), z.boolean(), z.string()])),
  rows: z.array(historyRowSchema).max(historyRowsMax),
  next: z.number().int().optional().describe("Ask again with after=next; absent: no more rows."),
  record: runSchema
    .optional()
    .describe("First page: the run with its steps; absent where it is too long to be replayed."),
});

export type HistoryRow = z.infer<typeof historyRowSchema>;
export type RunHistory = z.infer<typeof runHistorySchema>;
