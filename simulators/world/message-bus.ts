/**
 * A broker in memory for the world: sessions, retained messages, wills, delays, repeats, drops.
 *
 * The idea: it keeps MQTT's promises and no more. Messages of one sender to one receiver keep their
 * order; QoS 0 may be lost, QoS 1 may come twice; a killed node's will is published; a broker that
 * dies takes the retained messages along. A payload crosses as JSON would carry it and is checked
 * against the contract once, so a world sees what a real broker would; all receivers are handed the
 * same frozen object, so none can change what another sees. It refuses to deliver to a dead node.
 */
import {
  type Payload,
  type TopicFilter,
  type TopicKey,
  type TopicParams,
  topicPath,
  topics,
} from "#kernel/contract/topics.js";
import { ServocellError } from "#kernel/errors.js";
import type { Message, MessageLink } from "#kernel/ports.js";
import { type Crossing, crossing } from "./crossing.js";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";
import type { Keepalive, LinkLoss, Will, WorldBroker } from "./world-broker.js";

/** As the edge's links ask for (cell-link.ts). */
const keepaliveS: Keepalive = { main: 10, stop: 4 };
/** Longest wait of a publisher for the broker's word. */
const acknowledgeMaxMs = 5000;

export interface MessageFaults {
  /** Probability that a QoS 0 message is lost. */
  drop: number;
  /** Probability that a QoS 1 message comes twice. */
  repeat: number;
  /** Longest delay of a message, ms. */
  delayMaxMs: number;
}

interface Subscription {
  readonly key: TopicKey;
  /** The filter's levels, `+` where anything matches. */
  readonly filter: readonly string[];
  readonly handler: (message: Message<TopicKey>) => void | Promise<void>;
}

/** A half-open connection: whether the broker has found it out. */
interface Loss {
  foundOut: boolean;
}

interface Hearing {
  readonly link: MemoryLink;
  readonly subscription: Subscription;
}

function matches(want: readonly string[], got: readonly string[]): boolean {
  if (want.length !== got.length) return false;
  for (let i = 0; i < want.length; i += 1) {
    if (want[i] !== "+" && want[i] !== got[i]) return false;
  }
  return true;
}

export class MemoryBroker implements WorldBroker {
  /** Nodes that reach no broker, until when. */
  readonly #away = new Map<string, number>();
  readonly #links = new Set<MemoryLink>();
  /** Who is subscribed to a key, in the order of links; forgotten whenever that changes. */
  readonly #heard = new Map<TopicKey, readonly Hearing[]>();
  readonly #retained = new Map<string, Crossing>();
  /** Everything that was published, for judges. */
  onPublished: (from: string, path: string, payload: unknown) => void = () => {};
  /** Everything that reached a handler, for judges. */
  onDelivered: (to: string, path: string, payload: unknown) => void = () => {};
  up = true;
  /** Retained messages survive a crash: a broker with persistence. */
  keepsRetained = false;
  /** Counts the crashes; a will of before one is forgotten. */
  #crashes = 0;

  constructor(
    readonly clock: VirtualClock,
    readonly random: SeededRandom,
    readonly faults: MessageFaults,
  ) {}

  /** Opens a connection in the name of `owner`; it connects a moment later. */
  open(owner: string, will?: Will): MemoryLink {
    const link = new MemoryLink(this, owner, will);
    this.#links.add(link);
    this.#heard.clear();
    this.#riseIn(link, this.random.between(0.2, 2));
    return link;
  }

