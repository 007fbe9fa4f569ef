/**
 * A service's disk in a world: slow, full, and honest about what a power cut keeps.
 *
 * The idea: a commit takes time, so that a kill can fall between the request and its answer. A
 * process that dies leaves all that it committed to the system; a PC that loses power keeps what
 * was synced and some first part of what was not, as a write-ahead log with a torn tail does. The
 * kept part is played again into a fresh database. It refuses to know what is stored.
 */
import { ServocellError } from "#kernel/errors.js";
import type { Row, Statement, Store } from "#kernel/ports.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

interface Committed {
  readonly statements: readonly Statement[];
  readonly durable: boolean;
}

/** Durations in ms. */
export interface DiskFaults {
  full: boolean;
  /** Added to every commit. */
  commitMs: number;
}

export interface SeededStoreParts {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly open: () => Store;
  /** What the disk has taken, for judges. */
  readonly onCommit: (statements: readonly Statement[]) => void;
}

export class SeededStore implements Store {
  readonly faults: DiskFaults = { full: false, commitMs: 0 };
  readonly #parts: SeededStoreParts;
  #inner: Store;
  #log: Committed[] = [];
  /** How many of them a power cut cannot take. */
  #synced = 0;

  constructor(parts: SeededStoreParts) {
    this.#parts = parts;
    this.#inner = parts.open();
  }

  get file(): string {
    return this.#inner.file ?? "memory";
  }

  async tx(statements: readonly Statement[], how: { readonly durable: boolean }): Promise<Row[][]> {
    const { clock, random, onCommit } = this.#parts;
    await clock.wait(random.between(0.05, 0.4) + this.faults.commitMs);
    const reads = statements.every(({ sql }) => /^\s*SELECT/i.test(sql));
    if (this.faults.full && !reads) throw new ServocellError("STORE_FULL", "The disk is full.");
    const rows = await this.#inner.tx(statements, how);
    if (!reads) {
      this.#log.push({ statements, durable: how.durable });
      if (how.durable) this.#synced = this.#log.length;
      onCommit(statements);
    }
    await clock.wait(random.between(0.05, how.durable ? 2 : 0.2));
    return rows;
  }

  /** The PC lost its power: the synced part stays, and of the rest a first part of any length. */
  powerLoss(): void {
    const { random, open } = this.#parts;
    const kept = random.whole(this.#synced, this.#log.length);
    this.#log = this.#log.slice(0, kept);
    this.#synced = kept;
    void this.#inner.close();
    this.#inner = open();
    for (const { statements, durable } of this.#log) {
      // It was taken once and is taken again: the same statements on the same rows.
      void this.#inner.tx(statements, { durable });
    }
  }

  async close(): Promise<void> {}
}
