/**
 * The stream of server-sent events: one numbered line of changes for all pages.
 *
 * The idea: every change gets the next number and goes into a ring; a client that comes back with
 * the last id it saw gets exactly what followed, and a whole snapshot where the ring no longer
 * reaches. A client that does not read is dropped before its backlog grows. Ids carry the boot id,
 * so an id from before a restart is never taken for ours. It refuses unbounded memory.
 */
import type { ServerResponse } from "node:http";
import type { SnapshotResource, StreamEvent } from "#kernel/contract/resources.js";
import type { Log } from "#kernel/ports.js";
import type { Actor } from "./authorize.js";

/** Events that a returning client can be given again. */
export const ringMax = 1000;
/** Bytes a client may leave unread before it is dropped. */
export const clientBytesMax = 256 * 1024;
/** Characters that are kept: a longer replay would fill a client's bound at once. */
export const ringCharactersMax = clientBytesMax / 2;
/** Streams at once; the oldest makes room for a new one. */
export const clientsMax = 64;
/** The page shows a lost connection within 1 s, so a beat comes well inside of it. */
export const beatMs = 300;
/** A comment for proxies that look only at bytes. */
export const heartbeatMs = 5000;
/** How soon a browser comes back. */
const retryMs = 500;

interface Client {
  readonly raw: ServerResponse;
  readonly since: number;
}

export interface StreamPorts {
  readonly epoch: string;
  readonly log: Log;
  readonly snapshot: (actor: Actor) => SnapshotResource;
  /** What a beat says besides its time. */
  readonly beat: () => { readonly broker: boolean };
}

export class Stream {
  readonly #ports: StreamPorts;
  readonly #ring: { readonly n: number; readonly text: string }[] = [];
  readonly #clients = new Set<Client>();
  #ringCharacters = 0;
  #n = 0;
  #dropped = 0;
  #timers: ReturnType<typeof setInterval>[] = [];
  #closed = false;

  constructor(ports: StreamPorts) {
    this.#ports = ports;
  }

  get clients(): number {
    return this.#clients.size;
  }
  get dropped(): number {
    return this.#dropped;
  }

  start(): void {
    const beat = () => {
      const data = { ts: Date.now(), ...this.#ports.beat() };
      this.#toAll(`event: beat\ndata: ${JSON.stringify(data)}\n\n`);
    };
    this.#timers = [
      setInterval(beat, beatMs),
      setInterval(() => this.#toAll(": heartbeat\n\n"), heartbeatMs),
    ];
  }

  publish(event: StreamEvent, data: object): void {
    this.#n += 1;
    const text = this.#record(event, data);
    this.#ring.push({ n: this.#n, text });
    this.#ringCharacters += text.length;
    while (this.#ring.length > ringMax || this.#ringCharacters > ringCharactersMax) {
      this.#ringCharacters -= this.#ring.shift()?.text.length ?? 0;
    }
    this.#toAll(text);
  }

  /** Takes over a response; `lastEventId` is what the client saw last. */
  attach(raw: ServerResponse, actor: Actor, lastEventId: string | undefined): void {
    raw.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-accel-buffering": "no",
    });
    if (this.#closed) {
      raw.end();
      return;
    }
    raw.socket?.setNoDelay(true);
    const client = { raw, since: performance.now() };
    raw.on("close", () => this.#clients.delete(client));
    raw.on("error", () => this.#clients.delete(client));
    raw.write(`retry: ${retryMs}\n\n${this.#opening(actor, lastEventId)}`);
    this.#clients.add(client);
    const oldest = this.#clients.values().next().value;
    if (this.#clients.size > clientsMax && oldest !== undefined) {
      this.#drop(oldest, `there are more than ${clientsMax} streams`);
    }
  }

  /** Ends every stream; none is accepted afterwards. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const client of this.#clients) client.raw.end();
    this.#clients.clear();
  }

  #record(event: StreamEvent, data: object): string {
    // JSON keeps line ends inside strings escaped, so a record is always one data line.
    const id = `${this.#ports.epoch}-${this.#n}`;
    return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #opening(actor: Actor, lastEventId: string | undefined): string {
    if (lastEventId === undefined || lastEventId === "") return this.#snapshot(actor);
    const cut = lastEventId.lastIndexOf("-");
    const number = lastEventId.slice(cut + 1);
    const seen = /^\d{1,15}$/.test(number) ? Number(number) : undefined;
    const ours = lastEventId.slice(0, Math.max(cut, 0)) === this.#ports.epoch;
    const oldest = this.#ring[0]?.n ?? this.#n + 1;
    if (ours && seen !== undefined && seen <= this.#n && seen + 1 >= oldest) {
      const missed = this.#ring.filter((entry) => entry.n > seen).map((entry) => entry.text);
      return missed.join("");
    }
    const because = ours ? "the id is not among those kept" : "the id is not of this start";
    return `event: resync\ndata: ${JSON.stringify({ because })}\n\n${this.#snapshot(actor)}`;
  }

  #snapshot(actor: Actor): string {
    return this.#record("snapshot", this.#ports.snapshot(actor));
  }

  #toAll(text: string): void {
    for (const client of this.#clients) {
      if (client.raw.writableLength + text.length > clientBytesMax) {
        this.#drop(client, `it left more than ${clientBytesMax} bytes unread`);
      } else client.raw.write(text);
    }
  }

  #drop(client: Client, because: string): void {
    this.#clients.delete(client);
    this.#dropped += 1;
    const openMs = Math.round(performance.now() - client.since);
    this.#ports.log.warn({ because, openMs }, "stream client dropped");
    client.raw.destroy();
  }
}
