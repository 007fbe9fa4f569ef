/**
 * Carries out what the stop machine decides: frames first, then everything else.
 *
 * The idea: an order raises the generation and hands the blind frames to the stop lane before
 * this file's entry point returns; the class' operation then goes on by itself until the rest of
 * the path is gone. Nothing here waits for storage, a breaker or a turn [PROTOCOL 4, 10, 14]. It
 * refuses nothing: every order is taken.
 */
import type { DeviceModel, PointTable, StopClass } from "#drivers/device-model.js";
import type { Ms } from "#drivers/reading.js";
import type { StopAck, StopOrder } from "#kernel/contract/payloads.js";
import { textOf } from "#kernel/errors.js";
import type { Log, NewId } from "#kernel/ports.js";
import type { Aftermath } from "./aftermath.js";
import { type DeviceIo, writeOutcome } from "./device-io.js";
import type { Journal } from "./journal.js";
import type { Outbox } from "./outbox.js";
import { type Readings, stillAgeMs, stillness } from "./readings.js";
import { nextStop } from "./stop.machine.js";
import { stopBounds } from "./stop-bounds.js";
import { isGentler, keepsPower, runStopOperation, type SentFrame } from "./stop-operation.js";
import {
  isLatched,
  type StopEffect,
  type StopInput,
  type StopKind,
  type StopRules,
  type StopState,
  stopAtBoot,
} from "./stop-state.js";

/** Local callers that wait for acknowledgements of one stop, at most. */
const answersMax = 64;

export interface StopParts {
  readonly io: DeviceIo;
  readonly model: DeviceModel;
  readonly readings: Readings;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly aftermath: Aftermath;
  readonly log: Log;
  readonly newId: NewId;
  readonly bootId: string;
  readonly pollPeriodMs: () => Ms;
  /** Also while a trigger of ours is younger than the newest reading, which says still. */
  readonly mayMove: () => boolean;
  /** A fresh reading says that it stands still. */
  readonly stands: () => boolean;
  /** A command has begun whose trigger may still follow. */
  readonly begun: () => boolean;
  /** To everybody, on the stop connection. */
  readonly publishAck: (ack: StopAck) => void;
  readonly onOrder: (reason: string) => void;
  readonly endLease: (reason: string) => void;
  readonly onStandstill: (position: number | undefined) => void;
  readonly onLost: (text: string) => void;
  /** The device has answered a stop frame. */
  readonly onAnswered: () => void;
  readonly onChange: () => void;
}

type Answer = (ack: StopAck) => void;

export class StopRunner {
  readonly #parts: StopParts;
  readonly #classes: ReadonlySet<StopClass>;
  readonly #answers = new Map<string, Answer[]>();
  readonly #own = new Set<string>();
  #state: StopState = stopAtBoot([], []);
  #restored = false;
  /** Acknowledgements that are still to be told, by id. */
  readonly #unsaid = new Set<string>();
  #readingAtMs = Number.NEGATIVE_INFINITY;
  #last: { readonly id: string; readonly status: "stopping" | "confirmed" | "owed" } | undefined;

  constructor(parts: StopParts) {
    this.#parts = parts;
    this.#classes = new Set(Object.keys(parts.model.stops) as StopClass[]);
  }

  get generation(): number {
    return this.#state.generation;
  }
  get latched(): boolean {
    return isLatched(this.#state);
  }
  get latches(): readonly string[] {
    return this.#state.latches;
  }
  /** In progress or owed. */
  get active(): boolean {
    return this.#state.progress.at !== "none";
  }
  get owed(): boolean {
    return this.#state.progress.at === "owed";
  }
  /** The newest stop, for state/axis. */
  get last(): { id: string; status: "stopping" | "confirmed" | "owed" } | undefined {
    return this.#last;
  }
  get movable(): boolean {
    const { setup, kind } = this.#parts.model;
    // A gripper moves, and often has no axis in the cell file; a board of outputs does not.
    return this.#classes.size > 0 || setup.axis !== undefined || kind !== "io";
  }

  /** What the store knew; stops that came before it was read are kept beside. */
  restore(latches: readonly string[], resets: readonly string[]): void {
    const { latches: now, resets: cleared } = this.#state;
    const old = latches.filter((id) => !now.includes(id) && !cleared.includes(id));
    const before = resets.filter((id) => !cleared.includes(id));
    this.#state = {
      ...this.#state,
      latches: [...old, ...now],
      resets: [...before, ...cleared],
    };
    this.#restored = true;
    if (now.length > 0 || cleared.length > 0) this.#persist();
  }

  /** A stop from outside, by either road. `answer`: the local socket it came on. */
  order(
    stop: StopKind,
    order: StopOrder,
    how: { readonly answer?: Answer; readonly retained?: boolean } = {},
  ): void {
    if (how.answer !== undefined) this.#remember(order.id, how.answer);
    const latch = order.latch !== false;
    const reason = latch ? stop : "run-stop";
    const kept = how.retained === true ? ({ kept: true } as const) : {};
    this.#apply({ kind: "order", id: order.id, stop, latch, reason, answer: true, ...kept });
  }

