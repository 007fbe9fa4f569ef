/**
 * The flight recorder's files: a bounded ring of segments on disk.
 *
 * The idea: records wait in memory for at most a tenth of a second and are then appended in one
 * write that runs off the loop; a full segment is closed and the oldest one removed. Each begins
 * with the head line, so each can be read alone. When the disk is slow or full, records are
 * dropped and counted, and the next line that fits says how many. It refuses to delay anybody.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Ms } from "#drivers/reading.js";
import type { BusRecord, RecordHead } from "../contract/frame-record.js";
import type { Log } from "../ports.js";

export const segmentsMax = 8;
export const segmentBytesMax = 4 * 1024 * 1024;
/** Records are at most so old when they are written. */
export const flushMs: Ms = 100;
/** Text that waits for the disk; more is dropped. */
export const waitingBytesMax = 1024 * 1024;

export interface RecordFilesOptions {
  readonly dataDir: string;
  readonly bus: string;
  readonly head: RecordHead;
  readonly log: Log;
  /** @default 4 MB */
  readonly segmentBytes?: number;
  /** @default 8 */
  readonly segments?: number;
}

/** Where the recorder keeps its files. */
export function recorderDir(dataDir: string): string {
  return join(dataDir, "recorder");
}

/** The segments of a bus, oldest first. */
export function segmentFiles(dir: string, bus: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(dir);
  } catch {
    return [];
  }
  const number = (name: string) => numberOf(name, bus) ?? 0;
  return names
    .filter((name) => numberOf(name, bus) !== undefined)
    .sort((a, b) => number(a) - number(b))
    .map((name) => join(dir, name));
}

function numberOf(name: string, bus: string): number | undefined {
  if (!name.startsWith(`${bus}-`)) return undefined;
  const found = /^(\d{6,})\.jsonl$/.exec(name.slice(bus.length + 1))?.[1];
  return found === undefined ? undefined : Number(found);
}

export class RecordFiles {
  readonly #options: RecordFilesOptions;
  readonly #dir: string;
  readonly #segmentBytes: number;
  #files: string[];
  #number: number;
  #file: FileHandle | undefined;
  #bytes = 0;
  #lines: string[] = [];
  #waitingBytes = 0;
  #unsaid = 0;
  #failed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;
  /** Records that were not kept. */
  dropped = 0;

  constructor(options: RecordFilesOptions) {
    this.#options = options;
    this.#dir = recorderDir(options.dataDir);
    this.#segmentBytes = options.segmentBytes ?? segmentBytesMax;
    this.#files = [...segmentFiles(this.#dir, options.bus)];
    const last = this.#files.at(-1);
    const name = last?.slice(this.#dir.length + 1) ?? "";
    this.#number = numberOf(name, options.bus) ?? 0;
  }

  take(record: BusRecord): void {
    if (this.#closed) return;
    const line = `${JSON.stringify(record)}\n`;
    if (this.#waitingBytes + line.length > waitingBytesMax) {
      this.#drop(1);
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    this.#timer ??= setTimeout(() => this.#flush(), flushMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#writing !== undefined) {
      this.#timer = setTimeout(() => this.#flush(), flushMs);
      return;
    }
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    this.#waitingBytes = 0;
    try {
      const file = await this.#segment();
      const text = this.#apology() + lines.join("");
      const { bytesWritten } = await file.write(text);
      this.#bytes += bytesWritten;
      // A disk that is nearly full may take a part: the rest of the last line would be garbage.
      if (bytesWritten < Buffer.byteLength(text)) throw new Error("a part of the write was lost");
      this.#failed = false;
    } catch (error) {
      this.#drop(lines.length);
      if (!this.#failed) {
        this.#options.log.warn({ bus: this.#options.bus, error }, "the recorder cannot write");
      }
      this.#failed = true;
      await this.#file?.close().catch(() => undefined);
      this.#file = undefined;
    }
  }

  /** Says what is missing, where it is missing. */
  #apology(): string {
    if (this.#unsaid === 0) return "";
    const text = `${this.#unsaid} records were not kept`;
    this.#unsaid = 0;
    const tMs = performance.now();
    return `${JSON.stringify({ kind: "decision", tMs, what: "dropped", text })}\n`;
  }

  #drop(count: number): void {
    this.dropped += count;
    this.#unsaid += count;
  }

  async #segment(): Promise<FileHandle> {
    if (this.#file !== undefined && this.#bytes < this.#segmentBytes) return this.#file;
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    mkdirSync(this.#dir, { recursive: true });
    this.#number += 1;
    const name = `${this.#options.bus}-${String(this.#number).padStart(6, "0")}.jsonl`;
    const path = join(this.#dir, name);
    this.#files.push(path);
    const most = this.#options.segments ?? segmentsMax;
    // The oldest goes first, so that a full disk has room for the new one.
    while (this.#files.length > most) await rm(this.#files.shift() ?? "", { force: true });
    const file = await open(path, "a");
    this.#file = file;
    const { bytesWritten } = await file.write(`${JSON.stringify(this.#options.head)}\n`);
    this.#bytes = bytesWritten;
    return file;
  }
}
