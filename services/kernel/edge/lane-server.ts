/**
 * The driver side of the bus service: lane and guard sockets of all its buses.
 *
 * The idea: every connection is a client with a number of its own; a frame on it becomes a
 * request that is answered exactly once, under its transaction id, if the client is still there.
 * Sockets are private to the service user; of each bus the poll lane may also be a loopback TCP
 * port for vendor tools. It refuses streams that are not Modbus TCP, clients that do not read
 * their answers, and a run directory in which another bus service lives.
 */
import type { Socket } from "node:net";
import type { BusConfig } from "../config/cell.js";
import { codeOf, ServocellError } from "../errors.js";
import type { GuardMessage, Lane, LaneRequest, LaneServer, Log } from "../ports.js";
import { guardPath, lanePath } from "../run-dir.js";
import { readBusOwner, removeBusOwner, writeBusOwner } from "./bus-owner.js";
import { readGuardLine } from "./guard-lines.js";
import { LineSplitter } from "./json-lines.js";
import { encodeMbap, MbapReader } from "./mbap.js";
import { type ListenAddress, type Listening, listen } from "./socket-server.js";

/** Answers that a client may leave unread before its connection is closed. */
const unreadBytesMax = 64 * 1024;
/** Connections per socket: the drivers of a bus, with room for tools. */
const connectionsMax = 300;
/** Vendor tools at a time: each has a share of the wire and a queue, like a driver. */
const toolsMax = 8;
const lanes: readonly Lane[] = ["stop", "command", "poll"];

export interface LaneServerOptions {
  readonly runDir: string;
  readonly buses: readonly BusConfig[];
  readonly log: Log;
}

/**
 * Opens all sockets, or none.
 * @throws STORE_LOCKED when a bus service answers on one of the sockets already.
 * @throws PORT_IN_USE when the TCP port of a poll lane is taken.
 */
