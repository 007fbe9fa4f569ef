/**
 * The ports: all that a service app may touch of the world, as interfaces.
 *
 * The idea: an app is built from ports and a config (`buildDriver(ports, config)`), so the same
 * app runs over sockets and disks (edge/) and, unchanged, in one process over an in-memory
 * world. Timers and clocks are the globals, which the world replaces. It refuses to hold
 * behaviour.
 */
import type { BadReason, Ms } from "#drivers/reading.js";
import type { StopAck, StopOrder } from "./contract/payloads.js";
import type { Payload, TopicFilter, TopicKey, TopicParams } from "./contract/topics.js";

/** One connection to the broker. Drivers and coordinator hold two: `main` and `stop`. */
export interface MessageLink {
  /** True between CONNACK and the loss of the connection. */
  readonly connected: boolean;
  /**
   * Publishes now or rejects with OFFLINE: nothing is queued for later (the outbox is the only
   * queue). QoS 1 resolves at PUBACK, which is not custody (PROTOCOL 17).
   * A payload that does not fit its schema is a broken assumption and throws INTERNAL.
   */
  publish<K extends TopicKey>(key: K, levels: TopicParams<K>, payload: Payload<K>): Promise<void>;
  /**
   * Registers interest; re-subscribed at every connect. A QoS 1 message is acknowledged when the
   * handler's promise settles, so a handler that stores first loses nothing; it must settle
   * within 5 s. Retained commands (`cmd/…` with the retain flag) are dropped. Payloads that do
   * not fit the schema are dropped and counted, except stop orders, of which only `id` is read
   * (a missing one is made up).
   */
  subscribe<K extends TopicKey>(
    key: K,
    levels: TopicFilter<K>,
    handler: (message: Message<K>) => void | Promise<void>,
  ): void;
  /** Called at every connect (after re-subscription) and at every loss. */
  onChange(listener: (connected: boolean) => void): void;
  /** Publishes what is given as last words (retained offline), then disconnects; ≤ 1 s. */
  close(): Promise<void>;
}

export interface Message<K extends TopicKey> {
  readonly levels: TopicParams<K>;
  readonly payload: Payload<K>;
  readonly retained: boolean;
}

export type Lane = "stop" | "command" | "poll";

/** What came of one request to the device (PROTOCOL 4). */
export type Exchange =
  /** A reply that matches the request, exceptions included; `pdu` without unit id. */
  | { readonly kind: "reply"; readonly pdu: Uint8Array; readonly sentAtMs: Ms }
  /** Exception 0x0A: never on the wire. */
  | { readonly kind: "notSent"; readonly why: BadReason }
  /** Exception 0x0B, or the lane was lost with the request out: nobody knows. */
  | { readonly kind: "unknown"; readonly why: BadReason };

/** A driver's way to its device, through the lanes of the bus service. */
export interface FieldLink {
  /** True while all lanes and the guard connection stand. */
  readonly connected: boolean;
  exchange(lane: Lane, pdu: Uint8Array): Promise<Exchange>;
  /** Hands the axis' blind stop frames to the guardian; resolves when it has them. */
  guard(frames: readonly Uint8Array[]): Promise<void>;
  /** Every 100 ms. `still`: false while the axis moves or nobody knows. */
  pulse(state: { readonly still: boolean; readonly connectedDevice: boolean }): void;
  onChange(listener: (connected: boolean) => void): void;
  close(): Promise<void>;
}

/** One statement with its parameters (numbers, text, null). */
export interface Statement {
  readonly sql: string;
  readonly params?: readonly (string | number | null)[];
  /**
   * How many rows it has to give or to change; another number undoes the transaction. So a
   * writer proves in the same transaction that nobody has taken its place.
   * @throws STORE_FENCED
   */
  readonly rows?: number;
}
export type Row = { readonly [column: string]: string | number | null };

/**
 * A service's own SQLite file, in a worker. `tx` runs the statements in one BEGIN IMMEDIATE
 * transaction, in order, and resolves with the rows of each; all or none. No transaction spans
 * an await by construction. `durable: true` waits for the disk (synchronous FULL).
 * @throws STORE_FULL when the disk is full, STORE_FAILED otherwise; nothing is half done.
 */
export interface Store {
  /** Where it lies, for people; absent: nowhere. */
  readonly file?: string;
  tx(statements: readonly Statement[], how: { readonly durable: boolean }): Promise<Row[][]>;
  close(): Promise<void>;
}

/** Wraps opossum once: one breaker per device, counting logical calls. */
export interface Breaker {
  readonly state: "closed" | "open" | "half-open";
  /** Runs the call, or rejects with BREAKER_OPEN; half-open lets exactly one through. */
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Asks for a half-open probe now (PROTOCOL 14). */
  probeNow(): void;
  onChange(listener: (state: "closed" | "open" | "half-open") => void): void;
  close(): void;
}

