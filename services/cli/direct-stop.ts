/**
 * A stop over the local sockets of one run directory.
 *
 * The idea: its devices are those with a stop socket and those that the snapshot of its cell
 * names, because a driver between two starts has no socket and its axis has to be told of all the
 * same; each is dialled and written again until its driver has answered. Beside the sending it is
 * found out whether anything lives there at all. It refuses to send after anything but itself.
 */
import { readdirSync } from "node:fs";
import { userInfo } from "node:os";
import type { CellConfig } from "#kernel/config/cell.js";
import { readSnapshot, snapshotPath } from "#kernel/config/cell-snapshot.js";
import { takesCommands } from "#kernel/config/takes-commands.js";
import type { StopAck } from "#kernel/contract/payloads.js";
import { packageVersion } from "#kernel/edge/process.js";
import { openStopFanOut } from "#kernel/edge/stop-fan-out.js";
import type { Log } from "#kernel/ports.js";
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
  readonly #config: CellConfig | undefined;
  readonly #sockets: readonly string[];
  readonly #devices: readonly string[];
  readonly #acks = new Map<string, StopAck>();
  /** Settles when each driver has said its last word, or its time is over. */
  readonly done: Promise<void>;
  /** In doubt its cell runs. */
  #supervised = true;
  #ended = false;

  constructor(stop: StopOfDir) {
    this.#stop = stop;
    this.#sockets = socketsIn(stop.runDir);
    this.#config = readSnapshot(snapshotPath(stop.runDir), packageVersion()) ?? stop.config;
    const named = this.#config?.devices.filter(takesCommands).map(({ id }) => id) ?? [];
    this.#devices = [...new Set([...named, ...this.#sockets])];
    this.done = this.#run();
  }

  /** Whether the gateway at this base is the one of the cell in this directory. */
  hasGateway(base: string): boolean {
    return this.#config !== undefined && gatewayBase(this.#config.gateway) === base;
  }

  async #run(): Promise<void> {
    const sent = this.#send();
    const { runDir } = this.#stop;
    const doors = this.#devices.map((device) => stopPath(runDir, device));
    const lanes = namesIn(runDir, /^bus-(.+)-poll\.sock$/).map((bus) => {
      return lanePath(runDir, bus, "poll");
    });
    const [supervisor, services] = await Promise.all([
      lives(supervisorPath(runDir)),
      someLives([...doors, ...lanes]),
      sent,
    ]);
    this.#supervised = supervisor !== "no";
    this.#ended = !this.#supervised && services === "no" && this.#acks.size === 0;
  }

  async #send(): Promise<void> {
    const { runDir, id, kind, log } = this.#stop;
    const fan = openStopFanOut({ runDir, devices: this.#devices, log });
    const by = { user: userInfo().username, role: "operator" };
    fan.onAck((ack) => {
      const before = this.#acks.get(ack.axis)?.status;
      if (ack.id === id && before !== "confirmed") this.#acks.set(ack.axis, ack);
    });
    const startedMs = performance.now();
    const order = { id, ts: Date.now(), by, reason: "servocell stop", v: 1 };
    for (let sent = 0; performance.now() - startedMs < confirmedLimitMs; sent += 1) {
      const heard = this.#devices.filter((device) => this.#acks.has(device));
      if (heard.length < this.#devices.length) fan.send(kind, order);
      if (heard.every((device) => this.#acks.get(device)?.status !== "received")) {
        if (heard.length === this.#devices.length || sent >= repeatsMax) break;
      }
      await new Promise((resolve) => setTimeout(resolve, repeatMs));
    }
    await fan.close();
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
