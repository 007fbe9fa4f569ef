/**
 * Listens on a local socket or a TCP port, and says in a sentence when it cannot.
 *
 * The idea: a socket file that nobody answers on is a leftover and is removed; one that answers
 * belongs to another instance. It refuses to take an address away from a living program.
 */
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { ServocellError } from "../errors.js";

export type ListenAddress =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

export interface ListenOptions {
  readonly address: ListenAddress;
  /** Connections at a time; further ones are closed at once. */
  readonly connectionsMax: number;
  /** Bytes that may wait in one connection before it counts as slow. */
  readonly bufferBytes?: number;
  readonly onSocket: (socket: Socket) => void;
}

export interface Listening {
  /** The port that was given (for 0), or 0 on a local socket. */
  readonly port: number;
  /** Closes the address and cuts what is connected. */
  close(): Promise<void>;
}

/** Longest wait for a living holder of a socket file to accept. */
const probeMaxMs = 500;

function textOfAddress(address: ListenAddress): string {
  return "path" in address ? address.path : `${address.host}:${address.port}`;
}

function refusal(address: ListenAddress, error: NodeJS.ErrnoException): ServocellError {
  const text = textOfAddress(address);
  if (error.code === "EADDRINUSE") {
    return new ServocellError(
      "PORT_IN_USE",
      `${text} is used by another program; end it or choose another address.`,
      { address: text },
    );
  }
  return new ServocellError(
    "INTERNAL",
    `${text} cannot be listened on: ${error.message}.`,
    { address: text },
    error,
  );
}

function tryListen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether a living program accepts on this socket file. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (alive: boolean) => {
      clearTimeout(limit);
      socket.destroy();
      resolve(alive);
    };
    const limit = setTimeout(() => settle(true), probeMaxMs);
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

async function listenOrTakeOver(server: Server, address: ListenAddress): Promise<void> {
  try {
    await tryListen(server, address);
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException;
    const stale =
      error.code === "EADDRINUSE" && "path" in address && !(await answers(address.path));
    if (!stale) throw refusal(address, error);
    rmSync(address.path, { force: true });
    await tryListen(server, address).catch((again: NodeJS.ErrnoException) => {
      throw refusal(address, again);
    });
  }
}

/**
 * @throws PORT_IN_USE when another program has the address.
 */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { address, bufferBytes } = options;
  const sockets = new Set<Socket>();
  const server = createServer({
    noDelay: true,
    ...(bufferBytes === undefined ? {} : { highWaterMark: bufferBytes }),
  });
  server.maxConnections = options.connectionsMax;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    options.onSocket(socket);
  });
  await listenOrTakeOver(server, address);
  // Accepting can fail for want of file descriptors; the next attempt may succeed.
  server.on("error", () => undefined);
  if ("path" in address) chmodSync(address.path, 0o600);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
