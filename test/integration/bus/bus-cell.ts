/**
 * A whole bus service on sockets, in front of a scripted raw peer.
 * The idea: everything real but the broker and the device: lanes, guard socket, wire. Refuses
 * to judge.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BusConfig, CellConfig } from "#kernel/config/cell.js";
import type { CloudEvent } from "#kernel/contract/payloads.js";
import { openFieldLink } from "#kernel/edge/lane-link.js";
import { openLaneServer } from "#kernel/edge/lane-server.js";
import { openModbusWire } from "#kernel/edge/modbus-wire.js";
import type { App, FieldLink, Lane, LaneServer, Log, MessageLink } from "#kernel/ports.js";
import { guardPath, lanePath } from "#kernel/run-dir.js";
import { buildBus } from "../../../services/bus/app.js";
import { type PeerRequest, RawPeer, until } from "./raw-peer.js";

export interface LogLine {
  readonly level: string;
  readonly fields: { readonly [name: string]: unknown };
  readonly text: string;
}

export class BusCell {
  readonly runDir = mkdtempSync(join(tmpdir(), "bus-"));
  readonly lines: LogLine[] = [];
  readonly events: CloudEvent[] = [];
  readonly avail: string[] = [];
  readonly #links: FieldLink[] = [];
  readonly #sockets: Socket[] = [];
  /** Units whose driver the bus service has heard of: it passes no writes for others. */
  readonly #greeted = new Set<number>();
  #connected = true;
  #ids = 0;
  app: App | undefined;

  private constructor(
    readonly peer: RawPeer,
    readonly pollPort: number,
  ) {}

  static async open(
    script: (request: PeerRequest) => void,
    given: { readonly replyTimeoutMs?: number } = {},
  ): Promise<BusCell> {
    const cell = new BusCell(await RawPeer.open(script), await freePort());
    await cell.startBus(given.replyTimeoutMs);
    await until(() => cell.peer.connections === 1, "the wire's connection");
    await until(() => cell.lines.some(({ text }) => text.includes("is connected")), "its word");
    return cell;
  }

  async startBus(replyTimeoutMs = 200): Promise<void> {
    const { runDir, log } = this;
    const bus: BusConfig = {
      id: "gantry",
      link: { kind: "tcp", host: "127.0.0.1", port: this.peer.port },
      units: [],
      pollPort: this.pollPort,
      replyTimeoutMs,
    };
    const lanes = this.#watched(await openLaneServer({ runDir, buses: [bus], log }));
    const wires = new Map([
      ["gantry", openModbusWire({ host: "127.0.0.1", port: this.peer.port, log })],
    ]);
    const boot = { bootId: "boot-1", service: "bus", version: "0" };
    const newId = () => `id-${++this.#ids}`;
    const config = { buses: [bus], devices: [] } as unknown as CellConfig;
    const { main } = this;
    this.app = buildBus({ wires, lanes, main, log, boot, newId }, config);
    await this.app.start();
  }

  #watched(lanes: LaneServer): LaneServer {
    return {
      onRequest: (handler) => lanes.onRequest(handler),
      onClientClosed: (handler) => lanes.onClientClosed(handler),
      onGuard: (handler) =>
        lanes.onGuard((bus, client, message, reply) => {
          handler(bus, client, message, reply);
          if (message.kind === "hello") this.#greeted.add(message.unit);
        }),
      onGuardClosed: (handler) => lanes.onGuardClosed(handler),
      close: () => lanes.close(),
    };
  }

  get log(): Log {
    const say = (level: string) => (fields: object, text: string) => {
      this.lines.push({ level, fields: { ...fields }, text });
    };
    return { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
  }

  get main(): MessageLink {
    const cell = this;
    return {
      get connected() {
        return cell.#connected;
      },
      publish: async (key, _levels, payload) => {
        if (key === "event") this.events.push(payload as unknown as CloudEvent);
        if (key === "avail") this.avail.push((payload as unknown as { status: string }).status);
      },
      subscribe: () => undefined,
      onChange: () => undefined,
      close: async () => undefined,
    };
  }

  /** A driver's link, connected. */
  async link(unit = 1, device = "x"): Promise<FieldLink> {
    const { runDir, log } = this;
    const link = openFieldLink({ runDir, bus: "gantry", unit, device, log });
    this.#links.push(link);
    await until(() => link.connected && this.#greeted.has(unit), "the field link");
    return link;
  }

  /** A bare client of a lane or of the guard socket. */
  async socket(name: Lane | "guard" | "pollPort"): Promise<Socket> {
    const socket =
      name === "pollPort"
        ? connect({ host: "127.0.0.1", port: this.pollPort })
        : connect(
            name === "guard"
              ? guardPath(this.runDir, "gantry")
              : lanePath(this.runDir, "gantry", name),
          );
    this.#sockets.push(socket);
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve));
    return socket;
  }

  async close(): Promise<void> {
    for (const link of this.#links) await link.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.app?.stop("the test is over");
    await this.peer.close();
    rmSync(this.runDir, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

export const pduOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
