/**
 * Stop orders given through this gateway: who has to answer, who has, and after how long.
 *
 * The idea: every order goes out at once over the kernel's stop sender, each word of a driver
 * moves its axis on, and the caller hears after at most 500 ms who has received it; what is
 * missing then is not delivered and says so. A repeat under the same key is sent again and joins
 * its order, but only for some seconds and not after its reset: drivers take an id that was just
 * reset for a late copy, so a caller that always uses the same key or id still gets a new stop. It
 * refuses to wait before the first frame.
 */
import type { By, StopOrder } from "#kernel/contract/payloads.js";
import type { StopAxisResource, StopOrderResource } from "#kernel/contract/resources.js";
import type { NewId } from "#kernel/ports.js";
import type { StopKind } from "#kernel/stop-order.js";
import type { StopReport, StopSender } from "#kernel/stop-sender.js";

/** Orders kept for late confirmations, and how many of them are shown. */
export const ordersMax = 200;
export const ordersShown = 10;
/** How long a repeat under the same key joins its order. */
export const joinMsMax = 10_000;
export const notDeliveredText = "not delivered: use the hardware stop";

interface Entry {
  readonly head: Omit<StopOrderResource, "axes">;
  readonly order: StopOrder;
  readonly key: string | undefined;
  readonly startedAtMs: number;
  readonly axes: Map<string, StopAxisResource>;
  /** It was among the latched stops, and is not any more: a person has reset it. */
  latch: "unseen" | "latched" | "reset";
}

export interface NewOrder {
  /** What the caller repeats a lost request with. */
  readonly key?: string;
  /** The stop's id, where the caller sends it over another road as well. */
  readonly id?: string;
  readonly kind: StopKind;
  /** The axes whose drivers must answer. */
  readonly axes: readonly string[];
  /** True: the order is for these axes only. */
  readonly only: boolean;
  readonly by: By;
  readonly reason?: string;
}

export interface LedgerPorts {
  readonly newId: NewId;
  readonly sender: Pick<StopSender, "send">;
  readonly changed: () => void;
  /** Every delivery's end, for metrics. */
  readonly settled: (axis: StopAxisResource) => void;
}

export class StopLedger {
  readonly #entries = new Map<string, Entry>();
  readonly #ports: LedgerPorts;

  constructor(ports: LedgerPorts) {
    this.#ports = ports;
  }

  /** Sends at once; resolves when every axis has received it, or after 500 ms. Never rejects. */
  async give(order: NewOrder): Promise<StopOrderResource> {
    const entry = this.#joined(order) ?? this.#open(order);
    const axes = [...entry.axes.keys()];
    const delivery = this.#ports.sender.send({ kind: entry.head.kind, order: entry.order, axes });
    delivery.onUpdate((report) => this.#report(entry, report));
    this.#ports.changed();
    for (const report of await delivery.done) this.#report(entry, report);
    return shown(entry);
  }

  /** The stops that are latched now, as the coordinator says. */
  latched(ids: readonly string[]): void {
    for (const entry of this.#entries.values()) {
      if (ids.includes(entry.head.id)) entry.latch = "latched";
      else if (entry.latch === "latched") entry.latch = "reset";
    }
  }

  /** Newest first. */
  orders(): StopOrderResource[] {
    return [...this.#entries.values()].slice(-ordersShown).map(shown).reverse();
  }

  #joined(order: NewOrder): Entry | undefined {
    return [...this.#entries.values()].find((entry) => {
      const young = performance.now() - entry.startedAtMs < joinMsMax;
      const same = entry.head.kind === order.kind && sameAxes(entry, order.axes);
      const byKey = order.key !== undefined && entry.key === order.key;
      const byId = order.id !== undefined && entry.head.id === order.id;
      return (byKey || byId) && young && same && entry.latch !== "reset";
    });
  }

  #open(order: NewOrder): Entry {
    const ts = Date.now();
    // An id stands for one order: a second one under it would be taken for a copy of the first.
    const given = order.id !== undefined && !this.#entries.has(order.id) ? order.id : undefined;
    const id = given ?? this.#ports.newId();
    const by = { user: order.by.user, role: order.by.role };
    const reason = order.reason === undefined ? {} : { reason: order.reason };
    const entry: Entry = {
      head: { id, kind: order.kind, ts, by, ...reason },
      order: {
        v: 1,
        id,
        ts,
        by,
        latch: true,
        ...reason,
        ...(order.only ? { axes: [...order.axes] } : {}),
      },
      key: order.key,
      startedAtMs: performance.now(),
      axes: new Map(order.axes.map((axis) => [axis, { axis, status: "requested" }])),
      latch: "unseen",
    };
    this.#entries.set(id, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > ordersMax && oldest !== undefined) this.#entries.delete(oldest);
    return entry;
  }

  #report(entry: Entry, report: StopReport): void {
    const known = entry.axes.get(report.axis);
    const status = report.status === "sent" ? "requested" : report.status;
    // A repeat's first words take nothing back from what the order has reached already.
    if (known === undefined || rank[status] <= rank[known.status]) return;
    const text = status === "notDelivered" ? notDeliveredText : report.text;
    const now: StopAxisResource = {
      axis: report.axis,
      status,
      elapsedMs: Math.round((performance.now() - entry.startedAtMs) * 10) / 10,
      ...(text === undefined ? {} : { text }),
    };
    entry.axes.set(report.axis, now);
    this.#ports.settled(now);
    this.#ports.changed();
  }
}

const rank: { readonly [S in StopAxisResource["status"]]: number } = {
  requested: 0,
  notDelivered: 1,
  received: 2,
  unconfirmed: 3,
  confirmed: 4,
};

function sameAxes(entry: Entry, axes: readonly string[]): boolean {
  return entry.axes.size === axes.length && axes.every((axis) => entry.axes.has(axis));
}

function shown(entry: Entry): StopOrderResource {
  return { ...entry.head, axes: [...entry.axes.values()] };
}
