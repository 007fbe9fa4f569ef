/**
 * What all routes share: the typed server, the parts they work on, and the guard before them.
 *
 * The idea: every route names its action, one hook asks for the rest (draining, Host, Origin,
 * authorize), and a route without an action is refused. Stop is let through before any of it: a
 * stop is never refused for how it was asked (PROTOCOL 5). It refuses to handle requests.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import * as z from "zod";
import type { CellConfig } from "#kernel/config/cell.js";
import { commandIdSchema } from "#kernel/contract/payloads.js";
import { problemSchema, type SnapshotResource } from "#kernel/contract/resources.js";
import { ServocellError } from "#kernel/errors.js";
import type { Log, NewId } from "#kernel/ports.js";
import {
  type Action,
  type Actor,
  actorOf,
  authorize,
  hostAllowed,
  originAllowed,
} from "./authorize.js";
import type { CoordinatorRequests } from "./coordinator-requests.js";
import type { Metrics } from "./metrics.js";
import type { Mirror } from "./mirror.js";
import { problemType } from "./problems.js";
import type { StopLedger } from "./stop-ledger.js";
import type { Stream } from "./stream.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; without it nobody is allowed. */
    action?: Action;
  }
}

export type HttpServer = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export const api = "/api/v1";

/** What the routes work on. */
export interface Parts {
  readonly config: CellConfig;
  readonly mirror: Mirror;
  readonly stream: Stream;
  readonly ledger: StopLedger;
  readonly requests: CoordinatorRequests;
  readonly metrics: Metrics;
  readonly newId: NewId;
  readonly log: Log;
  /** Peers that count as the cell's own PC besides loopback. */
  readonly operators: readonly string[];
  readonly draining: () => boolean;
  readonly snapshot: (actor: Actor) => SnapshotResource;
}

/** Every route may end in a problem. */
export const problemResponse = {
  default: {
    description: "RFC 9457 problem with a code of the error registry.",
    content: { [problemType]: { schema: problemSchema } },
  },
};

/** The caller's id for a command; the same id again is answered, not executed, again. */
export const keyHeader = z.looseObject({ "idempotency-key": commandIdSchema.optional() });

export function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers["idempotency-key"];
  return commandIdSchema.safeParse(key).success ? String(key) : undefined;
}

export function actorFor(request: FastifyRequest, operators: readonly string[]): Actor {
  return actorOf(request.socket.remoteAddress, operators);
}

const reading = new Set(["GET", "HEAD", "OPTIONS"]);

export function installGuard(
  server: HttpServer,
  parts: Pick<Parts, "config" | "draining" | "operators">,
): void {
  server.addHook("onRequest", async (request) => {
    const action = request.routeOptions.config.action;
    if (action === "stop") return;
    if (parts.draining()) {
      const text = "The gateway is shutting down; nothing was sent.";
      throw new ServocellError("SERVICE_OFFLINE", text, { service: "gateway" });
    }
    const { host, origin } = request.headers;
    const own = { bound: parts.config.gateway.host, arrivedAt: request.socket.localAddress };
    if (!hostAllowed(host, own)) {
      const text = `The name ${host ?? "(none)"} is not this gateway's; use its address.`;
      throw new ServocellError("FORBIDDEN", text, { host: host ?? "" });
    }
    if (!reading.has(request.method) && !originAllowed(origin, host)) {
      const text = "A page of another site may not command this cell.";
      throw new ServocellError("FORBIDDEN", text, { origin: origin ?? "" });
    }
    if (request.is404) return;
    const actor = actorFor(request, parts.operators);
    const permission = authorize(action, request.url.split("?")[0] ?? "", actor);
    if (!permission.ok) throw new ServocellError("FORBIDDEN", permission.text);
  });
}
