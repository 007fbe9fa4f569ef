/**
 * One request at a time on a line that carries RTU frames.
 *
 * The idea: silence, send, wait for the one frame that can be the reply, and after a failure let
 * the line run dry, so that a late reply meets no other request. One that comes later still is
 * counted for the request that it may belong to (rtu-owed.ts). The bytes themselves go
 * through a small port, so a serial line and an RTU-over-TCP bridge share every rule. It refuses a
 * second request while one is open, and to send into a line that does not fall silent.
 */
import { isReadFunction } from "#drivers/pdu.js";
import type { Ms } from "#drivers/reading.js";
import type { UnitTiming } from "../config/cell.js";
import type { ExchangeHow, WireResult } from "../ports.js";
import { RtuAssembler } from "./rtu-frame.js";
import { type Asked, type Doubt, OwedReplies, secondMsMax } from "./rtu-owed.js";

/** How long units have to carry out a broadcast before the next frame [MODBUS serial 2.4.1]. */
export const broadcastTurnaroundMs: Ms = 100;
/** Longest wait for a line to fall silent, before a request or after a failed one. */
export const lineBusyMsMax: Ms = 250;
/** The same with a stop waiting; then the stop is sent into whatever is on the line. */
export const urgentBusyMsMax: Ms = 60;
/**
 * With a stop waiting, a reply that has begun is over after so long without a byte: more than any
 * USB adapter keeps bytes back. A drive that lost its power in the middle of one sends no more.
 */
export const gapMsMax: Ms = 20;

/** Where the frames go. */
export interface RtuLine {
  encode(unit: number, pdu: Uint8Array): Uint8Array | undefined;
  /** When the last bit will have left; undefined: the line is gone. */
  send(frame: Uint8Array): Ms | undefined;
  /** Calls `then` at this moment, never before it; returns what takes it back. */
  at(moment: Ms, then: () => void): () => void;
}

export interface RtuMasterOptions {
  readonly line: RtuLine;
  readonly units: readonly UnitTiming[];
  /** t3.5; 0 where frames do not go through a UART of ours. */
  readonly frameSilenceMs: Ms;
  /** After a failure the line has to be silent so long beyond t3.5. */
  readonly quietMs: Ms;
  readonly echo: boolean;
  /** Bytes that were no frame, of one exchange or of an idle line. */
  readonly onNoise: (bytes: number, echoMissing: boolean) => void;
}

export interface RtuExchange extends ExchangeHow {
  readonly unit: number;
  readonly pdu: Uint8Array;
}

interface Waiting {
  readonly kind: "waiting";
  readonly request: RtuExchange;
  readonly asked: Asked;
  readonly assembler: RtuAssembler;
  /** The newest reply may belong to an earlier request. */
  doubt: Doubt | undefined;
  readonly firstBy: Ms;
  readonly firstByteMs: Ms;
  by: Ms;
}
type Phase =
  | { readonly kind: "idle" }
  | { readonly kind: "silence"; readonly busyUntil: Ms; readonly urgent: boolean }
  | Waiting
  | { readonly kind: "broadcast" }
  | { readonly kind: "drain"; readonly since: Ms; hurried: boolean; readonly result: WireResult };

const idle: Phase = { kind: "idle" };

export class RtuMaster {
  readonly #options: RtuMasterOptions;
  readonly #units: ReadonlyMap<number, UnitTiming>;
  #phase: Phase = idle;
  #settle: ((result: WireResult) => void) | undefined;
  #cancel: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The last byte in either direction. */
  #lastByteAtMs: Ms = Number.NEGATIVE_INFINITY;
  /** Silence that the last exchange asks for. */
  #afterMs: Ms = 0;
  /** What the unit that was written to last needs before the next frame. */
  #wrote: { readonly unit: number; readonly pauseMs: Ms } = { unit: 0, pauseMs: 0 };
  #hurry = false;
  readonly #owed = new OwedReplies();
  /** Of the last request: what comes after its end is counted, too. */
  #assembler: RtuAssembler | undefined;
  /** The adapter hears itself: it is said so, or it was noticed. */
  #echoes: boolean;

