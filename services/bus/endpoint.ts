/**
 * Runs the scheduler of one endpoint on its wire.
 *
 * The idea: whatever happens (a request, a reply, a lost connection, a due time) becomes an input
 * of lanes.machine.ts, one after another, and its effects are carried out as they come. It
 * refuses to decide anything and holds no queue of its own but the inputs of the moment.
 */
import type { Ms } from "#drivers/reading.js";
import type { Lane, Log, Wire, WireResult } from "#kernel/ports.js";
import {
  type Axis,
  type LanesEffect,
  type LanesInput,
  type LanesOptions,
  type LanesState,
  lanesAtStart,
  wakeAt,
} from "./lane-state.js";
import { next } from "./lanes.machine.js";
import { EndpointRecorder } from "./recorder.js";

export interface EndpointRequest {
  readonly lane: Lane;
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** Whose queue it stands in; 0 is the service itself and never closes. */
  readonly client: number;
  answer(pdu: Uint8Array): void;
}

export interface EndpointParts {
  readonly id: string;
  readonly wire: Wire;
  readonly options: LanesOptions;
  readonly log: Log;
  /** A unit has fallen silent, or answers reliably again. */
  readonly onUnit: (unit: number, up: boolean) => void;
  /** @default keeps nothing */
  readonly recorder?: EndpointRecorder;
}

export class Endpoint {
  readonly #id: string;
  readonly #wire: Wire;
  readonly #log: Log;
  readonly #onUnit: EndpointParts["onUnit"];
  readonly #recorder: EndpointRecorder;
  readonly #answers = new Map<number, (pdu: Uint8Array) => void>();
  readonly #inputs: LanesInput[] = [];
  #state: LanesState;
  #keys = 0;
  #working = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs: Ms | undefined;
  /** The moment of the newest input: what its decision took for now. */
  #seenMs: Ms = 0;

  constructor({ id, wire, options, log, onUnit, recorder }: EndpointParts) {
    this.#id = id;
    this.#wire = wire;
    this.#log = log;
    this.#onUnit = onUnit;
    this.#recorder = recorder ?? new EndpointRecorder();
    this.#state = lanesAtStart(options, performance.now());
    wire.onChange((up) => {
      log.info({ bus: id, up }, up ? "the bus endpoint is connected" : "the bus endpoint is lost");
      this.#recorder.decided("link", undefined, up ? "up" : "down");
      this.#put({ kind: "link", nowMs: performance.now(), up });
    });
    wire.onLate?.((unit) => this.#put({ kind: "late", nowMs: performance.now(), unit }));
    if (wire.connected) this.#put({ kind: "link", nowMs: performance.now(), up: true });
  }

  request({ lane, unit, pdu, client, answer }: EndpointRequest): void {
    if (this.#closed) return;
    this.#keys += 1;
    const key = this.#keys;
    this.#answers.set(key, answer);
    this.#recorder.requested(key, lane, unit);
    this.#put({ kind: "request", nowMs: performance.now(), key, lane, unit, pdu, client });
  }

  clientClosed(client: number): void {
    this.#put({ kind: "clientClosed", nowMs: performance.now(), client });
  }

  /** What is known of a unit's axis now; undefined: no driver looks after it. */
  axis(unit: number, axis: Axis | undefined): void {
    this.#put({ kind: "axis", nowMs: performance.now(), unit, axis });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#answers.clear();
  }

  #put(input: LanesInput): void {
    if (this.#closed) return;
    this.#inputs.push(input);
    // An effect may bring the next input at once (a reconnect says "link down"): it waits.
    if (this.#working) return;
    this.#working = true;
    try {
      for (let now = this.#inputs.shift(); now !== undefined; now = this.#inputs.shift()) {
        this.#work(now);
      }
    } finally {
      this.#working = false;
    }
    this.#arm();
  }

  #work(input: LanesInput): void {
    this.#seenMs = input.nowMs;
    const step = next(this.#state, input);
    if (step === undefined) return;
    this.#state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
    if (input.kind === "clientClosed") this.#forgetDropped();
  }

  #carryOut(effect: LanesEffect): void {
    switch (effect.kind) {
      case "send": {
        const { key, attempt, unit, pdu, timeoutMs, firstByteMs, path } = effect;
        const lane = this.#state.inFlight.find((one) => one.key === key)?.lane ?? "poll";
        const recorded = this.#recorder.sent({ key, lane, unit, pdu });
        const done = (result: WireResult) => {
          recorded(result);
          this.#put({ kind: "wire", nowMs: performance.now(), key, attempt, result });
        };
        const urgent = path === "stop";
        const how =
          firstByteMs === undefined ? { timeoutMs, urgent } : { timeoutMs, urgent, firstByteMs };
        void this.#wire.exchange(unit, pdu, how).then(done);
        return;
      }
      case "answer": {
        const answer = this.#answers.get(effect.key);
        this.#answers.delete(effect.key);
        this.#recorder.ended(effect.key);
        answer?.(effect.pdu);
        return;
      }
      case "reconnect":
        this.#log.warn({ bus: this.#id }, "a stop got no reply: opening a new connection");
        this.#recorder.decided("reconnect");
        this.#wire.reconnect();
        return;
      case "hurry":
        this.#wire.hurry?.();
        return;
      case "unit":
        this.#recorder.decided(effect.up ? "answers" : "silent", effect.unit);
        this.#onUnit(effect.unit, effect.up);
        return;
      default:
        effect satisfies never;
    }
  }

  /** Answers of requests that were dropped with their client are never asked for again. */
  #forgetDropped(): void {
    const kept = new Set([...this.#state.waiting, ...this.#state.inFlight].map((r) => r.key));
    // What an answer of this turn has asked for stands in no lane yet.
    for (const input of this.#inputs) if (input.kind === "request") kept.add(input.key);
    for (const key of this.#answers.keys()) {
      if (kept.has(key)) continue;
      this.#answers.delete(key);
      this.#recorder.ended(key);
    }
  }

  #arm(): void {
    // By a later clock a window that held the polls a moment ago would be over, and wake nobody.
    const atMs = wakeAt(this.#state, this.#seenMs);
    if (atMs === this.#timerAtMs && this.#timer !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = atMs;
    if (atMs === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#put({ kind: "tick", nowMs: performance.now() });
      },
      Math.max(1, Math.ceil(atMs - performance.now())),
    );
  }
}
