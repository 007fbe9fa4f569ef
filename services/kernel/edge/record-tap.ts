/**
 * The live tap of a bus: a local socket that shows every record as it is made.
 *
 * The idea: each connection gets the head line and then all that follows; one that does not read
 * is cut off when its buffer is full, and nobody waits for it. It refuses input.
 */
import type { Socket } from "node:net";
import type { BusRecord, RecordHead } from "../contract/frame-record.js";
import { type Listening, listen } from "./socket-server.js";

export const tapClientsMax = 8;
/** Bytes that may wait for one reader. */
export const tapClientBytesMax = 1024 * 1024;

export class RecordTap {
  readonly #head: RecordHead;
  readonly #sockets = new Set<Socket>();
  #listening: Listening | undefined;
  /** Readers that were too slow. */
  cut = 0;

  constructor(head: RecordHead) {
    this.#head = head;
  }

  /** @throws PORT_IN_USE when another program has the socket. */
  async open(path: string): Promise<void> {
    this.#listening = await listen({
      address: { path },
      connectionsMax: tapClientsMax,
      onSocket: (socket) => {
        this.#sockets.add(socket);
        socket.once("close", () => this.#sockets.delete(socket));
        socket.resume();
        socket.write(`${JSON.stringify(this.#head)}\n`);
      },
    });
  }

  take(record: BusRecord): void {
    if (this.#sockets.size === 0) return;
    const line = `${JSON.stringify(record)}\n`;
    for (const socket of this.#sockets) {
      if (socket.writableLength + line.length > tapClientBytesMax) {
        this.cut += 1;
        this.#sockets.delete(socket);
        socket.destroy();
        continue;
      }
      socket.write(line);
    }
  }

  async close(): Promise<void> {
    await this.#listening?.close();
  }
}
