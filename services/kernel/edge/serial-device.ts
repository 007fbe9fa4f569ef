/**
 * One serial port's descriptor: opened raw, locked, read as it comes, written at once.
 *
 * The idea: the bindings of serialport open the port, lock it and set every mode at every open;
 * the same device is then read through a second descriptor as a terminal stream, which wakes
 * sooner than the serialport stream does (two descriptors, because Node opens a terminal anew and
 * would drop the lock with the first). It refuses to go on with a port that has failed: any
 * error, end of file or short write ends it.
 */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
// Not the package's own class: its poller lives on the main thread, and this is a worker's.
import { asyncClose, asyncOpen } from "@serialport/bindings-cpp/dist/load-bindings.js";
import type { SerialFormat } from "../config/cell.js";

export interface SerialDeviceOptions {
  readonly path: string;
  readonly baud: number;
  readonly format: SerialFormat;
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Once, when the port has failed; not after `close`. */
  readonly onLost: (why: string) => void;
}

const parityOf = { N: "none", E: "even", O: "odd" } as const;
/** What a poll reads at most; the driver of a terminal holds 4 KiB. */
const pollBytes = 4096;

/** Node reads a terminal through a descriptor that it opens anew; ours would stay behind. */
function streamOf(fd: number): ReadStream {
  const stream = new ReadStream(fd);
  const own = (stream as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd;
  if (own !== undefined && own !== fd) closeSync(fd);
  return stream;
}

export class SerialDevice {
  readonly #options: SerialDeviceOptions;
  readonly #lockFd: number;
  readonly #stream: ReadStream;
  readonly #polled = Buffer.alloc(pollBytes);
  readonly #ended: Promise<void>;
  #open = true;

  private constructor(options: SerialDeviceOptions, lockFd: number, stream: ReadStream) {
    this.#options = options;
    this.#lockFd = lockFd;
    this.#stream = stream;
    this.#ended = new Promise((resolve) => {
      stream.on("close", () => resolve());
    });
    stream.on("data", (bytes: Uint8Array) => {
      if (this.#open) options.onBytes(bytes);
    });
    stream.on("error", (error) => this.#lost(error.message));
    stream.on("end", () => this.#lost("end of file"));
    stream.on("close", () => this.#lost("the terminal was closed"));
  }

  /** @throws Error with the system's words. */
  static async open(options: SerialDeviceOptions): Promise<SerialDevice> {
    const { path, baud, format } = options;
    const lockFd = await asyncOpen(path, {
      baudRate: baud,
      dataBits: 8,
      parity: parityOf[format.charAt(1) as keyof typeof parityOf],
      stopBits: format.endsWith("2") ? 2 : 1,
      lock: true,
      // Raised and dropped by nobody: some adapters switch their direction by these lines.
      hupcl: false,
      rtscts: false,
      xon: false,
      xoff: false,
      xany: false,
      vmin: 1,
      vtime: 0,
    });
    let fd: number | undefined;
    try {
      const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
      fd = openSync(`/proc/self/fd/${lockFd}`, flags);
      return new SerialDevice(options, lockFd, streamOf(fd));
    } catch (thrown) {
      if (fd !== undefined) closeSync(fd);
      await asyncClose(lockFd);
      throw thrown;
    }
  }

  /** Whether every byte was taken; else the port is lost. */
  write(bytes: Uint8Array): boolean {
    if (!this.#open) return false;
    try {
      if (writeSync(this.#lockFd, bytes) === bytes.length) return true;
      this.#lost("the port took only a part of a frame");
    } catch (thrown) {
      this.#lost(thrown instanceof Error ? thrown.message : String(thrown));
    }
    return false;
  }

  /** Hands over what has come in while this thread slept. */
  poll(): void {
    if (!this.#open) return;
    try {
      const count = readSync(this.#lockFd, this.#polled, 0, pollBytes, null);
      if (count > 0) this.#options.onBytes(Uint8Array.from(this.#polled.subarray(0, count)));
    } catch {
      // Nothing there; a failed port is told by its stream.
    }
  }

  /** Resolves when the system has both descriptors back. */
  async close(): Promise<void> {
    this.#open = false;
    this.#stream.destroy();
    await this.#ended;
    // In the pool: a close may wait for bytes that still leave.
    await asyncClose(this.#lockFd).catch(() => undefined);
  }

  #lost(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#options.onLost(why);
  }
}
