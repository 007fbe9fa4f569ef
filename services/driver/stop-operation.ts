/**
 * Runs the operation of one stop class until the profile says that it is over.
 *
 * The idea: its first writes are the blind frames that have already left, so nothing goes out
 * twice; it stops by itself when a newer attempt has replaced it. Its frames take no turn and no
 * breaker [PROTOCOL 14]. It refuses to judge a standstill: the stop machine does, by readings.
 */
import type {
  DeviceModel,
  OperationInput,
  OperationState,
  StopClass,
} from "#drivers/device-model.js";
import type { Exchange } from "#kernel/ports.js";
import { type DeviceIo, writeOutcome } from "./device-io.js";
import { sleepUntil } from "./sleep.js";

/** A stop frame that was handed over. */
export interface SentFrame {
  readonly pdu: Uint8Array;
  readonly exchange: Promise<Exchange>;
}

export interface StopOperation {
  readonly model: DeviceModel;
  readonly io: DeviceIo;
  readonly begun: OperationState;
  readonly blind: readonly SentFrame[];
  /** False once a newer attempt or the end of the stop has replaced this one. */
  readonly alive: () => boolean;
  /** Hands a further stop frame over. */
  readonly send: (pdu: Uint8Array) => SentFrame;
}

export interface ClassEnd {
  readonly ok: boolean;
  /** The device answered, so the same class again would bring the same. */
  readonly answered: boolean;
}

/** Undefined: replaced before its end. The first frame leaves before this returns. */
export async function runStopOperation(stop: StopOperation): Promise<ClassEnd | undefined> {
  const { model } = stop;
  const sent = [...stop.blind];
  let out = sent.length > 0;
  let state = stop.begun;
  let input: OperationInput = { kind: "tick", nowMs: performance.now() };
  while (stop.alive()) {
    const step = model.next(state, input);
    const effect = step?.effects.find((e) => e.kind !== "accepted");
    if (step === undefined || effect === undefined) {
      throw new TypeError(`the stop of ${model.setup.device} is stuck after ${input.kind}`);
    }
    state = step.state;
    if (effect.kind === "end") {
      const { verdict } = effect;
      if (verdict.verdict === "done") return { ok: true, answered: true };
      const silent = verdict.verdict === "unknown" || verdict.code === "DEVICE_UNREACHABLE";
      return { ok: false, answered: !silent };
    }
    if (effect.kind === "wake") {
      await sleepUntil(effect.atMs);
      input = { kind: "tick", nowMs: performance.now() };
    } else if (effect.kind === "write") {
      const isChosen = !out;
      out = true;
      const known = sent[0] !== undefined && same(sent[0].pdu, effect.pdu);
      const frame = (known ? sent.shift() : undefined) ?? stop.send(effect.pdu);
      const came = await wrote(frame);
      // Readings have chosen it. Who gave no reply may have been started anew since, and to such
      // a one it can be an order to move: the next attempt looks first (docs/adr/0024).
      if (isChosen && came.outcome === "unknown") return { ok: false, answered: false };
      input = came;
    } else if (effect.kind === "read") {
      // The poll lane: reads may not stand before a stop; but the one that a stop begins with
      // is part of it.
      input = await read(stop, effect.requests, out ? "poll" : "stop");
    }
  }
  return undefined;
}

async function wrote(frame: SentFrame): Promise<OperationInput & { readonly kind: "wrote" }> {
  const came = writeOutcome(frame.pdu, await frame.exchange);
  const nowMs = performance.now();
  return came.kind === "exception"
    ? { kind: "wrote", nowMs, outcome: "exception", exception: came.exception }
    : { kind: "wrote", nowMs, outcome: came.kind };
}

async function read(
  stop: StopOperation,
  requests: Parameters<DeviceIo["read"]>[0],
  lane: "stop" | "poll",
): Promise<OperationInput> {
  const outcome = await stop.io.read(requests, lane);
  const nowMs = performance.now();
  return outcome.ok
    ? { kind: "read", nowMs, sentAtMs: outcome.sentAtMs, values: outcome.values }
    : { kind: "readFailed", nowMs, reason: outcome.reason };
}

/** Whether known readings have an operation begin with another frame than the blind one. */
export function isGentler(
  model: DeviceModel,
  begun: OperationState,
  nowMs: number,
  blind: Uint8Array | undefined,
): boolean {
  const step = model.next(begun, { kind: "tick", nowMs });
  const effect = step?.effects.find((e) => e.kind === "write");
  return effect?.kind === "write" && (blind === undefined || !same(effect.pdu, blind));
}

/**
 * Whether a stop frame cannot switch the device off: what readings have chosen keeps the torque
 * where its class does, and a blind frame may not (docs/adr/0022).
 */
export function keepsPower(model: DeviceModel, stopClass: StopClass, pdu: Uint8Array): boolean {
  const stop = model.stops[stopClass];
  return stop?.keepsTorque === true && !stop.blind.some((word) => same(word, pdu));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
