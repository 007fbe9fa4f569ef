/**
 * Splits a stream of bytes into lines, with a bound on what may wait for its end.
 *
 * The idea: the local sockets speak one JSON object a line; a peer that never ends a line must
 * not fill the memory. It refuses to parse: what a broken line means is the reader's business.
 */
import { StringDecoder } from "node:string_decoder";

/** Longest line; a longer one is handed over as it is, cut here. */
export const lineLengthMax = 65_536;

export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    this.#rest += this.#decoder.write(Buffer.from(chunk));
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end < 0 && this.#rest.length < lineLengthMax) return;
      const cut = end < 0 ? lineLengthMax : end;
      const line = this.#rest.slice(0, cut);
      this.#rest = this.#rest.slice(end < 0 ? cut : cut + 1);
      if (line.trim() !== "") this.#onLine(line);
    }
  }

  /** The peer has ended: what is left is a line too. */
  end(): void {
    const line = this.#rest;
    this.#rest = "";
    if (line.trim() !== "") this.#onLine(line);
  }
}
