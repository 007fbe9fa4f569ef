/**
 * What is known of the device now: the last readings of every point, and how good they are.
 *
 * The idea: a failed read never becomes a value. The last value is kept, with its own time, as
 * stale for one second; then the point has only the reason why there is none (EX-01). Pure
 * bookkeeping; it refuses to call an old reading fresh.
 */
import type { DeviceModel, DeviceView, PointTable, PointValues } from "#drivers/device-model.js";
import type { BadReason, Ms, Reading } from "#drivers/reading.js";
import type { AxisFrame } from "./axis-frame.js";

/** How long a value outlives a failed read, as stale. */
export const staleMs = 1000;

/** A standstill that was read this long ago still counts, however fast the polls are. */
const stillAgeMsMin = 250;
/** Poll periods within which a standstill counts. */
const stillPolls = 3;

/** How old the reading of a standstill may be. An axis starts only by a command of ours. */
export function stillAgeMs(pollPeriodMs: Ms): Ms {
  return Math.max(stillAgeMsMin, stillPolls * pollPeriodMs);
}

export type Quality = "good" | "stale" | "bad";

export class Readings {
  readonly #model: DeviceModel;
  readonly #table = new Map<string, Reading<number>>();
  readonly #failing = new Map<string, BadReason>();
  readonly #statusPoints: readonly string[];
  readonly #frame: AxisFrame | undefined;
  #view: DeviceView | undefined;
  /** The state of the frame that the view was seen in. */
  #mark: object | undefined;

  constructor(model: DeviceModel, nowMs: Ms, frame?: AxisFrame) {
    this.#model = model;
    this.#frame = frame;
    this.#statusPoints = model.pollFast.flatMap((request) => request.points);
    const all = [...model.pollFull, ...model.pollFast, ...model.pollSlow];
    for (const point of all.flatMap((request) => request.points)) {
      this.#table.set(point, { ok: false, reason: "never-read", atMs: nowMs });
    }
  }

  get points(): PointTable {
    return this.#table;
  }

  /** A copy of the readings by which a reboot shows, to be compared with later ones. */
  evidence(): PointTable {
    const { rebootPoints } = this.#model;
    if (rebootPoints === undefined) return new Map(this.#table);
    const kept = new Map<string, Reading<number>>();
    for (const point of rebootPoints) {
      const reading = this.#table.get(point);
      if (reading !== undefined) kept.set(point, reading);
    }
    return kept;
  }

  /**
   * When the oldest part of the present status was sent for; undefined: a part has no value. A
   * status may take several requests, each of which comes by itself.
   */
  get statusAtMs(): Ms | undefined {
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const point of this.#statusPoints) {
      const reading = this.#table.get(point);
      if (reading?.ok !== true) return undefined;
      oldestMs = Math.min(oldestMs, reading.atMs);
    }
    return oldestMs === Number.POSITIVE_INFINITY ? undefined : oldestMs;
  }

  /** What the readings mean, in the frame of the axis. */
  get view(): DeviceView {
    const mark = this.#frame?.mark;
    if (this.#view === undefined || mark !== this.#mark) {
      const bare = this.#model.view(this.#table);
      this.#view = this.#frame?.see(bare) ?? bare;
      this.#mark = mark;
    }
    return this.#view;
  }

  /** The same for people and conditions: a modulo axis within its turn. */
  get shown(): DeviceView {
    return this.#frame?.shown(this.view) ?? this.view;
  }

  /** Good values, by a request sent at `sentAtMs`. */
  take(values: PointValues, sentAtMs: Ms): void {
    for (const [point, value] of values) {
      this.#table.set(point, { ok: true, value, atMs: sentAtMs });
    }
    if (this.#failing.size > 0) for (const point of values.keys()) this.#failing.delete(point);
    // Every reading counts here: a wrap that nobody looked at would be lost.
    const bare = this.#model.view(this.#table);
    this.#frame?.observe(bare);
    this.#view = this.#frame?.see(bare) ?? bare;
    this.#mark = this.#frame?.mark;
  }

  /** These points were asked for and did not come. */
  miss(points: readonly string[], reason: BadReason, nowMs: Ms): void {
    for (const point of points) {
      this.#failing.set(point, reason);
      const last = this.#table.get(point);
      if (last?.ok === true && nowMs - last.atMs <= staleMs) continue;
      this.#table.set(point, { ok: false, reason, atMs: nowMs });
    }
    this.#view = undefined;
  }

  missAll(reason: BadReason, nowMs: Ms): void {
    this.miss([...this.#table.keys()], reason, nowMs);
  }

  /** How good the status is: good, last known, or nothing. */
  get quality(): Quality {
    let missing = false;
    let known = false;
    for (const point of this.#statusPoints) {
      const has = this.#table.get(point)?.ok === true;
      missing ||= !has || this.#failing.has(point);
      known ||= has;
    }
    if (!missing) return "good";
    return known ? "stale" : "bad";
  }

  /** Why the status is not good, for people; undefined when it is. */
  get trouble(): BadReason | undefined {
    const failing = this.#statusPoints.map((p) => this.#failing.get(p));
    return failing.find((reason) => reason !== undefined);
  }
}

/** True only when a reading not older than `maxAgeMs` says that the axis stands still. */
export function knownStill(view: DeviceView, nowMs: Ms, maxAgeMs: Ms): boolean {
  const still = stillness(view);
  return still.ok && still.value && nowMs - still.atMs <= maxAgeMs;
}

/** Whether the axis stands still: its own flag, else its velocity. */
export function stillness(view: DeviceView): Reading<boolean> {
  const { moving, velocity } = view;
  if (moving.ok) return { ok: true, value: !moving.value, atMs: moving.atMs };
  if (moving.reason !== "not-in-profile" || !velocity.ok) return moving;
  return { ok: true, value: velocity.value === 0, atMs: velocity.atMs };
}
