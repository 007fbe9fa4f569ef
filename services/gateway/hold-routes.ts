/**
 * Hold-to-run over HTTP: one open response for each press, and a request for each echo.
 *
 * The idea: the press asks the coordinator like any command and is refused like one; granted, its
 * response stays open and carries a line for each nonce. A client echoes each, lets go by an echo
 * without a nonce, and lets go as well by closing the response. It refuses whoever may not command.
 */
import * as z from "zod";
import type { Json } from "#drivers/reading.js";
import { commandIdSchema, idSchema } from "#kernel/contract/payloads.js";
import { ServocellError } from "#kernel/errors.js";
import type { Boot } from "#kernel/ports.js";
import type { Holds } from "./holds.js";
import {
  actorFor,
  api,
  type HttpServer,
  keyHeader,
  keyOf,
  type Parts,
  problemResponse,
} from "./http.js";

const press = z.strictObject({
  velocity: z.number().describe("User units a second; its sign is the direction."),
  bypass: z
    .array(z.string())
    .max(16)
    .optional()
    .describe("Interlocks to leave out of account; Maintenance only, slowly, with a reason."),
  text: z.string().trim().min(1).max(500).optional().describe("Why; kept with the name."),
});
const echo = z.strictObject({
  nonce: z
    .string()
    .max(64)
    .optional()
    .describe("Of the newest line; absent: the button is let go."),
});

export interface HoldRouteParts extends Pick<Parts, "config" | "requests" | "newId" | "operators"> {
  readonly holds: Holds;
  readonly boot: Boot;
}

export function holdRoutes(server: HttpServer, parts: HoldRouteParts): void {
  pressRoute(server, parts);
  echoRoute(server, parts);
}

function pressRoute(server: HttpServer, parts: HoldRouteParts): void {
  const { holds, requests, newId, operators, boot } = parts;
  server.post(
    `${api}/axes/:axis/jog`,
    {
      config: { action: "jog" },
      schema: {
        summary:
          "Moves the axis while the response is open and its nonces are echoed (hold-to-run); " +
          "lines of JSON: granted, nonce, ended",
        headers: keyHeader,
        params: z.object({ axis: idSchema }),
        body: press,
        response: { ...problemResponse },
      },
    },
    async (request, reply) => {
      const { axis } = request.params;
      const hold = keyOf(request) ?? newId();
      const by = actorFor(request, operators);
      const who = { holder: boot.service, holderBootId: boot.bootId };
      const args = { device: axis, ...request.body, ...who } as { readonly [name: string]: Json };
      const done = await requests.ask({ topic: "cellCommand", verb: "jog", id: hold, by, args });
      const epoch = done.result?.epoch;
      if (typeof epoch !== "number") {
        throw new ServocellError("INTERNAL", "A hold was granted without an epoch.", { hold });
      }
      reply.hijack();
      holds.begin({ hold, axis, epoch }, reply.raw);
    },
  );
}

function echoRoute(server: HttpServer, { holds }: HoldRouteParts): void {
  server.post(
    `${api}/axes/:axis/jog/:hold`,
    {
      config: { action: "jog" },
      schema: {
        summary: "Echoes a nonce of a press, or lets go of its button",
        params: z.object({ axis: idSchema, hold: commandIdSchema }),
        body: echo.nullish(),
        response: { 204: z.null(), ...problemResponse },
      },
    },
    async (request, reply) => {
      const { axis, hold } = request.params;
      if (!holds.echoed(hold, axis, request.body?.nonce)) {
        const text = `The hold ${hold} of ${axis} has ended; press again.`;
        throw new ServocellError("LEASE_LOST", text, { hold });
      }
      return reply.code(204).send(null);
    },
  );
}
