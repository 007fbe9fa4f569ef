/**
 * The routes that ask the coordinator for the cell: reset, clear, hold, suspend, mode, exclusions.
 *
 * The idea: one command over MQTT per request, under the caller's Idempotency-Key; the state that
 * the cell is in afterwards comes with the stream. It refuses to decide whether a command is
 * allowed: the coordinator does, by the same table that `allowed` is read off.
 */
import * as z from "zod";
import type { Json } from "#drivers/reading.js";
import { cellModes } from "#kernel/config/saga.js";
import { commandIdSchema, idSchema } from "#kernel/contract/payloads.js";
import { latchesMax, stopIdLengthMax } from "#kernel/stop-order.js";
import type { Action } from "./authorize.js";
import {
  actorFor,
  api,
  type HttpServer,
  keyHeader,
  keyOf,
  type Parts,
  problemResponse,
} from "./http.js";

const answered = z.object({ id: commandIdSchema, status: z.string() });
const nothing = z.strictObject({}).nullish();
const device = z.strictObject({
  device: idSchema,
  text: z.string().trim().min(1).max(500).optional().describe("Why; kept with the name."),
});

interface CellVerb {
  readonly verb: string;
  readonly action: Action;
  readonly summary: string;
  readonly body: z.ZodType<object | null | undefined>;
}

const cellVerbs: readonly CellVerb[] = [
  { verb: "clear", action: "reset", summary: "Leaves Aborted", body: nothing },
  {
    verb: "hold",
    action: "hold",
    summary: "Begins no new step; steps under way end, then the cell is Held",
    body: nothing,
  },
  { verb: "unhold", action: "hold", summary: "Held runs go on", body: nothing },
  {
    verb: "suspend",
    action: "hold",
    summary: "Begins no new step, because production is starved or blocked",
    body: nothing,
  },
  { verb: "unsuspend", action: "hold", summary: "Suspended runs go on", body: nothing },
  {
    verb: "mode",
    action: "mode",
    summary: "Changes the mode of the cell, while no run is open; nothing starts by it",
    body: z.strictObject({ mode: z.enum(cellModes) }),
  },
  { verb: "exclude", action: "exclude", summary: "Takes a device out of use", body: device },
  {
    verb: "include",
    action: "exclude",
    summary: "Takes a device into use again",
    body: device,
  },
];

export function cellRoutes(server: HttpServer, parts: Parts): void {
  resetRoute(server, parts);
  for (const verb of cellVerbs) cellRoute(server, parts, verb);
}

function cellRoute(server: HttpServer, parts: Parts, cellVerb: CellVerb): void {
  const { requests, newId, operators } = parts;
  const { verb, action, summary, body } = cellVerb;
  server.post(
    `${api}/${verb}`,
    {
      config: { action },
      schema: {
        summary,
        headers: keyHeader,
        body,
        response: { 202: answered, ...problemResponse },
      },
    },
    async (request, reply) => {
      const id = keyOf(request) ?? newId();
      const by = actorFor(request, operators);
      const args = { ...request.body } as { readonly [name: string]: Json };
      const done = await requests.ask({ topic: "cellCommand", verb, id, by, args });
      return reply.code(202).send({ id, status: done.status });
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
/** Whatever id a stop came with is latched, and so it can be named. */
const stopId = z.string().min(1).max(stopIdLengthMax);

function resetRoute(server: HttpServer, { requests, mirror, newId, operators }: Parts): void {
  const shownStops = new ShownStops();
  server.post(
    `${api}/reset`,
    {
      config: { action: "reset" },
      schema: {
        summary: "Resets exactly the named stops (absent: those shown now); nothing moves by it",
        headers: keyHeader,
        body: z.strictObject({ stops: z.array(stopId).max(latchesMax).optional() }).nullish(),
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
}
