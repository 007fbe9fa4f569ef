/**
 * The beats that keep this process' leases alive [PROTOCOL 3].
 *
 * The idea: one message every `beatMs` from the main loop, on the connection that never waits for
 * storage, so a stalled disk costs no lease and a stalled process loses them all. When no beat
 * can leave for the time of the shortest lease, the leases count as lost here, too. It refuses to
 * beat for anybody else.
 */
import type { Ms } from "#drivers/reading.js";
import type { Boot, MessageLink } from "#kernel/ports.js";

export interface BeatParts {
  readonly stop: MessageLink;
  readonly boot: Boot;
  readonly beatMs: Ms;
  /** The shortest lease of the cell. */
  readonly leaseMs: Ms;
  readonly onSilenced: () => void;
}

export class Beats {
  readonly #parts: BeatParts;
  #timer: ReturnType<typeof setInterval> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #n = 0;

  constructor(parts: BeatParts) {
    this.#parts = parts;
    parts.stop.onChange((connected) => {
      clearTimeout(this.#silence);
      if (!connected && this.#timer !== undefined) {
        this.#silence = setTimeout(() => parts.onSilenced(), parts.leaseMs);
      }
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#beat(), this.#parts.beatMs);
    this.#beat();
  }

  end(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#silence);
    this.#timer = undefined;
  }

  #beat(): void {
    const { stop, boot } = this.#parts;
    if (!stop.connected) return;
    this.#n += 1;
    const beat = { v: 1 as const, bootId: boot.bootId, n: this.#n };
    stop.publish("beat", { holder: boot.service }, beat).catch(() => undefined);
  }
}
