/**
 * What a stop order is, read as generously as possible.
 *
 * The idea: whatever arrives on a stop topic or a stop socket stops [PROTOCOL 5]; only the `id`
 * is needed, and a missing one is made up. Optional fields that do not fit are left out, which
 * always widens the stop (all axes, latched). It refuses to refuse.
 */
import { bySchema, type StopOrder } from "./contract/payloads.js";
import type { TopicKey } from "./contract/topics.js";

export const cellStopVerbs = ["stop", "quickStop", "abort"] as const;
export const axisStopVerbs = ["stop", "quickStop"] as const;
export type StopKind = (typeof cellStopVerbs)[number];

/** Verbs of an axis whose topic carries something else than commands. */
const notCommands: ReadonlySet<string | undefined> = new Set([...axisStopVerbs, "jog"]);

/** Longest id of a stop that is kept; longer ones are cut. */
export const stopIdLengthMax = 64;
/** Stops that are latched at a time, at most; more than a person can give. */
export const latchesMax = 256;
/** Malformed orders within this time of each other are one stop: a sender repeats every 50 ms. */
export const madeUpIdForMs = 1000;

export function isStopKind(value: unknown): value is StopKind {
  return cellStopVerbs.some((verb) => verb === value);
}

/**
 * Stop and command topics share a pattern; the verb tells them apart. True when a message with
 * these levels belongs to the key.
 */
export function verbBelongs(
  key: TopicKey,
  levels: { readonly verb?: string | undefined },
): boolean {
  const verb = levels.verb;
  if (key === "cellStop") return isStopKind(verb);
  if (key === "axisStop") return verb === "stop" || verb === "quickStop";
  if (key === "cellCommand") return !isStopKind(verb);
  if (key === "axisCommand") return !notCommands.has(verb);
  return true;
}

export function isStopKey(key: TopicKey): key is "cellStop" | "axisStop" {
  return key === "cellStop" || key === "axisStop";
}

function idOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || value === "") return undefined;
  return value.slice(0, stopIdLengthMax);
}

/** Reads an order out of anything. `makeId` is asked only when there is no usable id. */
export function readStopOrder(value: unknown, makeId: () => string): StopOrder {
  const given: { readonly [field: string]: unknown } =
    typeof value === "object" && value !== null ? { ...value } : {};
  const by = bySchema.safeParse(given.by);
  const axes =
    Array.isArray(given.axes) && given.axes.every((axis) => typeof axis === "string")
      ? given.axes
      : undefined;
  return {
    id: idOf(given.id) ?? makeId(),
    ...(typeof given.ts === "number" ? { ts: given.ts } : {}),
    ...(by.success ? { by: by.data } : {}),
    ...(typeof given.reason === "string" ? { reason: given.reason } : {}),
    ...(typeof given.v === "number" ? { v: given.v } : {}),
    ...(typeof given.latch === "boolean" ? { latch: given.latch } : {}),
    ...(axes === undefined ? {} : { axes }),
  };
}

/** Parses JSON; undefined when it is none. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Makes up stop ids: the same one again while malformed orders of one kind keep coming. Another
 * kind is another stop: an abort after a quick stop has to count for everybody.
 */
export class MadeUpId {
  readonly #newId: () => string;
  readonly #last = new Map<StopKind, { readonly id: string; atMs: number }>();
  constructor(newId: () => string) {
    this.#newId = newId;
  }
  next(kind: StopKind, nowMs: number): string {
    const last = this.#last.get(kind);
    if (last !== undefined && nowMs - last.atMs < madeUpIdForMs) {
      last.atMs = nowMs;
      return last.id;
    }
    const id = this.#newId();
    this.#last.set(kind, { id, atMs: nowMs });
    return id;
  }
}
