/**
 * A stop over the local sockets of one run directory.
 *
 * The idea: its devices are those with a stop socket and those that the snapshot of its cell
 * names, because a driver between two starts has no socket and its axis has to be told of all the
 * same; each is dialled and written again until its driver has answered. Those with a socket are
 * written at once; what the snapshot says comes after that, and whether anything lives there at
 * all. It refuses to send after anything but itself.
 */
import { readdirSync } from "node:fs";
import { userInfo } from "node:os";
import type { CellConfig } from "#kernel/config/cell.js";
import { takesCommands } from "#kernel/config/takes-commands.js";
import type { StopAck } from "#kernel/contract/payloads.js";
import { openStopFanOut } from "#kernel/edge/stop-fan-out.js";
import type { Log, StopFanOut } from "#kernel/ports.js";
import { lanePath, stopPath, supervisorPath } from "#kernel/run-dir.js";
import type { StopDelivery } from "./client.js";
import { gatewayBase } from "./gateway-option.js";
import { lives, someLives } from "./running-cells.js";

const repeatMs = 50;
/**
 * After so many, 500 ms, a driver that has not answered is told as not delivered. They are counted,
 * because a busy PC may stand this process still between the first two.
 */
const repeatsMax = 10;
/** Longest wait for the drivers' last word on the standstill; they go on for themselves. */
const confirmedLimitMs = 10_000;

export type StopKind = "stop" | "quickStop" | "abort";
export type AxisDelivery = StopDelivery["axes"][number];

export const notDelivered = "not delivered: use the hardware stop";

export interface StopOfDir {
  readonly kind: StopKind;
  readonly id: string;
  readonly log: Log;
  readonly runDir: string;
  /** What is known of the cell where its services left no snapshot. */
  readonly config?: CellConfig | undefined;
}

export interface DirectResult {
  readonly lines: readonly string[];
  /** Devices that the lines tell of. */
  readonly told: readonly string[];
  /** Devices whose drivers have answered. */
  readonly answered: readonly string[];
  /** Every device there stands, or the gateway's word for it is good. */
  readonly good: boolean;
}

/** Devices with a stop socket, of a living driver or not. */
export function socketsIn(runDir: string): readonly string[] {
  return namesIn(runDir, /^stop-(.+)\.sock$/);
}

function namesIn(runDir: string, pattern: RegExp): readonly string[] {
  try {
    return readdirSync(runDir).flatMap((name) => pattern.exec(name)?.[1] ?? []);
  } catch {
    return [];
  }
}

export class DirectStop {
  readonly #stop: StopOfDir;
  readonly #sockets: readonly string[];
  readonly #acks = new Map<string, StopAck>();
  readonly #fans: StopFanOut[] = [];
  readonly #sent: Promise<void>;
  /** Settles when the first orders are out to whoever has a socket here. */
  readonly begun: Promise<void>;
  #begin: () => void = () => undefined;
  #config: CellConfig | undefined;
  #devices: readonly string[];
  /** Whether the snapshot has been looked for. */
  #listed = false;
  /** In doubt its cell runs. */
  #supervised = true;
  #ended = false;

  constructor(stop: StopOfDir) {
    this.#stop = stop;
    this.#sockets = socketsIn(stop.runDir);
    this.#devices = this.#sockets;
    this.begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#dial(this.#sockets);
    this.#sent = this.#send();
  }

  get runDir(): string {
    return this.#stop.runDir;
  }

  /** Whether the gateway at this base is the one of the cell in this directory. */
  hasGateway(base: string): boolean {
    return this.#config !== undefined && gatewayBase(this.#config.gateway) === base;
  }

  /**
   * Settles when each driver has said its last word, or its time is over.
   * `snapshot`: what has been read of the cell, if anything.
   */
  async finish(snapshot: CellConfig | undefined): Promise<void> {
    const { runDir } = this.#stop;
    this.#list(snapshot ?? this.#stop.config);
    const doors = this.#devices.map((device) => stopPath(runDir, device));
    const lanes = namesIn(runDir, /^bus-(.+)-poll\.sock$/).map((bus) => {
      return lanePath(runDir, bus, "poll");
    });
    const [supervisor, services] = await Promise.all([
      lives(supervisorPath(runDir)),
      someLives([...doors, ...lanes]),
      this.#sent,
    ]);
    this.#supervised = supervisor !== "no";
    this.#ended = !this.#supervised && services === "no" && this.#acks.size === 0;
  }

