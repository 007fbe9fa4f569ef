/**
 * The gateway: the cell over HTTP, for the page, for scripts and for Prometheus.
 *
 * The idea: a mirror listens to the cell, views and a stream show it, commands go to the
 * coordinator, and STOP goes to every driver over both roads without asking anyone. It refuses to
 * hold state of the cell: it can be killed and started again at any moment.
 */
import fastifySwagger from "@fastify/swagger";
import Fastify, { type FastifyInstance } from "fastify";
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { CellConfig } from "#kernel/config/cell.js";
import { ServocellError } from "#kernel/errors.js";
import type { App, Boot, Log, MessageLink, NewId, StopFanOut } from "#kernel/ports.js";
import { Presence } from "#kernel/presence.js";
import { StopSender } from "#kernel/stop-sender.js";
import type { Actor } from "./authorize.js";
import { cellRoutes } from "./cell-routes.js";
import { CoordinatorRequests } from "./coordinator-requests.js";
import { Deltas } from "./deltas.js";
import { historyRoutes } from "./history-routes.js";
import { type HoldRouteParts, holdRoutes } from "./hold-routes.js";
import { Holds } from "./holds.js";
import { type HttpServer, installGuard, type Parts } from "./http.js";
import { Metrics } from "./metrics.js";
import { Mirror } from "./mirror.js";
import { type PageFiles, pageRoutes } from "./page-routes.js";
import { installProblems, sendThrown } from "./problems.js";
import { readRoutes } from "./read-routes.js";
import { runRoutes } from "./run-routes.js";
import { StopLedger } from "./stop-ledger.js";
import { stopRoutes } from "./stop-routes.js";
import { Stream } from "./stream.js";
import {
  axisIds,
  axisView,
  cellView,
  deviceView,
  runsView,
  sagaViews,
  stopsView,
} from "./views.js";

/** Requests under way get this long at the end; then their connections are closed. */
export const drainMsMax = 1500;
const requestBytesMax = 64 * 1024;

export interface GatewayPorts {
  readonly main: MessageLink;
  readonly stop: MessageLink;
  readonly fanOut: StopFanOut;
  readonly log: Log;
  readonly boot: Boot;
  readonly newId: NewId;
  readonly page: PageFiles;
  /** Peer addresses that count as the cell's own PC besides loopback. @default none */
  readonly operators?: readonly string[];
}

export type Gateway = App & { readonly server: FastifyInstance };

export function buildGateway(ports: GatewayPorts, config: CellConfig): Gateway {
  let draining = false;
  const parts = buildParts(ports, config, () => draining);
  const server = buildServer(ports, parts);
  const presence = new Presence(ports.main, ports.boot);
  let ended: Promise<void> | undefined;
  return {
    // Callers see a plain server; how its bodies are checked is nobody else's business.
    server: server as unknown as FastifyInstance,
    async start() {
      await listen(server, config);
      parts.stream.start();
      parts.deltas.start();
      presence.start();
    },
    stop(reason) {
      draining = true;
      ended ??= end(reason);
      return ended;
    },
  };

  async function end(reason: string): Promise<void> {
    ports.log.info({ reason }, "gateway ends");
    parts.holds.close();
    await drain(server);
    parts.deltas.close();
    parts.metrics.registry.clear();
    await presence.stop();
    await Promise.all([ports.main.close(), ports.stop.close(), ports.fanOut.close()]);
  }
}

