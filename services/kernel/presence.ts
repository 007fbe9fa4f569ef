/**
 * A service's word that it is there: retained `avail/{service}`.
 *
 * The idea: online is said at every connect and again every 2 s, because a retained message is
 * only last-known until a live one with the same bootId follows [PROTOCOL 17]. It refuses to
 * fail its caller: without a connection the next repeat says it.
 */
import type { Boot, MessageLink } from "./ports.js";

/** How often a live service repeats itself [PROTOCOL 17]. */
export const presenceRepeatMs = 2000;

export class Presence {
  readonly #link: MessageLink;
  readonly #boot: Boot;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** By what causes it. */
  readonly #troubles = new Map<string, string>();
  #listening = false;

  constructor(link: MessageLink, boot: Boot) {
    this.#link = link;
    this.#boot = boot;
  }

  /** Says online now, at every reconnect and every 2 s. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#say(), presenceRepeatMs);
    if (!this.#listening) {
      this.#listening = true;
      this.#link.onChange((connected) => {
        if (connected && this.#timer !== undefined) this.#say();
      });
    }
    this.#say();
  }

  /** Names what the service cannot do at present, by cause; undefined: that is well again. */
  degraded(text: string | undefined, cause = "store"): void {
    if (text === this.#troubles.get(cause)) return;
    if (text === undefined) this.#troubles.delete(cause);
    else this.#troubles.set(cause, text);
    if (this.#timer !== undefined) this.#say();
  }

  /** Says offline, as the link's will would; resolves also when nobody hears it. */
  async stop(): Promise<void> {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    this.#timer = undefined;
    if (!this.#link.connected) return;
    await this.#publish("offline").catch(() => undefined);
  }

  #say(): void {
    if (!this.#link.connected) return;
    const status = this.#troubles.size === 0 ? "online" : "degraded";
    // A loss between the look and the publish: the reconnect says it again.
    this.#publish(status).catch(() => undefined);
  }

  #publish(status: "online" | "degraded" | "offline"): Promise<void> {
    const { service, bootId, version } = this.#boot;
    const text = status === "degraded" ? [...this.#troubles.values()].join("; ") : undefined;
    return this.#link.publish(
      "avail",
      { service },
      { v: 1, status, ts: Date.now(), bootId, version, ...(text === undefined ? {} : { text }) },
    );
  }
}
