/**
 * Runs one operation of a profile on the device, frame by frame.
 *
 * The idea: the interpreter decides, this file carries out: one effect at a time, each frame
 * looked at once more in the tick of its handover, each read a call of the breaker. A dropped
 * operation never sends again [PROTOCOL 4]. It refuses to repeat anything by itself.
 */
import type {
  DeviceModel,
  OperationEffect,
  OperationInput,
  OperationState,
} from "#drivers/device-model.js";
import type { Detail, Verdict } from "#drivers/reading.js";
import { codeOf, type ErrorCode, ServocellError } from "#kernel/errors.js";
import type { Breaker } from "#kernel/ports.js";
import { type DeviceIo, type ReadOutcome, writeOutcome } from "./device-io.js";
import { sleepUntil } from "./sleep.js";

export interface Operation {
  readonly model: DeviceModel;
  readonly io: DeviceIo;
  readonly breaker: Breaker;
  readonly begun: OperationState;
  /** False once the operation was dropped. */
  readonly alive: () => boolean;
  /**
   * The last look before a frame: generation, lease, latch, permits. What says no has dropped
   * the operation. `trigger`: the frame may move something and leaves now.
   */
  readonly look: (trigger: boolean) => boolean;
  readonly onAccepted: () => void;
  /** It is over when the device has accepted it; what follows is dropped. @default false */
  readonly untilAccepted?: boolean;
  /** None of its frames can switch the device off. @default false */
  readonly keepsPower?: boolean;
}

/** The verdict, or undefined when it was dropped before its end. */
export async function runOperation(operation: Operation): Promise<Verdict | undefined> {
  const { model, alive } = operation;
  let state = operation.begun;
  let input: OperationInput = { kind: "tick", nowMs: performance.now() };
  while (alive()) {
    const step = model.next(state, input);
    if (step === undefined) {
      throw new TypeError(`${state.verb} of ${model.setup.device} is stuck after ${input.kind}`);
    }
    state = step.state;
    let next: OperationInput | undefined;
    for (const effect of step.effects) {
      if (effect.kind === "accepted") {
        operation.onAccepted();
        if (operation.untilAccepted === true) return { verdict: "done", result: {} };
      }
      if (effect.kind === "accepted") continue;
      if (effect.kind === "end") return alive() ? effect.verdict : undefined;
      else next = await carryOut(operation, effect);
    }
    if (next === undefined) return undefined;
    input = next;
  }
  return undefined;
}

type Work = Exclude<OperationEffect, { kind: "accepted" } | { kind: "end" }>;

async function carryOut(operation: Operation, work: Work): Promise<OperationInput | undefined> {
  const { io, look, alive, breaker } = operation;
  switch (work.kind) {
    case "wake":
      await sleepUntil(work.atMs);
      return { kind: "tick", nowMs: performance.now() };
    case "read": {
      const outcome = await readThrough(breaker, () => io.read(work.requests, "command"));
      const nowMs = performance.now();
      return outcome.ok
        ? { kind: "read", nowMs, sentAtMs: outcome.sentAtMs, values: outcome.values }
        : { kind: "readFailed", nowMs, reason: outcome.reason };
    }
    case "write": {
      const { pdu, role } = work;
      const allowed = () => alive() && look(role === "trigger");
      const exchange = await io.commandFrame(pdu, allowed, operation.keepsPower);
      if (exchange === undefined) return undefined;
      const came = writeOutcome(pdu, exchange);
      const nowMs = performance.now();
      return came.kind === "exception"
        ? { kind: "wrote", nowMs, outcome: "exception", exception: came.exception }
        : { kind: "wrote", nowMs, outcome: came.kind };
    }
    default:
      return work satisfies never;
  }
}

/** What a failed read is to the breaker; which of these count is the kernel's one table. */
class ReadFailed extends ServocellError {
  readonly outcome: ReadOutcome & { readonly ok: false };
  constructor(outcome: ReadOutcome & { readonly ok: false }) {
    super(...failureOf(outcome));
    this.outcome = outcome;
  }
}

function failureOf({ reason, exception }: ReadOutcome & { readonly ok: false }) {
  const failure = (code: ErrorCode, text: string, detail: Detail = {}) =>
    [code, text, detail] as const;
  if (exception !== undefined) {
    return failure("DEVICE_EXCEPTION", `read refused with exception ${exception}`, { exception });
  }
  return reason === "invalid-value"
    ? failure("READ_BACK_DIFFERS", "read brought a value that cannot be")
    : failure("DEVICE_UNREACHABLE", `read failed: ${reason}`);
}

/** One logical call of the breaker [PROTOCOL 14]. */
export async function readThrough(
  breaker: Breaker,
  read: () => Promise<ReadOutcome>,
): Promise<ReadOutcome> {
  try {
    return await breaker.run(async () => {
      const outcome = await read();
      if (!outcome.ok) throw new ReadFailed(outcome);
      return outcome;
    });
  } catch (thrown) {
    if (thrown instanceof ReadFailed) return thrown.outcome;
    if (codeOf(thrown) !== "BREAKER_OPEN") throw thrown;
    return { ok: false, reason: "breaker-open", answered: false };
  }
}
