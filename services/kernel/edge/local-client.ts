/**
 * A client of a local socket that connects again by itself.
 *
 * The idea: connect, and on any loss connect again after 100 ms, doubled up to 1 s; the owner
 * hears of every change. It refuses to queue: what is written without a connection is gone.
 */
import { connect, type Socket } from "node:net";
import type { Ms } from "#drivers/reading.js";

/** First pause before the next attempt, and the greatest. */
export const retryMsMin: Ms = 100;
export const retryMsMax: Ms = 1000;

export interface LocalClientHandlers {
  connected(): void;
  data(chunk: Uint8Array): void;
  /** Called once per connection that stood. */
  lost(): void;
}

export class LocalClient {
  readonly #path: string;
  readonly #handlers: LocalClientHandlers;
  #socket: Socket | undefined;
  #connected = false;
  #closed = false;
  #pauseMs: Ms = retryMsMin;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, handlers: LocalClientHandlers) {
    this.#path = path;
    this.#handlers = handlers;
    this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Written and not yet taken by the other side. */
  get unsentBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  write(bytes: Uint8Array | string): void {
    if (this.#connected) this.#socket?.write(bytes);
  }

  /** Gives up this connection; another follows. */
  drop(): void {
    this.#socket?.destroy();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
    this.#lose();
  }

  #connect(): void {
    const socket = connect(this.#path);
    this.#socket = socket;
    socket.on("connect", () => {
      if (this.#closed) return;
      this.#connected = true;
      this.#pauseMs = retryMsMin;
      this.#handlers.connected();
    });
    socket.on("data", (chunk) => {
      if (!this.#closed) this.#handlers.data(chunk);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#closed) return;
      this.#lose();
      this.#retry = setTimeout(() => this.#connect(), this.#pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, retryMsMax);
    });
  }

  #lose(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#handlers.lost();
  }
}
