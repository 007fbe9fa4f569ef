/**
 * Who wants which message: subscriptions of one link, and the way of an arriving message.
 *
 * The idea: handlers stand in one table that outlives connections, and the filters given to the
 * broker never overlap (they are widened until disjoint), so a message comes once and each
 * handler that wants it is called once. Payloads are checked here, on receipt; stop orders are
 * read leniently. Pure bookkeeping: it refuses to know a transport.
 */
import type { StopOrder } from "./contract/payloads.js";
import {
  type TopicFilter,
  type TopicKey,
  type TopicParams,
  topicLevels,
  topicPath,
  topics,
} from "./contract/topics.js";
import { codeOf, ServocellError, textOf } from "./errors.js";
import { isTooDeep } from "./json-depth.js";
import type { Log, Message, NewId } from "./ports.js";
import {
  axisStopVerbs,
  cellStopVerbs,
  isStopKey,
  isStopKind,
  MadeUpId,
  readJson,
  readStopOrder,
  verbBelongs,
} from "./stop-order.js";

/** Larger payloads are dropped and counted, stop orders excepted. */
export const payloadBytesMax = 262_144;
/** Topics whose handlers are remembered. */
const topicsMax = 1024;

export interface SubscriptionFilter {
  readonly filter: string;
  readonly qos: 0 | 1;
}

export interface Arrival {
  /** Relative to the cell. */
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

export interface RouterCounters {
  readonly received: number;
  /** Did not fit their schema, were no JSON, too large or nested too deeply. */
  readonly invalid: number;
  readonly retainedCommands: number;
  readonly handlersFailed: number;
}

type AnyHandler = (message: Message<TopicKey>) => void | Promise<void>;
interface Entry {
  readonly key: TopicKey;
  readonly want: readonly (readonly [string, string])[];
  readonly filters: readonly SubscriptionFilter[];
  readonly handler: AnyHandler;
}
interface Wanted {
  readonly entry: Entry;
  readonly levels: TopicParams<TopicKey>;
}
type Read = { readonly ok: true; readonly payload: unknown } | { readonly ok: false };

function filtersOf(key: TopicKey, levels: TopicFilter<TopicKey>): SubscriptionFilter[] {
  const qos = topics[key].qos;
  const given: { readonly verb?: string } = levels;
  if (!isStopKey(key) || given.verb !== undefined) {
    return [{ filter: topicPath(key, levels), qos }];
  }
  // By name: a stop connection must not receive the commands that share the pattern.
  const verbs = key === "cellStop" ? cellStopVerbs : axisStopVerbs;
  return verbs.map((verb) => ({ filter: topicPath(key, { ...levels, verb }), qos }));
}

/** The narrowest filter that matches all that either matches; undefined when disjoint. */
function joined(a: string, b: string): string | undefined {
  const left = a.split("/");
  const right = b.split("/");
  if (left.length !== right.length) return undefined;
  const out: string[] = [];
  for (const [i, level] of left.entries()) {
    const other = right[i];
    if (level !== other && level !== "+" && other !== "+") return undefined;
    out.push(level === other ? level : "+");
  }
  return out.join("/");
}

/** Widens filters until no two of them match the same topic. */
export function disjoint(filters: readonly SubscriptionFilter[]): SubscriptionFilter[] {
  const out: SubscriptionFilter[] = [];
  // Each join removes one filter, so this ends after at most as many rounds as there are filters.
  const todo = [...filters];
  for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
    const { filter, qos } = next;
    const at = out.findIndex((known) => joined(known.filter, filter) !== undefined);
    const known = out[at];
    if (known === undefined) {
      out.push(next);
      continue;
    }
    out.splice(at, 1);
    todo.push({
      filter: joined(known.filter, filter) ?? filter,
      qos: qos === 1 || known.qos === 1 ? 1 : 0,
    });
  }
  return out;
}

export class TopicRouter {
  readonly #entries: Entry[] = [];
  /** Who wants a topic that has come before; a cell has few, and they come all the time. */
  readonly #wanted = new Map<string, readonly Wanted[]>();
  readonly #log: Log;
  readonly #madeUp: MadeUpId;
  #received = 0;
  #invalid = 0;
  #retainedCommands = 0;
  #handlersFailed = 0;

  constructor(ports: { readonly newId: NewId; readonly log: Log }) {
    this.#log = ports.log;
    this.#madeUp = new MadeUpId(ports.newId);
  }

  get counters(): RouterCounters {
    return {
      received: this.#received,
      invalid: this.#invalid,
      retainedCommands: this.#retainedCommands,
      handlersFailed: this.#handlersFailed,
    };
  }

