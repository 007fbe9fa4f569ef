/**
 * `servocell stop`: one stop id over two roads at once, the local sockets and the gateway.
 *
 * The idea: the sockets are written every 50 ms until each driver has answered, the gateway is
 * asked beside them, and either road is enough (PROTOCOL 5). It refuses to wait for one before
 * it has tried the other, and to call a stop delivered that nobody has answered.
 */
import { readdirSync, statSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import type { CellConfig } from "#kernel/config/cell.js";
import { readSnapshot, snapshotPath } from "#kernel/config/cell-snapshot.js";
import type { StopAck } from "#kernel/contract/payloads.js";
import { packageVersion } from "#kernel/edge/process.js";
import { openStopFanOut } from "#kernel/edge/stop-fan-out.js";
import { ServocellError, textOf } from "#kernel/errors.js";
import type { Log } from "#kernel/ports.js";
import type { Api, StopDelivery } from "./client.js";

const repeatMs = 50;
/** After this a driver that has not answered is told as not delivered. */
const receivedLimitMs = 500;
/** Longest wait for the drivers' last word on the standstill; they go on for themselves. */
const confirmedLimitMs = 10_000;

export type StopKind = "stop" | "quickStop" | "abort";

export interface StopCommand {
  readonly kind: StopKind;
  readonly id: string;
  readonly api: Pick<Api, "stop">;
  /** Run directories whose drivers are reached directly. */
  readonly runDirs: readonly string[];
  readonly log: Log;
  readonly say: (line: string) => void;
}

/** Run directories of a cell file: wherever its data stand, the snapshot there names the file. */
export function runDirsOf(config: CellConfig): readonly string[] {
  const named = localRunDirs().filter((dir) => {
    return readSnapshot(snapshotPath(dir), packageVersion())?.file === config.file;
  });
  return [...new Set([config.runDir, ...named])];
}

/** Run directories of this user's cells on this PC. */
export function localRunDirs(): readonly string[] {
  const own = `servocell-${userInfo().uid}-`;
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith(own))
    .map((name) => join(tmpdir(), name))
    .filter((dir) => statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true)
    .filter((dir) => devicesIn(dir).length > 0);
}

function devicesIn(runDir: string): readonly string[] {
  try {
    return readdirSync(runDir).flatMap((name) => /^stop-(.+)\.sock$/.exec(name)?.[1] ?? []);
  } catch {
    return [];
  }
}

/**
 * Exit code 0 when every driver that was there has the stop and, if asked directly, stands, and
 * the gateway knows of no axis that neither road has reached.
 */
export async function stop(command: StopCommand): Promise<number> {
  const direct = command.runDirs.map((runDir) => new DirectStop(command, runDir));
  const overHttp = command.api.stop({ kind: command.kind, id: command.id }).then(
    (delivery) => ({ delivery, problem: "" }),
    (thrown: unknown) => ({ delivery: undefined, problem: textOf(thrown) }),
  );
  const results = await Promise.all(direct.map((one) => one.done()));
  const { delivery, problem } = await overHttp;
  for (const result of results) for (const line of result.lines) command.say(line);
  if (results.some((result) => result.answered.length > 0)) {
    if (delivery === undefined) command.say(`the gateway did not take part: ${problem}`);
    const missed = missedAxes(delivery, new Set(results.flatMap((result) => result.answered)));
    for (const axis of missed) command.say(toldOf(command.kind, axis));
    return missed.length === 0 && results.every((result) => result.good) ? 0 : 1;
  }
  if (delivery === undefined) {
    const text = `The stop reached no driver: ${problem} Use the hardware stop.`;
    throw new ServocellError("NOT_DELIVERED", text);
  }
  for (const axis of delivery.axes) command.say(toldOf(command.kind, axis));
  command.say(delivery.text);
  return delivery.delivered ? 0 : 1;
}

type AxisDelivery = StopDelivery["axes"][number];

/**
 * Axes of the cell that neither road has stopped. A driver that is being started again has no
 * socket, so only the gateway, which knows all axes, can tell of it.
 */
function missedAxes(delivery: StopDelivery | undefined, answered: ReadonlySet<string>) {
  const reached = ({ axis, status }: AxisDelivery) =>
    answered.has(axis) || status === "received" || status === "confirmed";
  return (delivery?.axes ?? []).filter((axis) => !reached(axis));
}

function toldOf(kind: StopKind, { axis, status, text }: AxisDelivery): string {
  const bare = status === "notDelivered" ? "not delivered: use the hardware stop" : undefined;
  const why = text ?? bare;
  return `${axis}: ${kind} ${status}${why ? `: ${why}` : ""}`;
}

interface DirectResult {
  readonly lines: readonly string[];
  /** Devices whose drivers have answered. */
  readonly answered: readonly string[];
  readonly good: boolean;
}

class DirectStop {
  readonly #devices: readonly string[];
  readonly #acks = new Map<string, StopAck>();
  readonly #result: Promise<DirectResult>;

  constructor(command: StopCommand, runDir: string) {
    this.#devices = devicesIn(runDir);
    this.#result = this.#run(command, runDir);
  }

  done(): Promise<DirectResult> {
    return this.#result;
  }

  async #run(command: StopCommand, runDir: string): Promise<DirectResult> {
    const fan = openStopFanOut({ runDir, devices: this.#devices, log: command.log });
    const by = { user: userInfo().username, role: "operator" };
    fan.onAck((ack) => {
      const before = this.#acks.get(ack.axis)?.status;
      if (ack.id === command.id && before !== "confirmed") this.#acks.set(ack.axis, ack);
    });
    const startedMs = performance.now();
    const order = { id: command.id, ts: Date.now(), by, reason: "servocell stop", v: 1 };
    while (performance.now() - startedMs < confirmedLimitMs) {
      const heard = this.#devices.filter((device) => this.#acks.has(device));
      if (heard.length < this.#devices.length) fan.send(command.kind, order);
      if (heard.every((device) => this.#acks.get(device)?.status !== "received")) {
        if (heard.length === this.#devices.length) break;
        if (performance.now() - startedMs > receivedLimitMs) break;
      }
      await new Promise((resolve) => setTimeout(resolve, repeatMs));
    }
    await fan.close();
    return this.#told(command.kind);
  }

  #confirmed(device: string): boolean {
    return this.#acks.get(device)?.status === "confirmed";
  }

  #told(kind: StopKind): DirectResult {
    const lines = this.#devices.map((device) => {
      const ack = this.#acks.get(device);
      if (ack === undefined) return `${device}: not delivered by the local road`;
      const where = ack.position === undefined ? "" : ` at ${ack.position.toFixed(2)}`;
      const more = ack.text === undefined ? "" : `: ${ack.text}`;
      return `${device}: ${kind} ${ack.status}${where}${more}`;
    });
    const good = this.#devices.every((device) => this.#confirmed(device));
    return { lines, answered: [...this.#acks.keys()], good };
  }
}
