/**
 * A whole run as one JSON document: `servocell runs show --json`.
 *
 * The idea: the pages of the history joined, under a number that says how to read them; its JSON
 * Schema stands in docs/schemas. It refuses a history with a gap.
 */
import * as z from "zod";
import { type RunHistory, runHistorySchema } from "#kernel/contract/run-history.js";
import { ServocellError } from "#kernel/errors.js";
import type { Api } from "./client.js";

export const runExportSchema = runHistorySchema.omit({ next: true, rows: true }).extend({
  servocellRun: z.literal(1).describe("How this document is to be read."),
  rows: z.array(runHistorySchema.shape.rows.element).describe("The journal, whole."),
});
export type RunExport = z.infer<typeof runExportSchema>;

/** Pages of one run that are asked for at most. */
const pagesMax = 20_000;

/** All pages, joined. @throws NOT_FOUND, and INTERNAL where the rows have a gap. */
export async function wholeHistory(api: Api, run: string): Promise<RunHistory> {
  const first = await api.history(run, 0);
  const rows = [...first.rows];
  let { next } = first;
  for (let page = 1; next !== undefined && page < pagesMax; page += 1) {
    const more: RunHistory = await api.history(run, next);
    rows.push(...more.rows);
    next = more.next;
  }
  const gap = rows.findIndex(({ seq }, i) => seq !== i + 1);
  if (gap === -1) return { ...first, rows };
  const text = `The history of ${run} has a gap before row ${rows[gap]?.seq ?? 0}.`;
  throw new ServocellError("INTERNAL", text, { run });
}

export function exported({ next: _whole, ...history }: RunHistory): RunExport {
  return { servocellRun: 1, ...history };
}
