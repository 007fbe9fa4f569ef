/**
 * Requests as RTU frames, made by modbus-serial.
 *
 * The idea: the library writes to any object with open, close, write and `data` events; this one
 * catches what it writes instead of sending it, so that the line alone decides when a frame may
 * leave. It refuses a frame that is not the very unit and PDU that were asked for.
 */
import { EventEmitter } from "node:events";
import modbusSerial from "modbus-serial";
import { type FrameCalls, sendByFunction } from "./modbus-calls.js";
import { rtuFrame } from "./rtu-frame.js";

/** What is used of modbus-serial; `_transactions` is its private table. */
interface Library extends FrameCalls {
  readonly _transactions: { [transaction: number]: unknown };
  open(done: (error?: Error) => void): void;
}

class CatchingPort extends EventEmitter {
  readonly isOpen = true;
  /** Read by modbus-serial. */
  _transactionIdRead = 1;
  _transactionIdWrite = 1;
  #caught: Uint8Array | undefined;

  /** What was written since the last call. */
  take(): Uint8Array | undefined {
    const caught = this.#caught;
    this.#caught = undefined;
    return caught;
  }

  open(done: () => void): void {
    done();
  }
  close(done?: () => void): void {
    done?.();
  }
  write(frame: Uint8Array): void {
    this.#caught = Uint8Array.from(frame);
  }
}

export class RtuEncoder {
  readonly #port = new CatchingPort();
  readonly #library: Library;

  constructor() {
    this.#library = new modbusSerial.default(this.#port) as unknown as Library;
    this.#library.open(() => undefined);
  }

  /** The frame to send, or undefined when this PDU cannot be sent. */
  encode(unit: number, pdu: Uint8Array): Uint8Array | undefined {
    this.#port.take();
    sendByFunction(this.#library, unit, pdu, () => undefined);
    // The library never forgets a transaction, answered or not.
    delete this.#library._transactions[this.#port._transactionIdWrite];
    const frame = this.#port.take();
    const wanted = rtuFrame(unit, pdu);
    const same = frame?.length === wanted.length && frame.every((byte, i) => byte === wanted[i]);
    return same ? frame : undefined;
  }
}
