/**
 * The route that asks for the history of a run, page by page.
 *
 * The idea: the coordinator has the journal, so a page is asked of it like a command that changes
 * nothing; whoever may look may ask. It refuses to keep a page: the next question may be for
 * another run.
 */
import * as z from "zod";
import { commandIdSchema } from "#kernel/contract/payloads.js";
import { runHistorySchema } from "#kernel/contract/run-history.js";
import { ServocellError } from "#kernel/errors.js";
import { actorFor, api, type HttpServer, type Parts, problemResponse } from "./http.js";

export function historyRoutes(server: HttpServer, { requests, newId, operators }: Parts): void {
  server.get(
    `${api}/runs/:run/history`,
    {
      config: { action: "read" },
      schema: {
        summary: "The journal of one run, also of one that has ended long ago, in pages",
        params: z.object({ run: commandIdSchema }),
        querystring: z.object({ after: z.coerce.number().int().min(0).optional() }),
        response: { 200: runHistorySchema, ...problemResponse },
      },
    },
    async (request) => {
      const { run } = request.params;
      const { after } = request.query;
      const by = actorFor(request, operators);
      const args = { run, ...(after === undefined ? {} : { after }) };
      const asked = { topic: "runCommand", verb: "history", id: newId(), by, args } as const;
      const answer = await requests.ask(asked).catch((thrown: unknown) => {
        // Nothing was to happen, so nothing is unknown: the same question may be asked again.
        const unanswered = thrown instanceof ServocellError && thrown.code === "OUTCOME_UNKNOWN";
        if (!unanswered) throw thrown;
        const text = "The coordinator did not answer in time; ask again.";
        throw new ServocellError("NOT_READY", text, { run }, thrown);
      });
      const page = runHistorySchema.safeParse(answer.result);
      if (page.success) return page.data;
      throw new ServocellError("INTERNAL", "The coordinator's page does not fit.", { run });
    },
  );
}
