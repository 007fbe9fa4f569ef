/**
 * What is said about the cell and its runs, and how often.
 *
 * The idea: many changes of one turn are said once. state/cell leaves at once, and only when
 * something in it has changed, its runs before it; else state/run, which grows with the runs,
 * leaves when the commands of the change have had time to reach their devices, and at a pace, so
 * that two hundred runs do not keep the bus busy with their records. What is true last is always
 * said. It refuses to hide a run that has not ended.
 */
import type { Ms } from "#drivers/reading.js";
import type { Payload } from "#kernel/contract/topics.js";
import type { Boot, MessageLink } from "#kernel/ports.js";

/** State topics are said again at least this often. */
const repeatMs: Ms = 10_000;
/** Runs in `state/run`: the open ones, and the newest ended ones up to this many in all. */
export const runsMax = 20;
/** A command goes first: its way to the device takes less, on the same processor. */
export const leadMs: Ms = 10;
/** Between two of `state/run` at least this long for every `runsMax` open runs. */
const paceMsMin: Ms = 50;
/** However many there are, nobody waits longer for news of a run. */
const paceMsMax: Ms = 250;

type Head = "v" | "ts" | "seq" | "bootId";
export type CellSaid = Omit<Payload<"stateCell">, Head>;
type RunRecord = Payload<"stateRun">["runs"][number];

export interface CellPublisherParts {
  readonly main: MessageLink;
  readonly boot: Boot;
  readonly cell: () => CellSaid;
  readonly openCount: () => number;
  /** The open ones and up to so many in all; in any order. */
  readonly records: (countMax: number) => readonly RunRecord[];
}

export class CellPublisher {
  readonly #parts: CellPublisherParts;
  #seq = 0;
  #begun = false;
  #asked = false;
  #atOnce = false;
  #saidCell = "";
  #saidRunsMs = Number.NEGATIVE_INFINITY;
  #changedMs = Number.NEGATIVE_INFINITY;
  /** The next `state/run` leaves by then, whatever goes on. */
  #runsByMs = Number.NEGATIVE_INFINITY;
  #pace: ReturnType<typeof setTimeout> | undefined;
  #repeat: ReturnType<typeof setInterval> | undefined;

  constructor(parts: CellPublisherParts) {
    this.#parts = parts;
    parts.main.onChange((connected) => {
      if (connected) this.#again();
    });
  }

  /** From here on something is said. */
  begin(): void {
    this.#begun = true;
    this.#repeat = setInterval(() => this.#again(), repeatMs);
    this.#again();
  }

  /** Something may have changed; it is looked at when this turn is over. */
  soon(): void {
    if (this.#asked || !this.#begun) return;
    this.#asked = true;
    this.#changedMs = performance.now();
    queueMicrotask(() => {
      this.#asked = false;
      if (!this.#begun) return;
      const now = this.#parts.cell();
      const text = JSON.stringify(now);
      const changed = text !== this.#saidCell;
      // Who reads that the cell is held or complete looks at its runs next: they are there before.
      if (changed || this.#atOnce) this.#sayRuns();
      else this.#runsSoon();
      if (changed) this.#sayCell(now, text);
      this.#atOnce = false;
    });
  }

  /** Says what is true last and was held back by the pace. */
  close(): void {
    if (this.#begun && (this.#asked || this.#pace !== undefined)) {
      const now = this.#parts.cell();
      const text = JSON.stringify(now);
      if (text !== this.#saidCell) this.#sayCell(now, text);
      this.#sayRuns();
    }
    this.#begun = false;
    clearInterval(this.#repeat);
  }

  /** Also what has not changed: somebody may not have heard it. */
  #again(): void {
    this.#saidCell = "";
    this.#atOnce = true;
    this.soon();
  }

  #runsSoon(): void {
    if (this.#pace !== undefined) return;
    const nowMs = performance.now();
    const gapMs = paceOf(this.#parts.openCount());
    this.#runsByMs = Math.max(nowMs, this.#saidRunsMs) + gapMs;
    this.#runsIn(Math.max(leadMs, this.#saidRunsMs + gapMs - nowMs));
  }

  /** Another change meanwhile: its commands go first as well, as long as nobody waits too long. */
  #runsIn(waitMs: Ms): void {
    this.#pace = setTimeout(() => {
      const nowMs = performance.now();
      const leftMs = Math.min(this.#changedMs + leadMs, this.#runsByMs) - nowMs;
      if (leftMs > 0) this.#runsIn(leftMs);
      else this.#sayRuns();
    }, Math.ceil(waitMs));
  }

  #head() {
    this.#seq += 1;
    const { bootId } = this.#parts.boot;
    return { v: 1 as const, ts: Date.now(), seq: this.#seq, bootId };
  }

  #sayCell(now: CellSaid, text: string): void {
    const { main } = this.#parts;
    if (!main.connected) return;
    this.#saidCell = text;
    // Lost with the connection: the next connect says it again.
    main.publish("stateCell", {}, { ...this.#head(), ...now }).catch(() => undefined);
  }

  #sayRuns(): void {
    clearTimeout(this.#pace);
    this.#pace = undefined;
    const { main, records } = this.#parts;
    if (!main.connected) return;
    this.#saidRunsMs = performance.now();
    const runs = [...records(runsMax)].sort((a, b) => rankOf(a) - rankOf(b));
    main.publish("stateRun", {}, { ...this.#head(), runs }).catch(() => undefined);
  }
}

/** The least time between two of `state/run`, so that only so many records leave in a second. */
export function paceOf(openCount: number): Ms {
  return Math.min(paceMsMax, paceMsMin * Math.max(1, Math.ceil(openCount / runsMax)));
}

/** Who needs a person comes first, and what has ended last. */
function rankOf({ choices, asks = [], endedAt }: RunRecord): number {
  if (endedAt !== undefined) return 2;
  return choices.length > 0 || asks.length > 0 ? 0 : 1;
}
