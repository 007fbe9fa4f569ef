/**
 * What an endpoint tells its flight recorder, and what it measures on the way.
 *
 * The idea: each exchange becomes one record when its outcome is known, and each decision of the
 * scheduler becomes one when it is taken; the same walk measures how long a stop waited for the
 * wire, and how much of its time the wire was used. It refuses to wait: a sink takes a record or
 * drops it.
 */
import type { Ms } from "#drivers/reading.js";
import type { BusRecord, FrameRecord } from "#kernel/contract/frame-record.js";
import type { Lane, WireResult } from "#kernel/ports.js";

/** Takes records, never blocks, never throws; what it cannot keep it counts. */
export interface RecordSink {
  take(record: BusRecord): void;
  close(): Promise<void>;
}

/** A stop that waited for the wire longer than the bus promises. */
export interface LateStop {
  readonly unit: number;
  readonly waitedMs: Ms;
  readonly boundMs: Ms;
}

export interface RecorderParts {
  readonly sink?: RecordSink | undefined;
  /** The stop bound of the bus; absent: not known, nothing is measured against it. */
  readonly boundMs?: Ms | undefined;
  readonly onLateStop?: ((late: LateStop) => void) | undefined;
}

export interface SentFrame {
  readonly key: number;
  readonly lane: Lane;
  readonly unit: number;
  readonly pdu: Uint8Array;
}

/** Share of time is worked out over at least so long. */
export const useWindowMsMin: Ms = 1000;

interface Asked {
  readonly lane: Lane;
  readonly unit: number;
  readonly atMs: Ms;
}

export class EndpointRecorder {
  readonly #parts: RecorderParts;
  /** Requests that have not been handed to the wire yet, by key. */
  readonly #asked = new Map<number, Asked>();
  #stops = 0;
  #episode = false;
  #open = 0;
  #busySinceMs: Ms = 0;
  #busyMs: Ms = 0;
  #windowAtMs: Ms = performance.now();
  /** Longest wait of a stop for the wire so far. */
  stopWaitMsMax: Ms = 0;

  constructor(parts: RecorderParts = {}) {
    this.#parts = parts;
  }

  requested(key: number, lane: Lane, unit: number): void {
    this.#asked.set(key, { lane, unit, atMs: performance.now() });
    if (lane !== "stop") return;
    this.#stops += 1;
    if (this.#episode) return;
    this.#episode = true;
    this.decided("stop-began", unit);
  }

  /** A request was answered, or dropped with its client; it may have been sent before. */
  ended(key: number): void {
    const asked = this.#taken(key);
    // Polls of a silent unit are refused all the time: its silence was told once.
    if (asked === undefined || asked.lane === "poll") return;
    this.decided(asked.lane === "stop" ? "stop-not-sent" : "purged", asked.unit);
    this.#stopsEnded();
  }

  #taken(key: number): Asked | undefined {
    const asked = this.#asked.get(key);
    this.#asked.delete(key);
    if (asked?.lane === "stop") this.#stops -= 1;
    return asked;
  }

  /** A frame goes to the wire; the function returned takes its outcome. */
  sent(frame: SentFrame): (result: WireResult) => void {
    const tMs = performance.now();
    this.#stopSent(frame.key, tMs);
    if (this.#open === 0) this.#busySinceMs = tMs;
    this.#open += 1;
    return (result) => {
      const nowMs = performance.now();
      this.#open -= 1;
      if (this.#open === 0) this.#busyMs += nowMs - Math.max(this.#busySinceMs, this.#windowAtMs);
      if (this.#parts.sink === undefined) return;
      const { unit, lane, pdu } = frame;
      const reply = result.kind === "reply" ? { reply: hex(result.pdu) } : {};
      this.#parts.sink.take({
        kind: "frame",
        tMs: rounded(tMs),
        tookMs: rounded(nowMs - tMs),
        unit,
        lane,
        request: hex(pdu),
        ...reply,
        outcome: outcomeOf(result),
      });
    };
  }

  decided(what: string, unit?: number, text?: string): void {
    this.#parts.sink?.take({
      kind: "decision",
      tMs: rounded(performance.now()),
      ...(unit === undefined ? {} : { unit }),
      what,
      ...(text === undefined ? {} : { text }),
    });
  }

  /** Share of the time since the last call in which the wire had an exchange; 0 to 1. */
  takeUse(): number | undefined {
    const nowMs = performance.now();
    const overMs = nowMs - this.#windowAtMs;
    if (overMs < useWindowMsMin) return undefined;
    const open = this.#open > 0 ? nowMs - Math.max(this.#busySinceMs, this.#windowAtMs) : 0;
    const use = Math.min(1, (this.#busyMs + open) / overMs);
    this.#busyMs = 0;
    this.#windowAtMs = nowMs;
    return use;
  }

  #stopSent(key: number, nowMs: Ms): void {
    const stop = this.#taken(key);
    if (stop?.lane !== "stop") return;
    const waitedMs = nowMs - stop.atMs;
    this.stopWaitMsMax = Math.max(this.stopWaitMsMax, waitedMs);
    const { boundMs, onLateStop } = this.#parts;
    if (boundMs !== undefined && waitedMs > boundMs) {
      const text = `${rounded(waitedMs)} ms of ${rounded(boundMs)} ms`;
      this.decided("stop-late", stop.unit, text);
      onLateStop?.({ unit: stop.unit, waitedMs, boundMs });
    }
    this.#stopsEnded();
  }

  /** No stop waits for the wire any more: the last one has just been handed over. */
  #stopsEnded(): void {
    if (this.#stops > 0 || !this.#episode) return;
    this.#episode = false;
    this.decided("stop-ended");
  }
}

function outcomeOf(result: WireResult): FrameRecord["outcome"] {
  switch (result.kind) {
    case "reply":
      return "reply";
    case "notSent":
      return "not-sent";
    case "noReply":
      if (result.why === "link-down") return "link-down";
      return result.why === "timeout" ? "timeout" : "malformed";
    default:
      return result satisfies never;
  }
}

/** Microseconds are enough, and shorter on disk. */
function rounded(ms: Ms): Ms {
  return Math.round(ms * 1000) / 1000;
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
