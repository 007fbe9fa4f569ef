/**
 * The polls of one device, one after the other, at the pace its state asks for.
 *
 * The idea: one cycle reads what the session plans, hands the outcome on, and waits for the rest
 * of its period; a poke runs the next cycle at once. There is never more than one poll under way,
 * so a slow device slows its own polls and nothing else. It refuses to poll without a plan.
 */
import type { PointTable, ReadRequest } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import type { Breaker } from "#kernel/ports.js";
import { freshPolls } from "./command-checks.js";
import type { DeviceIo, ReadOutcome } from "./device-io.js";
import { readThrough } from "./operation-runner.js";
import type { Readings } from "./readings.js";

/** The shortest pause between two cycles, so that nothing can spin. */
const pauseMsMin = 1;
/** How long a command waits for a fresh status before it is judged on the old one. */
const freshMsMax = 250;

export interface PollPlan {
  /** `probe`: one status read, to learn whether the device answers at all. */
  readonly name: "status" | "full" | "slow" | "probe";
  readonly requests: readonly ReadRequest[];
}

export interface PollParts {
  readonly io: DeviceIo;
  readonly breaker: Breaker;
  readonly readings: Readings;
  readonly periodMs: () => Ms;
  /** A stop is owed: the bus may not ration its probes, for its axis may move. */
  readonly insist: () => boolean;
  /** What to read next; undefined: nothing is due in this cycle any more. */
  readonly plan: (done: readonly PollPlan["name"][]) => PollPlan | undefined;
  readonly onOutcome: (plan: PollPlan, outcome: ReadOutcome, before: PointTable) => void;
}

export class PollLoop {
  readonly #parts: PollParts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #stopped = true;
  #again = false;
  #urgent = false;
  #periodMs: Ms;
  readonly #waiting: (() => void)[] = [];

  constructor(parts: PollParts) {
    this.#parts = parts;
    this.#periodMs = parts.periodMs();
  }

  /** The period that the newest status was due in; its age is measured by this. */
  get periodMs(): Ms {
    return this.#periodMs;
  }

  start(): void {
    this.#stopped = false;
    this.poke();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Waits for a fresh status where the present one is too old; undefined: it is fresh. */
  fresh(readings: Readings): Promise<void> | undefined {
    const { statusAtMs } = readings;
    const ageMs = performance.now() - (statusAtMs ?? Number.NEGATIVE_INFINITY);
    if (ageMs <= freshPolls * this.#periodMs) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, freshMsMax);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.poke();
    });
  }

  /**
   * The device may be back, or somebody waits for it: a probe at once. As a command, because the
   * bus rations the polls of a silent unit [PROTOCOL 14].
   */
  urge(): void {
    const { breaker } = this.#parts;
    if (breaker.state === "closed") return;
    breaker.probeNow();
    this.#urgent = true;
    this.poke();
  }

  /** The next cycle now, or right after the present one. */
  poke(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#cycle(), 0);
  }

  async #cycle(): Promise<void> {
    const { plan, periodMs } = this.#parts;
    this.#running = true;
    this.#again = false;
    const beganMs = performance.now();
    const done: PollPlan["name"][] = [];
    for (let next = plan(done); next !== undefined && !this.#stopped; next = plan(done)) {
      const outcome = await this.#read(next);
      if (this.#stopped) break;
      done.push(next.name);
      if (!outcome.ok) break;
    }
    this.#running = false;
    if (this.#stopped) return;
    const tookMs = performance.now() - beganMs;
    // A cycle that took longer than its period is the period [the age of a status counts by it].
    this.#periodMs = Math.max(periodMs(), tookMs);
    // Only now: who waits for a status judges it by the period that it came in.
    for (const go of this.#waiting.splice(0)) go();
    const waitMs = this.#again ? 0 : Math.max(pauseMsMin, periodMs() - tookMs);
    this.#timer = setTimeout(() => void this.#cycle(), waitMs);
  }

  async #read(plan: PollPlan): Promise<ReadOutcome> {
    const { io, breaker, readings, onOutcome, insist } = this.#parts;
    const before = readings.evidence();
    const urgent = this.#urgent || insist();
    const lane = plan.name === "probe" && urgent ? "command" : "poll";
    this.#urgent = false;
    const outcome = await readThrough(breaker, () => io.read(plan.requests, lane));
    if (this.#stopped) return outcome;
    onOutcome(plan, outcome, before);
    return outcome;
  }
}