  /** A stop of the driver's own: no latch, what it was for decides who may move again. */
  own(reason: string): void {
    if (this.active) return;
    const id = `drv-${this.#parts.newId()}`;
    this.#ownId(id);
    this.#apply({ kind: "order", id, stop: "stop", latch: false, reason, answer: false });
  }

  /** Nobody knows whether the axis moves: a stop is due as soon as the device shows life. */
  owe(reason: string): void {
    const id = `drv-${this.#parts.newId()}`;
    this.#ownId(id);
    this.#apply({ kind: "owe", id, reason });
  }

  reset(ids: readonly string[]): void {
    this.#apply({ kind: "reset", ids });
  }

  adopt(ids: readonly string[], act: boolean): void {
    this.#apply({ kind: "adopt", ids, act });
  }

  tick(): void {
    if (this.active) this.#apply({ kind: "tick" });
  }

  /** A frame of a command was out when a stop frame left, and may have come after it. */
  overtaken(): void {
    this.#apply({ kind: "overtaken" });
  }

  /** A reply of any kind after silence. */
  life(): void {
    if (this.active) this.#apply({ kind: "life" });
  }

  /** After every status that was taken into the readings. */
  onReadings(): void {
    const { readings, io } = this.#parts;
    // Proves nothing while a frame of a command may still be on its way.
    if (io.commanding) return;
    const still = stillness(readings.view);
    if (!still.ok || still.atMs <= this.#readingAtMs) return;
    this.#readingAtMs = still.atMs;
    if (this.active) this.#apply({ kind: "reading", sentAtMs: still.atMs, still: still.value });
  }

  #ownId(id: string): void {
    this.#own.add(id);
    const oldest = this.#own.values().next().value;
    if (this.#own.size > answersMax && oldest !== undefined) this.#own.delete(oldest);
  }

  #remember(id: string, answer: Answer): void {
    const answers = this.#answers.get(id) ?? [];
    if (!answers.includes(answer)) answers.push(answer);
    this.#answers.set(id, answers.slice(-answersMax));
    const oldest = this.#answers.keys().next().value;
    if (this.#answers.size > answersMax && oldest !== undefined) this.#answers.delete(oldest);
  }

  #rules(): StopRules {
    const { model, mayMove, stands, begun, readings } = this.#parts;
    const { axis } = model.setup;
    return {
      nowMs: performance.now(),
      classes: this.#classes,
      whenOff: this.movable ? (axis?.whenOff ?? "coasts") : undefined,
      boundMs: stopBounds(axis, readings.view),
      still: !mayMove(),
      stands: stands(),
      begun: begun(),
    };
  }

  #apply(input: StopInput): void {
    const before = this.#state.generation;
    const step = nextStop(this.#state, input, this.#rules());
    if (step === undefined) return;
    // Before any effect: whatever looks again now sees the new generation [PROTOCOL 4].
    this.#state = step.state;
    for (const effect of step.effects) if (effect.kind === "send") this.#run(effect);
    if (step.state.generation !== before) {
      this.#parts.aftermath.begin();
      this.#parts.onOrder(input.kind === "order" ? input.reason : "stop");
    }
    for (const effect of step.effects) if (effect.kind !== "send") this.#run(effect);
    this.#note();
    if (input.kind !== "tick" || step.effects.length > 0) this.#parts.onChange();
  }

