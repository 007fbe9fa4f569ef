/**
 * A service's lasting link to the broker: one connection after the other, one table of handlers.
 *
 * The idea: publishing is now or never (OFFLINE), every connect subscribes anew, and handlers
 * are registered once, so nothing is doubled and nothing stale is sent. Backoff 50 ms to 1 s,
 * counted from the end of an attempt, reset only by a connection that stood. It refuses to
 * queue: the outbox does.
 */
import {
  type Payload,
  type TopicFilter,
  type TopicKey,
  type TopicParams,
  topicPath,
  topics,
} from "../contract/topics.js";
import { ServocellError, textOf } from "../errors.js";
import type { Boot, Log, Message, MessageLink, NewId } from "../ports.js";
import { type RouterCounters, TopicRouter } from "../topic-router.js";
import { createNewId } from "./ids.js";
import { MqttConnection, type OpenStream } from "./mqtt-connection.js";

const backoffMinMs = 50;
const backoffMaxMs = 1000;
/** A connection that stood this long resets the backoff (two of one id kick each other). */
const stoodMs = 2000;
/**
 * Kinds that leave many times a second with a shape that never changes: their schema is checked
 * for the first of them and then for one in so many. Every other message is checked.
 */
const sampled: ReadonlySet<TopicKey> = new Set<TopicKey>(["beat", "permit", "telemetryAxis"]);
const checkedFirst = 20;
const checkedEvery = 100;
/** Bound of `close`. */
const closeMaxMs = 1000;

export interface MqttLinkOptions {
  /** `mqtt://host:port` or `mqtts://host:port`, with user and password where needed. */
  readonly url: string;
  /** Unique in the cell: `{service}` for the main link, `{service}-stop` for the other. */
  readonly clientId: string;
  /** `{prefix}/{cell}`, without a slash at its ends. */
  readonly prefix: string;
  /** Announces `avail/{service}` offline when the connection dies. */
  readonly will?: Boot | undefined;
  /** Commands are refused while away, so sessions are clean. @default "clean" */
  readonly session?: "clean" | "persistent";
  /** Must exceed the 5 s that a handler may hold. @default 10 */
  readonly keepaliveS?: number;
  readonly newId?: NewId;
  readonly log: Log;
  /** @default TCP, or TLS where the URL says so */
  readonly open?: OpenStream | undefined;
}

export interface LinkCounters extends RouterCounters {
  readonly connects: number;
  /** Handlers that held an acknowledgement for longer than 5 s. */
  readonly handlersLate: number;
}

export interface MqttLink extends MessageLink {
  readonly counters: LinkCounters;
}

/** Spreads the clients of a broker that comes back; the same for a client every time. */
function spreadOf(clientId: string): number {
  let hash = 0;
  for (const char of clientId) hash = (hash * 31 + char.charCodeAt(0)) % 997;
  return 0.8 + (0.4 * hash) / 997;
}

class Link implements MqttLink {
  readonly #options: MqttLinkOptions;
  readonly #url: URL;
  readonly #router: TopicRouter;
  readonly #listeners: ((connected: boolean) => void)[] = [];
  #connection: MqttConnection | undefined;
  #subscribed: readonly string[] = [];
  #syncing: Promise<void> | undefined;
  #announced = false;
  #closing = false;
  #backoffMs = backoffMinMs;
  #upAtMs: number | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Messages published of the kinds that are sampled. */
  readonly #sent = new Map<TopicKey, number>();
  #connects = 0;
  #handlersLate = 0;

  constructor(options: MqttLinkOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#router = new TopicRouter({ newId: options.newId ?? createNewId(), log: options.log });
    this.#open();
  }

  get connected(): boolean {
    return this.#connection?.connected ?? false;
  }

  get counters(): LinkCounters {
    return {
      ...this.#router.counters,
      connects: this.#connects,
      handlersLate: this.#handlersLate,
    };
  }

  async publish<K extends TopicKey>(
    key: K,
    levels: TopicParams<K>,
    payload: Payload<K>,
  ): Promise<void> {
    const { qos, retain } = topics[key];
    this.#check(key, payload);
    const topic = this.#topic(key, levels);
    const connection = this.#connection;
    if (connection === undefined || this.#closing) {
      throw new ServocellError("OFFLINE", "There is no connection to the broker.");
    }
    await connection.publish(topic, JSON.stringify(payload), { qos, retain });
  }

