/**
 * The real broker and the real links of the product, on virtual sockets.
 *
 * The idea: mqtt.js and aedes run in the world as they run in a cell: packets in pieces,
 * acknowledgements, keepalives, wills and backoff are theirs, and only the connection under them
 * is virtual. A broker that crashes is another one when it comes back. It refuses to lose or to
 * repeat a message by chance: over TCP only a lost connection does that.
 */
import "../world/world-globals.js";
import type { CellConfig } from "#kernel/config/cell.js";
import {
  type Payload,
  type TopicFilter,
  type TopicKey,
  type TopicParams,
  topicPath,
} from "#kernel/contract/topics.js";
import { openCellLink } from "#kernel/edge/cell-link.js";
import type { Boot, Log, Message, MessageLink, NewId } from "#kernel/ports.js";
import { buildBroker } from "../../services/broker/app.js";
import type { MemoryNetwork } from "../world/memory-socket.js";
import type { LinkLoss, Will, WorldBroker } from "../world/world-broker.js";

const address = "broker";

export interface RealBrokerParts {
  readonly config: CellConfig;
  readonly network: MemoryNetwork;
  readonly newId: NewId;
  readonly log: (node: string) => Log;
}

export class RealBroker implements WorldBroker {
  up = false;
  onPublished: (from: string, path: string, payload: unknown) => void = () => {};
  onDelivered: (to: string, path: string, payload: unknown) => void = () => {};
  readonly #parts: RealBrokerParts;
  readonly #retained = new Map<string, unknown>();
  #starts = 0;

  constructor(parts: RealBrokerParts) {
    this.#parts = parts;
    this.restart();
    // What the broker has for a new subscriber, seen by one who was always there.
    const observer = this.#link("observer");
    observer.subscribe("stateAxis", {}, ({ levels, payload }) => {
      this.#retained.set(topicPath("stateAxis", levels), payload);
    });
  }

  open(owner: string, will?: Will): MessageLink {
    return new HeardLink(this, owner, this.#link(owner, will));
  }

  retained(path: string): unknown {
    return this.#retained.get(path);
  }

  #link(owner: string, will?: Will): MessageLink {
    const { config, network, newId, log } = this.#parts;
    const service = will?.service ?? owner.replace(/#.*/, "");
    const boot: Boot = { service, bootId: will?.bootId ?? owner, version: "0" };
    const which = will === undefined ? "stop" : "main";
    const context = { config, boot, newId, log: log(owner) };
    return network.clock.as(owner, () =>
      openCellLink(context, which, () => network.connect(address, owner)),
    );
  }

  cut(owner: string): void {
    this.#parts.network.cut(owner);
  }

  cutLink(owner: string, forMs: number, how: LinkLoss = "reset"): void {
    const { network } = this.#parts;
    if (how === "reset") network.reset(owner);
    else network.halfOpen(owner);
    network.silence(owner, forMs);
  }

  mend(): void {
    this.#parts.network.mend();
  }

  crash(): void {
    if (!this.up) return;
    this.up = false;
    this.#retained.clear();
    const { network } = this.#parts;
    network.clock.kill(this.#owner);
    network.cut(this.#owner);
  }

  restart(): void {
    if (this.up) return;
    this.up = true;
    this.#starts += 1;
    const owner = this.#owner;
    const { network, log } = this.#parts;
    const start = () => {
      const app = buildBroker({
        id: owner,
        log: log(owner),
        listen: async (onSocket) => {
          const close = network.listen(address, owner, onSocket);
          return { close: async () => close() };
        },
      });
      void app.start();
    };
    network.clock.schedule(0, start, owner);
  }

  get #owner(): string {
    return `broker#${this.#starts}`;
  }
}

/** A link whose messages the judges hear as well. */
class HeardLink implements MessageLink {
  readonly #broker: RealBroker;
  readonly #owner: string;
  readonly #inner: MessageLink;

  constructor(broker: RealBroker, owner: string, inner: MessageLink) {
    this.#broker = broker;
    this.#owner = owner;
    this.#inner = inner;
  }

  get connected(): boolean {
    return this.#inner.connected;
  }

  publish<K extends TopicKey>(key: K, levels: TopicParams<K>, payload: Payload<K>): Promise<void> {
    if (this.connected) this.#broker.onPublished(this.#owner, topicPath(key, levels), payload);
    return this.#inner.publish(key, levels, payload);
  }

  subscribe<K extends TopicKey>(
    key: K,
    levels: TopicFilter<K>,
    handler: (message: Message<K>) => void | Promise<void>,
  ): void {
    this.#inner.subscribe(key, levels, (message) => {
      const path = topicPath(key, message.levels);
      this.#broker.onDelivered(this.#owner, path, message.payload);
      return handler(message);
    });
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#inner.onChange(listener);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