  constructor(options: RtuMasterOptions) {
    this.#options = options;
    this.#echoes = options.echo;
    this.#units = new Map(options.units.map((unit) => [unit.unit, unit]));
  }

  get busy(): boolean {
    return this.#phase.kind !== "idle";
  }

  exchange(request: RtuExchange): Promise<WireResult> {
    if (this.busy) return Promise.resolve({ kind: "notSent", why: "not-sent" });
    const { unit, pdu } = request;
    const frame = this.#options.line.encode(unit, pdu);
    const readsAll = unit === 0 && !isWrite(pdu);
    if (frame === undefined || readsAll) {
      return Promise.resolve({ kind: "notSent", why: "invalid-value" });
    }
    this.#hurry = false;
    const urgent = request.urgent === true;
    return new Promise((resolve) => {
      this.#settle = resolve;
      const nowMs = performance.now();
      const busyUntil = urgent
        ? Math.max(nowMs, this.#silentAt(unit, true)) + urgentBusyMsMax
        : nowMs + lineBusyMsMax;
      this.#phase = { kind: "silence", busyUntil, urgent };
      this.#sendWhenSilent(request, frame);
    });
  }

  received(bytes: Uint8Array): void {
    const nowMs = performance.now();
    this.#lastByteAtMs = Math.max(this.#lastByteAtMs, nowMs);
    const phase = this.#phase;
    if (phase.kind !== "waiting") {
      this.#assembler?.push(bytes);
      if (phase.kind !== "broadcast") this.#options.onNoise(bytes.length, false);
      return;
    }
    const { assembler } = phase;
    const pdu = assembler.push(bytes);
    if (pdu !== undefined) {
      const noise = assembler.noiseBytes;
      this.#noteEcho(assembler);
      this.#replied(phase, pdu);
      if (noise > 0) this.#options.onNoise(noise, false);
    } else if (assembler.refused > 0 || assembler.held !== undefined) {
      // The unit has answered something else; it may still answer this, but not much later.
      const { firstByteMs, firstBy, request } = phase;
      const ownBy = request.firstByteMs === undefined ? nowMs : firstBy;
      const secondBy = Math.max(ownBy, nowMs + Math.min(firstByteMs, secondMsMax));
      const moreBy = assembler.held === undefined ? nowMs + firstByteMs : secondBy;
      phase.by = Math.min(phase.by, moreBy);
      this.#armWaiting(phase);
    }
  }

  /**
   * A stop waits: what still waits for silence is not sent at all, a reply that has broken off is
   * given up, and the drain that is going on, or that follows, ends at t3.5 of silence.
   */
  hurry(): void {
    this.#hurry = true;
    // The pause after a write, or a babbling line, would keep the stop behind a poll.
    if (this.#phase.kind === "silence" && !this.#phase.urgent) {
      this.#finish({ kind: "notSent", why: "not-sent" });
      return;
    }
    if (this.#phase.kind === "waiting") this.#armWaiting(this.#phase);
    if (this.#phase.kind !== "drain") return;
    this.#phase.hurried = true;
    this.#drained(this.#phase);
  }

  /** The line is gone; what is open is settled at once. */
  lost(): void {
    const { kind } = this.#phase;
    this.#assembler = undefined;
    if (kind === "idle") return;
    if (this.#phase.kind === "waiting") this.#owed.add(this.#phase.asked, performance.now());
    if (this.#phase.kind === "drain") this.#finish(this.#phase.result);
    else this.#finish({ kind: kind === "silence" ? "notSent" : "noReply", why: "link-down" });
  }

  /** A stop waits for what its own unit was written, never for what another one was. */
  #silentAt(unit: number, urgent: boolean): Ms {
    const { frameSilenceMs } = this.#options;
    const before = this.#units.get(unit)?.silenceMs ?? 0;
    const wroteMs = urgent && this.#wrote.unit !== unit ? 0 : this.#wrote.pauseMs;
    return this.#lastByteAtMs + Math.max(frameSilenceMs, before, this.#afterMs, wroteMs);
  }

  #sendWhenSilent(request: RtuExchange, frame: Uint8Array): void {
    const phase = this.#phase;
    if (phase.kind !== "silence") return;
    const { urgent, busyUntil } = phase;
    const silentAtMs = this.#silentAt(request.unit, urgent);
    // A line that never falls silent may be one that floats while nobody drives it.
    const atMs = urgent ? Math.min(silentAtMs, busyUntil) : silentAtMs;
    this.#cancel = this.#options.line.at(atMs, () => {
      this.#cancel = undefined;
      if (this.#phase !== phase) return;
      const nowMs = performance.now();
      // Bytes may have come while we waited.
      const silent = this.#silentAt(request.unit, urgent) <= nowMs;
      if (silent || (urgent && nowMs >= busyUntil)) this.#send(request, frame);
      else if (nowMs < busyUntil) this.#sendWhenSilent(request, frame);
      else this.#finish({ kind: "notSent", why: "not-sent" });
    });
  }

  #send(request: RtuExchange, frame: Uint8Array): void {
    const { line } = this.#options;
    const { unit, pdu } = request;
    const endAtMs = line.send(frame);
    // A line that fails while it is written to has called `lost` already.
    if (this.#phase.kind !== "silence") return;
    if (endAtMs === undefined) {
      this.#finish({ kind: "noReply", why: "link-down" });
      return;
    }
    this.#lastByteAtMs = endAtMs;
    const timing = this.#units.get(unit);
    this.#afterMs = timing?.silenceMs ?? 0;
    this.#wrote = { unit, pauseMs: isWrite(pdu) ? (timing?.afterWriteMs ?? 0) : 0 };
    if (unit === 0) {
      this.#phase = { kind: "broadcast" };
      const ack = pdu[0] === 5 || pdu[0] === 6 || pdu[0] === 15 || pdu[0] === 16 ? 5 : pdu.length;
      const result = { kind: "reply", pdu: pdu.slice(0, ack), broadcast: true } as const;
      const pauseMs = endAtMs + broadcastTurnaroundMs - performance.now();
      this.#timer = setTimeout(() => this.#finish(result), Math.ceil(pauseMs));
      return;
    }
    this.#wait(request, frame, endAtMs);
  }

  #wait(request: RtuExchange, frame: Uint8Array, endAtMs: Ms): void {
    const { unit, pdu, timeoutMs } = request;
    const functionBytes = this.#units.get(unit)?.functionBytes ?? [];
    const firstByteMs = Math.min(request.firstByteMs ?? timeoutMs, timeoutMs);
    const assembler = new RtuAssembler({
      unit,
      pdu,
      doubtful: (reply) => this.#doubtful(phase, reply),
      onOther: (from, reply) => this.#owed.came(from, reply),
      ...(this.#echoes && { echo: frame }),
      functionBytes,
    });
    const limitMs = request.firstByteMs ?? 0;
    const phase: Waiting = {
      kind: "waiting",
      request,
      asked: { unit, pdu, sentAtMs: performance.now(), firstByteMs: limitMs, functionBytes },
      assembler,
      doubt: undefined,
      firstBy: endAtMs + firstByteMs,
      firstByteMs,
      by: endAtMs + timeoutMs,
    };
    this.#assembler = assembler;
    this.#phase = phase;
    this.#armWaiting(phase);
  }

  #armWaiting(phase: Waiting): void {
    clearTimeout(this.#timer);
    const heard = phase.assembler.heardBytes > 0;
    const by = heard ? this.#heardBy(phase) : Math.min(phase.firstBy, phase.by);
    const leftMs = by - performance.now();
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#armWaiting(phase), Math.ceil(leftMs));
      return;
    }
    const { noiseBytes, echoMissing, held } = phase.assembler;
    this.#noteEcho(phase.assembler);
    // With a stop waiting the second reply had no time to come.
    const doubt = this.#hurry ? undefined : phase.doubt;
    if (held !== undefined && doubt?.same === true) {
      this.#replied(phase, held);
      return;
    }
    const drain = {
      kind: "drain",
      since: performance.now(),
      hurried: this.#hurry,
      result: this.#givenUp(phase, doubt),
    } as const;
    this.#phase = drain;
    if (noiseBytes > 0 || echoMissing) this.#options.onNoise(noiseBytes, echoMissing);
    this.#drained(drain);
  }

  #givenUp({ asked, assembler }: Waiting, doubt: Doubt | undefined): WireResult {
    const nowMs = performance.now();
    const why = assembler.heardBytes > 0 ? "malformed" : "timeout";
    if (doubt === undefined) {
      this.#owed.add(asked, nowMs);
      return { kind: "noReply", why };
    }
    this.#owed.bound(asked, doubt);
    return { kind: "noReply", why, restMs: Math.max(0, Math.ceil(doubt.settledAtMs - nowMs)) };
  }

