/**
 * What the drive itself demands of us: its watchdog, its parameters, and what must be repeated.
 *
 * The idea: three duties of one device behind one door, so that the driver's wiring stays short.
 * It refuses to judge commands; the checks do, by the facts that stand here.
 */
import type { DeviceModel, Finding, WatchdogFinding } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import { isMotion } from "#kernel/config/moving-verbs.js";
import type { Log } from "#kernel/ports.js";
import type { StartedMotion } from "./command-parts.js";
import type { DeviceIo } from "./device-io.js";
import type { Readings } from "./readings.js";
import { RefreshRunner } from "./refresh-runner.js";
import { WatchdogKeeper } from "./watchdog-keeper.js";

export interface DutyParts {
  readonly model: DeviceModel;
  readonly io: DeviceIo;
  readonly readings: Readings;
  readonly log: Log;
  readonly mayWrite: () => boolean;
  /** A repetition came too late: the axis is to be stopped. */
  readonly stopAxis: (reason: string) => void;
  readonly onChange: () => void;
}

export class Duties {
  readonly #parts: DutyParts;
  readonly #watchdog: WatchdogKeeper;
  readonly #refresh: RefreshRunner;

  constructor(parts: DutyParts) {
    const { io, log } = parts;
    this.#parts = parts;
    this.#watchdog = new WatchdogKeeper(parts);
    this.#refresh = new RefreshRunner({
      io,
      log,
      onLapsed: () => parts.stopAxis("refresh lapsed"),
    });
  }

  get watchdog(): WatchdogFinding {
    return this.#watchdog.finding;
  }

  /** What the checks of a command have to know. */
  get facts(): { readonly watchdog: WatchdogFinding; readonly commissioning?: Finding } {
    const { model, readings } = this.#parts;
    const commissioning = model.commissioned?.(readings.points);
    const { watchdog } = this;
    return commissioning === undefined ? { watchdog } : { watchdog, commissioning };
  }

  onFullRead(): void {
    this.#watchdog.onFullRead();
  }

  tick(nowMs: Ms): void {
    this.#watchdog.tick(nowMs);
  }

  /** A motion begins (with its trigger), goes on, or is over ("none", "unfinished"). */
  motion(verb: string, started: StartedMotion | undefined): void {
    if (!isMotion(verb)) this.#refresh.end();
    if (started === undefined) return;
    const { model } = this.#parts;
    const { planned, allowed } = started;
    const known = [...model.verbs].find((one) => one === planned.verb);
    const duty = known && model.refresh?.(known, planned.args);
    if (duty === undefined) this.#refresh.end();
    else this.#refresh.begin(duty, allowed);
  }
}
