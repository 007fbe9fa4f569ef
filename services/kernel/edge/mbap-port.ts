/**
 * The port under modbus-serial: Modbus TCP, framed strictly.
 *
 * The idea: modbus-serial takes any object with open, close, write and `data` events and speaks
 * RTU frames to it; here they become MBAP frames and back. Its own TCP port accepts any protocol
 * id and length, numbers transactions modulo 256 and writes a failed request's bytes later; this
 * one closes the connection at the first impossible header, has 65,536 ids, and asks its owner
 * about every frame before the library sees it. It refuses to send anything but the very PDU
 * that it was told to expect.
 */
import { EventEmitter } from "node:events";
import { type ByteSocket, type OpenSocket, openSocket, type SocketAddress } from "./byte-socket.js";
import { encodeMbap, type MbapFrame, MbapReader } from "./mbap.js";
import { rtuFrame } from "./rtu-frame.js";

/** Longest wait for a TCP connection. */
export const connectMsMax = 2000;
const crcBytes = 2;

/** A TCP endpoint, or a local socket that speaks the same frames (a lane of the bus service). */
export type MbapAddress = SocketAddress;

export interface MbapPortOptions {
  readonly address: MbapAddress;
  /** Whether the library may have this frame; false: it answers nothing that is open. */
  readonly accept: (frame: MbapFrame) => boolean;
  /** @default a TCP connection */
  readonly open?: OpenSocket | undefined;
}

/** One connection; never used again after it has closed. */
export class MbapPort extends EventEmitter {
  readonly #options: MbapPortOptions;
  readonly #reader = new MbapReader();
  #socket: ByteSocket | undefined;
  #expected: { readonly unit: number; readonly pdu: Uint8Array } | undefined;
  #why = "closed by the other side";
  /** Read by modbus-serial: the connection stands. */
  isOpen = false;
  /** Read by modbus-serial: the transaction of the frame just emitted. */
  _transactionIdRead = 0;
  /** Read by modbus-serial: the transaction of the next write. */
  _transactionIdWrite = 0;

  constructor(options: MbapPortOptions) {
    super();
    this.#options = options;
  }

  /** Why the connection ended; for people. */
  get why(): string {
    return this.#why;
  }

  open(done: (error?: Error) => void): void {
    const { address, open = openSocket } = this.#options;
    const socket = open(address);
    this.#socket = socket;
    const timer = setTimeout(() => this.#drop(`no connection in ${connectMsMax} ms`), connectMsMax);
    socket.on("connect", () => {
      clearTimeout(timer);
      this.isOpen = true;
      done();
    });
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => {
      this.#why = error.message;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      const wasOpen = this.isOpen;
      this.isOpen = false;
      if (wasOpen) this.emit("close");
      else done(new Error(this.#why));
    });
  }

  close(done?: () => void): void {
    this.#drop("closed by us");
    done?.();
  }

  /** Lets exactly this frame out, under this transaction, while `call` runs. */
  sending(transaction: number, unit: number, pdu: Uint8Array, call: () => void): boolean {
    this._transactionIdWrite = transaction;
    this.#expected = { unit, pdu };
    call();
    const sent = this.#expected === undefined;
    this.#expected = undefined;
    return sent;
  }

  /** An RTU frame from the library. */
  write(frame: Uint8Array): void {
    const expected = this.#expected;
    if (expected === undefined || !this.isOpen) return;
    const pdu = frame.subarray(1, frame.length - crcBytes);
    const same =
      frame[0] === expected.unit &&
      pdu.length === expected.pdu.length &&
      pdu.every((byte, i) => byte === expected.pdu[i]);
    if (!same) return;
    this.#expected = undefined;
    const { unit } = expected;
    this.#socket?.write(encodeMbap({ transaction: this._transactionIdWrite, unit, pdu }));
  }

  #read(chunk: Uint8Array): void {
    const { frames, bad } = this.#reader.push(chunk);
    for (const frame of frames) {
      if (!this.isOpen) return;
      if (!this.#options.accept(frame)) continue;
      this._transactionIdRead = frame.transaction;
      // The library wants an RTU frame and checks its CRC.
      this.emit("data", Buffer.from(rtuFrame(frame.unit, frame.pdu)));
    }
    if (bad !== undefined) this.#drop(`not Modbus TCP: ${bad}`);
  }

  /** With a reset: what still waits in the socket must never reach the device later. */
  #drop(why: string): void {
    this.#why = why;
    if (this.isOpen) this.#socket?.resetAndDestroy();
    else this.#socket?.destroy();
  }
}
