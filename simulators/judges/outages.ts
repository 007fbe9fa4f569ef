/**
 * When a device could not be reached: faults on its way, a dead or stalled bus or driver.
 *
 * The idea: a promise with a deadline cannot be kept through a cut wire, so its time counts from
 * the moment when the way was whole again. Whoever asks says whether the driver is part of the way.
 * It refuses to shorten any time.
 */
import type { JudgedDevice, JudgeFacts } from "./judge.js";
import { indexUpTo, oncePerTrace } from "./timeline.js";
import type { TraceLine } from "./trace.js";

interface Span {
  readonly from: number;
  to: number;
}

/** Who must be alive for a frame to reach the device. */
export type Way = "bus" | "driverAndBus";

class Outages {
  readonly #facts: JudgeFacts;
  readonly #spans = new Map<string, Span[]>();
  readonly #depths = new Map<string, number>();

  constructor(trace: readonly TraceLine[], facts: JudgeFacts) {
    this.#facts = facts;
    for (const line of trace) {
      if (line.kind === "fault" && line.reach !== undefined) {
        for (const device of line.reach.devices)
          this.#turn(`way ${device}`, line.at, line.reach.ok);
      } else if (line.kind === "killed" || line.kind === "stalled") {
        this.#set(`node ${serviceOf(line.node)}`, line.at, false);
      } else if (line.kind === "started" || line.kind === "resumed") {
        this.#set(`node ${serviceOf(line.node)}`, line.at, true);
      }
    }
  }

  /**
   * The moment by which something that takes `boundMs` and was ordered at `from` must have come
   * about; Infinity where the way has never been whole long enough.
   */
  deadline(device: JudgedDevice, way: Way, from: number, boundMs: number): number {
    const names = [`way ${device.id}`, `node ${device.bus ?? "bus"}`];
    if (way === "driverAndBus") names.push(`node ${device.service ?? `driver-${device.id}`}`);
    let base = from;
    // Each turn moves the beginning to the end of an outage, so the spans bound the turns.
    for (;;) {
      const spans = names.flatMap((name) => this.#cutting(name, base, base + boundMs) ?? []);
      const ends = spans.filter((span) => span.to > base).map((span) => span.to);
      if (ends.length === 0) return base + boundMs;
      base = Math.max(...ends);
      if (base === Number.POSITIVE_INFINITY) return base;
    }
  }

  /** The last outage of a name that touches a stretch of time. */
  #cutting(name: string, from: number, to: number): Span | undefined {
    const spans = this.#spans.get(name) ?? [];
    const last = spans[indexUpTo(spans, to, (span) => span.from)];
    return last !== undefined && last.to > from ? last : undefined;
  }

  #turn(name: string, at: number, ok: boolean): void {
    const depth = Math.max(0, (this.#depths.get(name) ?? 0) + (ok ? -1 : 1));
    this.#depths.set(name, depth);
    this.#set(name, at, depth === 0);
  }

  #set(name: string, at: number, ok: boolean): void {
    const spans = this.#spans.get(name) ?? [];
    this.#spans.set(name, spans);
    const last = spans.at(-1);
    const open = last !== undefined && last.to === Number.POSITIVE_INFINITY;
    if (ok && open) last.to = at + (this.#facts.recoverMs ?? 3000);
    else if (!ok && !open) spans.push({ from: at, to: Number.POSITIVE_INFINITY });
  }
}

export const outagesOf = oncePerTrace((trace, facts) => new Outages(trace, facts));

/** `driver-x#3` is a start of `driver-x`. */
export function serviceOf(node: string): string {
  return node.replace(/#.*$/, "");
}