  #replied({ asked, doubt }: Waiting, pdu: Uint8Array): void {
    if (doubt !== undefined) this.#owed.bound(asked, doubt);
    this.#finish({ kind: "reply", pdu });
  }

  /**
   * Whether a fitting reply has to wait for a second one. Where all that it may answer is the same
   * request, a stop takes it at once, and so does a read after another that was answered.
   */
  #doubtful(phase: Waiting, reply: Uint8Array): boolean {
    const { request, asked } = phase;
    if (this.#phase !== phase) {
      this.#owed.came(request.unit, reply);
      return true;
    }
    const doubt = this.#owed.doubtOf(asked, reply, performance.now());
    phase.doubt = doubt;
    if (doubt?.same !== true) return doubt !== undefined;
    return request.urgent !== true && !(doubt.bounded && !isWrite(request.pdu));
  }

  /**
   * An adapter that echoes although nobody said so would acknowledge every single write itself,
   * the stop of a dead drive too. A read shows it, and the first frame to any device is one.
   */
  #noteEcho({ ownHeard, echoMissing }: RtuAssembler): void {
    if (ownHeard) this.#echoes = true;
    else if (echoMissing) this.#echoes = this.#options.echo;
  }

  /** How long a reply that has begun is waited for. */
  #heardBy({ by, firstBy, assembler }: Waiting): Ms {
    if (!this.#hurry) return by;
    if (assembler.held !== undefined) return 0;
    return Math.min(by, this.#lastByteAtMs + gapMsMax, firstBy + urgentBusyMsMax);
  }

  /** The line has run dry, or is waited for. */
  #drained(phase: Extract<Phase, { kind: "drain" }>): void {
    clearTimeout(this.#timer);
    const { frameSilenceMs, quietMs } = this.#options;
    const dryAtMs = phase.hurried
      ? this.#lastByteAtMs + frameSilenceMs
      : Math.max(this.#lastByteAtMs, phase.since) + frameSilenceMs + quietMs;
    const mostMs = phase.hurried ? urgentBusyMsMax : lineBusyMsMax;
    const leftMs = Math.min(dryAtMs, phase.since + mostMs) - performance.now();
    if (leftMs <= 0) this.#finish(phase.result);
    else this.#timer = setTimeout(() => this.#drained(phase), Math.ceil(leftMs));
  }

  #finish(result: WireResult): void {
    const settle = this.#settle;
    clearTimeout(this.#timer);
    this.#cancel?.();
    this.#cancel = undefined;
    this.#settle = undefined;
    this.#phase = idle;
    settle?.(result);
  }
}

function isWrite(pdu: Uint8Array): boolean {
  return !isReadFunction(pdu[0] ?? 0);
}
