/**
 * Presses of people, each a response that stays open: nonces down, echoes up.
 *
 * The idea: the driver's nonce goes to the client that holds the button and comes back from it as a
 * request of its own, and only then becomes a heartbeat; so a client, network or gateway that
 * stalls lets the hold lapse by having nothing to echo. A response that closes lets go at once
 * [PROTOCOL 16]. It refuses to echo anything by itself.
 */
import type { ServerResponse } from "node:http";
import type { HoldBeat, HoldFeedback } from "#kernel/contract/hold-payloads.js";
import type { Log, MessageLink } from "#kernel/ports.js";

/** An echo older than this is ignored by the driver. */
export const holdTtlMs = 200;
/** A driver says a nonce every 100 ms; after this silence nothing is held any more. */
export const silenceMsMax = 1000;
/** Bytes that a client may leave unread: it does not hold what it does not hear. */
const unreadMax = 4096;

interface Press {
  readonly hold: string;
  readonly axis: string;
  readonly epoch: number;
  readonly raw: ServerResponse;
  silence: ReturnType<typeof setTimeout> | undefined;
}

export interface Pressed {
  readonly hold: string;
  readonly axis: string;
  readonly epoch: number;
}

export class Holds {
  readonly #stop: MessageLink;
  readonly #log: Log;
  readonly #open = new Map<string, Press>();

  constructor(ports: { readonly stop: MessageLink; readonly log: Log }) {
    this.#stop = ports.stop;
    this.#log = ports.log;
    ports.stop.subscribe("holdFeedback", {}, ({ payload }) => this.#heard(payload));
  }

  /** Takes over the response of a press that was granted. */
  begin({ hold, axis, epoch }: Pressed, raw: ServerResponse): void {
    const press: Press = { hold, axis, epoch, raw, silence: undefined };
    // The client has let go before it was granted.
    if (raw.destroyed || raw.socket === null || raw.socket.destroyed) {
      this.#say(press, undefined);
      return;
    }
    raw.writeHead(200, {
      "content-type": "application/x-ndjson; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-accel-buffering": "no",
    });
    raw.socket?.setNoDelay(true);
    this.#open.set(hold, press);
    raw.on("error", () => this.#gone(press));
    raw.on("close", () => this.#gone(press));
    this.#listenOn(press);
    this.#write(press, { kind: "granted", hold, epoch, ttlMs: holdTtlMs });
  }

  /** What the client has echoed; without a nonce it lets go. False: there is no such hold. */
  echoed(hold: string, axis: string, nonce: string | undefined): boolean {
    const press = this.#open.get(hold);
    if (press === undefined || press.axis !== axis) return false;
    this.#say(press, nonce);
    return true;
  }

  /** The gateway ends: every button is let go. */
  close(): void {
    for (const press of this.#open.values()) {
      this.#say(press, undefined);
      this.#end(press, "the gateway is shutting down");
    }
  }

  #heard({ hold, epoch, state, nonce, reason }: HoldFeedback): void {
    const press = this.#open.get(hold);
    if (press === undefined || press.epoch !== epoch) return;
    if (state === "ended") {
      this.#end(press, reason ?? "it has ended");
      return;
    }
    this.#listenOn(press);
    if (nonce !== undefined) this.#write(press, { kind: "nonce", nonce, state });
  }

  #listenOn(press: Press): void {
    clearTimeout(press.silence);
    press.silence = setTimeout(() => this.#end(press, "its driver is silent"), silenceMsMax);
  }

  #write(press: Press, word: object): void {
    if (press.raw.writableLength > unreadMax) {
      this.#log.warn({ mark: "hold.unread", hold: press.hold }, "a client that does not read");
      press.raw.destroy();
      return;
    }
    press.raw.write(`${JSON.stringify(word)}\n`);
  }

  #end(press: Press, reason: string): void {
    if (!this.#forget(press)) return;
    this.#write(press, { kind: "ended", reason });
    press.raw.end();
  }

  /** The client's connection has closed, whoever closed it. */
  #gone(press: Press): void {
    if (this.#forget(press)) this.#say(press, undefined);
  }

  #forget(press: Press): boolean {
    clearTimeout(press.silence);
    return this.#open.get(press.hold) === press && this.#open.delete(press.hold);
  }

  #say({ hold, epoch, axis }: Press, nonce: string | undefined): void {
    // What cannot be said now is worth nothing later: the hold lapses instead.
    if (!this.#stop.connected) return;
    const word: HoldBeat = {
      ...{ v: 1, hold, epoch, ttlMs: holdTtlMs },
      ...(nonce === undefined ? {} : { nonce }),
    };
    this.#stop.publish("holdBeat", { axis }, word).catch(() => undefined);
  }
}
