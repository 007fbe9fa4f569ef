/**
 * A device that shows, at each moment, what the recorded one showed at that moment.
 *
 * The idea: every reply of the recording says what some addresses held at its time, so a read at
 * any later time can be answered, whoever asks and however often; where the recorded device was
 * silent, this one is. What is written to it now changes nothing: that day is over. It refuses
 * addresses that the recording never showed.
 */
import { exceptionReply } from "#drivers/pdu.js";
import { illegalAddress } from "./behaviours/behaviour.js";
import type { SimReply } from "./fault-book.js";
import { word16 } from "./mbap.js";
import type { SimDevice } from "./modbus-device.js";
import { RecordedUnitDevice } from "./recorded-unit.js";
import { isWrite, readReply, reads, tableOf, valuesOf, writtenBy } from "./recorded-words.js";
import type { RecordedUnit } from "./recording.js";

interface Shown {
  readonly tMs: number;
  readonly value: number;
}

interface Silence {
  readonly fromMs: number;
  toMs: number;
}

/** `startMs` of the recorder's clock is time 0 here. */
export function recordedHistory(recorded: RecordedUnit, startMs: number): SimDevice {
  return new RecordedHistory(recorded, startMs);
}

class RecordedHistory extends RecordedUnitDevice {
  readonly #startMs: number;
  readonly #shown = new Map<string, Shown[]>();
  readonly #silences: Silence[] = [];

  constructor(recorded: RecordedUnit, startMs: number) {
    super(recorded);
    const { exchanges } = recorded;
    this.#startMs = startMs;
    let silent = false;
    for (const { request, reply, tMs = startMs } of exchanges) {
      const [last] = this.#silences.slice(-1);
      if (reply === undefined && !silent) this.#silences.push({ fromMs: tMs, toMs: tMs });
      else if (silent && last !== undefined) last.toMs = tMs;
      silent = reply === undefined;
      if (reply !== undefined) this.#learn(request, reply, tMs);
    }
    const [open] = this.#silences.slice(-1);
    if (silent && open !== undefined) open.toMs = Number.POSITIVE_INFINITY;
  }

  answer(pdu: Uint8Array, nowMs: number): SimReply | undefined {
    const reply = this.handle(pdu, nowMs);
    return reply === undefined ? undefined : { unit: this.unit, pdu: reply, delayMs: 0, notes: [] };
  }

  handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined {
    const tMs = this.#startMs + nowMs;
    if (this.#silences.some(({ fromMs, toMs }) => tMs >= fromMs && tMs < toMs)) return undefined;
    const fc = pdu[0] ?? 0;
    if (isWrite(fc)) return pdu.slice(0, 5);
    return reads(fc) ? this.#read(pdu, tMs) : exceptionReply(fc, 1);
  }

  #read(pdu: Uint8Array, tMs: number): Uint8Array {
    const fc = pdu[0] ?? 0;
    const values: number[] = [];
    for (let i = 0; i < word16(pdu, 3); i += 1) {
      const shown = this.#shown.get(`${tableOf(fc)}/${word16(pdu, 1) + i}`);
      // Before anything was shown, what was shown first is the best that is known.
      const value = (shown?.findLast((one) => one.tMs <= tMs) ?? shown?.[0])?.value;
      if (value === undefined) return exceptionReply(fc, illegalAddress);
      values.push(value);
    }
    return readReply(fc, values);
  }

  #learn(request: Uint8Array, reply: Uint8Array, tMs: number): void {
    const fc = request[0] ?? 0;
    if (reply[0] !== fc) return;
    const all = reads(fc) ? valuesOf(request, reply) : isWrite(fc) ? writtenBy(request) : [];
    for (const [key, value] of all) {
      const known = this.#shown.get(key);
      if (known === undefined) this.#shown.set(key, [{ tMs, value }]);
      else if (known.at(-1)?.value !== value) known.push({ tMs, value });
    }
  }
}
