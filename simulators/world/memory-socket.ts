/**
 * Connections of bytes in virtual time: a network of sockets between the nodes of a world.
 *
 * The idea: what is written comes out at the other end in order, in other pieces, later; a reset
 * overtakes it, a silent network holds it back, a dead connection swallows it and tells nobody.
 * A node that is killed leaves its ends to the kernel, which closes them. What happens at an end
 * happens in the name of the node that owns it. It refuses to know what the bytes mean.
 */
import { Duplex } from "node:stream";
import type { SeededRandom } from "./seeded-random.js";
import type { VirtualClock } from "./virtual-clock.js";

/** What may happen to bytes on their way. Probabilities, and ms. */
export interface PipeFaults {
  /** Longest time of a piece on its way. */
  delayMaxMs: number;
  /** That what was written in one go comes in two pieces, or more. */
  cut: number;
}

/** Bytes that wait for a reader before a writer is held up. */
const unreadBytesMax = 65_536;
const delayMsMin = 0.02;
/** Pieces of one write at most. */
const piecesMax = 4;

type Done = (error?: Error | null) => void;

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** One end of a connection; the other is another node's. */
export class MemorySocket extends Duplex {
  readonly #network: MemoryNetwork;
  #peer: MemorySocket | undefined;
  #up = false;
  /** Written before the connection stood. */
  #early: (() => void) | undefined;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #ended = false;
  #wanted = false;
  #held: Done | undefined;
  #lastDueMs = 0;
  #resets = false;
  /** The other side is gone and nobody was told: what is written is lost. */
  dead = false;
  /** The node that had this end is gone: who still writes to it gets a reset. */
  gone = false;

  constructor(
    network: MemoryNetwork,
    readonly owner: string,
  ) {
    super({ allowHalfOpen: false });
    this.#network = network;
  }

  /** Both ends are there; the caller tells when each side knows. */
  join(peer: MemorySocket): void {
    this.#peer = peer;
  }

  stand(): void {
    if (this.destroyed) return;
    this.#up = true;
    this.emit("connect");
    const early = this.#early;
    this.#early = undefined;
    early?.();
  }

  /** Ends at once, the other end with an error; what is on its way may be overtaken. */
  resetAndDestroy(): this {
    this.#resets = true;
    this.destroy();
    return this;
  }

  /** As the network breaks it: both ends hear of it. */
  breakOff(): void {
    this.#resets = true;
    this.destroy(failure("ECONNRESET"));
  }

  /** The node is gone: nothing more is heard here, and the kernel closes the connection. */
  abandon(): void {
    this.#tellEnd();
    this.gone = true;
  }

  setNoDelay(): this {
    return this;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    if (!this.#up) {
      this.#early = () => this._write(chunk, _encoding, done);
      return;
    }
    const bytes = Uint8Array.from(chunk);
    let at = 0;
    for (const end of this.#network.cutsOf(bytes.length)) {
      const piece = bytes.subarray(at, end);
      at = end;
      this.#send((peer) => peer.#arrived(piece));
    }
    const peer = this.#peer;
    // What is on its way waits for the reader, too.
    if (peer !== undefined && !this.dead) peer.#unreadBytes += bytes.length;
    if (peer === undefined || peer.gone || peer.#unreadBytes < unreadBytesMax) done();
    else peer.#held = done;
  }

  override _final(done: Done): void {
    this.#tellEnd();
    done();
  }

  override _read(): void {
    this.#wanted = true;
    this.#handOver();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#network.forget(this);
    if (this.#resets) this.#network.later(this, (peer) => peer.wasReset());
    else if (!this.writableFinished) this.#tellEnd();
    done(error);
  }

  /** The other end of this one. */
  get peer(): MemorySocket | undefined {
    return this.#peer;
  }

  #tellEnd(): void {
    this.#send((peer) => peer.#arrived(undefined));
  }

  /** After all that was sent before. */
  #send(work: (peer: MemorySocket) => void): void {
    this.#lastDueMs = this.#network.later(this, work, this.#lastDueMs);
  }

  #arrived(piece: Uint8Array | undefined): void {
    if (this.destroyed) return;
    if (piece === undefined) {
      this.#ended = true;
      // Nobody will read on there: a write that was held up is over.
      this.#peer?.letWriterGo();
    } else this.#unread.push(piece);
    this.#handOver();
  }

  #handOver(): void {
    while (this.#wanted) {
      const piece = this.#unread.shift();
      if (piece === undefined) break;
      this.#unreadBytes -= piece.length;
      this.#wanted = this.push(Buffer.from(piece));
    }
    if (this.#unread.length === 0 && this.#ended && this.#wanted) {
      this.#wanted = false;
      this.push(null);
    }
    if (this.#unreadBytes >= unreadBytesMax || this.#held === undefined) return;
    // The writer is told at its own end, a moment later.
    const held = this.#held;
    this.#held = undefined;
    this.#network.later(this, () => held());
  }

  /** What the other end has written and this one has not read will never be read. */
  letWriterGo(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  wasReset(): void {
    if (!this.destroyed) this.destroy(failure("ECONNRESET"));
  }
}

interface Listener {
  readonly owner: string;
  readonly onSocket: (socket: MemorySocket) => void;
}

