/**
 * One connection to the broker, from CONNECT to its loss; used once and thrown away.
 *
 * The idea: a fresh MqttClient per connection has an empty store, so nothing stale is ever sent
 * after a reconnect [prototypes 5]; nothing is queued here. A QoS 1 message is acknowledged when
 * its handlers have settled. It refuses to reconnect: mqtt-link.ts does.
 */
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { writeToStream } from "mqtt-packet";
import { ServocellError } from "../errors.js";
import type { SubscriptionFilter } from "../topic-router.js";

// 65,536 small buffers, made at the first packet: 40 ms and 6 MB that no cell has a use for.
writeToStream.cacheNumbers = false;

/** From the start of an attempt to CONNACK. */
export const connectMaxMs = 2000;
/** Longest wait for PUBACK or SUBACK. */
export const acknowledgeMaxMs = 5000;
/** Longest a handler may hold an acknowledgement; it also holds pings [prototypes 2]. */
export const handlerMaxMs = 5000;
/** Unacknowledged publishes at a time. */
export const inFlightMax = 1000;
/** Bytes that may wait in the socket before further publishes are refused. */
export const unsentBytesMax = 1_048_576;

export interface LastWords {
  readonly topic: string;
  readonly payload: string;
}

/** The stream under a connection; destroyed by its user. */
export type OpenStream = (url: URL) => Duplex;

export interface ConnectionOptions {
  readonly url: URL;
  /** @default TCP, or TLS where the URL says so */
  readonly open?: OpenStream | undefined;
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepaliveS: number;
  readonly will?: LastWords | undefined;
}

export interface ConnectionEvents {
  up(): void;
  /** Once, also when the attempt failed. */
  down(reason: string): void;
  message(topic: string, payload: Uint8Array, retained: boolean): Promise<void> | undefined;
  late(topic: string): void;
}

function openStream(url: URL): Duplex {
  const secure = url.protocol === "mqtts:";
  const port = Number(url.port === "" ? (secure ? 8883 : 1883) : url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!secure) return connectTcp({ host, port, noDelay: true });
  const socket = connectTls({ host, port, servername: host });
  socket.setNoDelay(true);
  return socket;
}

function optionsFor(options: ConnectionOptions): IClientOptions {
  const { url, will } = options;
  return {
    // aedes speaks 3.1.1 only.
    protocolVersion: 4,
    clientId: options.clientId,
    clean: options.clean,
    keepalive: options.keepaliveS,
    connectTimeout: connectMaxMs,
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
    ...(will === undefined
      ? {}
      : { will: { topic: will.topic, payload: will.payload, qos: 1, retain: true } }),
  };
}

function offline(text: string): ServocellError {
  return new ServocellError("OFFLINE", text);
}

export class MqttConnection {
  readonly #client: MqttClient;
  readonly #events: ConnectionEvents;
  /** What waits for the broker's word; settled at the loss, whatever mqtt.js does. */
  readonly #waiting = new Set<(error: ServocellError) => void>();
  #down = false;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events;
    this.#client = new mqtt.MqttClient(
      () => (options.open ?? openStream)(options.url),
      optionsFor(options),
    );
    this.#client.handleMessage = (packet, done) => {
      const payload =
        typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
      const work = this.#events.message(packet.topic, payload, packet.retain);
      if (packet.qos === 0 || work === undefined) return done();
      this.#hold(packet.topic, work, done);
    };
    this.#client.on("connect", () => {
      if (!this.#down) this.#events.up();
    });
    this.#client.on("error", (error) => this.#lost(error.message || String(error)));
    this.#client.on("close", () => this.#lost("the connection was closed"));
  }

  get connected(): boolean {
    return !this.#down && this.#client.connected;
  }

  publish(
    topic: string,
    payload: string,
    how: { readonly qos: 0 | 1; readonly retain: boolean },
  ): Promise<void> {
    if (!this.connected) return Promise.reject(offline("There is no connection to the broker."));
    if (this.#waiting.size >= inFlightMax || this.#client.stream.writableLength > unsentBytesMax) {
      return Promise.reject(offline("The broker does not take messages fast enough."));
    }
    if (how.qos === 0) {
      this.#client.publish(topic, payload, { qos: 0, retain: how.retain });
      return Promise.resolve();
    }
    return this.#answer((done) => {
      this.#client.publish(topic, payload, { qos: 1, retain: how.retain }, done);
    });
  }

  /** Resolves at SUBACK; rejects when a filter is not granted. */
  subscribe(filters: readonly SubscriptionFilter[]): Promise<void> {
    if (filters.length === 0) return Promise.resolve();
    const request = Object.fromEntries(filters.map(({ filter, qos }) => [filter, { qos }]));
    return this.#answer((done) => {
      this.#client.subscribe(request, (error, granted) => {
        const refused = granted?.find((one) => one.qos > 2);
        done(refused === undefined ? error : new Error(`${refused.topic} was not granted`));
      });
    });
  }

  unsubscribe(filters: readonly string[]): Promise<void> {
    if (filters.length === 0) return Promise.resolve();
    return this.#answer((done) => {
      this.#client.unsubscribe([...filters], done);
    });
  }

  /** Cuts the connection without a word: the broker sends the will. */
  drop(reason: string): void {
    this.#lost(reason);
  }

  /** DISCONNECT: the broker forgets the will. Resolves when closed, at most after `maxMs`. */
  close(maxMs: number): Promise<void> {
    if (this.#down) return Promise.resolve();
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.#lost("closed"), maxMs);
      this.#client.once("close", () => {
        clearTimeout(limit);
        resolve();
      });
      this.#client.end(false);
    });
  }

  #hold(topic: string, work: Promise<void>, done: () => void): void {
    let settled = false;
    const acknowledge = () => {
      if (settled) return;
      settled = true;
      clearTimeout(limit);
      if (!this.#down) done();
    };
    const limit = setTimeout(() => {
      this.#events.late(topic);
      acknowledge();
    }, handlerMaxMs);
    work.then(acknowledge, acknowledge);
  }

  #answer(ask: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null) => {
        if (!this.#waiting.delete(settle)) return;
        clearTimeout(limit);
        if (error === undefined || error === null) return resolve();
        reject(error instanceof ServocellError ? error : offline(`The broker: ${error.message}.`));
      };
      const limit = setTimeout(
        () => settle(offline("The broker did not acknowledge in time.")),
        acknowledgeMaxMs,
      );
      this.#waiting.add(settle);
      ask(settle);
    });
  }

  #lost(reason: string): void {
    if (this.#down) return;
    this.#down = true;
    this.#client.end(true);
    for (const settle of [...this.#waiting]) {
      settle(offline("The connection to the broker was lost; nobody knows whether it arrived."));
    }
    this.#events.down(reason);
  }
}