  /** Devices without a socket are dialled too: their drivers may come back meanwhile. */
  #list(config: CellConfig | undefined): void {
    this.#config = config;
    const named = config?.devices.filter(takesCommands).map(({ id }) => id) ?? [];
    this.#devices = [...new Set([...named, ...this.#sockets])];
    this.#dial(this.#devices.filter((device) => !this.#sockets.includes(device)));
    this.#listed = true;
  }

  #dial(devices: readonly string[]): void {
    if (devices.length === 0) return;
    const { runDir, id, log } = this.#stop;
    const fan = openStopFanOut({ runDir, devices, log });
    fan.onAck((ack) => {
      const before = this.#acks.get(ack.axis)?.status;
      if (ack.id === id && before !== "confirmed") this.#acks.set(ack.axis, ack);
    });
    this.#fans.push(fan);
  }

  async #send(): Promise<void> {
    const { id, kind } = this.#stop;
    const by = { user: userInfo().username, role: "operator" };
    const startedMs = performance.now();
    const order = { id, ts: Date.now(), by, reason: "servocell stop", v: 1 };
    let sinceListed = 0;
    for (let sent = 0; ; sent += 1) {
      if (!this.#devices.every((device) => this.#acks.has(device))) {
        for (const fan of this.#fans) fan.send(kind, order);
      }
      // What has been dialled just now takes its first order in the next turn.
      if (sent > 0 || this.#sockets.length === 0) this.#begin();
      if (this.#listed) {
        if (this.#allSaid(sinceListed) || performance.now() - startedMs >= confirmedLimitMs) break;
        sinceListed += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, repeatMs));
    }
    await Promise.all(this.#fans.map((fan) => fan.close()));
  }

  /** No driver that has answered has more to say, and those that have not have had their time. */
  #allSaid(repeats: number): boolean {
    const heard = this.#devices.filter((device) => this.#acks.has(device));
    if (heard.some((device) => this.#acks.get(device)?.status === "received")) return false;
    return heard.length === this.#devices.length || repeats >= repeatsMax;
  }

  /** `gateway`: what it says of each axis, where it is the one of this cell. */
  result(gateway: readonly AxisDelivery[]): DirectResult {
    const { runDir } = this.#stop;
    const answered = [...this.#acks.keys()];
    if (this.#ended) {
      const left = `${runDir}: left by a cell that has ended`;
      return { lines: this.#sockets.length > 0 ? [left] : [], told: [], answered, good: true };
    }
    const words = new Map(gateway.map((word) => [word.axis, word]));
    const lines = this.#devices.map((device) => this.#lineOf(device, words.get(device)));
    const good = this.#devices.every((device) => this.#stands(device, words.get(device)));
    // A supervisor always leaves a list; services that were started one by one leave none.
    const unlisted = this.#config === undefined && this.#supervised;
    const doubt = `${runDir}: its other axes cannot be read: use the hardware stop for them`;
    return {
      lines: unlisted ? [...lines, doubt] : lines,
      told: this.#devices,
      answered,
      good: good && !unlisted,
    };
  }

  #stands(device: string, word: AxisDelivery | undefined): boolean {
    const ack = this.#acks.get(device);
    return ack === undefined ? isReached(word) : ack.status === "confirmed";
  }

  #lineOf(device: string, word: AxisDelivery | undefined): string {
    const { kind } = this.#stop;
    const ack = this.#acks.get(device);
    if (ack === undefined) {
      const heard = isReached(word) || word?.status === "unconfirmed";
      return word !== undefined && heard ? toldOf(kind, word) : `${device}: ${notDelivered}`;
    }
    const where = ack.position === undefined ? "" : ` at ${ack.position.toFixed(2)}`;
    const more = ack.text === undefined ? "" : `: ${ack.text}`;
    return `${device}: ${kind} ${ack.status}${where}${more}`;
  }
}

export function isReached(word: AxisDelivery | undefined): boolean {
  return word?.status === "received" || word?.status === "confirmed";
}

/** The gateway's word on an axis. */
export function toldOf(kind: StopKind, { axis, status, text }: AxisDelivery): string {
  const bare = status === "notDelivered" ? notDelivered : undefined;
  const why = text ?? bare;
  return `${axis}: ${kind} ${status}${why ? `: ${why}` : ""}`;
}
