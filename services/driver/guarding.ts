/**
 * The guardian's share of this axis: its blind stop frames, and the pulse that keeps them back.
 *
 * The idea: the bus service gets constant stop frames before anything may move, and sends them
 * when the pulse falls silent while the axis is not known still [PROTOCOL 9]. It refuses to be
 * called guarded before the bus has said so.
 */
import type { DeviceModel, StopClass } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import { textOf } from "#kernel/errors.js";
import type { FieldLink, Log } from "#kernel/ports.js";

/** [ARCHITECTURE, guard socket] */
export const pulseMs = 100;
/** Pause before the frames are handed over again, after a refusal. */
const againMs = 1000;

/** A class that leaves nothing behind is the better blind stop: nobody follows it up. */
export function guardFrames(model: DeviceModel): readonly Uint8Array[] {
  const order: readonly StopClass[] = ["controlled", "fast", "disable"];
  const stays = model.setup.axis?.whenOff === "stays";
  const known = order.flatMap((name) => {
    const facts = model.stops[name];
    return facts === undefined || facts.blind.length === 0 ? [] : [{ name, facts }];
  });
  const usable = known.filter(({ name }) => name !== "disable" || stays);
  const gone = usable.find(({ facts }) => facts.remainder === "gone");
  return (gone ?? usable[0])?.facts.blind ?? [];
}

interface Pulse {
  readonly still: boolean;
  readonly connectedDevice: boolean;
}

export class Guarding {
  readonly #field: FieldLink;
  readonly #log: Log;
  readonly #frames: readonly Uint8Array[];
  #guarded = false;
  #asking = false;
  #pulseAtMs = Number.NEGATIVE_INFINITY;
  #askAtMs = Number.NEGATIVE_INFINITY;
  #session = 0;

  constructor(field: FieldLink, model: DeviceModel, log: Log) {
    this.#field = field;
    this.#log = log;
    this.#frames = guardFrames(model);
  }

  /** True when the bus has the frames, or the profile has none. */
  get guarded(): boolean {
    return this.#guarded || this.#frames.length === 0;
  }

  /** The lanes came or went: what an earlier bus service knew is gone. */
  linkChanged(): void {
    this.#session += 1;
    this.#guarded = false;
    this.#asking = false;
    this.#askAtMs = Number.NEGATIVE_INFINITY;
    this.#pulseAtMs = Number.NEGATIVE_INFINITY;
  }

  tick(nowMs: Ms, pulse: Pulse): void {
    if (!this.#field.connected) return;
    if (!this.guarded && !this.#asking && nowMs - this.#askAtMs >= againMs) this.#ask(nowMs);
    if (nowMs - this.#pulseAtMs < pulseMs) return;
    this.#pulseAtMs = nowMs;
    this.#field.pulse(pulse);
  }

  /** The last word before the lane closes: whatever was said a moment ago, this is said, too. */
  last(pulse: Pulse): void {
    if (!this.#field.connected) return;
    // The bus takes the first one after a write for older than that write.
    this.#field.pulse(pulse);
    this.#field.pulse(pulse);
  }

  #ask(nowMs: Ms): void {
    const session = this.#session;
    this.#asking = true;
    this.#askAtMs = nowMs;
    this.#field.guard(this.#frames).then(
      () => {
        if (session !== this.#session) return;
        this.#guarded = true;
        this.#asking = false;
      },
      (thrown) => {
        if (session !== this.#session) return;
        this.#asking = false;
        this.#log.warn({ error: textOf(thrown) }, "the guardian did not take the stop frames");
      },
    );
  }
}