/** The local stop socket of a driver, server side (PROTOCOL 5). */
export interface StopDoor {
  /** The handler may answer several times: received, then confirmed or unconfirmed. */
  onOrder(
    handler: (
      kind: "stop" | "quickStop" | "abort",
      order: StopOrder,
      answer: (ack: StopAck) => void,
    ) => void,
  ): void;
  close(): Promise<void>;
}

/** The local stop sockets, client side: gateway, coordinator and CLI. */
export interface StopFanOut {
  /** Sends to the drivers that are connected; acks come to `onAck`. Never queues, never waits. */
  send(kind: "stop" | "quickStop" | "abort", order: StopOrder): void;
  onAck(listener: (ack: StopAck) => void): void;
  close(): Promise<void>;
}

/** Structured log; `mark` names a safety line that exactly one test expects. */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Identity of this start of a service. */
export interface Boot {
  readonly bootId: string;
  readonly service: string;
  readonly version: string;
}

/** A source of ids (ULIDs in production, seeded in the world). */
export type NewId = () => string;

/** What every service app looks like to its main and to the world. */
export interface App {
  /** Resolves when ready (avail online). */
  start(): Promise<void>;
  /** Drains: nothing new, axes stopped and verified (bounded), then closes what it holds. */
  stop(reason: string): Promise<void>;
  /**
   * True while nothing moves and nobody counts on it, so that another start may take its place
   * [PROTOCOL 12]. Absent: always.
   */
  isIdle?(): boolean;
}

/** What came of one frame on the wire of a device endpoint. */
export type WireResult =
  /**
   * Matches the request by transaction, unit and function; exceptions included. `broadcast`: a
   * line sent it to all units and waited the turnaround; the PDU is the form of an
   * acknowledgement, and no unit has confirmed anything.
   */
  | { readonly kind: "reply"; readonly pdu: Uint8Array; readonly broadcast?: true }
  /** Never left: no connection, or the request cannot be sent by this wire. */
  | { readonly kind: "notSent"; readonly why: BadReason }
  /**
   * Left, and no valid reply came. `restMs`: the unit has replied, perhaps to an earlier request;
   * left alone for so long, it owes nothing any more.
   */
  | { readonly kind: "noReply"; readonly why: BadReason; readonly restMs?: Ms };

/** The device side of one bus: one connection or one serial port, owned by the bus service. */
export interface Wire {
  readonly connected: boolean;
  /**
   * Several may be in flight where the wire is TCP; a line takes one at a time, and settles it
   * only when the line is free for the next frame: drain and quiet time included. Always settles.
   */
  exchange(unit: number, pdu: Uint8Array, how: ExchangeHow): Promise<WireResult>;
  /**
   * A stop waits: a line does not send what still waits for silence, and ends the drain that it is
   * in at t3.5 of silence [PROTOCOL 9].
   */
  hurry?(): void;
  /** Calls with the unit of each reply that nobody waits for any more. */
  onLate?(listener: (unit: number) => void): void;
  /** Drops the connection and opens another (a stop got no reply, PROTOCOL 9). */
  reconnect(): void;
  onChange(listener: (connected: boolean) => void): void;
  close(): Promise<void>;
}

export interface ExchangeHow {
  /** Longest wait for the whole reply, from the end of the request. */
  readonly timeoutMs: Ms;
  /** Lines: longest wait for its first byte. @default timeoutMs */
  readonly firstByteMs?: Ms;
  /** A stop: a line that does not fall silent is sent into, and other units' pauses are cut. */
  readonly urgent?: boolean;
}

/** A request that came in on a lane; answered exactly once. */
export interface LaneRequest {
  readonly bus: string;
  readonly lane: Lane;
  /** The connection it came on; its queue is emptied when that closes. */
  readonly client: number;
  readonly unit: number;
  readonly pdu: Uint8Array;
  answer(pdu: Uint8Array): void;
}

export type GuardMessage =
  | { readonly kind: "hello"; readonly unit: number; readonly device: string }
  | { readonly kind: "guard"; readonly frames: readonly Uint8Array[] }
  | { readonly kind: "pulse"; readonly still: boolean; readonly up: boolean };

/** The driver side of the bus service: lanes and guard sockets of all its buses. */
export interface LaneServer {
  onRequest(handler: (request: LaneRequest) => void): void;
  onClientClosed(handler: (bus: string, lane: Lane, client: number) => void): void;
  onGuard(
    handler: (bus: string, client: number, message: GuardMessage, reply: () => void) => void,
  ): void;
  onGuardClosed(handler: (bus: string, client: number) => void): void;
  close(): Promise<void>;
}
