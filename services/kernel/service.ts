/**
 * The life of a service process: starting, ready, draining, stopped.
 *
 * The idea: every way to end (a signal, the supervisor gone, a broken assumption) goes through
 * one place, happens once, and is bounded. It refuses to know signals and exit codes of the
 * system; `edge/process.ts` connects them.
 */
import { codeOf, errors, textOf } from "./errors.js";
import type { App, Log } from "./ports.js";

/** Longest orderly end; the axes are stopped and verified within it. */
export const drainMaxMs = 8000;

/** How often a service that stands aside looks whether it may end. */
const asideLookMs = 20;

export const exitCodes = {
  /** Ended as asked. */
  orderly: 0,
  /** Could not start or go on, or did not end in time. */
  failed: 1,
  /** A broken assumption: leases lapse and the guardian acts. */
  broken: 70,
} as const;

export type LifeState = "starting" | "ready" | "draining" | "stopped";

export interface LifePorts {
  readonly log: Log;
  /** Told once, when the app is ready. */
  ready(): void;
  exit(code: number): void;
}

export class ServiceLife {
  readonly #app: App;
  readonly #ports: LifePorts;
  #state: LifeState = "starting";
  #aside: ReturnType<typeof setInterval> | undefined;

  constructor(app: App, ports: LifePorts) {
    this.#app = app;
    this.#ports = ports;
  }

  get state(): LifeState {
    return this.#state;
  }

  async start(): Promise<void> {
    try {
      await this.#app.start();
    } catch (thrown) {
      const code = codeOf(thrown);
      const told = { error: textOf(thrown), code, action: errors[code].action };
      this.#ports.log.error(told, "The service could not start.");
      await this.end("the start failed", exitCodes.failed);
      return;
    }
    if (this.#state !== "starting") return;
    this.#state = "ready";
    this.#ports.log.info({}, "The service is ready.");
    this.#ports.ready();
  }

  /** Cannot go on: ends in order as far as that still goes, and as failed. */
  async fail(thrown: unknown): Promise<void> {
    const code = codeOf(thrown);
    const told = { error: textOf(thrown), code, action: errors[code].action };
    this.#ports.log.error(told, "The service cannot go on.");
    await this.end("it cannot go on", exitCodes.failed);
  }

  /** Ends once, also during the start; later calls change nothing. */
  async end(reason: string, code: number = exitCodes.orderly): Promise<void> {
    if (this.#state === "draining" || this.#state === "stopped") return;
    clearInterval(this.#aside);
    this.#state = "draining";
    this.#ports.log.info({ reason }, "The service is stopping.");
    const outcome = await this.#drain(reason);
    this.#state = "stopped";
    if (outcome !== "done") {
      this.#ports.log.error({ reason, error: outcome }, "The service did not end in order.");
    }
    this.#ports.exit(outcome === "done" ? code : exitCodes.failed);
  }

  /**
   * Another start stands by: ends as soon as nobody counts on this one, in the very turn in which
   * that is seen. Asked again, it stays.
   */
  standAside(): void {
    if (this.#aside !== undefined) {
      clearInterval(this.#aside);
      this.#aside = undefined;
      this.#ports.log.info({}, "The other start has gone; this one stays.");
      return;
    }
    this.#ports.log.info({}, "Another start stands by; this one ends when nobody counts on it.");
    this.#aside = setInterval(() => {
      if (this.#app.isIdle?.() ?? true) void this.end("another start takes over");
    }, asideLookMs);
  }

  async #drain(reason: string): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`it took longer than ${drainMaxMs} ms`), drainMaxMs);
    });
    const stopped = this.#app.stop(reason).then(
      () => "done",
      (thrown: unknown) => textOf(thrown),
    );
    const outcome = await Promise.race([stopped, limit]);
    clearTimeout(timer);
    return outcome;
  }
}
