/**
 * Every failure as application/problem+json [RFC 9457], with the code of the registry.
 *
 * The idea: whatever is thrown becomes a registered code, its status and a sentence; the text of
 * an unexpected failure goes to the log and never to the caller. It refuses stacks.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import type { Detail, Json } from "#drivers/reading.js";
import type { Problem } from "#kernel/contract/resources.js";
import { type ErrorCode, errors, ServocellError, textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";

export const problemType = "application/problem+json";

export function problemOf(
  code: ErrorCode,
  message: string,
  facts: Detail,
  instance: string,
): Problem {
  const spec = errors[code];
  return {
    type: `urn:servocell:error:${code}`,
    title: spec.meaning,
    status: spec.http,
    code,
    message,
    action: spec.action,
    retry: spec.retry,
    detail: message,
    facts: facts as Problem["facts"],
    instance,
  };
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .header("content-type", problemType)
    .header("cache-control", "no-store")
    .send(JSON.stringify(problem));
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?")[0] ?? request.url;
}

function statusOf(thrown: unknown): number {
  const status = (thrown as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === "number" ? status : 500;
}

/** What a caller is told of a thrown thing. */
export function problemFor(thrown: unknown, instance: string): Problem {
  if (thrown instanceof ServocellError) {
    return problemOf(thrown.code, thrown.message, thrown.detail, instance);
  }
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const wrong: Json[] = thrown.validation.map((v) => ({
      at: v.instancePath === "" ? "/" : v.instancePath,
      problem: v.message ?? "does not fit",
    }));
    const first = thrown.validation[0];
    const at = `${thrown.validationContext ?? "request"}${first?.instancePath ?? ""}`;
    const text = `The value at ${at} does not fit: ${first?.message ?? "see the facts"}.`;
    return problemOf("VALIDATION_FAILED", text, { wrong }, instance);
  }
  const status = statusOf(thrown);
  if (status === 404) {
    return problemOf("NOT_FOUND", `There is no ${instance}.`, {}, instance);
  }
  if (status >= 400 && status < 500) {
    const text = `The request cannot be read: ${textOf(thrown)}.`;
    return problemOf("VALIDATION_FAILED", text, {}, instance);
  }
  const text = "The gateway failed while it handled the request; its log has the reason.";
  return problemOf("INTERNAL", text, {}, instance);
}

export function sendThrown(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): FastifyReply {
  const problem = problemFor(thrown, pathOf(request));
  if (problem.code === "INTERNAL") {
    log.error({ err: thrown, method: request.method, path: pathOf(request) }, "request failed");
  }
  return sendProblem(reply, problem);
}

/** Error and not-found handlers for the whole server. */
export function installProblems(server: FastifyInstance, log: Log): void {
  server.setErrorHandler((thrown, request, reply) => sendThrown(thrown, request, reply, log));
  server.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const text = `There is no ${request.method} ${path}; see /api/v1/openapi.json.`;
    return sendProblem(reply, problemOf("NOT_FOUND", text, {}, path));
  });
}
