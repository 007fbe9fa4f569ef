/**
 * The drive's own watchdog: judged from registers, set where the cell file allows it, and fed.
 *
 * The idea: what guards the axis when this PC is gone is believed only as far as it was read. After
 * each full read the registers are compared, written once where they differ, and read back; the
 * finding is asked again for every command [PROTOCOL 9]. It refuses to write to a device that is
 * not what its profile describes, and while a stop is under way.
 */
import type { DeviceModel, WatchdogFinding } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import { textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";
import { type DeviceIo, writeOutcome } from "./device-io.js";
import type { Readings } from "./readings.js";

export interface WatchdogParts {
  readonly model: DeviceModel;
  readonly io: DeviceIo;
  readonly readings: Readings;
  readonly log: Log;
  /** The device was read in full, is what its profile says, and no stop is under way. */
  readonly mayWrite: () => boolean;
  readonly onChange: () => void;
}

export class WatchdogKeeper {
  readonly #parts: WatchdogParts;
  #setting = false;
  #feeding = false;
  #fed = 0;
  #fedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
  }

  get finding(): WatchdogFinding {
    const { model, readings } = this.#parts;
    return model.judgeWatchdog?.(readings.points) ?? knownBefore(model);
  }

  /** Sets it, once for each full read, where the cell file asks for that. */
  onFullRead(): void {
    const { model, readings, log } = this.#parts;
    const frames = model.watchdogFrames?.(readings.points) ?? [];
    if (frames.length === 0 || this.#setting) return;
    this.#setting = true;
    this.#set(frames)
      .catch((thrown) => log.error({ error: textOf(thrown) }, "watchdog not set"))
      .finally(() => {
        this.#setting = false;
        this.#parts.onChange();
      });
  }

  async #set(frames: readonly Uint8Array[]): Promise<void> {
    const { io, log, model, mayWrite } = this.#parts;
    for (const pdu of frames) {
      const exchange = await io.commandFrame(pdu, mayWrite);
      if (exchange === undefined) return;
      const outcome = writeOutcome(pdu, exchange);
      if (outcome.kind === "acked") continue;
      log.warn({ outcome: outcome.kind }, "the drive did not take its watchdog time");
      return;
    }
    if (model.watchdog.kind !== "settable") return;
    // The values reach the readings by themselves, and the finding with them.
    await io.read(model.watchdog.requests, "poll");
    log.info({ watchdog: this.finding.text }, "watchdog of the drive set");
  }

  /** Feeds it where the profile names a register for that. */
  tick(nowMs: Ms): void {
    const { model, io, mayWrite } = this.#parts;
    const feed = model.watchdogFeed;
    if (feed === undefined || this.#feeding || nowMs - this.#fedAtMs < feed.everyMs) return;
    const pdu = feed.frames[this.#fed % feed.frames.length];
    if (pdu === undefined || !mayWrite()) return;
    this.#feeding = true;
    this.#fedAtMs = nowMs;
    this.#fed += 1;
    void io.commandFrame(pdu, mayWrite).finally(() => {
      this.#feeding = false;
    });
  }
}

/** What the profile alone says. */
function knownBefore({ watchdog }: DeviceModel): WatchdogFinding {
  if (watchdog.kind === "fixed") {
    const { timeoutMs, reaction } = watchdog;
    return { state: "verified", text: `${reaction} after ${timeoutMs} ms`, timeoutMs };
  }
  if (watchdog.kind === "none") return { state: "none", text: "the drive has no watchdog" };
  return { state: "unknown", text: watchdog.note };
}
