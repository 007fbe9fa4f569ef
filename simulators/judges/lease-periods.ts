/**
 * When an axis was on loan: from each grant to its end, whoever ended it.
 *
 * The idea: a lease is over when the driver says so, when its driver is dead, or when no beat has
 * come for its time: the driver's word is one of three, or a driver that forgets a lease's end
 * would be its own witness. A hold lives by its echoes instead of beats. It refuses to say what
 * follows from an end.
 */
import { type HoldSpan, holdSpans } from "./hold-spans.js";
import type { JudgeFacts } from "./judge.js";
import { serviceOf } from "./outages.js";
import { exchangeMsOf, oncePerTrace } from "./timeline.js";
import type { TraceLine } from "./trace.js";

export interface LeasePeriod {
  readonly from: number;
  /** Infinity: it lives at the end of the trace. */
  readonly to: number;
  readonly epoch: number;
  readonly why: string;
}

interface Living {
  readonly from: number;
  readonly epoch: number;
  beatAt: number;
}

/** Periods of each device, in order. */
export const leasePeriods = oncePerTrace(sortPeriods);

function sortPeriods(
  trace: readonly TraceLine[],
  facts: JudgeFacts,
): ReadonlyMap<string, readonly LeasePeriod[]> {
  // Without a single beat, nobody watched them: then they cannot be missed.
  const beats = trace.some((line) => line.kind === "beat");
  const holds = new Map(
    [...holdSpans(trace, facts).values()].flat().map((span) => [keyOf(span), span]),
  );
  const book = new LeaseBook(facts, beats, holds);
  for (const line of trace) {
    if (line.kind === "lease" && line.change === "granted") {
      book.granted(line.device, line.at, line.epoch);
    } else if (line.kind === "lease") {
      book.ended(line.device, line.at, line.epoch, line.reason ?? "ended");
    } else if (line.kind === "holdSaid" && line.state !== "ended") {
      // Its first word may overtake the event of its grant.
      book.granted(line.device, line.at, line.epoch);
    } else if (line.kind === "beat") {
      book.beat(line.device, line.at);
    } else if (line.kind === "killed") {
      for (const device of facts.devices) {
        const service = device.service ?? `driver-${device.id}`;
        if (service === serviceOf(line.node)) book.end(device.id, line.at, "its driver was killed");
      }
    }
  }
  return book.finish(facts.endMs);
}

function keyOf({ device, epoch }: { readonly device: string; readonly epoch: number }): string {
  return `${device} ${epoch}`;
}

class LeaseBook {
  readonly #lapseMs: number;
  readonly #leaseMs: number;
  readonly #holds: ReadonlyMap<string, HoldSpan>;
  readonly #living = new Map<string, Living>();
  /** The newest epoch of each device: what is told of it again, or of an older one, is old. */
  readonly #newest = new Map<string, number>();
  readonly #periods = new Map<string, LeasePeriod[]>();

  constructor(facts: JudgeFacts, beats: boolean, holds: ReadonlyMap<string, HoldSpan>) {
    this.#holds = holds;
    this.#leaseMs = facts.leaseMs;
    this.#lapseMs = beats ? facts.leaseMs + exchangeMsOf(facts) : Number.POSITIVE_INFINITY;
  }

  granted(device: string, at: number, epoch: number): void {
    if ((this.#newest.get(device) ?? Number.NEGATIVE_INFINITY) >= epoch) return;
    this.#newest.set(device, epoch);
    this.end(device, at, "superseded");
    this.#living.set(device, { from: at, epoch, beatAt: at });
  }

  beat(device: string, at: number): void {
    this.#lapse(device, at);
    const lease = this.#living.get(device);
    if (lease !== undefined) lease.beatAt = at;
  }

  /** The driver's word. */
  ended(device: string, at: number, epoch: number, why: string): void {
    if (epoch >= (this.#newest.get(device) ?? epoch)) this.end(device, at, why);
  }

  end(device: string, at: number, why: string): void {
    this.#lapse(device, at);
    this.#close(device, at, why);
  }

  finish(endMs: number): ReadonlyMap<string, readonly LeasePeriod[]> {
    for (const device of [...this.#living.keys()]) {
      this.#lapse(device, endMs);
      this.#close(device, Number.POSITIVE_INFINITY, "lives");
    }
    return this.#periods;
  }

  #lapse(device: string, at: number): void {
    const lease = this.#living.get(device);
    if (lease === undefined || this.#holds.has(keyOf({ device, epoch: lease.epoch }))) return;
    if (at - lease.beatAt <= this.#lapseMs) return;
    this.#close(device, lease.beatAt + this.#leaseMs, "no beat came");
  }

  #close(device: string, to: number, why: string): void {
    const lease = this.#living.get(device);
    if (lease === undefined) return;
    this.#living.delete(device);
    const list = this.#periods.get(device) ?? [];
    this.#periods.set(device, list);
    const { from, epoch } = lease;
    const hold = this.#holds.get(keyOf({ device, epoch }));
    if (hold === undefined || hold.over >= to) list.push({ from, to, epoch, why });
    else list.push({ from, to: hold.over, epoch, why: `its hold was over: ${hold.why}` });
  }
}
