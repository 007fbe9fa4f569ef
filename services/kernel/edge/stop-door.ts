/**
 * The local stop socket of a driver: whoever may open it may stop the axis.
 *
 * The idea: it needs no broker and no schema; a line that cannot be read is still a stop
 * [PROTOCOL 5]. Answers go back on the connection that asked. It refuses nobody who reaches it:
 * the directory and the file's mode (0600) decide who does.
 */
import type { Socket } from "node:net";
import type { StopAck } from "../contract/payloads.js";
import { codeOf, ServocellError } from "../errors.js";
import type { Log, NewId, StopDoor } from "../ports.js";
import { isStopKind, MadeUpId, readJson, readStopOrder } from "../stop-order.js";
import { LineSplitter } from "./json-lines.js";
import { type Listening, listen } from "./socket-server.js";

const connectionsMax = 64;
/** Answers that may wait for a slow reader; further ones are dropped, stops are not. */
const unsentBytesMax = 65_536;

export interface StopDoorOptions {
  /** See `stopPath`. */
  readonly path: string;
  readonly newId: NewId;
  readonly log: Log;
}

type Handler = Parameters<StopDoor["onOrder"]>[0];

class Door implements StopDoor {
  readonly #options: StopDoorOptions;
  readonly #madeUp: MadeUpId;
  #handler: Handler | undefined;
  /** Orders that came before the app was there to hear them. */
  readonly #early: Parameters<Handler>[] = [];
  readonly #unsaid: (() => void)[] = [];
  #listening: Listening | undefined;

  constructor(options: StopDoorOptions) {
    this.#options = options;
    this.#madeUp = new MadeUpId(options.newId);
  }

  async open(): Promise<void> {
    const { path } = this.#options;
    try {
      const onSocket = (socket: Socket) => this.#serve(socket);
      this.#listening = await listen({ address: { path }, connectionsMax, onSocket });
    } catch (thrown) {
      if (codeOf(thrown) !== "PORT_IN_USE") throw thrown;
      const text = `Another instance of the driver answers on ${path}; end it first.`;
      throw new ServocellError("STORE_LOCKED", text, { path }, thrown);
    }
  }

  onOrder(handler: Handler): void {
    this.#handler = handler;
    for (const order of this.#early.splice(0)) handler(...order);
  }

  async close(): Promise<void> {
    await this.#listening?.close();
  }

  #serve(socket: Socket): void {
    const lines = new LineSplitter((line) => this.#line(line, socket));
    socket.on("data", (chunk) => lines.push(chunk));
    socket.once("end", () => lines.end());
  }

  /** After whatever else this turn of the loop has read: orders for other axes go first. */
  #later(what: () => void): void {
    this.#unsaid.push(what);
    if (this.#unsaid.length > 1) return;
    setImmediate(() => {
      for (const tell of this.#unsaid.splice(0)) tell();
    });
  }

  #line(line: string, socket: Socket): void {
    const said = readJson(line);
    const message: { readonly kind?: unknown; readonly order?: unknown } =
      typeof said === "object" && said !== null ? said : {};
    const kind = isStopKind(message.kind) ? message.kind : "stop";
    if (!isStopKind(message.kind) || message.order === undefined) {
      this.#options.log.warn({ length: line.length }, "A malformed stop order stops all the same.");
    }
    // Without the envelope the line itself may be the order.
    const makeId = () => this.#madeUp.next(kind, performance.now());
    const order = readStopOrder(message.order ?? said, makeId);
    const answer = (ack: StopAck) => this.#later(() => say(socket, ack));
    if (this.#handler !== undefined) this.#handler(kind, order, answer);
    else if (this.#early.length < connectionsMax) this.#early.push([kind, order, answer]);
  }
}

function say(socket: Socket, ack: StopAck): void {
  if (socket.writable && socket.writableLength < unsentBytesMax) {
    socket.write(`${JSON.stringify(ack)}\n`);
  }
}

/**
 * Opens the socket; a file left by a dead driver is replaced.
 * @throws STORE_LOCKED when another driver of this device is alive.
 */
export async function openStopDoor(options: StopDoorOptions): Promise<StopDoor> {
  const door = new Door(options);
  await door.open();
  return door;
}
