/**
 * The stream of bytes under a wire: a TCP connection, or what stands for one.
 *
 * The idea: framing is what has to be right whatever pieces come when, so it gets its connection
 * from outside, and a world can give it one whose pieces come by a seed. It refuses to frame.
 */
import { connect } from "node:net";
import type { Duplex } from "node:stream";

const keepAliveDelayMs = 1000;

/** A TCP endpoint, or a local socket. */
export type SocketAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** Emits `connect` once it stands; then as any stream. */
export type ByteSocket = Duplex & {
  /** Ends it at once: what still waits in it never leaves. */
  resetAndDestroy(): unknown;
};

export type OpenSocket = (address: SocketAddress) => ByteSocket;

/** No delays by Nagle; a peer that is gone is noticed in the end. */
export const openSocket: OpenSocket = (address) => {
  const socket = connect({
    ...address,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMs,
  });
  if ("host" in address) return socket;
  // A local socket knows no reset, Node throws; destroyed it lets nothing more out either.
  return Object.assign(socket, { resetAndDestroy: () => socket.destroy() });
};