export async function openLaneServer(options: LaneServerOptions): Promise<LaneServer> {
  const server = new SocketLaneServer(options.log);
  try {
    for (const bus of options.buses) await server.open(options.runDir, bus);
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

interface Handlers {
  readonly request: (request: LaneRequest) => void;
  readonly clientClosed: (bus: string, lane: Lane, client: number) => void;
  readonly guard: (bus: string, client: number, message: GuardMessage, reply: () => void) => void;
  readonly guardClosed: (bus: string, client: number) => void;
}

interface Dismissal {
  readonly bus: string;
  readonly lane: Lane | "guard";
  readonly client: number;
  readonly why: string;
}

class SocketLaneServer implements LaneServer {
  readonly #log: Log;
  readonly #listening: Listening[] = [];
  /** What says in files that this process is the owner of a bus. */
  readonly #owned: { readonly runDir: string; readonly bus: string }[] = [];
  #clients = 0;
  readonly #handlers: { -readonly [H in keyof Handlers]?: Handlers[H] } = {};
  /** Connections that came before the handlers; what they say waits in their sockets. */
  #early: ((handlers: Handlers) => void)[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  onRequest(handler: Handlers["request"]): void {
    this.#handlers.request = handler;
    this.#serveEarly();
  }

  onClientClosed(handler: Handlers["clientClosed"]): void {
    this.#handlers.clientClosed = handler;
    this.#serveEarly();
  }

  onGuard(handler: Handlers["guard"]): void {
    this.#handlers.guard = handler;
    this.#serveEarly();
  }

  onGuardClosed(handler: Handlers["guardClosed"]): void {
    this.#handlers.guardClosed = handler;
    this.#serveEarly();
  }

  async open(runDir: string, bus: BusConfig): Promise<void> {
    for (const lane of lanes) {
      const serve = (socket: Socket) =>
        this.#serve(socket, (handlers) => this.#serveLane(handlers, bus.id, lane, socket));
      await this.#listenLocal(lanePath(runDir, bus.id, lane), { runDir, bus: bus.id }, serve);
    }
    const guard = (socket: Socket) =>
      this.#serve(socket, (handlers) => this.#serveGuard(handlers, bus.id, socket));
    await this.#listenLocal(guardPath(runDir, bus.id), { runDir, bus: bus.id }, guard);
    writeBusOwner(runDir, bus);
    this.#owned.push({ runDir, bus: bus.id });
    if (bus.pollPort !== undefined) {
      const serve = (socket: Socket) =>
        this.#serve(socket, (handlers) => this.#serveLane(handlers, bus.id, "poll", socket));
      await this.#listen({ host: "127.0.0.1", port: bus.pollPort }, serve, toolsMax);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#listening.splice(0).map((listening) => listening.close()));
    for (const { runDir, bus } of this.#owned.splice(0)) removeBusOwner(runDir, bus);
  }

  async #listenLocal(
    path: string,
    { runDir, bus }: { readonly runDir: string; readonly bus: string },
    serve: (socket: Socket) => void,
  ): Promise<void> {
    try {
      await this.#listen({ path }, serve);
    } catch (error) {
      if (codeOf(error) !== "PORT_IN_USE") throw error;
      const owner = readBusOwner(runDir, bus);
      const who = owner === undefined ? "another program" : `process ${owner.pid}`;
      const text = `${path} is served by ${who}: end it before starting another bus service.`;
      throw new ServocellError("STORE_LOCKED", text, { path }, error);
    }
  }

  async #listen(
    address: ListenAddress,
    onSocket: (socket: Socket) => void,
    most = connectionsMax,
  ): Promise<void> {
    this.#listening.push(await listen({ address, connectionsMax: most, onSocket }));
  }

  #serve(socket: Socket, serve: (handlers: Handlers) => void): void {
    this.#early.push((handlers) => {
      if (!socket.destroyed) serve(handlers);
    });
    this.#serveEarly();
  }

  /** Nobody is served before all four handlers are there: a hello must not be lost. */
  #serveEarly(): void {
    const { request, clientClosed, guard, guardClosed } = this.#handlers;
    if (!request || !clientClosed || !guard || !guardClosed) return;
    const early = this.#early;
    this.#early = [];
    for (const serve of early) serve({ request, clientClosed, guard, guardClosed });
  }

  #serveLane(handlers: Handlers, bus: string, lane: Lane, socket: Socket): void {
    const client = this.#begin(socket, () => handlers.clientClosed(bus, lane, client));
    const reader = new MbapReader();
    socket.on("data", (chunk) => {
      const { frames, bad } = reader.push(chunk);
      for (const { transaction, unit, pdu } of frames) {
        let answered = false;
        const answer = (reply: Uint8Array) => {
          if (answered || socket.destroyed) return;
          answered = true;
          socket.write(encodeMbap({ transaction, unit, pdu: reply }));
          if (socket.writableLength > unreadBytesMax) {
            this.#dismiss(socket, { bus, lane, client, why: "does not read its answers" });
          }
        };
        handlers.request({ bus, lane, client, unit, pdu, answer });
      }
      if (bad !== undefined) this.#dismiss(socket, { bus, lane, client, why: bad });
    });
  }

  #serveGuard(handlers: Handlers, bus: string, socket: Socket): void {
    const client = this.#begin(socket, () => handlers.guardClosed(bus, client));
    const reply = () => {
      if (!socket.destroyed) socket.write('{"kind":"guarded"}\n');
    };
    let greeted = false;
    const lines = new LineSplitter((line) => {
      if (socket.destroyed) return;
      const message = readGuardLine(line);
      // One connection watches one unit: hello comes first and once.
      if (message === undefined || (message.kind === "hello") === greeted) {
        this.#dismiss(socket, { bus, lane: "guard", client, why: "not a guard line" });
        return;
      }
      greeted = true;
      handlers.guard(bus, client, message, reply);
    });
    socket.on("data", (chunk) => lines.push(chunk));
  }

  #begin(socket: Socket, closed: () => void): number {
    this.#clients += 1;
    socket.on("close", closed);
    return this.#clients;
  }

  #dismiss(socket: Socket, fields: Dismissal): void {
    this.#log.warn(fields, "closed a client of the bus service");
    socket.destroy();
  }
}
