/**
 * The latched stops of the cell: what `state/stop` says, and who has reset what.
 *
 * The idea: a stop by a person is entered when it is heard of on any road, and leaves only when
 * every reachable driver has confirmed a reset that named it [PROTOCOL 2]; a reset that crosses a
 * newer stop leaves that one standing. The book is rebuilt at a start from the drivers and from
 * what this service knew. It refuses to clear what nobody named.
 */
import { type By, bySchema, type StopOrder } from "#kernel/contract/payloads.js";
import type { Row, Statement } from "#kernel/ports.js";
import { latchesMax, type StopKind } from "#kernel/stop-order.js";

/** Resets that are remembered after their latches, so that old news does not latch again. */
export const resetsMax = 64;

export interface Latch {
  readonly id: string;
  readonly ts: number;
  readonly kind: string;
  readonly by: By;
  /** Devices it holds; absent: all. */
  readonly axes?: readonly string[];
}

/** When a driver said something, and in which of its starts. */
export interface Said {
  readonly bootId: string;
  readonly ts: number;
}

/** A latch whose row cannot be read holds everything until it is named by a reset. */
function latchIn(row: Row): Latch {
  const id = String(row.id);
  try {
    const latch = JSON.parse(String(row.latch)) as Latch;
    const by = bySchema.parse(latch.by);
    const { ts, kind, axes } = latch;
    const isRight = latch.id === id && typeof ts === "number" && typeof kind === "string";
    const some = Array.isArray(axes) && axes.every((axis) => typeof axis === "string");
    if (isRight) return { id, ts, kind, by, ...(some ? { axes } : {}) };
  } catch {
    // As below.
  }
  return { id, ts: 0, kind: "stop", by: somebody };
}

const somebody: By = { user: "unknown", role: "unknown" };

export interface Entered {
  readonly latch: Latch;
  /** Axes that were not known to be held by it before; absent: all. */
  readonly axes?: readonly string[];
}

export class LatchBook {
  readonly #latches = new Map<string, Latch>();
  /** Which devices have reset an id, and when they said so. */
  readonly #resets = new Map<string, Map<string, Said>>();

  /** What this service knew before its restart. */
  load(rows: readonly Row[]): void {
    for (const row of rows) {
      const latch = latchIn(row);
      this.#latches.set(latch.id, latch);
    }
  }

  get latches(): readonly Latch[] {
    return [...this.#latches.values()];
  }

  has(id: string): boolean {
    return this.#latches.has(id);
  }

  /** The latches that hold a device. */
  holding(device: string): readonly string[] {
    const held = ({ id, axes }: Latch) =>
      (axes === undefined || axes.includes(device)) && !this.#hasReset(id, device);
    return this.latches.filter(held).map((latch) => latch.id);
  }

  /** A person's order, as it was heard; undefined when it is known or does not latch. */
  enter(kind: StopKind, order: StopOrder, nowTs: number): Entered | undefined {
    if (order.latch === false || this.#resets.has(order.id)) return undefined;
    const { id, axes } = order;
    const by = bySchema.safeParse(order.by);
    const known = this.#latches.get(id);
    if (known !== undefined) return this.#widen(known, axes);
    if (this.#latches.size >= latchesMax) return undefined;
    const latch: Latch = {
      id,
      ts: order.ts ?? nowTs,
      kind,
      by: by.success ? by.data : somebody,
      ...(axes === undefined ? {} : { axes }),
    };
    this.#latches.set(id, latch);
    return axes === undefined ? { latch } : { latch, axes };
  }

  /** A driver says that it holds this latch: the order may have come on the other road only. */
  learn(device: string, id: string, said: Said, nowTs: number): Entered | undefined {
    const reset = this.#resets.get(id)?.get(device);
    if (reset !== undefined) {
      // Older than its reset, or the truth of a driver that holds it again.
      if (said.bootId === reset.bootId && said.ts <= reset.ts) return undefined;
      this.#resets.get(id)?.delete(device);
    }
    const known = this.#latches.get(id);
    if (known !== undefined) return this.#widen(known, [device]);
    if (this.#latches.size >= latchesMax) return undefined;
    const latch = { id, ts: nowTs, kind: "stop", by: somebody, axes: [device] };
    this.#latches.set(id, latch);
    return { latch, axes: [device] };
  }

  #widen(known: Latch, axes: readonly string[] | undefined): Entered | undefined {
    if (known.axes === undefined) return undefined;
    if (axes === undefined) {
      const { axes: _some, ...latch } = known;
      this.#latches.set(known.id, latch);
      return { latch };
    }
    const fresh = axes.filter((axis) => !known.axes?.includes(axis));
    if (fresh.length === 0) return undefined;
    const latch = { ...known, axes: [...known.axes, ...fresh] };
    this.#latches.set(known.id, latch);
    return { latch, axes: fresh };
  }

  #hasReset(id: string, device: string): boolean {
    return this.#resets.get(id)?.has(device) ?? false;
  }

  /** The driver of a device has confirmed that it holds this latch no more. */
  confirmReset(id: string, device: string, said: Said): void {
    const devices = this.#resets.get(id) ?? new Map<string, Said>();
    devices.set(device, said);
    this.#resets.set(id, devices);
    // What is latched waits for the word of other drivers, however many it is.
    const ended = [...this.#resets.keys()].filter((old) => !this.#latches.has(old));
    for (const old of ended.slice(0, Math.max(0, this.#resets.size - resetsMax))) {
      this.#resets.delete(old);
    }
  }

  /** Drops the named ids that every reachable driver has reset; says which are left. */
  drop(ids: readonly string[], reachable: readonly string[]): string[] {
    return ids.filter((id) => {
      const latch = this.#latches.get(id);
      if (latch === undefined) return false;
      const done = reachable.every((device) => this.#hasReset(id, device));
      if (done) this.#latches.delete(id);
      return !done;
    });
  }

  /** The book as rows, whole: it is short. */
  statements(): Statement[] {
    const put = (latch: Latch): Statement => ({
      sql: "INSERT OR REPLACE INTO latches (id, latch) VALUES (?, ?)",
      params: [latch.id, JSON.stringify(latch)],
    });
    return [{ sql: "DELETE FROM latches" }, ...this.latches.map(put)];
  }
}
