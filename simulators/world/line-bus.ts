/**
 * A serial line in virtual time: one frame at a time, at the pace of its baud rate.
 *
 * The idea: an exchange lasts as long as its characters, the silences and the unit's turnaround
 * do; a unit that is dead costs the first-byte limit. So bounds in milliseconds can be proved over
 * a hundred thousand stops. It refuses two exchanges at once: that is the scheduler's mistake.
 */
import { charMs, type LineSpeed, silenceMs } from "#drivers/wire-time.js";
import type { ExchangeHow, Wire, WireResult } from "#kernel/ports.js";
import type { WireDevice } from "./field-bus.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

/** Unit and CRC around a PDU. */
const around = 3;

export interface LineFrame {
  readonly unit: number;
  readonly pdu: Uint8Array;
  readonly startMs: number;
  /** When its last character has left. */
  readonly endMs: number;
}

export interface VirtualLineOptions {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly speed: LineSpeed;
  /** Who answers; anybody else is silent. */
  readonly devices: ReadonlyMap<number, WireDevice>;
  /** Time between the end of a request and the first byte of its reply. */
  readonly turnaroundMs: (unit: number) => number;
  /** Where the request says nothing of it. */
  readonly firstByteMs: number;
}

export class VirtualLine implements Wire {
  readonly connected = true;
  readonly #options: VirtualLineOptions;
  #busy = false;
  /** Exchanges that were begun while another was on the line. */
  collisions = 0;
  onFrame: (frame: LineFrame) => void = () => {};

  /** An exchange is on the line, its silence included. */
  get busy(): boolean {
    return this.#busy;
  }

  constructor(options: VirtualLineOptions) {
    this.#options = options;
  }

  exchange(unit: number, pdu: Uint8Array, how: ExchangeHow): Promise<WireResult> {
    if (this.#busy) this.collisions += 1;
    this.#busy = true;
    const { clock, devices, speed, turnaroundMs } = this.#options;
    const startMs = clock.nowMs;
    const requestMs = (pdu.length + around) * charMs(speed);
    this.onFrame({ unit, pdu, startMs, endMs: startMs + requestMs });
    const limitMs = how.firstByteMs ?? this.#options.firstByteMs;
    return new Promise((resolve) => {
      const settle = (afterMs: number, result: WireResult) => {
        clock.schedule(afterMs, () => {
          this.#busy = false;
          resolve(result);
        });
      };
      clock.schedule(requestMs, () => {
        const waitMs = Math.max(turnaroundMs(unit), silenceMs(speed));
        const reply = waitMs > limitMs ? undefined : devices.get(unit)?.handle(pdu, clock.nowMs);
        if (reply === undefined) {
          settle(Math.max(limitMs, silenceMs(speed)), { kind: "noReply", why: "timeout" });
          return;
        }
        const replyMs = (reply.length + around) * charMs(speed);
        settle(waitMs + replyMs + silenceMs(speed), { kind: "reply", pdu: reply });
      });
    });
  }

  reconnect(): void {}

  onChange(): void {}

  async close(): Promise<void> {}
}
