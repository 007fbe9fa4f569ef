/**
 * The driver's side of the lanes: one request in flight per device, and replies made values.
 *
 * The idea: commands and polls take turns, commands first; a stop takes no turn at all. What is
 * looked at before a frame is looked at here, in the same tick in which the frame is handed over
 * [PROTOCOL 4]. It refuses to send what its caller no longer allows.
 */
import type { DeviceModel, PointValues, ReadRequest } from "#drivers/device-model.js";
import { matchReply } from "#drivers/pdu.js";
import type { BadReason, Ms } from "#drivers/reading.js";
import type { Exchange, FieldLink } from "#kernel/ports.js";

export type ReadOutcome =
  | { readonly ok: true; readonly values: PointValues; readonly sentAtMs: Ms }
  | {
      readonly ok: false;
      readonly reason: BadReason;
      /** The device said so itself: it is alive. */
      readonly answered: boolean;
      readonly exception?: number;
    };

export type WriteOutcome =
  | { readonly kind: "acked" }
  | { readonly kind: "exception"; readonly exception: number }
  | { readonly kind: "notSent" }
  | { readonly kind: "unknown" };

/** What a write's exchange says, by the match of its reply. */
export function writeOutcome(pdu: Uint8Array, exchange: Exchange): WriteOutcome {
  if (exchange.kind === "notSent") return { kind: "notSent" };
  if (exchange.kind === "unknown") return { kind: "unknown" };
  const reply = matchReply(pdu, exchange.pdu);
  if (reply.kind === "ack") return { kind: "acked" };
  if (reply.kind === "exception") return { kind: "exception", exception: reply.code };
  return { kind: "unknown" };
}

export class DeviceIo {
  readonly #field: FieldLink;
  readonly #model: DeviceModel;
  /** Every request that came back with values, in order. */
  readonly #onValues: (values: PointValues, sentAtMs: Ms) => void;
  #busy = false;
  readonly #commands: (() => void)[] = [];
  readonly #polls: (() => void)[] = [];

  constructor(
    field: FieldLink,
    model: DeviceModel,
    onValues: (values: PointValues, sentAtMs: Ms) => void,
  ) {
    this.#field = field;
    this.#model = model;
    this.#onValues = onValues;
  }

  /** A stop frame: no turn, no breaker, handed over before this returns. */
  stopFrame(pdu: Uint8Array): Promise<Exchange> {
    return this.#field.exchange("stop", pdu);
  }

  /** A command frame. `allowed` is asked in the tick of the handover; false sends nothing. */
  async commandFrame(pdu: Uint8Array, allowed: () => boolean): Promise<Exchange | undefined> {
    return this.#turn(this.#commands, () => {
      return allowed() ? this.#field.exchange("command", pdu) : Promise.resolve(undefined);
    });
  }

  /** One logical read of several requests; the first that fails ends it. */
  async read(requests: readonly ReadRequest[], lane: "command" | "poll"): Promise<ReadOutcome> {
    const queue = lane === "command" ? this.#commands : this.#polls;
    const values = new Map<string, number>();
    let firstSentAtMs: Ms | undefined;
    for (const request of requests) {
      let sentAtMs = 0;
      const exchange = await this.#turn(queue, () => {
        sentAtMs = performance.now();
        return this.#field.exchange(lane, request.pdu);
      });
      firstSentAtMs ??= sentAtMs;
      if (exchange.kind !== "reply") {
        return { ok: false, reason: exchange.why, answered: false };
      }
      const reply = matchReply(request.pdu, exchange.pdu);
      if (reply.kind === "exception") {
        return { ok: false, reason: "exception", answered: true, exception: reply.code };
      }
      if (reply.kind === "malformed") return { ok: false, reason: "malformed", answered: true };
      const decoded = this.#model.decode(request, exchange.pdu);
      if (typeof decoded === "string") return { ok: false, reason: decoded, answered: true };
      this.#onValues(decoded, sentAtMs);
      for (const [point, value] of decoded) values.set(point, value);
    }
    return { ok: true, values, sentAtMs: firstSentAtMs ?? performance.now() };
  }

  async #turn<T>(queue: (() => void)[], work: () => Promise<T>): Promise<T> {
    if (this.#busy) await new Promise<void>((resolve) => queue.push(resolve));
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
      const next = this.#commands.shift() ?? this.#polls.shift();
      if (next !== undefined) {
        // Taken before anybody else can ask.
        this.#busy = true;
        next();
      }
    }
  }
}