  add<K extends TopicKey>(
    key: K,
    levels: TopicFilter<K>,
    handler: (message: Message<K>) => void | Promise<void>,
  ): void {
    const given = levels as { readonly [name: string]: string | undefined };
    const want: (readonly [string, string])[] = [];
    for (const [name, value] of Object.entries(given)) {
      if (value !== undefined) want.push([name, value]);
    }
    this.#wanted.clear();
    this.#entries.push({
      key,
      want,
      filters: filtersOf(key, levels),
      // The table is keyed at run time; `deliver` hands a handler only messages of its key.
      handler: handler as unknown as AnyHandler,
    });
  }

  /** What to subscribe to: disjoint filters. */
  filters(): SubscriptionFilter[] {
    return disjoint(this.#entries.flatMap((entry) => entry.filters));
  }

  /** Calls every handler that wants it; resolves when all have settled, and never rejects. */
  deliver(arrival: Arrival): Promise<void> | undefined {
    this.#received += 1;
    const reads = new Map<TopicKey, Read>();
    const working: Promise<void>[] = [];
    for (const { entry, levels } of this.#whoWants(arrival.topic)) {
      let read = reads.get(entry.key);
      if (read === undefined) {
        read = this.#read(entry.key, arrival);
        reads.set(entry.key, read);
      }
      if (!read.ok) continue;
      const work = this.#call(entry, levels, read.payload, arrival.retained);
      if (work !== undefined) working.push(work);
    }
    if (working.length === 0) return undefined;
    return Promise.all(working).then(() => undefined);
  }

  #whoWants(topic: string): readonly Wanted[] {
    const known = this.#wanted.get(topic);
    if (known !== undefined) return known;
    const wanted: Wanted[] = [];
    for (const entry of this.#entries) {
      const levels = topicLevels(entry.key, topic);
      if (levels === undefined || !verbBelongs(entry.key, levels)) continue;
      const got = levels as { readonly [name: string]: string | undefined };
      if (entry.want.some(([name, value]) => got[name] !== value)) continue;
      wanted.push({ entry, levels });
    }
    if (this.#wanted.size >= topicsMax) this.#wanted.clear();
    this.#wanted.set(topic, wanted);
    return wanted;
  }

  #call(
    entry: Entry,
    levels: TopicParams<TopicKey>,
    payload: unknown,
    retained: boolean,
  ): Promise<void> | undefined {
    try {
      const work = entry.handler({ levels, payload, retained } as Message<TopicKey>);
      return work?.catch((thrown: unknown) => this.#failed(entry, thrown));
    } catch (thrown) {
      this.#failed(entry, thrown);
      return undefined;
    }
  }

  #failed(entry: Entry, thrown: unknown): void {
    this.#handlersFailed += 1;
    const code = codeOf(thrown);
    this.#log.error(
      { key: entry.key, code, error: textOf(thrown) },
      "The handler of a message failed.",
    );
    // An expected failure ends here; a broken assumption ends the process.
    if (!(thrown instanceof ServocellError) || code === "INTERNAL") {
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }

  #read(key: TopicKey, arrival: Arrival): Read {
    const { topic, payload, retained } = arrival;
    if (isStopKey(key)) return { ok: true, payload: this.#readStop(arrival) };
    if (retained && topic.startsWith("cmd/")) {
      this.#retainedCommands += 1;
      this.#log.warn({ topic }, `A retained command on ${topic} was not executed; clear it.`);
      return { ok: false };
    }
    if (payload.byteLength > payloadBytesMax) return this.#bad(topic, "it is too large");
    const text = new TextDecoder().decode(payload);
    if (isTooDeep(text)) return this.#bad(topic, "it is nested too deeply");
    const json = readJson(text);
    if (json === undefined) return this.#bad(topic, "it is not JSON");
    const checked = topics[key].schema.safeParse(json);
    if (checked.success) return { ok: true, payload: checked.data };
    const issue = checked.error.issues[0];
    return this.#bad(topic, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "?"}`);
  }

  #readStop(arrival: Arrival): StopOrder {
    const { topic, payload, retained } = arrival;
    const json =
      payload.byteLength > payloadBytesMax
        ? undefined
        : readJson(new TextDecoder().decode(payload));
    if (json === undefined) {
      this.#invalid += 1;
      this.#log.warn({ topic }, `A stop order on ${topic} is not JSON; it stops all the same.`);
    } else if (retained) {
      this.#log.warn({ topic }, `A retained stop order on ${topic} stops; clear it.`);
    }
    const verb = topic.slice(topic.lastIndexOf("/") + 1);
    const kind = isStopKind(verb) ? verb : "stop";
    return readStopOrder(json, () => this.#madeUp.next(kind, performance.now()));
  }

  #bad(topic: string, why: string): Read {
    this.#invalid += 1;
    // A sender that repeats itself must not flood the log: the 1st, 2nd, 4th, 8th … are told.
    if ((this.#invalid & (this.#invalid - 1)) === 0) {
      this.#log.warn(
        { topic, invalid: this.#invalid },
        `A message on ${topic} was dropped: ${why}.`,
      );
    }
    return { ok: false };
  }
}