function buildParts(ports: GatewayPorts, config: CellConfig, draining: () => boolean) {
  const mirror: Mirror = new Mirror(ports.main, {
    touched: (touch) => {
      const stops = mirror.stops?.value.stops ?? [];
      if (touch.kind === "stop") ledger.latched(stops.map(({ id }) => id));
      deltas.touched(touch);
    },
    answered: (response) => requests.answered(response),
  });
  const stream: Stream = new Stream({
    epoch: ports.boot.bootId,
    log: ports.log,
    snapshot,
    beat: () => ({ broker: mirror.connected }),
  });
  const ledger: StopLedger = new StopLedger({
    newId: ports.newId,
    sender: new StopSender({ link: ports.stop, fanOut: ports.fanOut }),
    changed: () => deltas.stopsSoon(),
    settled: (axis) => metrics.stopReported(axis),
  });
  const metrics: Metrics = new Metrics({ mirror, config, stream });
  const requests: CoordinatorRequests = new CoordinatorRequests(ports.main, mirror);
  const holds = new Holds(ports);
  const deltas: Deltas = new Deltas({ mirror, config, stream, ledger });

  function snapshot(actor: Actor) {
    const axes = new Set(axisIds(config));
    return {
      ts: Date.now(),
      you: { user: actor.user, role: actor.role },
      cell: cellView(mirror, config),
      axes: config.devices.filter((d) => axes.has(d.id)).map((d) => axisView(mirror, config, d)),
      devices: config.devices.map((d) => deviceView(mirror, d)),
      sagas: sagaViews(config),
      runs: runsView(mirror).runs,
      stops: stopsView(mirror, ledger.orders()),
    };
  }
  const { log, newId } = ports;
  const operators = ports.operators ?? [];
  const shared = { config, mirror, stream, ledger, requests, metrics, newId, log, operators };
  return { ...shared, deltas, holds, boot: ports.boot, draining, snapshot };
}

function buildServer(ports: GatewayPorts, parts: Parts & HoldRouteParts): HttpServer {
  const server: HttpServer = Fastify({
    bodyLimit: requestBytesMax,
    // STOP is served to the last moment; the guard answers everything else.
    return503OnClosing: false,
    // A path that cannot be decoded reaches no route, and so no error handler either.
    frameworkErrors: (thrown, request, reply) => sendThrown(thrown, request, reply, ports.log),
    routerOptions: { ignoreTrailingSlash: true, caseSensitive: true },
  }).withTypeProvider<ZodTypeProvider>();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  // A POST without a body may still say that it is JSON.
  server.removeContentTypeParser("application/json");
  server.addContentTypeParser("application/json", { parseAs: "string" }, (_request, text, done) => {
    try {
      done(null, text === "" ? undefined : JSON.parse(String(text)));
    } catch {
      done(new ServocellError("VALIDATION_FAILED", "The body is not JSON."));
    }
  });
  installProblems(server, ports.log);
  installGuard(server, parts);
  server.addHook("preClose", async () => parts.stream.close());
  server.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Servocell",
        version: ports.boot.version,
        description: "One cell of servo axes. Not a safety device: see docs/SAFETY.md.",
      },
    },
    transform: jsonSchemaTransform,
  });
  server.register(async (scope) => {
    const typed: HttpServer = scope.withTypeProvider<ZodTypeProvider>();
    readRoutes(typed, parts);
    historyRoutes(typed, parts);
    runRoutes(typed, parts);
    cellRoutes(typed, parts);
    holdRoutes(typed, parts);
    stopRoutes(typed, parts);
    pageRoutes(typed, ports.page);
  });
  return server;
}

async function listen(server: HttpServer, config: CellConfig): Promise<void> {
  const { host, port } = config.gateway;
  try {
    await server.listen({ host, port });
  } catch (failure) {
    if ((failure as { code?: unknown }).code !== "EADDRINUSE") throw failure;
    const text = `${host}:${port} is used by another program; end it or change gateway.port.`;
    throw new ServocellError("PORT_IN_USE", text, { host, port }, failure);
  }
}

/**
 * Nothing new, streams ended, requests under way finished, everything closed: bounded, because a
 * browser keeps its connections open for as long as it is let.
 */
async function drain(server: HttpServer): Promise<void> {
  const closed = server.close();
  // A connection that ends its response after the close has begun would idle on.
  const sweep = setInterval(() => server.server.closeIdleConnections(), 20);
  const limit = setTimeout(() => server.server.closeAllConnections(), drainMsMax);
  try {
    await closed;
  } finally {
    clearInterval(sweep);
    clearTimeout(limit);
  }
}
