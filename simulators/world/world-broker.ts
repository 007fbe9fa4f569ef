/**
 * What a world needs of a broker, whether it is one in memory or the real one on virtual sockets.
 *
 * The idea: nodes open their links here, judges listen here, and faults are named here, so that a
 * schedule of faults means the same in both. It refuses to say how a message travels.
 */
import type { MessageLink } from "#kernel/ports.js";

export interface Will {
  readonly service: string;
  readonly bootId: string;
}

/** How the connection of one node is lost. */
export type LinkLoss =
  /** Both ends hear of it at once. */
  | "reset"
  /** Nothing passes any more, and each end finds out by its own time. */
  | "halfOpen";

/** Seconds after which a node that sends nothing counts as gone, once and a half over. */
export interface Keepalive {
  readonly main: number;
  readonly stop: number;
}

export interface WorldBroker {
  readonly up: boolean;
  /** Everything that was published, for judges. */
  onPublished: (from: string, path: string, payload: unknown) => void;
  /** Everything that reached a handler, for judges. */
  onDelivered: (to: string, path: string, payload: unknown) => void;
  /** Opens a connection in the name of `owner`; with a will it is the main one. */
  open(owner: string, will?: Will): MessageLink;
  /** kill -9 of a node: its connections break, its wills are published. */
  cut(owner: string): void;
  /** A node has no broker for a while. Sessions are clean: what is sent meanwhile is lost. */
  cutLink(owner: string, forMs: number, how?: LinkLoss): void;
  /** The network is whole: connections that were half open are found out at once and made anew. */
  mend(): void;
  /** The broker dies: all connections break and no will is sent. */
  crash(): void;
  restart(): void;
  /** What a new subscriber of this topic would get at once. */
  retained(path: string): unknown;
}
