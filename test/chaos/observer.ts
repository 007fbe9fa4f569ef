/**
 * Hears everything that the services say to each other, over a connection of its own.
 *
 * The idea: every message is kept with the monotonic time of its receipt; what a trace makes of it
 * is decided elsewhere. It reconnects by itself and goes straight to the broker, so a harmed link
 * does not deafen it. It refuses to publish.
 */
import mqtt from "mqtt";
import { monotonicMs } from "../fixtures/cell-process.js";

export interface Heard {
  readonly at: number;
  /** Below `{prefix}/{cell}/`. */
  readonly topic: string;
  readonly retained: boolean;
  readonly payload: Readonly<Record<string, unknown>>;
}

const prefix = "test/chaos/";
const again = 100;

export class Observer {
  #heard: Heard[] = [];
  #client: mqtt.MqttClient | undefined;
  #ended = false;
  /** When it could not hear: from, to. */
  readonly deaf: [number, number][] = [];
  #deafSince: number | undefined = monotonicMs();

  /** Listens at this broker from now on. */
  listen(url: string): void {
    this.#client?.removeAllListeners();
    this.#client?.on("error", () => undefined);
    this.#client?.end(true);
    const client = mqtt.connect(url, {
      protocolVersion: 4,
      clientId: `chaos-observer-${process.pid}`,
      reconnectPeriod: again,
      connectTimeout: 1000,
      keepalive: 2,
      clean: true,
    });
    this.#client = client;
    this.#lost();
    client.on("error", () => undefined);
    client.on("close", () => this.#lost());
    client.on("connect", () => {
      client.subscribe("#", { qos: 1 }, (error) => {
        if (error !== null || this.#deafSince === undefined) return;
        this.deaf.push([this.#deafSince, monotonicMs()]);
        this.#deafSince = undefined;
      });
    });
    client.on("message", (topic, payload, packet) => this.#on(topic, payload, packet.retain));
  }

  /** Everything since the last call. */
  take(): readonly Heard[] {
    const heard = this.#heard;
    this.#heard = [];
    return heard;
  }

  end(): void {
    this.#ended = true;
    this.#client?.end(true);
  }

  #lost(): void {
    if (!this.#ended) this.#deafSince ??= monotonicMs();
  }

  #on(topic: string, payload: Buffer, retained: boolean): void {
    if (!topic.startsWith(prefix)) return;
    const short = topic.slice(prefix.length);
    // Twenty a second and more, of which no judge knows anything.
    if (short.startsWith("telemetry/") || short.startsWith("permit/")) return;
    try {
      const value: unknown = JSON.parse(payload.toString("utf8"));
      if (typeof value !== "object" || value === null) return;
      const at = monotonicMs();
      this.#heard.push({ at, topic: short, retained, payload: { ...value } });
    } catch {
      // A retained message that was taken away is empty.
    }
  }
}