export class MemoryNetwork {
  readonly #listeners = new Map<string, Listener>();
  readonly #sockets = new Set<MemorySocket>();
  /** Nodes that the network does not reach, until when. */
  readonly #silent = new Map<string, number>();

  constructor(
    readonly clock: VirtualClock,
    readonly random: SeededRandom,
    readonly faults: PipeFaults,
  ) {}

  listen(address: string, owner: string, onSocket: (socket: MemorySocket) => void): () => void {
    const listener = { owner, onSocket };
    this.#listeners.set(address, listener);
    return () => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
    };
  }

  /** As a socket is opened: what comes of it is told by `connect`, or by an error and `close`. */
  connect(address: string, owner: string = this.clock.owner): MemorySocket {
    const socket = new MemorySocket(this, owner);
    const attempt = () => {
      // A SYN into a silent network is repeated, and its sender gives up by its own time.
      const untilMs = this.#silentUntil(owner);
      if (untilMs > this.clock.nowMs) return this.#again(attempt, untilMs, owner);
      const listener = this.#listeners.get(address);
      if (socket.destroyed) return;
      if (listener === undefined) socket.destroy(failure("ECONNREFUSED"));
      else this.#accept(socket, listener);
    };
    this.clock.schedule(this.#delayMs(), attempt, owner);
    return socket;
  }

  /** kill -9 of a node: its listeners and connections are closed by the kernel. */
  cut(owner: string): void {
    for (const [address, listener] of this.#listeners) {
      if (listener.owner === owner) this.#listeners.delete(address);
    }
    for (const socket of [...this.#sockets]) {
      if (socket.owner !== owner) continue;
      this.#sockets.delete(socket);
      socket.abandon();
    }
  }

  /** The connections of a node break, and both ends hear of it. */
  reset(owner: string): void {
    for (const socket of [...this.#sockets]) {
      const { peer } = socket;
      if (socket.owner !== owner || peer === undefined) continue;
      this.clock.schedule(0, () => socket.breakOff(), owner);
      this.clock.schedule(this.#delayMs(), () => peer.breakOff(), peer.owner);
    }
  }

  /** The network of a node holds everything back for a while, new connections too. */
  silence(owner: string, ms: number): void {
    this.#silent.set(owner, Math.max(this.#silentUntil(owner), this.clock.nowMs + ms));
  }

  /** The connections of a node are dead from now on, and nobody is told. */
  halfOpen(owner: string): void {
    for (const socket of this.#sockets) if (socket.owner === owner) this.deaden(socket);
  }

  /** The network is whole: it reaches everybody, and who writes into a dead connection is told. */
  mend(): void {
    this.#silent.clear();
    for (const socket of [...this.#sockets]) {
      if (socket.dead && !socket.destroyed) {
        this.clock.schedule(this.#delayMs(), () => socket.breakOff(), socket.owner);
      }
    }
  }

  /** The same of one connection. */
  deaden(socket: MemorySocket): void {
    socket.dead = true;
    if (socket.peer !== undefined) socket.peer.dead = true;
  }

  /** Where the bytes of one write are cut: the end of each piece. */
  cutsOf(length: number): readonly number[] {
    if (length < 2 || !this.random.chance(this.faults.cut)) return [length];
    const cuts = new Set<number>([length]);
    const pieces = this.random.whole(2, piecesMax);
    while (cuts.size < Math.min(pieces, length)) cuts.add(this.random.whole(1, length - 1));
    return [...cuts].sort((a, b) => a - b);
  }

  /** Does something at the other end, not before `notBeforeMs`; returns when. */
  later(from: MemorySocket, work: (peer: MemorySocket) => void, notBeforeMs = 0): number {
    const { peer } = from;
    const dueMs = Math.max(notBeforeMs, this.clock.nowMs + this.#delayMs());
    if (peer === undefined || from.dead) return dueMs;
    if (peer.gone || peer.destroyed) {
      this.clock.schedule(dueMs - this.clock.nowMs, () => from.wasReset(), from.owner);
      return dueMs;
    }
    const arrive = () => {
      const untilMs = Math.max(this.#silentUntil(from.owner), this.#silentUntil(peer.owner));
      if (untilMs > this.clock.nowMs) this.#again(arrive, untilMs, peer.owner);
      else work(peer);
    };
    this.clock.schedule(dueMs - this.clock.nowMs, arrive, peer.owner);
    return dueMs;
  }

  forget(socket: MemorySocket): void {
    this.#sockets.delete(socket);
  }

  #accept(client: MemorySocket, { owner, onSocket }: Listener): void {
    const server = new MemorySocket(this, owner);
    client.join(server);
    server.join(client);
    this.#sockets.add(client);
    this.#sockets.add(server);
    const accepted = () => {
      server.stand();
      onSocket(server);
    };
    this.clock.schedule(this.#delayMs(), accepted, owner);
    this.clock.schedule(this.#delayMs(), () => client.stand(), client.owner);
  }

  #again(work: () => void, atMs: number, owner: string): void {
    this.clock.schedule(atMs - this.clock.nowMs, work, owner);
  }

  #silentUntil(owner: string): number {
    return this.#silent.get(owner) ?? 0;
  }

  #delayMs(): number {
    return this.random.between(delayMsMin, Math.max(delayMsMin, this.faults.delayMaxMs));
  }
}
