/**
 * The routes that ask the coordinator for something: runs, reset, clear.
 *
 * The idea: a request becomes one command over MQTT under the caller's Idempotency-Key, and 202
 * means that the coordinator has taken it, not that it is done. It refuses to decide whether a
 * command is allowed: the coordinator does.
 */
import * as z from "zod";
import { commandIdSchema, idSchema } from "#kernel/contract/payloads.js";
import {
  actorFor,
  api,
  type HttpServer,
  keyHeader,
  keyOf,
  type Parts,
  problemResponse,
} from "./http.js";

const runVerbs = {
  cancel: "Stops the run, then makes it safe",
  makeSafe: "Makes a stopped run safe",
  abandon: "Ends a stopped run without making it safe",
  retry: "Tries again what the run needs an operator for",
} as const;

const startBody = z.strictObject({
  saga: idSchema,
  run: commandIdSchema.optional(),
  inputs: z.record(z.string(), z.union([z.number(), z.boolean(), z.string()])).optional(),
  wait: z.boolean().optional().describe("Waits for devices that other runs have."),
});
const taken = z.object({ run: commandIdSchema, id: commandIdSchema });
const answered = z.object({ id: commandIdSchema, status: z.string() });

export function commandRoutes(server: HttpServer, parts: Parts): void {
  startRoute(server, parts);
  for (const [verb, summary] of Object.entries(runVerbs)) runRoute(server, parts, verb, summary);
  cellRoutes(server, parts);
}

function startRoute(server: HttpServer, { requests, newId, operators }: Parts): void {
  server.post(
    `${api}/runs`,
    {
      config: { action: "run" },
      schema: {
        summary: "Starts a saga",
        headers: keyHeader,
        body: startBody,
        response: { 202: taken, ...problemResponse },
      },
    },
    async (request, reply) => {
      // Key and run name each other, so a repeated request is the same request to the letter.
      const id = keyOf(request) ?? request.body.run ?? newId();
      const run = request.body.run ?? id;
      const by = actorFor(request, operators);
      const { saga, inputs, wait } = request.body;
      const given = inputs === undefined ? {} : { inputs };
      const args = { saga, run, ...given, ...(wait === true ? { wait } : {}) };
      await requests.ask({ topic: "runCommand", verb: "start", id, by, args });
      return reply.code(202).header("location", `${api}/runs/${run}`).send({ run, id });
    },
  );
}

function runRoute(server: HttpServer, parts: Parts, verb: string, summary: string): void {
  server.post(
    `${api}/runs/:run/${verb}`,
    {
      config: { action: "run" },
      schema: {
        summary,
        headers: keyHeader,
        params: z.object({ run: commandIdSchema }),
        body: z.strictObject({}).nullish(),
        response: { 202: taken, ...problemResponse },
      },
    },
    async (request, reply) => {
      const id = keyOf(request) ?? parts.newId();
      const { run } = request.params;
      const by = actorFor(request, parts.operators);
      await parts.requests.ask({ topic: "runCommand", verb, id, by, args: { run } });
      return reply.code(202).header("location", `${api}/runs/${run}`).send({ run, id });
    },
  );
}

/** What "those shown now" meant under a key: a repeat is the same request to the letter. */
class ShownStops {
  readonly #byId = new Map<string, readonly string[]>();

  under(id: string, now: readonly string[]): readonly string[] {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    this.#byId.set(id, now);
    const [oldest] = this.#byId.keys();
    if (this.#byId.size > shownMax && oldest !== undefined) this.#byId.delete(oldest);
    return now;
  }
}
/** Resets whose stops are remembered for a repeat. */
const shownMax = 64;

function cellRoutes(server: HttpServer, { requests, mirror, newId, operators }: Parts): void {
  const shownStops = new ShownStops();
  server.post(
    `${api}/reset`,
    {
      config: { action: "reset" },
      schema: {
        summary: "Resets exactly the named stops (absent: those shown now); nothing moves by it",
        headers: keyHeader,
        body: z.strictObject({ stops: z.array(commandIdSchema).max(64).optional() }).nullish(),
        response: { 202: answered, ...problemResponse },
      },
    },
    async (request, reply) => {
      const id = keyOf(request) ?? newId();
      const shown = (mirror.stops?.value.stops ?? []).map((stop) => stop.id);
      const args = { stops: request.body?.stops ?? [...shownStops.under(id, shown)] };
      const by = actorFor(request, operators);
      const done = await requests.ask({ topic: "cellCommand", verb: "reset", id, by, args });
      return reply.code(202).send({ id, status: done.status });
    },
  );
  server.post(
    `${api}/clear`,
    {
      config: { action: "reset" },
      schema: {
        summary: "Leaves Aborted",
        headers: keyHeader,
        body: z.strictObject({}).nullish(),
        response: { 202: answered, ...problemResponse },
      },
    },
    async (request, reply) => {
      const id = keyOf(request) ?? newId();
      const by = actorFor(request, operators);
      const done = await requests.ask({ topic: "cellCommand", verb: "clear", id, by, args: {} });
      return reply.code(202).send({ id, status: done.status });
    },
  );
}
