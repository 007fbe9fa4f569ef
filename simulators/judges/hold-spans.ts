/**
 * Each press of a jog button as the wire shows it: from its grant until it is over.
 *
 * The idea: a driver says nonces, heartbeats bring them back, and an echo proves that the button
 * was held when its nonce was said. So how long a hold may live follows from what was said and
 * heard, whatever the driver makes of it; and where a world knows the finger itself, nothing proves
 * more than the finger did [PROTOCOL 16]. It refuses to ask what has moved.
 */
import type { JudgeFacts } from "./judge.js";
import { serviceOf } from "./outages.js";
import { oncePerTrace } from "./timeline.js";
import type { LineOf, TraceLine } from "./trace.js";

/** From the nonce that was proved last to the end [PROTOCOL 3]. */
const holdMs = 300;
/** From the grant to the first proof. */
const armMs = 1000;

export interface HoldSpan {
  readonly device: string;
  readonly hold: string;
  readonly epoch: number;
  readonly from: number;
  /** The first echo that counts; undefined: nobody has ever proved to press. */
  readonly provedAt: number | undefined;
  /** Infinity: it lives at the end of the trace. */
  readonly over: number;
  readonly why: string;
  /** When its driver spoke of it as alive again. */
  readonly revivedAt: number | undefined;
}

interface Living {
  readonly device: string;
  readonly hold: string;
  readonly epoch: number;
  readonly from: number;
  readonly said: Map<string, number>;
  provedAt: number | undefined;
  untilMs: number;
}

type Ended = { -readonly [K in keyof HoldSpan]: HoldSpan[K] };

/** The presses of each device, in order. */
export const holdSpans = oncePerTrace(sortHolds);

function sortHolds(
  trace: readonly TraceLine[],
  facts: JudgeFacts,
): ReadonlyMap<string, readonly HoldSpan[]> {
  const book = new HoldBook();
  for (const line of trace) {
    if (line.kind === "holdSaid") book.said(line);
    else if (line.kind === "echo") book.echo(line);
    else if (line.kind === "lifted") book.lifted(line.hold, line.at);
    else if (line.kind === "lease") book.lease(line);
    else if (line.kind === "stopDelivered") book.end(line.device, line.at, "a stop came");
    else if (line.kind === "killed") {
      for (const { id, service = `driver-${id}` } of facts.devices) {
        if (service === serviceOf(line.node)) book.end(id, line.at, "its driver was killed");
      }
    }
  }
  return book.finish(facts.endMs);
}

class HoldBook {
  readonly #living = new Map<string, Living>();
  readonly #ended = new Map<string, Ended[]>();
  readonly #lifts = new Map<string, number>();

  said({ at, device, hold, epoch, state, nonce, reason }: LineOf<"holdSaid">): void {
    this.#lapse(device, at);
    if (state === "ended") {
      if (this.#living.get(device)?.hold === hold) this.end(device, at, reason ?? "ended");
      return;
    }
    const known = this.#ended.get(device)?.find((one) => one.hold === hold);
    if (known !== undefined) {
      known.revivedAt ??= at;
      return;
    }
    let living = this.#living.get(device);
    if (living?.hold !== hold) {
      this.end(device, at, "another press");
      const fresh = { device, hold, epoch, from: at, said: new Map<string, number>() };
      living = { ...fresh, provedAt: undefined, untilMs: at + armMs };
      this.#living.set(device, living);
    }
    if (nonce !== undefined) living.said.set(nonce, at);
  }

  echo({ at, device, hold, epoch, nonce, ttlMs }: LineOf<"echo">): void {
    this.#lapse(device, at);
    const living = this.#living.get(device);
    if (living === undefined || living.hold !== hold || living.epoch !== epoch) return;
    if (nonce === undefined) {
      this.end(device, at, "let go");
      return;
    }
    const saidAt = living.said.get(nonce);
    if (saidAt === undefined || at - saidAt > Math.min(ttlMs, holdMs)) return;
    const provenMs = Math.min(saidAt, this.#lifts.get(hold) ?? saidAt) + holdMs;
    if (at >= provenMs) return;
    living.untilMs = living.provedAt === undefined ? provenMs : Math.max(living.untilMs, provenMs);
    living.provedAt ??= at;
  }

  /** From here on no echo is the finger's. */
  lifted(hold: string, at: number): void {
    if (!this.#lifts.has(hold)) this.#lifts.set(hold, at);
  }

  lease({ device, at, epoch, change, reason }: LineOf<"lease">): void {
    const living = this.#living.get(device);
    if (living === undefined) return;
    if (change === "ended" && epoch === living.epoch) this.end(device, at, reason ?? "ended");
    if (change === "granted" && epoch > living.epoch) this.end(device, at, "superseded");
  }

  end(device: string, at: number, why: string): void {
    this.#lapse(device, at);
    const living = this.#living.get(device);
    if (living !== undefined) this.#close(living, at, why);
  }

  finish(endMs: number): ReadonlyMap<string, readonly HoldSpan[]> {
    for (const living of [...this.#living.values()]) {
      this.#lapse(living.device, endMs);
      if (this.#living.has(living.device)) {
        this.#close(living, Number.POSITIVE_INFINITY, "lives");
      }
    }
    return this.#ended;
  }

  #lapse(device: string, at: number): void {
    const living = this.#living.get(device);
    if (living !== undefined && at > living.untilMs) this.#close(living, living.untilMs, "lapsed");
  }

  #close({ device, hold, epoch, from, provedAt }: Living, over: number, why: string): void {
    this.#living.delete(device);
    const list = this.#ended.get(device) ?? [];
    this.#ended.set(device, list);
    list.push({ device, hold, epoch, from, provedAt, over, why, revivedAt: undefined });
  }
}
