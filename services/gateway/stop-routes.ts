/**
 * STOP over HTTP: no lease, no body, no type, no rate limit, no question (PROTOCOL 5).
 *
 * The idea: the whole of it happens in the first hook of the request, before the server parses or
 * checks anything, so that no malformed request can be a refused stop. The answer says for each
 * axis whether its driver has it. It refuses nothing.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import { commandIdSchema, idSchema } from "#kernel/contract/payloads.js";
import { stopAxisResource } from "#kernel/contract/resources.js";
import { actorFor, api, type HttpServer, keyOf, type Parts, problemResponse } from "./http.js";
import { problemOf, sendProblem } from "./problems.js";
import { readStopBody } from "./stop-body.js";
import { notDeliveredText } from "./stop-ledger.js";
import { axisIds } from "./views.js";

const delivery = z.object({
  id: commandIdSchema,
  kind: z.enum(["stop", "quickStop", "abort"]),
  delivered: z.boolean().describe("Every driver has the order; standstill is reported later."),
  text: z.string(),
  axes: z.array(stopAxisResource),
});

const body = z.object({
  kind: z.enum(["stop", "quickStop", "abort"]).optional(),
  reason: z.string().optional(),
  id: commandIdSchema.optional().describe("Where the same stop goes over another road too."),
});

/** The document shows the body; nothing checks it, because the first hook has answered. */
const documented = {
  body: body.nullish(),
  response: { 200: delivery, ...problemResponse },
};

export function stopRoutes(server: HttpServer, parts: Parts): void {
  const all = axisIds(parts.config);
  const unreached = async () => undefined;
  server.post(
    `${api}/stop`,
    {
      config: { action: "stop" },
      schema: { summary: "Stops every axis", ...documented },
      onRequest: (request, reply) => stopNow(request, reply, parts, { axes: all, only: false }),
    },
    unreached,
  );
  server.post(
    `${api}/axes/:axis/stop`,
    {
      config: { action: "stop" },
      schema: { summary: "Stops one axis", params: z.object({ axis: idSchema }), ...documented },
      onRequest: (request, reply) => {
        const { axis } = request.params as { readonly axis: string };
        if (!all.includes(axis)) return noSuchAxis(request, reply, axis, all);
        return stopNow(request, reply, parts, { axes: [axis], only: true });
      },
    },
    unreached,
  );
}

async function noSuchAxis(
  request: FastifyRequest,
  reply: FastifyReply,
  axis: string,
  all: readonly string[],
) {
  const text = `There is no axis ${axis}, nothing was stopped; there are ${all.join(", ")}.`;
  return sendProblem(reply, problemOf("NOT_FOUND", text, { axis }, request.url));
}

async function stopNow(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: Parts,
  scope: { readonly axes: readonly string[]; readonly only: boolean },
) {
  const by = actorFor(request, parts.operators);
  const wish = await readStopBody(request.raw);
  // One axis can be stopped hard, but the cell is not aborted by it.
  const kind = scope.only && wish.kind === "abort" ? "quickStop" : wish.kind;
  const key = keyOf(request);
  const given = parts.ledger.give({
    kind,
    ...scope,
    by,
    ...(key === undefined ? {} : { key }),
    ...(wish.id === undefined ? {} : { id: wish.id }),
    ...(wish.reason === undefined ? {} : { reason: wish.reason }),
  });
  const from = request.socket.remoteAddress ?? "";
  parts.log.warn({ mark: "stop-ordered", kind, by: by.user, from, only: scope.only }, "STOP");
  const order = await given;
  const missed = order.axes.filter((axis) => axis.status === "notDelivered");
  const text =
    missed.length === 0
      ? "every driver has the order"
      : `${missed.map((axis) => axis.axis).join(", ")}: ${notDeliveredText}`;
  if (missed.length > 0) parts.log.error({ mark: "stop-not-delivered", id: order.id }, text);
  const { id, axes } = order;
  const answer = { id, kind: order.kind, delivered: missed.length === 0, text, axes };
  return reply
    .code(200)
    .header("content-type", "application/json; charset=utf-8")
    .header("cache-control", "no-store")
    .send(JSON.stringify(answer));
}