  /** kill -9 of a node: its connections break, its wills are published. */
  cut(owner: string): void {
    for (const link of [...this.#links].filter((l) => l.owner === owner)) {
      this.#links.delete(link);
      this.#heard.clear();
      // Of a half-open connection the broker hears nothing: its will has its own time.
      if (link.connected && !link.deaf && link.will !== undefined) this.#publishWill(link.will);
      link.die();
    }
  }

  cutLink(owner: string, forMs: number, how: LinkLoss = "reset"): void {
    this.#away.set(owner, this.clock.nowMs + forMs);
    for (const link of [...this.#links].filter((l) => l.owner === owner && l.connected)) {
      if (link.deaf) continue;
      if (how === "halfOpen") {
        this.#halfOpen(link);
        continue;
      }
      if (link.will !== undefined) this.#publishWill(link.will);
      link.fall();
      this.#riseIn(link, forMs);
    }
  }

  /** Broker and node each wait for one keepalive and a half. */
  #halfOpen(link: MemoryLink): void {
    const { session, owner, will } = link;
    const loss: Loss = { foundOut: false };
    const seconds = will === undefined ? keepaliveS.stop : keepaliveS.main;
    const noticedMs = 1500 * seconds;
    const crashes = this.#crashes;
    link.deaf = true;
    link.loss = loss;
    const broken = () => {
      if (loss.foundOut) return;
      loss.foundOut = true;
      if (will !== undefined && this.up && this.#crashes === crashes) this.#publishWill(will);
    };
    this.clock.schedule(noticedMs, broken, "world");
    const noticed = () => {
      if (link.session !== session) return;
      link.fall();
      this.#riseIn(link, this.random.between(5, 120));
    };
    this.clock.schedule(noticedMs + this.random.between(0, 500), noticed, owner);
  }

  mend(): void {
    this.#away.clear();
    for (const link of this.#links) {
      const { loss, will, owner } = link;
      if (!link.deaf || loss === undefined) continue;
      if (!loss.foundOut && will !== undefined && this.up) this.#publishWill(will);
      loss.foundOut = true;
      this.clock.schedule(0, () => link.fall(), owner);
      this.#riseIn(link, this.random.between(5, 120));
    }
  }

  #riseIn(link: MemoryLink, ms: number): void {
    const back = () => {
      const awayMs = (this.#away.get(link.owner) ?? 0) - this.clock.nowMs;
      // Not less than the clock can tell: a shorter wait would end before it began, for ever.
      if (awayMs > 0) this.#riseIn(link, Math.max(awayMs, 0.001));
      else if (this.up && this.#links.has(link)) link.rise();
    };
    this.clock.schedule(ms, back, link.owner);
  }

  /** An orderly disconnect: no will. */
  leave(link: MemoryLink): void {
    this.#links.delete(link);
    this.#heard.clear();
    link.die();
  }

  /** The broker dies: all connections break, retained messages are gone, no will is sent. */
  crash(): void {
    this.up = false;
    this.#crashes += 1;
    if (!this.keepsRetained) this.#retained.clear();
    for (const link of this.#links) if (!link.deaf) link.fall();
  }

  restart(): void {
    this.up = true;
    for (const link of this.#links) this.#riseIn(link, this.random.between(5, 120));
  }

  #publishWill(will: Will): void {
    const payload = {
      v: 1 as const,
      status: "offline" as const,
      ts: Date.now(),
      bootId: will.bootId,
      version: "0",
    };
    this.accept("broker", "avail", { service: will.service }, payload, undefined);
  }

  /** Takes a message and plans its deliveries. */
  accept<K extends TopicKey>(
    from: string,
    key: K,
    levels: TopicParams<K>,
    payload: unknown,
    sender: MemoryLink | undefined,
  ): void {
    const spec = topics[key];
    const message = crossing(key, levels, payload);
    this.onPublished(from, message.path, message.payload);
    if (spec.retain) this.#retained.set(message.path, message);
    for (const { link, subscription } of this.#hearings(key)) {
      if (!link.connected || link.deaf || !matches(subscription.filter, message.cut)) continue;
      if (spec.qos === 0 && this.random.chance(this.faults.drop)) continue;
      this.#deliver(sender, link, subscription, message, false);
      if (spec.qos === 1 && this.random.chance(this.faults.repeat)) {
        this.#deliver(sender, link, subscription, message, false);
      }
    }
  }

  #hearings(key: TopicKey): readonly Hearing[] {
    const known = this.#heard.get(key);
    if (known !== undefined) return known;
    const found = [...this.#links].flatMap((link) => {
      const own = link.subscriptions.filter((subscription) => subscription.key === key);
      return own.map((subscription) => ({ link, subscription }));
    });
    this.#heard.set(key, found);
    return found;
  }

  /** A link has another subscription. */
  subscribed(): void {
    this.#heard.clear();
  }

  #deliver(
    sender: MemoryLink | undefined,
    link: MemoryLink,
    subscription: Subscription,
    { path, levels, payload }: Crossing,
    retained: boolean,
  ): void {
    const delay = this.random.between(0.1, this.faults.delayMaxMs);
    // One connection to another keeps its order: a later message is never due before an earlier.
    const due = Math.max(link.lastDueMs.get(sender) ?? 0, this.clock.nowMs + delay);
    link.lastDueMs.set(sender, due);
    const session = link.session;
    const hand = () => {
      if (!link.connected || link.deaf || link.session !== session) return;
      this.onDelivered(link.owner, path, payload);
      void subscription.handler({ levels, payload, retained } as unknown as Message<TopicKey>);
    };
    this.clock.plan(due - this.clock.nowMs, hand, link.owner);
  }

  /** What is retained on a topic, for judges. */
  retained(path: string): unknown {
    const kept = this.#retained.get(path);
    return kept === undefined ? undefined : kept.payload;
  }

  /** What a new subscription gets at once. */
  sendRetained(link: MemoryLink, subscription: Subscription): void {
    for (const kept of this.#retained.values()) {
      const wanted = kept.key === subscription.key;
      if (wanted && matches(subscription.filter, kept.cut)) {
        this.#deliver(undefined, link, subscription, kept, true);
      }
    }
  }
}

export class MemoryLink implements MessageLink {
  connected = false;
  /** Half open: nothing passes any more, and the node does not know it yet. */
  deaf = false;
  loss: Loss | undefined;
  session = 0;
  readonly #unacknowledged = new Set<() => void>();
  readonly subscriptions: Subscription[] = [];
  readonly lastDueMs = new Map<MemoryLink | undefined, number>();
  readonly #listeners: ((connected: boolean) => void)[] = [];
  #dead = false;

