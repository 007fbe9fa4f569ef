/**
 * Commands to the coordinator: sent once, answered or given up within two seconds.
 *
 * The idea: a command goes out over MQTT with the caller's id, and the first answer under that id
 * settles everyone who waits for it; so an id stands for one wish, and another one under it is
 * refused here: it would take the first one's answer for its own. No answer is an unknown outcome,
 * never a failure that may be repeated with another id. It refuses to queue: without broker or
 * coordinator nothing is sent.
 */
import type { Json } from "#drivers/reading.js";
import type { By, Command, Response } from "#kernel/contract/payloads.js";
import { type ErrorCode, errors, ServocellError } from "#kernel/errors.js";
import type { MessageLink } from "#kernel/ports.js";
import { wishText } from "#kernel/wish.js";
import type { Mirror } from "./mirror.js";

/** Who is there, as the mirror has heard. */
type Presences = { readonly avail: Pick<Mirror["avail"], "get"> };

/** The longest wait for the coordinator's first word. */
export const answerMsMax = 2000;
/** Callers that may wait at once. */
export const waitingMax = 256;
/** Ids whose wish is remembered; far more than can still be answered. */
export const wishesMax = 1000;

export interface Request {
  readonly topic: "runCommand" | "cellCommand";
  readonly verb: string;
  readonly id: string;
  readonly by: By;
  readonly args: { readonly [name: string]: Json };
}

type Waiter = (response: Response) => void;

export class CoordinatorRequests {
  readonly #link: MessageLink;
  readonly #mirror: Presences;
  readonly #waiting = new Map<string, Set<Waiter>>();
  readonly #wishes = new Map<string, string>();
  #count = 0;

  constructor(link: MessageLink, mirror: Presences) {
    this.#link = link;
    this.#mirror = mirror;
  }

  answered(response: Response): void {
    for (const waiter of this.#waiting.get(response.id) ?? []) waiter(response);
  }

  /**
   * Resolves when the coordinator has taken the command.
   * @throws OFFLINE, SERVICE_OFFLINE, DUPLICATE_ID (nothing was sent), OUTCOME_UNKNOWN (no answer),
   * or the coordinator's own code.
   */
  async ask(request: Request): Promise<Response> {
    this.#refuseWhenAway(request);
    this.#refuseOtherWish(request);
    const response = await this.#sendAndWait(request);
    if (response.status === "accepted" || response.status === "running") return response;
    if (response.status === "succeeded") return response;
    throw refusalOf(response);
  }

  #refuseWhenAway(request: Request): void {
    const what = `${request.verb} was not sent`;
    if (!this.#link.connected) {
      throw new ServocellError("OFFLINE", `The gateway has no broker connection; ${what}.`);
    }
    const avail = this.#mirror.avail.get("coordinator");
    if (avail === undefined || avail.status === "offline") {
      throw new ServocellError("SERVICE_OFFLINE", `The coordinator is not running; ${what}.`, {
        service: "coordinator",
      });
    }
    if (this.#count >= waitingMax) {
      throw new ServocellError("BUSY", `${waitingMax} requests wait for the coordinator; ${what}.`);
    }
  }

  #refuseOtherWish({ topic, verb, id, args }: Request): void {
    const wish = wishText([topic, verb, args]);
    const known = this.#wishes.get(id);
    if (known !== undefined && known !== wish) {
      throw new ServocellError("DUPLICATE_ID", `The id ${id} was used for another command.`, {
        id,
      });
    }
    this.#wishes.set(id, wish);
    const [oldest] = this.#wishes.keys();
    if (this.#wishes.size > wishesMax && oldest !== undefined) this.#wishes.delete(oldest);
  }

  async #sendAndWait(request: Request): Promise<Response> {
    const waiters = this.#waiting.get(request.id) ?? new Set<Waiter>();
    this.#waiting.set(request.id, waiters);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let settle: Waiter = () => {};
    const answer = new Promise<Response | undefined>((resolve) => {
      settle = resolve;
      timer = setTimeout(() => resolve(undefined), answerMsMax);
    });
    waiters.add(settle);
    this.#count += 1;
    try {
      const sent = this.#link.publish(request.topic, { verb: request.verb }, payloadOf(request));
      // A publish that fails ends the wait; one that hangs is ended by the timer.
      const first = await Promise.race([answer, sent.then(() => answer)]);
      if (first !== undefined) return first;
      throw new ServocellError(
        "OUTCOME_UNKNOWN",
        `The coordinator did not answer ${request.verb} within ${answerMsMax / 1000} s; ` +
          "look at the run, then repeat with the same Idempotency-Key.",
        { id: request.id },
      );
    } finally {
      this.#count -= 1;
      clearTimeout(timer);
      waiters.delete(settle);
      if (waiters.size === 0) this.#waiting.delete(request.id);
    }
  }
}

function payloadOf(request: Request): Command {
  return {
    v: 1,
    id: request.id,
    ts: Date.now(),
    ttlMs: answerMsMax,
    by: { user: request.by.user, role: request.by.role },
    replyTo: "gateway",
    args: { ...request.args },
  };
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errors, code);
}

function refusalOf(response: Response): ServocellError {
  const verdict = response.verdict?.verdict === "done" ? undefined : response.verdict;
  const code = response.error?.code ?? verdict?.code ?? fallback[response.status] ?? "INTERNAL";
  const text = response.error?.message ?? verdict?.text ?? `The coordinator says ${code}.`;
  const detail = response.error?.detail ?? verdict?.detail ?? {};
  if (isCode(code)) return new ServocellError(code, text, detail);
  return new ServocellError("STATE_CONFLICT", text, { ...detail, code });
}

const fallback: { readonly [status: string]: ErrorCode } = {
  cancelled: "CANCELLED",
  expired: "EXPIRED",
  unknown: "OUTCOME_UNKNOWN",
};
