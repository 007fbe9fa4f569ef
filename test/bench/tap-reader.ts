/**
 * Reads the simulator's tap as it grows.
 * The idea: only what is new is read, so a long tap costs nothing. It refuses to wait.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { TapLine } from "../fixtures/cell-process.js";

export class TapReader {
  readonly #path: string;
  #at = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
    this.skip();
  }

  /** Goes on behind what is there now. */
  skip(): void {
    this.#at = statSync(this.#path).size;
    this.#rest = "";
  }

  /** Whole lines that have come since. */
  take(): readonly TapLine[] {
    const size = statSync(this.#path).size;
    if (size <= this.#at) return [];
    const bytes = Buffer.alloc(size - this.#at);
    const file = openSync(this.#path, "r");
    const read = readSync(file, bytes, 0, bytes.length, this.#at);
    closeSync(file);
    this.#at += read;
    const lines = (this.#rest + bytes.toString("utf8", 0, read)).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as TapLine);
  }
}
