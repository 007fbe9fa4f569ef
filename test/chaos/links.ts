/**
 * The wires of chaos: TCP links that pass, hold back, or break.
 *
 * The idea: what a hole swallows is kept as a sender's kernel would keep it: it flows when the
 * link heals, unless the sender has reset the connection. A link may harm only the connections of
 * one MQTT client, which its CONNECT names. It refuses to look at anything else that passes.
 */
import net from "node:net";

export interface LinkSpec {
  readonly name: string;
  readonly listen: number;
  readonly target: number;
}
export const linkModes = ["pass", "hole", "holeUp", "holeDown", "reset", "refuse"] as const;
export type LinkMode = (typeof linkModes)[number];
export interface LinkOrder {
  readonly link: string;
  readonly mode: LinkMode;
  /** Only connections of this MQTT client; absent: all. */
  readonly client?: string;
  /** Replaces the target from the next connection on. */
  readonly target?: number;
}

/** So much is kept for the time after a hole; then the sender waits. */
const heldBytesMax = 262_144;

class Pipe {
  readonly #from: net.Socket;
  readonly #to: net.Socket;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ended = false;
  holds = false;

  constructor(from: net.Socket, to: net.Socket) {
    this.#from = from;
    this.#to = to;
    from.on("data", (data: Buffer) => this.#on(data));
    from.on("end", () => {
      this.#ended = true;
      this.flow();
    });
    to.on("drain", () => from.resume());
  }

  #on(data: Buffer): void {
    if (!this.holds) {
      if (!this.#to.write(data)) this.#from.pause();
      return;
    }
    this.#held.push(data);
    this.#heldBytes += data.length;
    if (this.#heldBytes > heldBytesMax) this.#from.pause();
  }

  flow(): void {
    if (this.holds || this.#to.destroyed) return;
    for (const data of this.#held) this.#to.write(data);
    this.#held = [];
    this.#heldBytes = 0;
    this.#from.resume();
    if (this.#ended) this.#to.end();
  }

  forget(): void {
    this.#held = [];
  }
}

export class Link {
  readonly #spec: LinkSpec;
  readonly #connections = new Set<Connection>();
  #target: number;
  #server: net.Server | undefined;
  order: LinkOrder;

  constructor(spec: LinkSpec) {
    this.#spec = spec;
    this.#target = spec.target;
    this.order = { link: spec.name, mode: "pass" };
  }

  listen(): Promise<void> {
    this.#server = net.createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      if (this.order.mode === "refuse" && this.order.client === undefined) {
        near.resetAndDestroy();
        return;
      }
      const connection = new Connection(near, this.#target, () => {
        this.#connections.delete(connection);
      });
      this.#connections.add(connection);
      connection.onNamed = () => connection.obey(this.order);
      connection.obey(this.order);
    });
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#spec.listen, "127.0.0.1", resolve);
    });
  }

  close(): void {
    this.#server?.close();
    this.obey({ link: this.#spec.name, mode: "reset" });
  }

  obey(order: LinkOrder): void {
    if (order.target !== undefined) this.#target = order.target;
    this.order = order;
    for (const connection of [...this.#connections]) connection.obey(order);
    // A reset happens once.
    if (order.mode === "reset") this.order = { link: order.link, mode: "pass" };
  }
}

class Connection {
  readonly #near: net.Socket;
  readonly #far: net.Socket;
  readonly #up: Pipe;
  readonly #down: Pipe;
  #client: string | undefined;
  onNamed: () => void = () => {};

  constructor(near: net.Socket, target: number, onGone: () => void) {
    this.#near = near;
    this.#far = net.connect({ port: target, host: "127.0.0.1", noDelay: true });
    near.once("data", (data: Buffer) => {
      this.#client = clientOf(data);
      if (this.#client !== undefined) this.onNamed();
    });
    this.#up = new Pipe(near, this.#far);
    this.#down = new Pipe(this.#far, near);
    const broken = (other: net.Socket) => () => {
      this.#up.forget();
      this.#down.forget();
      other.resetAndDestroy();
      onGone();
    };
    near.on("error", broken(this.#far));
    this.#far.on("error", broken(near));
    this.#far.on("close", () => onGone());
  }

  obey({ mode, client }: LinkOrder): void {
    const meant = client === undefined || client === this.#client;
    const now = meant ? mode : "pass";
    if (now === "reset" || now === "refuse") {
      this.#up.forget();
      this.#down.forget();
      this.#near.resetAndDestroy();
      this.#far.resetAndDestroy();
      return;
    }
    this.#up.holds = now === "hole" || now === "holeUp";
    this.#down.holds = now === "hole" || now === "holeDown";
    this.#up.flow();
    this.#down.flow();
  }
}

/** The client id of an MQTT CONNECT [MQTT 3.1]; undefined for anything else. */
function clientOf(data: Buffer): string | undefined {
  if (data[0] !== 0x10) return undefined;
  let at = 1;
  while (((data[at] ?? 0) & 0x80) !== 0) at += 1;
  at += 1;
  const name = data.readUInt16BE(at);
  // Name, level, flags, keep alive.
  at += 2 + name + 4;
  const length = data.readUInt16BE(at);
  return data.toString("utf8", at + 2, at + 2 + length);
}
