/**
 * An HTTP response that stays open, without HTTP: lines to a client, and the news that it is gone.
 *
 * The idea: what a gateway does with the response of a press is little (write lines, end, hear of
 * its close), so that little is here, with the network's delay between the two ends. A gateway that
 * is stalled hears of nothing until it goes on. It refuses everything that no press needs.
 */
import type { ServerResponse } from "node:http";

export interface Word {
  readonly kind: "granted" | "nonce" | "ended";
  readonly nonce?: string;
  readonly reason?: string;
}

export interface Hops {
  /** Runs at the client, a moment later. */
  readonly toClient: (work: () => void) => void;
  /** Runs at the gateway, a moment later. */
  readonly toGateway: (work: () => void) => void;
}

export interface ClientEars {
  heard(word: Word): void;
  refused(code: string): void;
}

export class OpenResponse {
  readonly #hops: Hops;
  readonly #ears: ClientEars;
  readonly #closing: (() => void)[] = [];
  #closed = false;

  constructor(hops: Hops, ears: ClientEars) {
    this.#hops = hops;
    this.#ears = ears;
  }

  /** The gateway's end. */
  get raw(): ServerResponse {
    const response = {
      destroyed: this.#closed,
      writableLength: 0,
      socket: { destroyed: this.#closed, setNoDelay: () => undefined },
      writeHead: () => undefined,
      on: (event: string, listener: () => void) => {
        if (event === "close") this.#closing.push(listener);
      },
      write: (text: string) => this.#write(text),
      end: () => this.#close(),
      destroy: () => this.#close(),
    };
    return response as unknown as ServerResponse;
  }

  refuse(code: string): void {
    this.#hops.toClient(() => this.#ears.refused(code));
  }

  /** The client's end is closed: the gateway hears of it a moment later. */
  cut(): void {
    this.#hops.toGateway(() => this.#close());
  }

  #write(text: string): void {
    if (this.#closed) return;
    const word = JSON.parse(text) as Word;
    this.#hops.toClient(() => this.#ears.heard(word));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#closing) listener();
  }
}