  #note(): void {
    const { progress } = this.#state;
    // "off" comes after the proof, which stands.
    if (progress.at === "none" || progress.at === "off") return;
    const id = progress.ids.at(-1);
    if (id !== undefined) this.#last = { id, status: progress.at };
  }

  #run(effect: StopEffect): void {
    const parts = this.#parts;
    switch (effect.kind) {
      case "send":
        this.#send(effect.stopClass, effect.attempt);
        return;
      case "endLease":
        parts.endLease(effect.reason);
        return;
      case "ack":
        for (const id of effect.ids) this.#ack(id, effect.status);
        return;
      case "persist":
        parts.aftermath.later(() => this.#persist());
        return;
      case "began": {
        const { id: stop, reason } = effect;
        parts.log.warn({ mark: "stop.began", stop, reason }, "stopping");
        parts.aftermath.later(() => {
          parts.outbox.emit("axis", "stop.began", { stop, reason });
        });
        return;
      }
      case "confirmed":
        this.#confirmed(effect.ids);
        return;
      case "unconfirmed":
        this.#unconfirmed(effect.ids, effect.critical);
        return;
      case "notOff": {
        const text = `${parts.model.setup.device} stands still, but could not be switched off`;
        parts.log.error({ mark: "abort.not-off", stops: effect.ids }, text);
        parts.outbox.emit("axis", "fault", { stop: effect.ids.at(-1) ?? "", text });
        return;
      }
      default:
        effect satisfies never;
    }
  }

  #position(): number | undefined {
    const { position } = this.#parts.readings.shown;
    return position.ok ? position.value : undefined;
  }

  #confirmed(ids: readonly string[]): void {
    const { log, outbox, onStandstill } = this.#parts;
    const position = this.#position();
    const id = ids.at(-1);
    if (id !== undefined) this.#last = { id, status: "confirmed" };
    log.info({ mark: "stop.confirmed", stops: ids, position }, "standstill confirmed");
    for (const stop of ids) {
      outbox.emit("axis", "stop.confirmed", {
        stop,
        ...(position === undefined ? {} : { position }),
      });
      this.#answers.delete(stop);
    }
    onStandstill(position);
  }

  #unconfirmed(ids: readonly string[], critical: boolean): void {
    const { log, outbox, model, onLost } = this.#parts;
    const device = model.setup.device;
    const text = `the stop of ${device} is not confirmed: use the hardware stop`;
    log.error({ mark: "stop.unconfirmed", stops: ids, critical }, text);
    for (const stop of ids) outbox.emit("axis", "stop.unconfirmed", { stop, critical, text });
    onLost(text);
  }

  #ack(id: string, status: StopAck["status"]): void {
    if (this.#own.has(id)) return;
    const { model, bootId, publishAck, aftermath } = this.#parts;
    const position = status === "confirmed" ? this.#position() : undefined;
    const ack: StopAck = {
      v: 1,
      ts: Date.now(),
      bootId,
      axis: model.setup.device,
      id,
      status,
      latched: this.#state.latches.includes(id),
      ...(position === undefined ? {} : { position }),
      ...(status === "unconfirmed" ? { text: "not confirmed: use the hardware stop" } : {}),
    };
    for (const answer of this.#answers.get(id) ?? []) answer(ack);
    // The same order over the other road: one word to everybody answers both.
    if (status === "received" && this.#unsaid.has(id)) return;
    this.#unsaid.add(id);
    aftermath.later(() => {
      this.#unsaid.delete(id);
      publishAck(ack);
    });
  }

  #persist(): void {
    // Before the store was read, writing would wipe what it remembers; restore() writes later.
    if (!this.#restored) return;
    const { journal, log } = this.#parts;
    journal.saveLatches(this.#state.latches, this.#state.resets).catch((thrown) => {
      log.error({ error: textOf(thrown) }, "latches not stored; they hold until a restart");
    });
  }

  #send(stopClass: StopClass, attempt: number): void {
    const { io, model } = this.#parts;
    const nowMs = performance.now();
    const blind = model.stops[stopClass]?.blind ?? [];
    const begun = model.beginStop(stopClass, nowMs, this.#freshPoints(nowMs));
    const better = begun !== undefined && isGentler(model, begun, nowMs, blind[0]);
    const send = (pdu: Uint8Array) => this.#frame(pdu, attempt, keepsPower(model, stopClass, pdu));
    // Known readings may allow a gentler first frame than the blind one; then it goes instead.
    const sent = better ? [] : blind.map(send);
    if (begun === undefined) {
      this.#blindOnly(sent, attempt);
      return;
    }
    const alive = () => {
      const { progress } = this.#state;
      return progress.at !== "none" && progress.attempt === attempt;
    };
    void runStopOperation({ model, io, begun, blind: sent, alive, send }).then((end) => {
      if (end !== undefined) this.#apply({ kind: "classEnd", attempt, ...end });
    });
  }

  /**
   * Readings that may choose the first frame of a stop: good, fresh, and sent after the last write
   * of anybody here, for a stop that crosses a disable must not enable (docs/adr/0002). Else none.
   */
  #freshPoints(nowMs: Ms): PointTable {
    const { readings, pollPeriodMs, io } = this.#parts;
    const { statusAtMs, quality, points } = readings;
    const sinceMs = io.quietSinceMs;
    if (quality !== "good" || statusAtMs === undefined || sinceMs === undefined) return new Map();
    const fresh = nowMs - statusAtMs <= stillAgeMs(pollPeriodMs());
    return fresh && statusAtMs >= sinceMs ? points : new Map();
  }

  /** A class that is nothing but its frames. */
  #blindOnly(sent: readonly SentFrame[], attempt: number): void {
    void Promise.all(sent.map((frame) => frame.exchange)).then((exchanges) => {
      const acked = exchanges.every((exchange, i) => {
        const frame = sent[i];
        return frame !== undefined && writeOutcome(frame.pdu, exchange).kind === "acked";
      });
      const answered = exchanges.some((exchange) => exchange.kind === "reply");
      this.#apply({ kind: "classEnd", attempt, ok: acked && sent.length > 0, answered });
    });
  }

  /** Hands a frame over and tells the machine what came of it. */
  #frame(pdu: Uint8Array, attempt: number, keepsPower: boolean): SentFrame {
    const sentAtMs = performance.now();
    const exchange = this.#parts.io.stopFrame(pdu, keepsPower);
    void exchange.then((came) => {
      const { kind } = writeOutcome(pdu, came);
      const outcome = kind === "exception" ? "refused" : kind === "unknown" ? "lost" : kind;
      this.#apply({ kind: "frame", attempt, outcome, sentAtMs });
      if (came.kind === "reply") this.#parts.onAnswered();
    });
    return { pdu, exchange };
  }
}
