/**
 * What a line says of itself: once when it happens, then once a minute.
 *
 * The idea: a port may be away for days and a bad cable makes noise all day; neither may fill the
 * disk. It refuses to say the same thing more often.
 */
import type { Ms } from "#drivers/reading.js";
import type { Log } from "../ports.js";

export const remindMs: Ms = 60_000;

/** A link that comes and goes is told so many times a minute. */
const linesMax = 6;

/** `what`: "the serial line", "the RTU bridge". */
export class AwayLog {
  readonly #log: Log;
  readonly #fields: object;
  readonly #what: string;
  #up = false;
  #saidAtMs: Ms | undefined;
  #minuteAtMs: Ms = Number.NEGATIVE_INFINITY;
  #lines = 0;

  constructor(log: Log, fields: object, what: string) {
    this.#log = log;
    this.#fields = fields;
    this.#what = what;
  }

  up(): void {
    this.#up = true;
    this.#saidAtMs = undefined;
    if (this.#mayTell()) this.#log.info(this.#fields, `${this.#what} is open`);
  }

  away(why: string): void {
    const nowMs = performance.now();
    const fell = this.#up;
    this.#up = false;
    if (!fell && this.#saidAtMs !== undefined && nowMs - this.#saidAtMs < remindMs) return;
    this.#saidAtMs = nowMs;
    if (!this.#mayTell()) return;
    this.#log.warn({ ...this.#fields, why }, `${this.#what} is away; trying again`);
  }

  #mayTell(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#minuteAtMs >= remindMs) {
      this.#minuteAtMs = nowMs;
      this.#lines = 0;
    }
    this.#lines += 1;
    return this.#lines <= linesMax;
  }
}

export class NoiseLog {
  readonly #log: Log;
  readonly #fields: object;
  #saidAtMs: Ms | undefined;
  #bytes = 0;

  constructor(log: Log, fields: object) {
    this.#log = log;
    this.#fields = fields;
  }

  heard(bytes: number, echoMissing: boolean): void {
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (this.#saidAtMs !== undefined && nowMs - this.#saidAtMs < remindMs) return;
    this.#saidAtMs = nowMs;
    const fields = { ...this.#fields, bytes: this.#bytes };
    this.#bytes = 0;
    if (echoMissing) this.#log.warn(fields, "echo is set, and the adapter does not echo");
    else this.#log.warn(fields, "bytes on the line that belong to no frame");
  }
}
