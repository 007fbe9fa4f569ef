/**
 * Answers to commands, on `res/{client}`.
 *
 * The idea: an answer that finds no connection waits for the next one, because the verdict of a
 * move is worth telling; the sender may also ask again by id. It refuses to keep more than its
 * bound: the oldest unsent answers leave first.
 */
import type { Detail, Verdict } from "#drivers/reading.js";
import type { Response } from "#kernel/contract/payloads.js";
import { type ErrorCode, textOf } from "#kernel/errors.js";
import type { Log, MessageLink } from "#kernel/ports.js";

/** Answers that wait for a connection, at most. */
const waitingMax = 64;

/** To whom: the id of the command and the reply topic of its sender. */
export interface Addressee {
  readonly id: string;
  readonly replyTo: string;
}

export class Responder {
  readonly #link: MessageLink;
  readonly #log: Log;
  readonly #bootId: string;
  readonly #source: string;
  #waiting: { readonly client: string; readonly response: Response }[] = [];

  constructor(link: MessageLink, log: Log, boot: { bootId: string; service: string }) {
    this.#link = link;
    this.#log = log;
    this.#bootId = boot.bootId;
    this.#source = boot.service;
    link.onChange((connected) => {
      if (!connected) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { client, response } of waiting) this.#send(client, response);
    });
  }

  progress(to: Addressee, status: "accepted" | "running"): void {
    this.#send(to.replyTo, { ...this.#frame(to.id), status });
  }

  result(to: Addressee, result: Detail): void {
    this.#send(to.replyTo, { ...this.#frame(to.id), status: "succeeded", result });
  }

  error(to: Addressee, code: ErrorCode, message: string): void {
    const status = code === "EXPIRED" ? "expired" : "failed";
    this.#send(to.replyTo, { ...this.#frame(to.id), status, error: { code, message } });
  }

  verdict(to: Addressee, verdict: Verdict): void {
    const frame = { ...this.#frame(to.id), status: statusOf(verdict) };
    if (verdict.verdict === "done") {
      this.#send(to.replyTo, { ...frame, verdict, result: verdict.result });
      return;
    }
    const { code, text, detail } = verdict;
    const error = { code, message: text, ...(detail === undefined ? {} : { detail }) };
    this.#send(to.replyTo, { ...frame, verdict, error });
  }

  #frame(id: string) {
    return { v: 1, id, ts: Date.now(), bootId: this.#bootId, source: this.#source } as const;
  }

  #send(client: string, response: Response): void {
    this.#link.publish("response", { client }, response).catch((thrown) => {
      this.#log.debug({ command: response.id, error: textOf(thrown) }, "answer waits");
      this.#waiting.push({ client, response });
      if (this.#waiting.length > waitingMax) this.#waiting.shift();
    });
  }
}

/** Statuses of the contract for the verdicts of PROTOCOL 15. */
export function statusOf(verdict: Verdict): Response["status"] {
  switch (verdict.verdict) {
    case "done":
      return "succeeded";
    case "refused":
      return verdict.code === "EXPIRED" ? "expired" : "failed";
    case "faulted":
      return verdict.code === "STOPPED_SHORT" ? "cancelled" : "failed";
    case "unknown":
      return "unknown";
    default:
      return verdict satisfies never;
  }
}