  #check<K extends TopicKey>(key: K, payload: Payload<K>): void {
    if (sampled.has(key)) {
      const sent = this.#sent.get(key) ?? 0;
      this.#sent.set(key, sent + 1);
      if (sent >= checkedFirst && sent % checkedEvery !== 0) return;
    }
    const checked = topics[key].schema.safeParse(payload);
    if (checked.success) return;
    this.#sent.set(key, 0);
    const issue = checked.error.issues[0];
    throw new ServocellError(
      "INTERNAL",
      `A message for ${key} does not fit its schema: ${issue?.path.join(".")} ${issue?.message}.`,
      { key },
    );
  }

  subscribe<K extends TopicKey>(
    key: K,
    levels: TopicFilter<K>,
    handler: (message: Message<K>) => void | Promise<void>,
  ): void {
    this.#router.add(key, levels, handler);
    if (this.#announced) this.#sync();
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    // From here on nobody else may speak: a repeated "online" must not follow the last words.
    this.#closing = true;
    const untilMs = performance.now() + closeMaxMs;
    clearTimeout(this.#retry);
    const connection = this.#connection;
    const will = this.#will();
    if (connection?.connected && will !== undefined) {
      // A clean DISCONNECT discards the will: say it ourselves first.
      const said = connection.publish(will.topic, will.payload, { qos: 1, retain: true });
      const limit = new Promise<void>((resolve) => setTimeout(resolve, closeMaxMs / 2));
      await Promise.race([said.catch(() => undefined), limit]);
    }
    await connection?.close(Math.max(untilMs - performance.now(), 0));
  }

  #topic<K extends TopicKey>(key: K, levels: TopicParams<K>): string {
    for (const [name, value] of Object.entries<string>(levels)) {
      if (value === "" || /[+#/\0]/.test(value)) {
        throw new ServocellError("INTERNAL", `${name} "${value}" is no topic level.`, { key });
      }
    }
    return `${this.#options.prefix}/${topicPath(key, levels)}`;
  }

  #will() {
    const boot = this.#options.will;
    if (boot === undefined) return undefined;
    const { service, bootId, version } = boot;
    const payload = { v: 1, status: "offline", ts: Date.now(), bootId, version };
    return { topic: this.#topic("avail", { service }), payload: JSON.stringify(payload) };
  }

  #open(): void {
    const { clientId, session, keepaliveS, prefix } = this.#options;
    const root = `${prefix}/`;
    const connection: MqttConnection = new MqttConnection(
      {
        url: this.#url,
        open: this.#options.open,
        clientId,
        clean: session !== "persistent",
        keepaliveS: keepaliveS ?? 10,
        will: this.#will(),
      },
      {
        up: () => this.#up(connection),
        down: (reason) => this.#lost(connection, reason),
        message: (topic, payload, retained) =>
          topic.startsWith(root)
            ? this.#router.deliver({ topic: topic.slice(root.length), payload, retained })
            : undefined,
        late: (topic) => this.#late(topic),
      },
    );
    this.#connection = connection;
  }

  #up(connection: MqttConnection): void {
    this.#connects += 1;
    this.#upAtMs = performance.now();
    const filters = this.#router.filters();
    this.#subscribed = filters.map((one) => one.filter);
    this.#grant(connection, filters, () => {
      this.#announced = true;
      this.#options.log.info({ clientId: this.#options.clientId }, "Connected to the broker.");
      for (const listener of this.#listeners) listener(true);
      // Something may have been subscribed to while this was under way.
      if (this.#router.filters().some((one) => !this.#subscribed.includes(one.filter))) {
        this.#sync();
      }
    });
  }

  #grant(
    connection: MqttConnection,
    filters: readonly { readonly filter: string; readonly qos: 0 | 1 }[],
    then: () => void,
  ): void {
    const root = `${this.#options.prefix}/`;
    const full = filters.map(({ filter, qos }) => ({ filter: root + filter, qos }));
    connection.subscribe(full).then(
      () => {
        if (connection === this.#connection && connection.connected) then();
      },
      (error: unknown) => {
        if (connection !== this.#connection || this.#closing) return;
        // Connected but deaf is worse than not connected.
        this.#options.log.error({ error: textOf(error) }, "The broker refused a subscription.");
        connection.drop("a subscription was refused");
      },
    );
  }

  /** Brings the broker's subscriptions in line after a late `subscribe`; once per turn. */
  #sync(): void {
    this.#syncing ??= Promise.resolve().then(() => {
      this.#syncing = undefined;
      const connection = this.#connection;
      if (!connection?.connected) return;
      const root = `${this.#options.prefix}/`;
      const filters = this.#router.filters();
      const gone = this.#subscribed.filter((one) => !filters.some((f) => f.filter === one));
      this.#subscribed = filters.map((one) => one.filter);
      // All again: a new handler on an old filter also wants the retained messages. The old
      // ones go afterwards, so that nothing is missed in between.
      this.#grant(connection, filters, () => {
        connection.unsubscribe(gone.map((one) => root + one)).catch(() => undefined);
      });
    });
  }

  #late(topic: string): void {
    this.#handlersLate += 1;
    this.#options.log.error({ topic }, `A handler of ${topic} took longer than 5 s.`);
  }

  #lost(connection: MqttConnection, reason: string): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    const stood = this.#upAtMs === undefined ? 0 : performance.now() - this.#upAtMs;
    this.#upAtMs = undefined;
    if (stood >= stoodMs) this.#backoffMs = backoffMinMs;
    const told = this.#announced;
    this.#announced = false;
    if (!this.#closing) {
      const pauseMs = this.#backoffMs * spreadOf(this.#options.clientId);
      this.#backoffMs = Math.min(this.#backoffMs * 2, backoffMaxMs);
      this.#retry = setTimeout(() => this.#open(), pauseMs);
      if (told) this.#options.log.warn({ reason }, "The connection to the broker was lost.");
    }
    if (told) for (const listener of this.#listeners) listener(false);
  }
}

/** Opens at once and keeps it open; subscribe before the first turn of the loop is over. */
export function openMqttLink(options: MqttLinkOptions): MqttLink {
  return new Link(options);
}
