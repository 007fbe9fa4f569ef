/**
 * Reads the body of a stop request as far as it can be read, and never longer than it takes.
 *
 * The idea: a stop is understood without a body, so type, size, spelling and speed of the body
 * decide nothing: what cannot be read within 100 ms and 4 KB leaves a plain stop. It refuses to
 * fail.
 */
import type { IncomingMessage } from "node:http";
import { commandIdSchema } from "#kernel/contract/payloads.js";
import { isStopKind, readJson, type StopKind } from "#kernel/stop-order.js";

/** Longest wait for the rest of a body. */
export const bodyMsMax = 100;
export const bodyBytesMax = 4096;
const reasonMax = 200;

export interface StopWish {
  readonly kind: StopKind;
  readonly reason?: string;
  /** The stop's id, where the caller has sent it over another road as well. */
  readonly id?: string;
}

/** What a body asks for; anything that is not understood is a plain stop. */
export function wishOf(text: string): StopWish {
  const value = readJson(text);
  const given: { readonly [field: string]: unknown } =
    typeof value === "object" && value !== null ? { ...value } : {};
  const id = commandIdSchema.safeParse(given.id);
  return {
    ...(id.success ? { id: id.data } : {}),
    kind: isStopKind(given.kind) ? given.kind : "stop",
    ...(typeof given.reason === "string" ? { reason: given.reason.slice(0, reasonMax) } : {}),
  };
}

/** True where the request announces no body, so there is nothing to wait for. */
function bodyless(raw: IncomingMessage): boolean {
  const length = raw.headers["content-length"];
  return raw.headers["transfer-encoding"] === undefined && (length ?? "0") === "0";
}

export function readStopBody(raw: IncomingMessage): Promise<StopWish> {
  if (bodyless(raw)) return Promise.resolve(wishOf(""));
  return new Promise((resolve) => {
    let text = "";
    const done = () => {
      clearTimeout(timer);
      raw.off("data", take);
      resolve(wishOf(text));
    };
    const take = (chunk: Buffer | string) => {
      text += chunk.toString("utf8");
      if (text.length > bodyBytesMax) done();
    };
    const timer = setTimeout(done, bodyMsMax);
    raw.on("data", take);
    raw.once("end", done);
    raw.once("error", done);
    raw.once("aborted", done);
    raw.resume();
  });
}
