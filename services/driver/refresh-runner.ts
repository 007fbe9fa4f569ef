/**
 * Repeats a command that counts only while it is repeated (a jog that ends after 50 ms).
 *
 * The idea: from the trigger until the motion ends, the profile's frames go out again and again,
 * each with the last look of its command. A repetition that comes after the device's deadline
 * would start the axis anew, so then the axis is stopped instead: what has lapsed never resumes.
 * It refuses to repeat anything after a stop, for the generation has changed.
 */
import type { RefreshDuty } from "#drivers/device-model.js";
import type { Log } from "#kernel/ports.js";
import { type DeviceIo, writeOutcome } from "./device-io.js";

export interface RefreshParts {
  readonly io: DeviceIo;
  readonly log: Log;
  /** The deadline has passed without a repetition that the device acknowledged. */
  readonly onLapsed: () => void;
}

export class RefreshRunner {
  readonly #parts: RefreshParts;
  #token = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: RefreshParts) {
    this.#parts = parts;
  }

  /** The trigger leaves now; `allowed` is the last look of its command. */
  begin(duty: RefreshDuty, allowed: () => boolean): void {
    this.end();
    const token = this.#token;
    const goesOn = () => token === this.#token && allowed();
    this.#later(duty, goesOn, performance.now());
  }

  end(): void {
    this.#token += 1;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #later(duty: RefreshDuty, goesOn: () => boolean, heardAtMs: number): void {
    this.#timer = setTimeout(() => {
      void this.#repeat(duty, goesOn, heardAtMs);
    }, duty.everyMs);
  }

  async #repeat(duty: RefreshDuty, goesOn: () => boolean, heardAtMs: number): Promise<void> {
    const { io, log, onLapsed } = this.#parts;
    const beganMs = performance.now();
    const inTime = () => performance.now() - heardAtMs < duty.deadlineMs;
    let heard = true;
    for (const pdu of duty.frames) {
      const exchange = await io.commandFrame(pdu, () => goesOn() && inTime());
      heard &&= exchange !== undefined && writeOutcome(pdu, exchange).kind === "acked";
    }
    if (!goesOn()) return;
    // Acknowledged or not: a bus that held it up may have brought it after the deadline.
    if (!inTime()) {
      log.warn({ mark: "refresh.lapsed" }, "a repetition came too late");
      onLapsed();
      return;
    }
    this.#later(duty, goesOn, heard ? beganMs : heardAtMs);
  }
}
