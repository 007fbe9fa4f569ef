/**
 * The routes that ask the coordinator for runs: start, cancel, answers, and a person's choices.
 *
 * The idea: a request becomes one command over MQTT under the caller's Idempotency-Key, and 202
 * means that the coordinator has taken it, not that it is done. It refuses to decide whether a
 * command is allowed: the coordinator does.
 */
import * as z from "zod";
import type { Json } from "#drivers/reading.js";
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

const taken = z.object({ run: commandIdSchema, id: commandIdSchema });
const inputValue = z.union([z.number(), z.boolean(), z.string().max(256)]);
const nothing = z.strictObject({}).nullish();
/** Kept in the journal with the name. */
const reason = z.string().trim().min(1).max(500).describe("Why; kept with the name.");
const reasoned = z.strictObject({ text: reason });
const stepName = z.string().min(1).max(256);

interface RunVerb {
  readonly verb: string;
  readonly summary: string;
  readonly body: z.ZodType<{ readonly [name: string]: Json } | null | undefined>;
}

const runVerbs: readonly RunVerb[] = [
  { verb: "cancel", summary: "Stops the run, then makes it safe", body: nothing },
  { verb: "makeSafe", summary: "Makes a stopped run safe", body: nothing },
  {
    verb: "abandon",
    summary: "Ends a stopped run without making it safe",
    body: z.strictObject({ text: reason.optional() }).nullish() as RunVerb["body"],
  },
  {
    verb: "retry",
    summary: "Tries again what the run needs an operator for",
    body: nothing,
  },
  {
    verb: "skip",
    summary: "Leaves out the makeSafes that have failed; those not tried yet are run",
    body: reasoned,
  },
  {
    verb: "resolve",
    summary: "A person has looked and vouches for what is unknown; nothing moves",
    body: reasoned,
  },
  {
    verb: "answer",
    summary: "Answers a question that a step of the run asks",
    body: z.strictObject({ step: stepName, choice: z.string().min(1).max(256) }),
  },
  {
    verb: "signal",
    summary: "Sends a signal that a step of the run waits for",
    body: z.strictObject({ name: z.string().min(1).max(64) }),
  },
];

export function runRoutes(server: HttpServer, parts: Parts): void {
  startRoute(server, parts);
  for (const verb of runVerbs) runRoute(server, parts, verb);
}

const startBody = z.strictObject({
  saga: idSchema,
  run: commandIdSchema.optional(),
  inputs: z
    .record(z.string().max(64), inputValue)
    .optional()
    .describe("By name; numbers in the input's unit, or as text with a unit."),
  wait: z
    .boolean()
    .optional()
    .describe("Waits for devices that other runs have, instead of being refused."),
});

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
      const { saga, run = id, inputs, wait } = request.body;
      const by = actorFor(request, operators);
      const args = {
        saga,
        run,
        ...(inputs === undefined ? {} : { inputs }),
        ...(wait === undefined ? {} : { wait }),
      };
      await requests.ask({ topic: "runCommand", verb: "start", id, by, args });
      return reply.code(202).header("location", `${api}/runs/${run}`).send({ run, id });
    },
  );
}

function runRoute(server: HttpServer, parts: Parts, { verb, summary, body }: RunVerb): void {
  server.post(
    `${api}/runs/:run/${verb}`,
    {
      config: { action: "run" },
      schema: {
        summary,
        headers: keyHeader,
        params: z.object({ run: commandIdSchema }),
        body,
        response: { 202: taken, ...problemResponse },
      },
    },
    async (request, reply) => {
      const id = keyOf(request) ?? parts.newId();
      const { run } = request.params;
      const by = actorFor(request, parts.operators);
      const args = { ...request.body, run };
      await parts.requests.ask({ topic: "runCommand", verb, id, by, args });
      return reply.code(202).header("location", `${api}/runs/${run}`).send({ run, id });
    },
  );
}
