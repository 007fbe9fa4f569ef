/**
 * What a jog asks of this drive: by which way, to which place next.
 *
 * The idea: the way is chosen anew for every press from what is known of the watchdog now, and the
 * places of a leash come from the newest reading only. It refuses to put a place further on from a
 * reading that is older than an echo may be.
 */
import type { DeviceModel, WatchdogFinding } from "#drivers/device-model.js";
import type { AxisFrame, PlannedCommand } from "./axis-frame.js";
import type { Jog } from "./jog-runner.js";
import { holdTtlMs, type JogWay, jogWay, leashEnd } from "./jog-way.js";
import type { Operation } from "./operation-runner.js";
import type { Readings } from "./readings.js";

export interface JogParts {
  readonly model: DeviceModel;
  readonly readings: Readings;
  readonly frame: AxisFrame;
  readonly watchdog: () => WatchdogFinding;
}

export class Jogs {
  readonly #parts: JogParts;

  constructor(parts: JogParts) {
    this.#parts = parts;
  }

  get way(): JogWay {
    return jogWay(this.#parts.model, this.#parts.watchdog());
  }

  /** How the drive has to be asked at first; the checks refuse what has no way or no place. */
  plan(args: { readonly [name: string]: number }): PlannedCommand {
    const { readings, frame, model } = this.#parts;
    const { way } = this;
    const { velocity = 0 } = args;
    const bare = { verb: way.by === "speed" ? way.verb : "jog", args, place: undefined };
    const { axis } = model.setup;
    if (way.by !== "leash" || axis === undefined) return bare;
    const { position } = readings.view;
    const end = leashEnd(axis, position, velocity);
    if (end === undefined) return bare;
    return frame.plan("moveTo", { position: end, velocity: Math.abs(velocity) }, position);
  }

  /** The motion that goes with a plan of ours. */
  motion(operation: Operation, planned: PlannedCommand, velocity: number): Jog {
    const { model, readings } = this.#parts;
    const begin = model.beginRetarget?.bind(model);
    if (planned.place === undefined || begin === undefined) return { operation, leash: undefined };
    let last = planned.place;
    const next = () => {
      const further = this.#further(velocity, last);
      if (further?.place === undefined) return undefined;
      last = further.place;
      const { position } = further.args;
      return position === undefined ? undefined : { position };
    };
    return { operation, leash: { begin, next, points: () => readings.points } };
  }

  /** A place beyond the last one, from a fresh position; undefined: not now. */
  #further(velocity: number, last: number): PlannedCommand | undefined {
    const { readings, model } = this.#parts;
    const { position } = readings.view;
    if (!position.ok || performance.now() - position.atMs > holdTtlMs) return undefined;
    const planned = this.plan({ velocity });
    const { place } = planned;
    if (place === undefined) return undefined;
    const least = model.setup.axis?.tolerance ?? 0;
    return (place - last) * Math.sign(velocity) > least ? planned : undefined;
  }
}
