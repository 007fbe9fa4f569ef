/**
 * The embedded broker: aedes in a process of its own, for cells that name no other.
 *
 * The idea: it moves messages and owns none. Sessions are not kept (a command to someone who is
 * away must be refused, not delivered later), a client that cannot take its messages is dropped
 * before it can hold up the others, and every buffer has a bound. It refuses MQTT 5 (aedes does)
 * and publishes nothing itself.
 */
import { Aedes, type Client, type Connection } from "aedes";
import { writeToStream } from "mqtt-packet";
import type { App, Log } from "#kernel/ports.js";

// 65,536 small buffers, made at the first packet, that a cell's broker has no use for.
writeToStream.cacheNumbers = false;

/** Bytes that may wait for one client before it counts as slow. */
export const clientBufferBytes = 262_144;
/** How long a slow client may hold up those who publish to it; then it is dropped. */
const drainMaxMs = 200;
/** Packets of a client that arrive before its CONNECT is answered. */
const earlyPacketsMax = 64;
/** Messages on their way at a time. */
const concurrency = 1000;
const connectMaxMs = 5000;
const payloadBytesMax = 1_048_576;

export interface BrokerPorts {
  readonly log: Log;
  /** Of this start of the broker. @default a random one */
  readonly id?: string;
  /** Opens the address of the cell's broker. @throws PORT_IN_USE */
  listen(onSocket: (socket: Connection) => void): Promise<{ close(): Promise<void> }>;
}

class Broker implements App {
  readonly #ports: BrokerPorts;
  #aedes: Aedes | undefined;
  #listening: { close(): Promise<void> } | undefined;

  constructor(ports: BrokerPorts) {
    this.#ports = ports;
  }

  async start(): Promise<void> {
    const { log, id } = this.#ports;
    const aedes = await Aedes.createBroker({
      ...(id === undefined ? {} : { id }),
      concurrency,
      queueLimit: earlyPacketsMax,
      connectTimeout: connectMaxMs,
      drainTimeout: drainMaxMs,
      preConnect: (_client, packet, done) => {
        packet.clean = true;
        done(null, true);
      },
      authorizePublish: (_client, packet, done) => {
        const tooLarge = packet.payload.length > payloadBytesMax;
        const reserved = packet.topic.startsWith("$");
        if (tooLarge) return done(new Error("the payload is too large"));
        done(reserved ? new Error("topics that begin with $ are reserved") : null);
      },
    });
    this.#aedes = aedes;
    const failed = (client: Client | null, error: Error) => {
      log.warn({ client: client?.id, error: error.message }, "A client was dropped.");
    };
    aedes.on("clientError", failed);
    aedes.on("connectionError", failed);
    aedes.on("keepaliveTimeout", (client) => {
      log.warn({ client: client.id }, "A client fell silent and was dropped.");
    });
    this.#listening = await this.#ports.listen((socket) => {
      aedes.handle(socket);
    });
  }

  async stop(): Promise<void> {
    // The address first, so that nobody reconnects to a broker that is going.
    const aedes = this.#aedes;
    const listening = this.#listening?.close();
    await new Promise<void>((resolve) => {
      if (aedes === undefined) resolve();
      else aedes.close(() => resolve());
    });
    await listening;
  }
}

export function buildBroker(ports: BrokerPorts): App {
  return new Broker(ports);
}
