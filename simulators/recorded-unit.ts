/**
 * What every device out of a recording has in common: it moves nothing and has no physics.
 *
 * The idea: who plays a recording differs in what it answers and when; that it never moves, never
 * waits and shows itself as recorded stands here once. It refuses to answer.
 */
import type { SimReply } from "./fault-book.js";
import type { FaultName, FaultValue } from "./faults.js";
import type { MotionEvent, SimDevice, SimDeviceView } from "./modbus-device.js";
import type { RecordedUnit } from "./recording.js";

export abstract class RecordedUnitDevice implements SimDevice {
  readonly id: string;
  readonly unit: number;
  readonly replyDelayMs = 0;
  readonly turnaroundMs = undefined;
  readonly busy = false;
  readonly moving = false;
  readonly position = 0;
  readonly #profile: string;

  constructor({ device, unit, profile }: RecordedUnit) {
    this.id = device;
    this.unit = unit;
    this.#profile = profile;
  }

  abstract answer(pdu: Uint8Array, nowMs: number): SimReply | undefined;
  abstract handle(pdu: Uint8Array, nowMs: number): Uint8Array | undefined;

  broadcast(_pdu: Uint8Array): void {}

  silenceMs(): number {
    return 0;
  }

  advance(): void {}

  setFault(_name: FaultName, _value: FaultValue | undefined, _nowMs: number): void {}

  endFault(_name: FaultName): void {}

  clearFaults(): void {}

  view(): SimDeviceView {
    return {
      unit: this.unit,
      profile: this.#profile,
      state: "recorded",
      ...{ moving: false, position: 0, velocity: 0 },
      faults: {},
      values: {},
    };
  }

  onMotion(_listener: (event: MotionEvent) => void): void {}
}