  constructor(
    readonly broker: MemoryBroker,
    readonly owner: string,
    readonly will: Will | undefined,
  ) {}

  rise(): void {
    if (this.#dead || this.connected) return;
    this.connected = true;
    this.session += 1;
    for (const subscription of this.subscriptions) this.broker.sendRetained(this, subscription);
    for (const listener of this.#listeners) listener(true);
  }

  fall(): void {
    if (!this.connected) return;
    this.connected = false;
    this.deaf = false;
    for (const lost of [...this.#unacknowledged]) lost();
    const tell = () => {
      for (const listener of this.#listeners) listener(false);
    };
    this.broker.clock.schedule(0, tell, this.owner);
  }

  die(): void {
    this.#dead = true;
    this.connected = false;
  }

  async publish<K extends TopicKey>(
    key: K,
    levels: TopicParams<K>,
    payload: Payload<K>,
  ): Promise<void> {
    if (!this.connected) {
      throw new ServocellError("OFFLINE", `${this.owner} has no connection to the broker`);
    }
    const { deaf } = this;
    if (!deaf) this.broker.accept(this.owner, key, levels, payload, this);
    if (topics[key].qos === 1) {
      const ms = deaf ? acknowledgeMaxMs : this.broker.random.between(0.1, 1);
      await this.#acknowledged(ms, deaf);
    }
  }

  /** Settles with the broker's word, or when none can come any more. */
  #acknowledged(ms: number, never: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const lost = () => {
        if (!this.#unacknowledged.delete(lost)) return;
        reject(new ServocellError("OFFLINE", "nobody knows whether the broker has it"));
      };
      this.#unacknowledged.add(lost);
      const word = () => {
        if (never) lost();
        else if (this.#unacknowledged.delete(lost)) resolve();
      };
      this.broker.clock.schedule(ms, word, this.owner);
    });
  }

  subscribe<K extends TopicKey>(
    key: K,
    levels: TopicFilter<K>,
    handler: (message: Message<K>) => void | Promise<void>,
  ): void {
    const subscription: Subscription = {
      key,
      filter: topicPath(key, levels).split("/"),
      handler: handler as unknown as Subscription["handler"],
    };
    this.subscriptions.push(subscription);
    this.broker.subscribed();
    if (this.connected) this.broker.sendRetained(this, subscription);
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.broker.leave(this);
  }
}
