/**
 * The routes that only look: cell, axes, devices, sagas, runs, stops, stream, health, metrics.
 *
 * The idea: each is a view of the mirror as it is now, with its freshness. It refuses to ask any
 * other service: a read costs the cell nothing.
 */
import * as z from "zod";
import { commandIdSchema, idSchema, runSchema } from "#kernel/contract/payloads.js";
import {
  axisResource,
  cellResource,
  deviceResource,
  runsResource,
  sagaResource,
  stopsResource,
} from "#kernel/contract/resources.js";
import { ServocellError } from "#kernel/errors.js";
import { actorFor, api, type HttpServer, type Parts, problemResponse } from "./http.js";
import {
  axisIds,
  axisView,
  cellView,
  deviceView,
  runOf,
  runsView,
  sagaViews,
  stopsView,
} from "./views.js";

const config = { action: "read" } as const;

function missing(what: string, name: string, known: readonly string[]): ServocellError {
  const list = known.length === 0 ? "there are none" : `there are ${known.join(", ")}`;
  return new ServocellError("NOT_FOUND", `There is no ${what} ${name}; ${list}.`, { name });
}

export function readRoutes(server: HttpServer, parts: Parts): void {
  cellRoutes(server, parts);
  axisRoutes(server, parts);
  deviceRoutes(server, parts);
  runRoutes(server, parts);
  watchRoutes(server, parts);
}

function cellRoutes(server: HttpServer, { mirror, config: cell, ledger }: Parts): void {
  server.get(
    `${api}/cell`,
    {
      config,
      schema: { summary: "The cell", response: { 200: cellResource, ...problemResponse } },
    },
    () => cellView(mirror, cell),
  );
  server.get(
    `${api}/sagas`,
    {
      config,
      schema: {
        summary: "What the cell can run",
        response: { 200: z.object({ sagas: z.array(sagaResource) }), ...problemResponse },
      },
    },
    () => ({ sagas: sagaViews(cell) }),
  );
  server.get(
    `${api}/stops`,
    {
      config,
      schema: {
        summary: "Stops in force, and how the newest orders were delivered",
        response: { 200: stopsResource, ...problemResponse },
      },
    },
    () => stopsView(mirror, ledger.orders()),
  );
}

function axisRoutes(server: HttpServer, { mirror, config: cell }: Parts): void {
  const ids = axisIds(cell);
  const axes = cell.devices.filter((device) => ids.includes(device.id));
  server.get(
    `${api}/axes`,
    {
      config,
      schema: {
        summary: "All axes",
        response: { 200: z.object({ axes: z.array(axisResource) }), ...problemResponse },
      },
    },
    () => ({ axes: axes.map((device) => axisView(mirror, cell, device)) }),
  );
  server.get(
    `${api}/axes/:axis`,
    {
      config,
      schema: {
        summary: "One axis",
        params: z.object({ axis: idSchema }),
        response: { 200: axisResource, ...problemResponse },
      },
    },
    (request) => {
      const device = axes.find((d) => d.id === request.params.axis);
      if (device === undefined) throw missing("axis", request.params.axis, ids);
      return axisView(mirror, cell, device);
    },
  );
}

function deviceRoutes(server: HttpServer, { mirror, config: cell }: Parts): void {
  server.get(
    `${api}/devices`,
    {
      config,
      schema: {
        summary: "All devices with link and breaker",
        response: { 200: z.object({ devices: z.array(deviceResource) }), ...problemResponse },
      },
    },
    () => ({ devices: cell.devices.map((device) => deviceView(mirror, device)) }),
  );
  server.get(
    `${api}/devices/:device`,
    {
      config,
      schema: {
        summary: "One device with link and breaker",
        params: z.object({ device: idSchema }),
        response: { 200: deviceResource, ...problemResponse },
      },
    },
    (request) => {
      const known = cell.devices.map((d) => d.id);
      const device = cell.devices.find((d) => d.id === request.params.device);
      if (device === undefined) throw missing("device", request.params.device, known);
      return deviceView(mirror, device);
    },
  );
}

function runRoutes(server: HttpServer, { mirror }: Parts): void {
  server.get(
    `${api}/runs`,
    {
      config,
      schema: {
        summary: "Open runs and the newest ended ones",
        response: { 200: runsResource, ...problemResponse },
      },
    },
    () => runsView(mirror),
  );
  server.get(
    `${api}/runs/:run`,
    {
      config,
      schema: {
        summary: "One run with its steps",
        params: z.object({ run: commandIdSchema }),
        response: { 200: runSchema, ...problemResponse },
      },
    },
    (request) => {
      const run = runOf(mirror, request.params.run);
      if (run === undefined) {
        const text = `There is no run ${request.params.run} among the open and newest ones.`;
        throw new ServocellError("NOT_FOUND", text, { run: request.params.run });
      }
      return run;
    },
  );
}

function watchRoutes(server: HttpServer, parts: Parts): void {
  const { mirror, stream, metrics } = parts;
  server.get(
    `${api}/stream`,
    {
      config,
      schema: {
        summary: "Server-sent events: a snapshot, then changes; resumes by Last-Event-ID",
        produces: ["text/event-stream"],
        querystring: z.object({
          lastEventId: z
            .string()
            .max(128)
            .optional()
            .describe("For clients that cannot set the header; the header counts before it."),
        }),
        response: { ...problemResponse },
      },
    },
    (request, reply) => {
      const last = request.headers["last-event-id"];
      reply.hijack();
      // A browser that comes back by itself asks the same address again, with a newer header.
      const id = (Array.isArray(last) ? last[0] : last) ?? request.query.lastEventId;
      stream.attach(reply.raw, actorFor(request, parts.operators), id);
    },
  );
  server.get("/healthz", { config, schema: { hide: true } }, (_request, reply) => {
    const reasons = [
      ...(mirror.connected ? [] : ["no connection to the broker"]),
      ...(parts.draining() ? ["shutting down"] : []),
    ];
    const status = reasons.length === 0 ? "ok" : "unavailable";
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ status, reasons });
  });
  server.get("/metrics", { config, schema: { hide: true } }, async (_request, reply) => {
    const text = await metrics.registry.metrics();
    return reply.header("content-type", metrics.registry.contentType).send(text);
  });
  server.get(`${api}/openapi.json`, { config, schema: { hide: true } }, () => server.swagger());
}
